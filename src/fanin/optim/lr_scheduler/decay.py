"""Rates that are the present rate times a ratio that depends on the step alone."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fanin._core.errors import ArgumentError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.groups import Rate

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer


class _DecayLR(LRScheduler):
    """A schedule that is known from `ratio` (chainable) and from `factor` (closed form)."""

    def _ratio(self, step: int) -> float | None:
        """Return by how much the rate changes from `step - 1` to `step`; None where it stays."""
        raise NotImplementedError

    def _factor(self, step: int) -> float:
        """Return the rate at `step` over the initial rate."""
        raise NotImplementedError

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`."""
        self._warn_outside_step()
        ratio = self._ratio(self.last_epoch)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return rates if ratio is None else [rate * ratio for rate in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        factor = self._factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]


class StepLR(_DecayLR):
    r"""Multiply the rate by `gamma` every `step_size` steps.

    .. math:: \eta_t = \eta_0\, \gamma^{\lfloor t / s \rfloor}

    Args:
        optimizer: its `param_groups` are written to
        step_size: how many steps the rate stays, s
        gamma: the factor
        last_epoch: the step before the first

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        return None if step == 0 or step % self.step_size else self.gamma

    def _factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class MultiStepLR(_DecayLR):
    r"""Multiply the rate by `gamma` at each milestone.

    .. math:: \eta_t = \eta_0\, \gamma^{|\{m \in M : m \le t\}|}

    Args:
        optimizer: its `param_groups` are written to
        milestones: the steps at which the rate changes, M; a step that occurs twice counts twice
        gamma: the factor
        last_epoch: the step before the first

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        return self.gamma ** self.milestones[step] if step in self.milestones else None

    def _factor(self, step: int) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), step)


class ConstantLR(_DecayLR):
    r"""Multiply the rate by `factor` until step `total_iters`, then undo it.

    .. math:: \eta_t = \eta_0\, f \text{ for } t < T, \quad \eta_0 \text{ from there}

    Args:
        optimizer: its `param_groups` are written to
        factor: the factor f, in [0, 1]
        total_iters: the step T at which the rate is the initial one again
        last_epoch: the step before the first

    Raises:
        ValueError: `factor` outside [0, 1]

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentError(f"Constant multiplicative factor expected to be between 0 and 1. Got factor={factor}.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        if step == 0:
            return self.factor
        return 1.0 / self.factor if step == self.total_iters else None

    def _factor(self, step: int) -> float:
        return self.factor + (step >= self.total_iters) * (1 - self.factor)


class LinearLR(_DecayLR):
    r"""Change the factor of the rate linearly, from `start_factor` to `end_factor` over `total_iters` steps.

    .. math:: \eta_t = \eta_0 \left(a + (b - a) \min(t, T) / T\right)

    Args:
        optimizer: its `param_groups` are written to
        start_factor: the factor a at step 0, in (0, 1]
        end_factor: the factor b from step `total_iters` on, in [0, 1]
        total_iters: how many steps the change takes, T
        last_epoch: the step before the first

    Raises:
        ValueError: a factor outside its interval

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ArgumentError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1. "
                f"Got start_factor={start_factor}."
            )
        if not 0 <= end_factor <= 1:
            raise ArgumentError(
                f"Ending multiplicative factor expected to be between 0 and 1. Got end_factor={end_factor}."
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        if step == 0:
            return self.start_factor
        if self._is_initial or step > self.total_iters:
            return None
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (step - 1) * rise)

    def _factor(self, step: int) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, step) / self.total_iters


class ExponentialLR(_DecayLR):
    r"""Multiply the rate by `gamma` at every step.

    .. math:: \eta_t = \eta_0\, \gamma^t

    Args:
        optimizer: its `param_groups` are written to
        gamma: the factor
        last_epoch: the step before the first

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        return None if self._is_initial else self.gamma

    def _factor(self, step: int) -> float:
        return self.gamma**step


class PolynomialLR(_DecayLR):
    r"""Let the rate fall to zero in `total_iters` steps, along a power of the time that is left.

    .. math:: \eta_t = \eta_0 \left(1 - \min(t, T) / T\right)^p

    Args:
        optimizer: its `param_groups` are written to
        total_iters: the step T from which the rate is zero
        power: the power p; 1 is a straight line
        last_epoch: the step before the first

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> for _ in range(2):
    ...     optimizer.step(); scheduler.step()
    >>> [round(rate, 12) for rate in scheduler.get_last_lr()]
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _ratio(self, step: int) -> float | None:
        if self._is_initial or step > self.total_iters:
            return None
        left, left_before = 1.0 - step / self.total_iters, 1.0 - (step - 1) / self.total_iters
        return float((left / left_before) ** self.power)

    def _factor(self, step: int) -> float:
        return float((1.0 - min(self.total_iters, step) / self.total_iters) ** self.power)
