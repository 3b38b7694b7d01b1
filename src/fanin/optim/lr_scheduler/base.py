"""The base of all schedulers: when rates are computed, where they are written, what is saved."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fanin._core.errors import MissingKeyError
from fanin.optim.lr_scheduler.groups import Rate, check_optimizer, copied, read, write_all
from fanin.tensor.grad_mode import mode

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is deprecated: call `scheduler.step()`. "
    "With an epoch, the rate comes from the closed form where the scheduler has one, and forgets changes by hand."
)
ORDER_WARNING = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first rate of the schedule was never used. "
    "Call `optimizer.step()` first, then `lr_scheduler.step()`."
)
OVERRIDDEN_WARNING = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
    "Make sure to call `optimizer.step()` before `lr_scheduler.step()`."
)
OUTSIDE_STEP_WARNING = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."


def on_the_host(step: Callable[..., None]) -> Callable[..., None]:
    """Return a scheduler's step; in a function that is being captured, it is taken after each call of that function."""

    @functools.wraps(step)
    def checked(self: LRScheduler, *args: Any, **kwargs: Any) -> None:
        if mode.capture is None or self._is_initial:
            step(self, *args, **kwargs)
        else:
            mode.capture.later(step, self, args, kwargs)

    return checked


class LRScheduler:
    r"""Base of the schedulers; a subclass says in `get_lr` what the rates are at `self.last_epoch`.

    Making a scheduler stores each group's rate under `initial_lr` and writes the rates of step 0. Each `step()` then
    adds one to `last_epoch` and writes what `get_lr` returns.

    A subclass may also define `_get_closed_form_lr()`, the rates as a function of `last_epoch` and `base_lrs` alone,
    for `step(epoch)`.

    Args:
        optimizer: its `param_groups` are written to
        last_epoch: the step before the first; other than -1 the groups must hold `initial_lr` already

    Raises:
        TypeError: `optimizer` has no parameter groups
        KeyError: `last_epoch` is not -1 and a group has no `initial_lr`

    >>> import fanin as torch
    >>> class Halving(torch.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = Halving(optimizer)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    optimizer: Optimizer
    base_lrs: list[Rate]
    last_epoch: int
    _step_count: int
    _last_lr: list[Rate]
    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        _set_initial_rates(optimizer, last_epoch)
        self.base_lrs = read(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _watch_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Write the rates of the first step."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a step that a user's class brings wait, too, when it is called in a function that is compiled."""
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__ and not cls.__module__.startswith("fanin."):
            cls.step = on_the_host(cls.__dict__["step"])  # type: ignore[method-assign]

    def step(self, epoch: int | None = None) -> None:
        """Go one step on, or to step `epoch`, and write the rates of that step into the optimiser.

        Args:
            epoch: the step to go to (deprecated, with a warning); None for the next one
        """
        if self._waits(epoch):
            return
        if self._step_count == 1:
            _warn_if_optimizer_waits(self.optimizer)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _waits(self, *args: Any) -> bool:
        """Say whether this step is taken later: after each call of the function that is being captured now."""
        if mode.capture is None or self._is_initial:
            return False
        mode.capture.later(type(self).step, self, args, {})
        return True

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            self._write_rates(self.get_lr)
        else:
            self.last_epoch = epoch
            self._write_rates(getattr(self, "_get_closed_form_lr", self.get_lr))

    def _write_rates(self, compute: Callable[[], list[Rate]]) -> None:
        """Write what `compute` returns, which is told that a step asks, not a user."""
        self._get_lr_called_within_step = True
        try:
            rates = compute()
        finally:
            self._get_lr_called_within_step = False
        write_all(self.optimizer, "lr", rates)
        self._last_lr = read(self.optimizer)

    def _warn_outside_step(self) -> None:
        """Warn a user who calls `get_lr`, which returns what the next write would be, not what is in use."""
        if not self._get_lr_called_within_step:
            warnings.warn(OUTSIDE_STEP_WARNING, UserWarning, stacklevel=3)

    def get_last_lr(self) -> list[Rate]:
        """Return the rate of every group as the last step wrote it."""
        return self._last_lr

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group at step `last_epoch`; a subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `get_lr`: it cannot be asked for its rates, and so it cannot start later "
            "in a SequentialLR"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; the optimiser's own state is loaded separately."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The name that `LRScheduler` had until PyTorch 2.0."""


def _set_initial_rates(optimizer: Optimizer, last_epoch: int) -> None:
    for position, group in enumerate(optimizer.param_groups):
        if last_epoch == -1:
            group.setdefault("initial_lr", copied(group["lr"]))
        elif "initial_lr" not in group:
            raise MissingKeyError(
                f"param 'initial_lr' is not specified in param_groups[{position}] when resuming scheduler with "
                f"last_epoch >= 0 (it is {last_epoch}). Load the optimizer's saved state before making the scheduler, "
                "or leave last_epoch at -1 to start anew."
            )


def _watch_steps(optimizer: Optimizer) -> None:
    """Remember the optimiser's count of steps, and its `step`, as the first scheduler finds them.

    Reading a count that the optimiser keeps anyway costs its step nothing; wrapping `step` would be paid at each.
    """
    vars(optimizer).setdefault("_scheduled_from", (getattr(optimizer, "_step_count", None), _own_step(optimizer)))


def _own_step(optimizer: Optimizer) -> Any:
    """Return a `step` that was set on this one optimiser, or None where the class's is used."""
    return vars(optimizer).get("step")


def _warn_if_optimizer_waits(optimizer: Optimizer) -> None:
    count_then, step_then = getattr(optimizer, "_scheduled_from", (None, None))
    count = getattr(optimizer, "_step_count", None)
    if _own_step(optimizer) is not step_then:
        warnings.warn(OVERRIDDEN_WARNING, UserWarning, stacklevel=3)
    elif step_then is None and count is not None and count == count_then:
        warnings.warn(ORDER_WARNING, UserWarning, stacklevel=3)
