"""Starting weights that are scaled by what a batch of data does in the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fanin._core.errors import ArgumentError, OperationError
from fanin.nn.init.filling import zeros_
from fanin.nn.init.structured import orthogonal_
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import no_grad
from fanin.tensor.in_place import bump


@dataclass(frozen=True)
class LsuvLayer:
    """What `lsuv_` did to one layer.

    name:       of the layer in the network, "" for the network itself.
    before:     the variance of the layer's outputs with its orthogonal weights.
    after:      the variance that it ends with.
    iterations: how often its weights were rescaled.
    converged:  whether `after` is within the tolerance of 1.
    """

    name: str
    before: float
    after: float
    iterations: int
    converged: bool

    def __str__(self) -> str:
        end = "" if self.converged else ", not within the tolerance"
        return f"{self.name or '(itself)'}: variance {self.before:.4g} -> {self.after:.4g} ({self.iterations} x{end})"


@dataclass(frozen=True)
class LsuvReport:
    """The layers that `lsuv_` has scaled, in the order in which the batch came to them."""

    layers: tuple[LsuvLayer, ...]

    @property
    def converged(self) -> bool:
        """Whether every layer's outputs have a variance within the tolerance of 1."""
        return all(layer.converged for layer in self.layers)

    def __str__(self) -> str:
        return "\n".join(map(str, self.layers))


def lsuv_(
    module: Any, batch: Any, *, tolerance: float = 0.1, max_iterations: int = 10, generator: Any = None
) -> LsuvReport:
    """Start every Linear layer from an orthogonal matrix, scaled so that its outputs on a batch have variance 1.

    The rules that reckon with variances assume symmetric values and known functions in between; this one measures. For
    each layer, in the order of the forward pass, with B its outputs over the whole batch and all units:

        W <- an orthogonal matrix, b <- 0;   while |Var B - 1| >= tolerance:   W <- W / sqrt(Var B)

    so one pass is enough: what goes on to the next layer is already scaled. Layers that the pass does not reach stay as
    they are, and one that is used twice is scaled for its first use. The network is in evaluation mode for the pass
    (no dropout, no update of running statistics) and returns to its modes after it.

    Args:
        module: the network.
        batch: one batch of inputs, or a tuple of them for a network with several; some hundred rows are enough.
        tolerance: how far from 1 a variance may end.
        max_iterations: how often a layer is rescaled at most. Without rounding, once is enough.
        generator: the stream of the orthogonal matrices; the default one when left out.

    Returns an `LsuvReport`; `print` shows it a line a layer.

    Raises:
        ValueError: for a tolerance that is not positive, less than one iteration, or a network without Linear layers.
        RuntimeError: where a layer's outputs do not vary over the batch, so that nothing can scale them.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    >>> x = torch.randn(500, 8) * 30
    >>> report = torch.nn.init.lsuv_(net, x)
    >>> report.converged, [layer.name for layer in report.layers]
    (True, ['0', '2'])
    >>> round(float(net[0](x).var()), 3)
    1.0

    Reference: D. Mishkin, J. Matas, "All you need is a good init", 2015, arXiv 1511.06422, algorithm 1.
    """
    if not tolerance > 0:
        raise ArgumentError(f"lsuv_ expects a positive tolerance, got {tolerance}")
    if max_iterations < 1:
        raise ArgumentError(f"lsuv_ expects at least one iteration, got {max_iterations}")
    names = {layer: name for name, layer in module.named_modules() if _is_linear(layer)}
    if not names:
        raise ArgumentError(f"lsuv_ scales Linear layers, and there is none in this {type(module).__name__}")
    scaled: dict[Any, LsuvLayer] = {}

    def scale(layer: Any, inputs: Any, output: Any) -> Any:
        if layer in scaled:
            return output
        output, scaled[layer] = _scaled(names[layer], layer, inputs[0], tolerance, max_iterations, generator)
        return output

    _pass_through(module, batch, names, scale)
    return LsuvReport(tuple(scaled.values()))


def _is_linear(layer: Any) -> bool:
    from fanin.nn.linear import Linear  # its starting values come from this room

    return isinstance(layer, Linear)


def _pass_through(module: Any, batch: Any, layers: Any, hook: Any) -> None:
    """Run a batch through a network in evaluation mode, with a hook on the layers."""
    handles = [layer.register_forward_hook(hook) for layer in layers]
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with no_grad():
            module(*((batch,) if isinstance(batch, TensorBase) else batch))
    finally:
        for part, mode in modes:
            part.training = mode
        for handle in handles:
            handle.remove()


def _scaled(
    name: str, layer: Any, inputs: Any, tolerance: float, max_iterations: int, generator: Any
) -> tuple[Any, LsuvLayer]:
    """Give a layer its weights; return its outputs with them, and what was done."""
    orthogonal_(layer.weight, generator=generator)
    if layer.bias is not None:
        zeros_(layer.bias)
    output = layer.forward(inputs)
    before = after = _variance(name, output)
    iterations = 0
    while abs(after - 1) >= tolerance and iterations < max_iterations:
        layer.weight._array[...] /= math.sqrt(after)
        bump(layer.weight)
        output = layer.forward(inputs)
        after = _variance(name, output)
        iterations += 1
    return output, LsuvLayer(name, before, after, iterations, abs(after - 1) < tolerance)


def _variance(name: str, output: Any) -> float:
    # In double precision: the squares of large outputs overflow float32.
    variance = float(output._array.astype("float64").var()) if output._array.size else 0.0
    if not 0 < variance < math.inf:
        raise OperationError(
            f"lsuv_: the outputs of layer {name!r} have variance {variance} over the batch of "
            f"{tuple(output.shape)}; give more, differing and finite rows, or look at the layers before it"
        )
    return variance
