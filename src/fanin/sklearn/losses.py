"""Losses by name and by module, and what a network is trained on: the loss of a batch with its penalty.

A loss here gives one number for each row, so that rows can be weighted.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import fanin
from fanin import nn
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.nn import functional as F


class SquaredError(nn.Module):
    """Half the squared error.

    Of several outputs the mean is reported and the gradient is that of the sum, as scikit-learn has it.
    """

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        half = 0.5 * (output - target) ** 2
        if output.shape[1] == 1:
            return half.sum(dim=1)
        total = half.sum(dim=1)
        return half.mean(dim=1).detach() + (total - total.detach())


class PoissonError(nn.Module):
    """Half the Poisson deviance, y log(y / e^z) - y + e^z, of outputs z that are logarithms."""

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        constant = fanin.xlogy(target, target) - target
        return (output.exp() - target * output + constant).sum(dim=1)


class AbsoluteError(nn.Module):
    """The absolute error, |z - y|."""

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        return (output - target).abs().sum(dim=1)


class HuberError(nn.Module):
    """Huber's error: half the square up to delta, linear beyond it.

    >>> import fanin
    >>> HuberError(delta=1.0)(fanin.tensor([[0.5], [3.0]]), fanin.zeros(2, 1))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = float(delta)

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        return F.huber_loss(output, target, reduction="none", delta=self.delta).sum(dim=1)


class QuantileError(nn.Module):
    """The pinball loss, max(q d, (q - 1) d) of d = y - z: what is lowest at the q-quantile of y.

    Koenker and Bassett, "Regression Quantiles", Econometrica 46 (1978).

    >>> import fanin
    >>> QuantileError(0.9)(fanin.zeros(2, 1), fanin.tensor([[1.0], [-1.0]]))
    tensor([0.9000, 0.1000])
    """

    def __init__(self, quantile: float = 0.5) -> None:
        super().__init__()
        if not 0 < quantile < 1:
            raise ArgumentError(f"QuantileError: quantile must lie in (0, 1), not {quantile}")
        self.quantile = float(quantile)

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        missing = target - output
        return fanin.maximum(self.quantile * missing, (self.quantile - 1) * missing).sum(dim=1)


class LogLoss(nn.Module):
    """The cross-entropy: of logits (rows, classes) and class numbers, or of logits and 0 or 1 of the same shape."""

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        if target.ndim == 1:
            return _capped(F.cross_entropy(output, target, reduction="none"))
        return _capped(F.binary_cross_entropy_with_logits(output, target, reduction="none")).sum(dim=1)


def _capped(entropy: Any) -> Any:
    """Return cross-entropies as scikit-learn reports them, whose probabilities end at the dtype's epsilon.

    The gradient is that of the cross-entropy everywhere. Without the cap other epochs would look better than those
    before, and training would end elsewhere: columns that are not scaled are enough.
    """
    most = -math.log(fanin.finfo(entropy.dtype).eps)
    return entropy.detach().clamp(max=most) + (entropy - entropy.detach())


class FocalLoss(nn.Module):
    """The cross-entropy with rows that are well predicted held down: (1 - p)^gamma (-log p), p that of the true class.

    Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002, equation 4.

    >>> import fanin
    >>> FocalLoss(gamma=2.0)(fanin.zeros(1, 2), fanin.tensor([0]))  # 0.5^2 * log 2
    tensor([0.1733])
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = float(gamma)

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,)."""
        if target.ndim == 1:
            return self._held_down(F.cross_entropy(output, target, reduction="none"))
        return self._held_down(F.binary_cross_entropy_with_logits(output, target, reduction="none")).sum(dim=1)

    def _held_down(self, entropy: Any) -> Any:
        # 1 - e^-x is at least 0, but its power has no derivative there for gamma below 1.
        return (1 - (-entropy).exp()).clamp(min=1e-12) ** self.gamma * entropy


REGRESSION = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberError,
    "quantile": QuantileError,
    "poisson": PoissonError,
}
CLASSIFICATION = {"log_loss": LogLoss, "focal": FocalLoss}


class Given(nn.Module):
    """A loss of PyTorch's kind: a module with a `reduction`, or any function of (output, target)."""

    def __init__(self, loss: Any, weighted: bool) -> None:
        super().__init__()
        self.loss = copy.deepcopy(loss) if isinstance(loss, nn.Module) else loss
        if weighted and hasattr(self.loss, "reduction"):
            self.loss.reduction = "none"

    def forward(self, output: Any, target: Any) -> Any:
        """Return (rows,), or one number where the loss gives one."""
        value = self.loss(output, target)
        return value.flatten(1).mean(dim=1) if value.ndim > 1 else value


def loss_of(given: Any, names: dict[str, Any], weighted: bool) -> Any:
    """Return the module of a loss that was given by name, as a module or as a function."""
    if isinstance(given, str):
        return names[given]()
    if isinstance(given, type):
        raise ArgumentTypeError(f"loss is the class {given.__name__}; give an object of it: {given.__name__}()")
    own = type(given).__module__.startswith(__name__)
    return copy.deepcopy(given) if own else Given(given, weighted)


class Objective(nn.Module):
    """What a batch is trained on: the mean of its losses plus alpha / (2 n) times the squares of the weights.

    n is the number of rows, or the sum of their weights; then the target is (target, weights).
    """

    def __init__(self, loss: Any, weights: list[Any], alpha: float, weighted: bool) -> None:
        super().__init__()
        self.loss = loss
        self.is_weighted, self.is_penalised = weighted, alpha > 0
        if self.is_penalised:
            self.matrices = nn.ParameterList(weights)
            # In memory, not a constant of the graph: a search for a good alpha compiles once.
            self.register_buffer("alpha", fanin.full((), 0.5 * alpha, dtype=weights[0].dtype))

    def forward(self, output: Any, target: Any) -> Any:
        """Return one number."""
        value, count = self.data_loss(output, target)
        if not self.is_penalised:
            return value
        squares = sum((w * w).sum() for w in self.matrices)
        return value + self.alpha * squares / count

    def data_loss(self, output: Any, target: Any) -> tuple[Any, Any]:
        """Return the loss without the penalty, and the number of rows or the sum of their weights."""
        if not self.is_weighted:
            value = self.loss(output, target)
            return value.mean(), output.shape[0]
        target, weights = target
        rows = self.loss(output, target)
        if rows.ndim == 0:
            raise ArgumentError(
                "weights need a loss that gives one number for each row, but this one gives their mean",
                remedy="Return the losses of the rows, without .mean(); they are averaged for you.",
            )
        total = weights.sum()
        total = fanin.where(total == 0, fanin.ones_like(total), total)  # a batch of rows that do not count
        return (weights * rows).sum() / total, total
