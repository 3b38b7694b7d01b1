"""Rates that fall along half a cosine, once or with restarts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fanin._core.errors import ArgumentError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.groups import Rate

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    r"""Let the rate fall from the initial one to `eta_min` along half a cosine, in `T_max` steps, and rise again.

    .. math:: \eta_t = \eta_{min} + \tfrac12 (\eta_0 - \eta_{min}) \left(1 + \cos(\pi t / T_{max})\right)

    The next rate is computed from the present one, so the formula holds exactly only while nothing else changes it.

    Args:
        optimizer: its `param_groups` are written to
        T_max: steps from the highest rate to the lowest
        eta_min: the lowest rate
        last_epoch: the step before the first

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", arXiv 1608.03983, equation 5,
    without the restarts.

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> for _ in range(2):
    ...     optimizer.step(); scheduler.step()
    >>> [round(rate, 12) for rate in scheduler.get_last_lr()]
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`."""
        self._warn_outside_step()
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            return self._leave_the_lowest(rates)
        ratio = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / (
            1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        )
        return [ratio * (rate - self.eta_min) + self.eta_min for rate in rates]

    def _leave_the_lowest(self, rates: list[Rate]) -> list[Rate]:
        """Return the first rates of a rise: from the lowest rate no ratio leads up."""
        rise = 1 - math.cos(math.pi / self.T_max)
        return [rate + (base - self.eta_min) * rise / 2 for base, rate in zip(self.base_lrs, rates, strict=False)]

    def _get_closed_form_lr(self) -> list[Rate]:
        return [_half_cosine(base, self.eta_min, self.last_epoch / self.T_max) for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""Let the rate fall along half a cosine, jump back to the initial rate, and fall again, more slowly if wanted.

    .. math:: \eta_t = \eta_{min} + \tfrac12 (\eta_0 - \eta_{min}) \left(1 + \cos(\pi T_{cur} / T_i)\right)

    :math:`T_{cur}` counts the steps since the last restart, :math:`T_i` is the length of the present fall.

    Args:
        optimizer: its `param_groups` are written to
        T_0: steps of the first fall
        T_mult: each fall is this many times as long as the one before; an integer
        eta_min: the lowest rate
        last_epoch: the step before the first

    Raises:
        ValueError: `T_0` or `T_mult` is not a positive integer, or `eta_min` is not a number

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", arXiv 1608.03983, equation 5.

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> [round(rate, 3) for rate in rates]
    [1.0, 0.5, 1.0, 0.854]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ArgumentError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ArgumentError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ArgumentError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group, `T_cur` steps after the last restart."""
        self._warn_outside_step()
        return [_half_cosine(base, self.eta_min, self.T_cur / self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go one step on, or to the point `epoch`, which may lie between two steps.

        Args:
            epoch: a number of epochs, such as `epoch + batch / batches`; None for the next step

        Raises:
            ValueError: `epoch` is negative
        """
        if self._waits(epoch):
            return
        if epoch is None and self.last_epoch >= 0:
            self._count_one_step()
        else:
            self._go_to(0 if epoch is None else epoch)
        self._write_rates(self.get_lr)

    def _count_one_step(self) -> None:
        self.last_epoch += 1
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult

    def _go_to(self, epoch: float) -> None:
        if epoch < 0:
            raise ArgumentError(f"Expected non-negative epoch, but got {epoch}")
        self.last_epoch = math.floor(epoch)
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            # The falls before this one are a geometric series. Rounding in the logarithm can count one fall too few
            # exactly at a restart (T_mult = 3, the fifth); PyTorch's numbers are kept there too.
            falls = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**falls - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**falls


def _half_cosine(high: Rate, low: float, share: float) -> Rate:
    """Return the value at `share` of the way from `high` (0) to `low` (1)."""
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2
