"""torch.utils.checkpoint: parts of a network that PyTorch computes twice to save memory. fanin computes them once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin._core.missing import refuse

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Return `function(*args, **kwargs)`: what PyTorch's checkpoint returns, with the same gradients.

    Nothing is forgotten and computed again, as the intermediate results of fully connected networks are small. The
    other arguments say how PyTorch computes again, and change nothing here.

    >>> import fanin as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.utils.checkpoint.checkpoint(torch.exp, x, use_reentrant=False)
    tensor([2.7183, 2.7183], grad_fn=<ExpBackward0>)
    """
    if use_reentrant and kwargs:
        raise ArgumentError("Unexpected keyword arguments: " + ",".join(kwargs))
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return the input after all functions (an nn.Sequential or a list), one after the other.

    segments: in how many parts PyTorch computes them again; without effect here.
    """
    unknown = set(kwargs) - {"preserve_rng_state"}
    if unknown:
        raise ArgumentError("Unexpected keyword arguments: " + ",".join(sorted(unknown)))
    layers: Sequence[Any] = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not isinstance(segments, int):
        raise ArgumentTypeError(f"segments must be an int, not {type(segments).__name__}")
    for layer in layers:
        input = layer(input)
    return input


__getattr__ = refuse("torch.utils.checkpoint")
