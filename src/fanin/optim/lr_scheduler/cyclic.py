"""Rates that go up and down between two bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.function import function_state
from fanin.optim.lr_scheduler.groups import (
    Rate,
    check_optimizer,
    momentum_is_beta,
    one_for_each_group,
    write_all,
    write_momentum,
)

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer

# What each mode scales by: how the height of the triangle changes, and whether that is counted in cycles or in steps.
_SCALES: dict[str, tuple[Callable[[float, float], float], str]] = {
    "triangular": (lambda gamma, x: 1.0, "cycle"),
    "triangular2": (lambda gamma, x: 1 / (2.0 ** (x - 1)), "cycle"),
    "exp_range": (lambda gamma, x: gamma**x, "iterations"),
}


class CyclicLR(LRScheduler):
    r"""Let the rate go up and down between `base_lr` and `max_lr`, in straight lines; step after every batch.

    .. math:: \eta_t = \eta_{base} + (\eta_{max} - \eta_{base})\, \mathrm{triangle}(t)\, s

    The triangle goes from 0 to 1 in `step_size_up` steps and back in `step_size_down`. Its height is scaled by s: 1
    (`triangular`), halved at each cycle (`triangular2`), or gamma**t (`exp_range`). The momentum goes the other way.

    Args:
        optimizer: its `param_groups` are written to
        base_lr: the lower bound; a number, or a list with one for each group
        max_lr: the upper bound, likewise
        step_size_up: steps from the lower bound to the upper
        step_size_down: steps back; None for as many
        mode: "triangular", "triangular2" or "exp_range"; ignored where `scale_fn` is given
        gamma: the base of `exp_range`
        scale_fn: a function to s, instead of a mode's
        scale_mode: "cycle" or "iterations", what `scale_fn` is given: the number of the cycle from 1, or of the step
        cycle_momentum: whether the momentum (the first of `betas` with Adam) cycles too
        base_momentum: the lowest momentum, where the rate is highest
        max_momentum: the highest momentum
        last_epoch: the step before the first

    Raises:
        TypeError: `optimizer` has no parameter groups
        ValueError: an unknown mode, a list of the wrong length, or an optimiser without momentum to cycle

    Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186, section 3.2.

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.25, max_lr=0.75, step_size_up=2)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> rates
    [0.25, 0.5, 0.75, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        base_lrs = one_for_each_group(optimizer, "base_lr", base_lr)
        if last_epoch == -1:
            write_all(optimizer, "lr", base_lrs)
        self.max_lrs = one_for_each_group(optimizer, "max_lr", max_lr)
        self._set_lengths(step_size_up, step_size_down)
        self._set_scale(mode, gamma, scale_fn, scale_mode)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._set_momentums(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _set_lengths(self, up: float, down: float | None) -> None:
        up, down = float(up), float(up if down is None else down)
        self.total_size = up + down
        self.step_ratio = up / self.total_size

    def _set_scale(self, mode: str, gamma: float, function: Callable[[float], float] | None, counted_in: str) -> None:
        if function is None and mode not in _SCALES:
            raise ArgumentError(f"mode is invalid and scale_fn is None: {mode!r} is none of {', '.join(_SCALES)}")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = function
        self.scale_mode = counted_in if function is not None else _SCALES[mode][1]

    def _set_momentums(
        self,
        optimizer: Optimizer,
        base_momentum: float | Sequence[float],
        max_momentum: float | Sequence[float],
        last_epoch: int,
    ) -> None:
        self.use_beta1 = momentum_is_beta(optimizer)
        self.base_momentums = one_for_each_group(optimizer, "base_momentum", base_momentum)
        self.max_momentums = one_for_each_group(optimizer, "max_momentum", max_momentum)
        if last_epoch != -1:
            return
        for group, low, high in zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
            write_momentum(group, high, self.use_beta1)
            group["max_momentum"], group["base_momentum"] = high, low

    def scale_fn(self, x: float) -> float:
        """Return the scale of the triangle's height, in cycle or at step x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return _SCALES[self.mode][0](self.gamma, x)

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`, and write the momentum of that step."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        position = 1 + self.last_epoch / self.total_size - cycle
        if position <= self.step_ratio:
            triangle = position / self.step_ratio
        else:
            triangle = (position - 1) / (self.step_ratio - 1)
        counted = cycle if self.scale_mode == "cycle" else self.last_epoch
        if self.cycle_momentum:
            self._write_momentums(triangle, counted)
        return [
            base + (high - base) * triangle * self.scale_fn(counted)
            for base, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def _write_momentums(self, triangle: float, counted: float) -> None:
        bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=False)
        for group, low, high in bounds:
            write_momentum(group, high - (high - low) * triangle * self.scale_fn(counted), self.use_beta1)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser.

        Of a `scale_fn` that is an object the attributes are saved; of a function, None.
        """
        state = super().state_dict()
        state["_scale_fn_custom"] = function_state(self._scale_fn_custom)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; a `scale_fn` stays as this scheduler was given it."""
        state = dict(state_dict)
        attributes = state.pop("_scale_fn_custom")
        super().load_state_dict(state)
        if attributes is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(attributes)
