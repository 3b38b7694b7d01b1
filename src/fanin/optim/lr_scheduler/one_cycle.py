"""One rise of the rate and one long fall, for the whole of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.groups import (
    Rate,
    check_optimizer,
    momentum_is_beta,
    one_for_each_group,
    write_momentum,
)

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    r"""Let the rate rise from a low one to `max_lr` and fall far below where it began; step after every batch.

    The rate goes from `max_lr / div_factor` to `max_lr` in `pct_start` of the steps, then to
    `max_lr / div_factor / final_div_factor`. With `three_phase` it first comes down as it went up. Each way is half a
    cosine (or a straight line):

    .. math:: \eta = \eta_{end} + \tfrac12 (\eta_{start} - \eta_{end}) \left(1 + \cos(\pi\, \mathrm{share})\right)

    Args:
        optimizer: its `param_groups` are written to
        max_lr: the highest rate; a number, or a list with one for each group
        total_steps: steps of the whole run; or else
        epochs, steps_per_epoch: whose product it is
        pct_start: the part of the steps in which the rate rises, in [0, 1]
        anneal_strategy: "cos" or "linear"
        cycle_momentum: whether the momentum (the first of `betas` with Adam) goes the other way
        base_momentum: the lowest momentum, where the rate is highest
        max_momentum: the highest momentum
        div_factor: the highest rate over the first
        final_div_factor: the first rate over the last
        three_phase: whether the way down begins as the mirror of the way up
        last_epoch: the step before the first

    Raises:
        TypeError: `optimizer` has no parameter groups
        ValueError: no number of steps, an argument outside its domain, a list of the wrong length, an optimiser
            without momentum to cycle, or a step beyond the last

    Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    arXiv 1708.07120.

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=5, pct_start=0.4)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> [round(rate, 3) for rate in rates]
    [0.02, 0.5, 0.375, 0.125, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.total_steps = _number_of_steps(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ArgumentError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        max_lrs = one_for_each_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            _set_bounds(optimizer, max_lrs, div_factor, final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum_is_beta(optimizer)
            lows = one_for_each_group(optimizer, "base_momentum", base_momentum)
            highs = one_for_each_group(optimizer, "max_momentum", max_momentum)
            if last_epoch == -1:
                _set_momentums(optimizer, lows, highs, self.use_beta1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`, and write the momentum of that step."""
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        phase, share = self._place(self.last_epoch)
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                momentum = self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], share)
                write_momentum(group, momentum, self.use_beta1)
        return [self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share) for group in groups]

    def _place(self, step: int) -> tuple[dict[str, Any], float]:
        """Return the phase that a step lies in, and how much of the phase has passed; the last phase has no end."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        return phase, (step - start) / (phase["end_step"] - start)

    def _anneal(self, start: Rate, end: Rate, share: float) -> Rate:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _number_of_steps(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total is not None:
        return _positive("total_steps", total)
    if epochs is not None and steps_per_epoch is not None:
        return _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)
    raise ArgumentError("You must define either total_steps OR (epochs AND steps_per_epoch)")


def _positive(name: str, value: int) -> int:
    if value <= 0 or not isinstance(value, int):
        raise ArgumentError(f"Expected positive integer {name}, but got {value}")
    return value


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Return the ways between the rates and momentums that are stored in each group, and the step each ends at."""
    up = _phase(float(pct_start * total_steps) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three_phase:
        return [up, _phase(total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    return [
        up,
        _phase(float(2 * pct_start * total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
        _phase(total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
    ]


def _phase(end_step: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
    return {
        "end_step": end_step,
        "start_lr": start_lr,
        "end_lr": end_lr,
        "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }


def _set_bounds(optimizer: Optimizer, max_lrs: list[Rate], div_factor: float, final_div_factor: float) -> None:
    for group, highest in zip(optimizer.param_groups, max_lrs, strict=True):
        group["initial_lr"] = highest / div_factor
        group["max_lr"] = highest
        group["min_lr"] = group["initial_lr"] / final_div_factor


def _set_momentums(optimizer: Optimizer, lows: list[Rate], highs: list[Rate], as_beta: bool) -> None:
    for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
        write_momentum(group, high, as_beta)
        group["max_momentum"], group["base_momentum"] = high, low
