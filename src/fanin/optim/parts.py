"""What several rules share: checks of their arguments, and two pieces of their updates."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError, OperationError
from fanin.ops.elementwise import cast
from fanin.optim.engine.plan import scalar_dtype
from fanin.tensor.base import TensorBase

# Checks ---------------------------------------------------------------------------------------------------------------


def check_rate(lr: Any) -> None:
    """Raise unless a learning rate is a number or a tensor of one element, and not negative."""
    if isinstance(lr, TensorBase) and lr._array.size != 1:
        raise ArgumentError(f"Tensor lr must be 1-element, got shape {list(lr._array.shape)}")
    require(lr >= 0.0, "learning rate", lr)


def require(condition: Any, name: str, value: Any) -> None:
    """Raise PyTorch's message on a value outside its domain, unless the condition holds."""
    if not condition:
        raise ArgumentError(f"Invalid {name}: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """Raise unless both coefficients of the averages lie in [0, 1)."""
    for i in (0, 1):
        require(0.0 <= betas[i] < 1.0, f"beta parameter at index {i}", betas[i])


def check_variants(foreach: bool | None, fused: bool | None, differentiable: bool) -> None:
    """Raise on choices of implementation that exclude each other; fanin has one, and accepts the choice otherwise."""
    if fused and differentiable:
        raise OperationError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise OperationError("`fused` and `foreach` cannot be `True` together.")


# Pieces of updates ----------------------------------------------------------------------------------------------------


def decayed(param: Any, grad: Any, hyper: dict[str, Any]) -> Any:
    r"""Return the gradient with that of a penalty, lambda theta; the flag spares its reading where there is none."""
    return grad + hyper["weight_decay"] * param if hyper["decays"] else grad


def average(old: Any, new: Any, weight: Any, mostly_old: bool) -> Any:
    """Return the mean of two values that gives `weight` to the new one, computed from the nearer of the two.

    So a weight of 0 or 1 gives one of the values exactly, as PyTorch's `lerp` does.
    """
    return old + weight * (new - old) if mostly_old else new - (1 - weight) * (new - old)


def stored(number: Any) -> Any:
    """Return a number of the state as it will be read from there at the next step, in the dtype it is kept in."""
    dtype = scalar_dtype()
    return cast(number, dtype=dtype) if hasattr(number, "_apply_operation") else float(dtype.type(number))
