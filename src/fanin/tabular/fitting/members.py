"""Training of networks on parts of a table: one, or several side by side, each at its best epoch."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin._core.errors import DivergenceError, JobsError
from fanin.nn import Module
from fanin.tabular.fitting.criteria import Criterion
from fanin.tabular.fitting.optimizer import ScheduledAdam
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.nets import Inputs, RealMLP, TabM, start_from_data
from fanin.tabular.seeding import seeded
from fanin.training import Callback, History, Job, fit, fit_many
from fanin.training.threads import product_threads, threads_to_use
from fanin.training.weights import Kept

AT_ONCE = 2048  # rows in one forward pass of a prediction
# Steps between two looks at the validation rows, at least: with one step in an epoch, a look takes half as long as it.
BETWEEN_LOOKS = 4
# An error of numbers that has fallen for a hundred epochs mostly goes on to do so, with pauses: of nine tables of up to
# so many rows, that of concrete fell by 9.5% for more patience, of three others by 2 to 3%, five stayed; 16,000
# diamonds only took 2.8 times as long. Log-losses of classes rose: what is learned late there is to be certain.
PATIENT_ROWS = 5_000
# Seconds of an eager step, operations of one in a second, and the seconds in which a step is compiled.
_OF_A_STEP, _OPERATIONS, _OF_COMPILING = 3e-3, 1e10, 0.7


@dataclass(frozen=True)
class Part:
    """Rows for a network.

    inputs:  the arrays that are not empty, in the order of `Inputs.parts`.
    target:  class numbers (rows,) int64, or scaled numbers (rows, targets) float32.
    weights: (rows,) float32 with mean 1, or None.
    """

    inputs: tuple[NDArray[Any], ...]
    target: NDArray[Any]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: NDArray[Any]) -> Part:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Part(tuple(each[rows] for each in self.inputs), self.target[rows], weights)


@dataclass(frozen=True)
class Plan:
    """What is trained.

    inputs:    what a row has.
    outputs:   of the network.
    settings:  how.
    loss:      that the steps minimise.
    criterion: that epochs are compared by, on the validation rows.
    gain:      (absolute, relative) by how much it has to fall for patience to begin anew.
    """

    inputs: Inputs
    outputs: int
    settings: Settings
    loss: Module
    criterion: Criterion
    gain: tuple[float, float] = (0.0, 2e-3)


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch.

    outputs: what it returns for the validation rows.
    best:    the criterion there.
    epoch:   its number, from 1; 0 where Ctrl-C came before the first; epochs: how many there were.
    engine:  what took the steps.
    stopped: why training ended, as in `History`.
    seconds: of its epochs.
    """

    network: Module
    outputs: NDArray[np.float32]
    best: float
    epoch: int
    epochs: int
    engine: str
    stopped: str
    seconds: float


def train(
    plan: Plan,
    parts: Sequence[tuple[Part, Part]],
    seed: int,
    deadline: float | None = None,
    engine: str = "auto",
    watch: Callable[[Selection], Callback] | None = None,
) -> list[Trained]:
    """Train a network for each pair of (training rows, validation rows), side by side.

    The default generator is left as it was; results depend on the seed, and not on the number of threads.

    Args:
        plan: what is trained.
        parts: the rows of each network.
        seed: of initial weights, orders and masks.
        deadline: the time by `time.monotonic` at which training shall have ended; schedules are shortened to keep it,
            and then results depend on the machine's speed.
        engine: as in `fit`; "auto" takes steps eagerly where compiling them would take longer.
        watch: makes one more callback for each network.

    Ctrl-C ends training after the present epochs.
    """
    found = train_each([(plan, *pair) for pair in parts], seed, deadline, engine, watch)
    errors = [each for each in found if isinstance(each, BaseException)]
    if errors:
        raise errors[0]
    return [each for each in found if isinstance(each, Trained)]


def train_each(
    tasks: Sequence[tuple[Plan, Part, Part]],
    seed: int,
    deadline: float | None = None,
    engine: str = "auto",
    watch: Callable[[Selection], Callback] | None = None,
) -> list[Trained | BaseException]:
    """Train a network for each (plan, training rows, validation rows), side by side; arguments are those of `train`.

    Where one failed, because its loss was no longer finite, its error stands in its place.
    """
    # One thread for products of NumPy's: with more, their rounding depends on the number.
    with seeded(seed), product_threads(1):
        runs = [_Run(*task, deadline) for task in tasks]
        for run in runs:
            run.callbacks += [] if watch is None else [watch(run.selection)]
        if engine == "auto" and all(run.is_short() for run in runs):
            engine = "eager"
        histories = _trained(runs, engine)
    pairs = zip(runs, histories, strict=True)
    return [history if isinstance(history, BaseException) else run.result(history) for run, history in pairs]


def _trained(runs: Sequence[_Run], engine: str) -> list[History | BaseException]:
    """Train, and return what came of each; beside others of a program, in the threads that are its own."""
    shared: dict[str, Any] = {"engine": engine, "threads": threads_to_use(), "progress": False}
    try:
        if len(runs) == 1:
            return [fit(**runs[0].arguments(), **shared)]
        return [*fit_many([Job(**run.arguments()) for run in runs], **shared)]
    except DivergenceError as error:
        return [error]
    except JobsError as problem:
        histories: list[Any] = problem.histories
        return [problem.errors.get(i, histories[i]) for i in range(len(runs))]


def make_network(plan: Plan) -> Any:
    """Return a network as it is before it has seen data."""
    return network_of(plan.inputs, plan.outputs, plan.settings)


def network_of(inputs: Inputs, outputs: int, settings: Settings) -> Any:
    """Return a network of these settings, with weights as they are drawn."""
    if settings.network == "tabm":
        return TabM(inputs, outputs, settings.hidden, settings.members, settings.dropout, settings.periodic)
    return RealMLP(inputs, outputs, settings.hidden, settings.activation, settings.dropout, settings.periodic)


def make_optimizer(network: Any, settings: Settings, steps: int) -> ScheduledAdam:
    """Return the optimiser of a network, with the rates of its groups."""
    groups = [
        {
            "params": group["params"],
            "lr": settings.rate * group["rate"],
            "weight_decay": settings.weight_decay * group["decay"],
        }
        for group in network.groups()
    ]
    if getattr(network, "strength", None) is not None:
        groups.append({"params": [network.strength], "holds": True})
    decays = "steady" if settings.rates == "steady" else "fading"
    return ScheduledAdam(
        groups, settings.rate, max(1, steps), settings.weight_decay, settings.rates, decays, settings.betas
    )


def outputs_of(network: Any, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Return what a network, in evaluation mode, answers for all rows, a few thousand at a time."""
    # One thread: with more, a product's rounding depends on their number.
    with fanin.inference_mode(), product_threads(1):
        pieces = [
            network(*(fanin.from_numpy(np.ascontiguousarray(each[start : start + AT_ONCE])) for each in inputs)).numpy()
            for start in range(0, len(inputs[0]), AT_ONCE)
        ]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def in_evaluation(network: Any) -> Any:
    """Return the network in evaluation mode, with the same tensors, while the one given stays as it is.

    A step that is compiled looks at its modules again after any change of them, as that of their mode.
    """
    tensors = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors}).eval()


def in_double(network: Any) -> Any:
    """Return a copy of a network in evaluation mode and double precision."""
    return copy.deepcopy(network).eval().double()


class _Run:
    """One network in training."""

    def __init__(self, plan: Plan, learned: Part, judged: Part, deadline: float | None) -> None:
        self.plan, self.learned, self.judged = plan, learned, judged
        settings = plan.settings
        self.network = make_network(plan)
        self.inputs = tuple(fanin.from_numpy(np.ascontiguousarray(each)) for each in learned.inputs)
        if isinstance(self.network, RealMLP):
            start_from_data(self.network, self.inputs)
        self.batch_size = min(settings.batch_size, len(learned))
        self.steps = len(learned) // self.batch_size
        self.optimizer = make_optimizer(self.network, settings, settings.epochs * self.steps)
        self.selection = Selection(self.network, judged, plan, -(-BETWEEN_LOOKS // max(1, self.steps)))
        self.selection.grows = len(learned) <= PATIENT_ROWS and plan.gain[1] > 0
        self.callbacks: list[Callback] = [self.selection, Pace(deadline, self.steps)]

    def is_short(self) -> bool:
        """Say whether all steps are done sooner than one is compiled; by shapes alone, so that results are the same."""
        weights = sum(p.numel() for p in self.network.parameters())
        work = 6 * weights * self.batch_size * self.plan.settings.members
        seconds: float = self.steps * self.plan.settings.epochs * (_OF_A_STEP + work / _OPERATIONS)
        return seconds < _OF_COMPILING

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `fit`."""
        target: Any = fanin.from_numpy(np.ascontiguousarray(self.learned.target))
        if self.learned.weights is not None:
            target = target, fanin.from_numpy(self.learned.weights)
        return {
            "model": self.network,
            "train": (self.inputs, target),
            "loss": self.plan.loss,
            "optimizer": self.optimizer,
            "epochs": self.plan.settings.epochs,
            "batch_size": self.batch_size,
            "drop_last": True,
            "clip_grad_norm": self.plan.settings.clip,
            "callbacks": self.callbacks,
        }

    def result(self, history: Any) -> Trained:
        """Return the network with its best weights."""
        selection = self.selection
        selection.kept.put_back()
        self.network.eval()
        outputs = selection.outputs
        if outputs is None:
            outputs = outputs_of(self.network, self.judged.inputs)
        found = selection.best, selection.epoch, len(history), history.engine, history.stopped, sum(history.seconds)
        return Trained(self.network, outputs, *found)


class Selection(Callback):
    """Judges the network after each epoch, or the first, each so many and the last, and keeps the last best one.

    grows: whether patience grows with the epochs: after a better one it lasts for half of those before, at least.
    """

    grows = False

    def __init__(self, network: Any, judged: Part, plan: Plan, each: int = 1) -> None:
        self.network, self.judged, self.plan, self.each = in_evaluation(network), judged, plan, each
        self.kept = Kept(network)
        self.best, self.epoch = np.inf, 0
        self.outputs: NDArray[np.float32] | None = None
        self._goal, self._since = np.inf, 0  # what was to be fallen below, and the epoch that did it

    def on_epoch_end(self, training: Any) -> None:
        """Judge."""
        if training.epoch % self.each and training.epoch not in (1, training.epochs):
            return
        outputs = outputs_of(self.network, self.judged.inputs)
        value = self.plan.criterion(outputs, self.judged.target, self.judged.weights)
        if value <= self.best or self.outputs is None:
            self.kept.take(same=self.outputs is not None)
            self.best, self.epoch, self.outputs = value, training.epoch, outputs
        self._wait(value, training)

    def _wait(self, value: float, training: Any) -> None:
        absolute, relative = self.plan.gain
        patience = self.plan.settings.patience
        if value < self._goal:
            self._goal, self._since = value - absolute - relative * abs(value), training.epoch
        elif patience is not None:
            longer = self._since // 2 if self.grows else 0
            if training.epoch - self._since >= max(patience, longer):
                training.stop("patience")


@dataclass
class Pace(Callback):
    """Shortens a run that would not end by its deadline.

    The schedule is cut to the epochs that there is time for, so that it ends as it was meant to: with small steps.
    """

    deadline: float | None
    steps: int
    last: float = 0.0
    slowest: float = 0.0
    is_cut: bool = False

    def on_epoch_end(self, training: Any) -> None:
        """Look at the clock."""
        if self.deadline is None:
            return
        now = time.monotonic()
        if self.last:  # the first epoch is not like the others
            self.slowest = max(0.8 * self.slowest, now - self.last)
        self.last = now
        left = self.deadline - now
        if left < self.slowest or left <= 0:
            training.stop("time")
        elif self.slowest:
            self._cut(training, int(left / self.slowest))

    def _cut(self, training: Any, possible: int) -> None:
        groups = training.optimizer.param_groups
        end = (training.epoch + possible) * self.steps
        if end < groups[0]["total_steps"]:
            self.is_cut = True
            for group in groups:
                group["total_steps"] = end
        elif self.is_cut and training.epoch * self.steps >= groups[0]["total_steps"]:
            training.stop("time")
