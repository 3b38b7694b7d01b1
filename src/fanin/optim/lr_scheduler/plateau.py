"""Rates that fall when a number no longer gets better."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsFloat

from fanin._core.errors import ArgumentError, OperationError
from fanin.optim.lr_scheduler.base import EPOCH_WARNING, LRScheduler
from fanin.optim.lr_scheduler.groups import check_optimizer, read, write

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    r"""Multiply the rate by `factor` when a number has not got better for more than `patience` steps.

    .. math:: \eta \leftarrow \max(\eta\, f,\ \eta_{min})

    The number, usually a loss on held-out rows, is given to `step`. It is better than the best so far when it is below
    best * (1 - threshold) (`rel`) or best - threshold (`abs`); with mode "max", above best * (1 + threshold) or
    best + threshold. A number that is not a number is never better.

    Args:
        optimizer: its `param_groups` are written to
        mode: "min" where smaller is better, or "max"
        factor: the factor f, below 1
        patience: how many steps without improvement are allowed before the rate falls
        threshold: how much better is better
        threshold_mode: "rel" or "abs"
        cooldown: steps after a reduction in which none is counted as bad
        min_lr: the lowest rate; a number, or a list with one for each group
        eps: a reduction by no more than this is left out

    Raises:
        TypeError: `optimizer` has no parameter groups
        ValueError: `factor` is 1 or more, an unknown mode, a list of the wrong length
        RuntimeError: a group was added and `min_lr` was a list

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     optimizer.step(); scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ArgumentError(f"Factor should be < 1.0. Got factor={factor}, which would not reduce the rate.")
        self.factor = factor
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self._set_min_lrs(min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = read(optimizer)
        self._set_comparison(mode, threshold, threshold_mode)
        self._reset()

    def _set_min_lrs(self, given: float | Sequence[float]) -> None:
        groups = len(self.optimizer.param_groups)
        if isinstance(given, (list, tuple)) and len(given) != groups:
            raise ArgumentError(f"expected {groups} min_lrs, got {len(given)}: one for each parameter group")
        # Kept for groups that are added later; a list says nothing of them.
        self.default_min_lr: Any = None if isinstance(given, (list, tuple)) else given
        self.min_lrs: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given] * groups

    def _set_comparison(self, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise ArgumentError(f"mode {mode} is unknown! It is 'min' or 'max'.")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(f"threshold mode {threshold_mode} is unknown! It is 'rel' or 'abs'.")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def _reset(self) -> None:
        """Forget the best number and all counts."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the latest number, and lower the rates if it has not got better for too long.

        Args:
            metrics: a number, or a tensor with one element
            epoch: the step's number (deprecated, with a warning); None for the next
        """
        if self._waits(metrics, epoch):
            return
        current = float(metrics)
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._count(current)
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(self.last_epoch)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = read(self.optimizer)

    def _count(self, current: float) -> None:
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was so recent that bad steps do not count."""
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            bar = best * (1.0 - sign * self.threshold)
        else:
            bar = best - sign * self.threshold
        return a < bar if self.mode == "min" else a > bar

    def _reduce_lr(self, epoch: int) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            self._extend_min_lrs(len(groups))
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, lowest)
            if old - new > self.eps:
                write(group, "lr", new)

    def _extend_min_lrs(self, groups: int) -> None:
        if self.default_min_lr is None:
            raise OperationError(
                f"The number of param groups in the `optimizer` ({groups}) differs from when `ReduceLROnPlateau` was "
                f"initialized ({len(self.min_lrs)}), usually due to a new param group being added to the optimizer. "
                "Modify the `min_lrs` field to match the length of the `optimizer` param groups."
            )
        self.min_lrs = [self.default_min_lr] * groups

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._set_comparison(self.mode, self.threshold, self.threshold_mode)
