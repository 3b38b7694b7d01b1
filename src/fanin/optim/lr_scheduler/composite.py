"""Schedulers made of schedulers: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.optim.lr_scheduler.base import LRScheduler
from fanin.optim.lr_scheduler.groups import read, write
from fanin.optim.lr_scheduler.plateau import ReduceLROnPlateau

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer


class _CompositeLR(LRScheduler):
    """What the two have in common: a list of schedulers of one optimiser, and its state."""

    _schedulers: Sequence[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser, with the state of each scheduler under `_schedulers`."""
        state = super().state_dict()
        del state["_schedulers"]
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; each scheduler takes its own part."""
        states = state_dict["_schedulers"]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_CompositeLR):
    r"""Follow one scheduler until a milestone, then the next.

    At its milestone a scheduler starts at its own step 0, from the initial rate: a warm-up is a `LinearLR` that is
    followed by any other.

    Args:
        optimizer: its `param_groups` are written to
        schedulers: the schedulers, in order, all of this optimiser
        milestones: the steps at which the second, third, ... take over; one fewer than schedulers
        last_epoch: the step before the first

    Raises:
        ValueError: no schedulers, another number of milestones, another optimiser, or a `ReduceLROnPlateau`
        TypeError: an entry that is no scheduler
        NotImplementedError: a scheduler that takes over later has no `get_lr`, as composite schedulers have not

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if len(schedulers) < 1:
            raise ArgumentError(f"{type(self).__name__} expects at least one scheduler, but got no scheduler.")
        _check_parts(self, optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        self._start()

    def _start(self) -> None:
        """Undo what making the schedulers wrote, then let the one that rules step 0 start again."""
        for group in self.optimizer.param_groups:
            write(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Take back the step that making each scheduler took, in schedulers of schedulers too."""
        scheduler = self if sched is None else sched
        if hasattr(scheduler, "_schedulers"):
            for part in scheduler._schedulers:
                self.recursive_undo(part)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go one step on; at a milestone the next scheduler writes the rates of its step 0."""
        if self._waits():
            return
        self.last_epoch += 1
        position = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[position]
        if position > 0 and self._milestones[position - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_CompositeLR):
    r"""Step several schedulers together, each changing the rate that the one before has written.

    Args:
        schedulers: the schedulers, in order, all of one optimiser
        optimizer: that optimiser; None for the first scheduler's

    Raises:
        ValueError: no schedulers, another optimiser, or a `ReduceLROnPlateau`
        TypeError: an entry that is no scheduler

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> low = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = torch.optim.lr_scheduler.ChainedScheduler([low, decay], optimizer=optimizer)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> rates
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ArgumentError(
                f"{type(self).__name__} expects at least one scheduler to be chained, but got no scheduler."
            )
        optimizer = optimizer or schedulers[0].optimizer
        _check_parts(self, optimizer, schedulers)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = read(optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go one step on in every scheduler."""
        if self._waits():
            return
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = read(self.optimizer)


def _check_parts(whole: LRScheduler, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
    name = type(whole).__name__
    for position, scheduler in enumerate(schedulers):
        if not hasattr(scheduler, "optimizer"):
            raise ArgumentTypeError(
                f"{name} at index {position} should have `optimizer` as its attribute; it is a "
                f"{type(scheduler).__name__}"
            )
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ArgumentError(
                f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                f"specified when calling `step`, but got one at index {position} in the given schedulers sequence."
            )
        if scheduler.optimizer is not optimizer:
            raise ArgumentError(
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(scheduler).__name__} at index {position} has another {type(scheduler.optimizer).__name__}"
            )
