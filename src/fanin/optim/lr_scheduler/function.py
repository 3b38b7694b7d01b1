"""Rates that follow a function of the user's."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.groups import Rate

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """What the two have in common: one function for each group, and its state."""

    lr_lambdas: list[Factor]

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = _one_function_for_each_group(optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser and the functions.

        Of a callable object the attributes are saved; a function has nothing that can be saved, and its place holds
        None.
        """
        state = {key: value for key, value in super().state_dict().items() if key != "lr_lambdas"}
        state["lr_lambdas"] = [function_state(f) for f in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; functions stay as this scheduler was given them."""
        attributes = state_dict["lr_lambdas"]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, saved in zip(self.lr_lambdas, attributes, strict=False):
            if saved is not None:
                function.__dict__.update(saved)


class LambdaLR(_FunctionLR):
    r"""Multiply the initial rate by a function of the step.

    .. math:: \eta_t = \eta_0\, \lambda(t)

    Args:
        optimizer: its `param_groups` are written to
        lr_lambda: a function from the step's number to a factor, or a list with one for each group
        last_epoch: the step before the first

    Raises:
        ValueError: a list whose length is not the number of groups

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`."""
        self._warn_outside_step()
        if len(self.lr_lambdas) != len(self.base_lrs):
            raise ArgumentError(f"{len(self.lr_lambdas)} lr_lambdas for {len(self.base_lrs)} initial rates")
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_FunctionLR):
    r"""Multiply the present rate by a function of the step.

    .. math:: \eta_t = \eta_{t-1}\, \lambda(t)

    Args:
        optimizer: its `param_groups` are written to
        lr_lambda: a function from the step's number to a factor, or a list with one for each group
        last_epoch: the step before the first

    Raises:
        ValueError: a list whose length is not the number of groups
        TypeError: what should be a function cannot be called

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda t: 0.5)
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        for function in _one_function_for_each_group(optimizer, lr_lambda):
            if not callable(function):
                raise ArgumentTypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`."""
        self._warn_outside_step()
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        return [rate * f(self.last_epoch) for rate, f in zip(rates, self.lr_lambdas, strict=False)]


def function_state(function: Any) -> dict[str, Any] | None:
    """Return a copy of a callable object's attributes; None for a function."""
    return None if function is None or isinstance(function, types.FunctionType) else function.__dict__.copy()


def _one_function_for_each_group(optimizer: Optimizer, given: Factor | Sequence[Factor]) -> list[Factor]:
    groups = len(optimizer.param_groups)
    if not isinstance(given, (list, tuple)):
        return [given] * groups  # type: ignore[list-item]
    if len(given) != groups:
        raise ArgumentError(f"Expected {groups} lr_lambdas, but got {len(given)}: one for each parameter group")
    return list(given)
