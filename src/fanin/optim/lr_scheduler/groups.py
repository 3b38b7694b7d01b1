"""Reading and writing the numbers of an optimiser's parameter groups, whether they are floats or tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tensor.base import TensorBase

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer

# A rate is a float, or a tensor with one element that the scheduler then writes in place.
Rate = Any


def check_optimizer(optimizer: Any) -> None:
    """Raise unless `optimizer` has parameter groups to write to."""
    if not isinstance(getattr(optimizer, "param_groups", None), list):
        raise ArgumentTypeError(
            f"{type(optimizer).__name__} is not an Optimizer", remedy="it has no list `param_groups`"
        )


def is_tensor(value: Any) -> bool:
    """Tell a rate that is written in place from a number."""
    return isinstance(value, TensorBase)


def copied(value: Rate) -> Rate:
    """Return a rate that later writes do not change."""
    return value.detach().clone() if is_tensor(value) else value


def read(optimizer: Optimizer, key: str = "lr") -> list[Rate]:
    """Return a copy of one value of every group."""
    return [copied(group[key]) for group in optimizer.param_groups]


def write(group: dict[str, Any], key: str, value: Rate) -> None:
    """Set one value of a group; a tensor stays the same tensor and is filled."""
    if is_tensor(group.get(key)):
        group[key].fill_(float(value))
    else:
        group[key] = value


def write_all(optimizer: Optimizer, key: str, values: Iterable[Rate]) -> None:
    """Set one value of every group; there must be as many values as groups."""
    listed = list(values)
    if len(listed) != len(optimizer.param_groups):
        raise ArgumentError(
            f"{len(listed)} values of {key!r} for {len(optimizer.param_groups)} parameter groups. "
            "Was a group added after the scheduler was made? Then make a new scheduler."
        )
    for group, value in zip(optimizer.param_groups, listed, strict=True):
        write(group, key, value)


def one_for_each_group(optimizer: Optimizer, name: str, value: Rate | Sequence[Rate]) -> list[Rate]:
    """Return a list with a value for every group: the given list, or the given value repeated."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [copied(value) for _ in range(groups)]
    if len(value) != groups:
        raise ArgumentError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {groups}."
        )
    return [copied(v) for v in value]


def momentum_is_beta(optimizer: Optimizer) -> bool:
    """Tell whether the momentum is the first of `betas` (Adam) or `momentum` (SGD); raise where it is neither."""
    if "betas" in optimizer.defaults:
        return True
    if "momentum" in optimizer.defaults:
        return False
    raise ArgumentError(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
        f"{type(optimizer).__name__} has neither, so pass cycle_momentum=False"
    )


def write_momentum(group: dict[str, Any], momentum: Rate, as_beta: bool) -> None:
    """Set the momentum of a group: the first of its `betas`, or its `momentum`."""
    if as_beta:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
