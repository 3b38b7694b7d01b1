"""Steps as a captured graph: forward, loss, backward and update in one program, for each shape of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fanin.compiler.capture import Captured, capture
from fanin.compiler.capture.guards import Changed, Surroundings
from fanin.compiler.program import executor
from fanin.nn.utils import clip_grad_norm_
from fanin.random.generator import default_generator
from fanin.tensor.base import Changes, TensorBase
from fanin.tensor.tape import wrap
from fanin.training.engines.eager import scalar
from fanin.training.engines.engine import NotFinite, Steps, Task, Watch
from fanin.training.engines.first_look import look_for_symmetry
from fanin.training.engines.structure import Structure
from fanin.training.engines.twins import Bound, Seats, fits, known
from fanin.training.source import Batch, Rows, flat


class Program:
    """The step of one batch shape."""

    def __init__(self, task: Task, batch: Batch, structure: Structure | None = None) -> None:
        self._bound = _bound(task, batch, structure or Structure(task))
        self.captured, self.scalars = self._bound.captured, self._bound.scalars
        self._seen = Changes.count
        self._written = [i for i, _ in self.captured.graph.updates]
        self._before: list[Any] = [None] * len(self._written)

    @cached_property
    def execute(self) -> Callable[..., Any]:
        """The function (data, state, scalars) -> outputs that takes one step."""
        return executor(self.captured, "numpy")

    @property
    def stops(self) -> bool:
        """Whether a step whose loss is not finite leaves the state as it was."""
        return False

    def fits(self) -> bool:
        """Say whether what the capture took for granted still holds."""
        bound = self._bound
        if not all(guards.names_hold() for guards in bound.guards):
            return False
        if self._seen != Changes.count:
            required = all(t._requires_grad is required for t, required in bound.required)
            if not required or not all(guards.modules_hold() for guards in bound.guards):
                return False
            self._seen = Changes.count
        return fits(self.captured, bound.seats) and self.scalars.row() is not None

    def tensors(self) -> list[Any]:
        """Return the tensors of the state."""
        return self._bound.seats.tensors()

    def is_beside(self, other: Program) -> bool:
        """Say whether another program works on the same tensors, one by one, and changes the same ones."""
        return self._bound.seats is other._bound.seats and self._written == other._written

    def covers(self, other: Program) -> bool:
        """Say whether all tensors that another program changes are among those that this one changes."""
        mine, others = self.tensors(), other.tensors()
        return {id(others[i]) for i in other._written} <= {id(mine[i]) for i in self._written}

    def arrays(self, key: Any) -> list[Any]:
        """Return the arrays of the state as they lie now; `key` is that of the random masks."""
        arrays = [tensor._array for tensor in self.tensors()]
        if self.captured.key is not None:
            arrays[self.captured.key] = key
        return arrays

    @property
    def loss(self) -> int:
        """The number of the loss among the outputs of the graph."""
        return self.captured.outputs[0].index

    def data(self, tensors: Sequence[Any]) -> list[Any]:
        """Return the arrays of the graph's data, of the tensors of a batch or of all rows."""
        return [tensors[i]._array for i in self.captured.arguments]

    def remember(self, state: Sequence[Any]) -> None:
        """Copy the state that steps are about to change."""
        for number, i in enumerate(self._written):
            if self._before[number] is None:
                self._before[number] = state[i].copy()
            else:
                np.copyto(self._before[number], state[i])

    def go_back(self, state: Sequence[Any]) -> None:
        """Write back what was copied last."""
        for before, i in zip(self._before, self._written, strict=True):
            np.copyto(state[i], before)

    def count_changes(self) -> None:
        """Let a backward pass through values that are no longer there be an error."""
        tensors = self.tensors()
        for i in self._written:
            counter = tensors[i]._counter
            if counter is not None:
                counter[0] += 1


def _bound(task: Task, batch: Batch, structure: Structure) -> Bound:
    """Return the step as a graph with its tensors, and what it takes for granted of the model and the loss.

    Raises CaptureError for a step that is no graph.
    """
    twin = known.find(structure, task, batch)
    if twin is not None:
        return twin
    captured, guards = _captured_anew(task, batch)
    known.keep(captured, structure, task, batch)
    return Bound(captured, captured.scalars, Seats.of(captured), tuple(guards), captured.required)


def _captured_anew(task: Task, batch: Batch) -> tuple[Captured, list[Any]]:
    for again in (False, True):
        around = [Surroundings(code, (code,)) for code in (task.model, task.loss)]
        captured = capture(step_of(task), (batch.inputs, batch.target), {})
        try:
            return captured, [surroundings.guards([], again) for surroundings in around]
        except Changed:
            continue  # what a first run sets, as a cache, is set for the second
    raise AssertionError("the second round returns or raises")


def step_of(task: Task) -> Any:
    """Return one step of training as a function of a batch."""
    parameters = task.optimized()

    def step(inputs: tuple[Any, ...], target: Any) -> Any:
        task.optimizer.zero_grad()
        loss = scalar(task.loss(task.model(*inputs), target))
        loss.backward()
        if task.clip is not None:
            clip_grad_norm_(parameters, task.clip)
        task.optimizer.step()
        task.optimizer.zero_grad()  # so that no gradient has to outlive the step
        return loss.detach().reshape(())

    return step


class GraphEngine:
    """Runs a task as captured programs, evaluated with NumPy.

    Random masks come from a stream of their own, of a seed that is drawn from the default generator: (seed, number of
    the step).
    """

    name = "numpy"
    program: type[Program] = Program

    def __init__(self, task: Task) -> None:
        self.task = task
        self._programs: dict[Any, Any] = {}
        self._key = np.zeros(2, np.uint64)
        self._seeded = False
        task.members().set_training(task.model)
        if isinstance(task.source, Rows):
            self._begin(task.source)

    def run_epoch(self, watch: Watch) -> Steps:
        """Take one pass over the source."""
        losses: list[float] = []
        rows: list[int] = []
        for batch, numbers in self._numbered(self._batches()):
            losses.append(self._step(batch, numbers))
            rows.append(batch.rows)
            if not math.isfinite(losses[-1]):
                raise NotFinite(len(losses) - 1, batch, losses, True)
            watch.step(len(losses), losses[-1])
        return Steps(np.array(losses, np.float64), np.array(rows, np.int64))

    def close(self) -> None:
        """Let go of the programs."""
        self._programs.clear()

    def state(self) -> dict[str, Any]:
        """Return where the stream of the random masks stands."""
        return {"seed": int(self._key[0]), "step": int(self._key[1])} if self._seeded else {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` says."""
        if state:
            self._key[:] = state["seed"], state["step"]
            self._seeded = True

    # Steps ------------------------------------------------------------------------------------------------------------

    def _begin(self, source: Rows) -> None:
        """Capture the step of most batches, so that it shows at once whether there is a graph."""
        batch = example(source)
        self._program(batch)
        look_for_symmetry(self.task, batch)

    def _batches(self) -> Iterator[Batch]:
        source = self.task.source
        if not isinstance(source, Rows):
            yield from source.batches()
            return
        order, first = source.order(), 0
        for size in order.sizes.tolist():
            rows = slice(first, first + size) if order.rows is None else order.rows[first : first + size]
            yield source.batch([wrap(array[rows]) for array in source.arrays])
            first += size

    def _numbered(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Any]]:
        """Yield each batch with the program of its shape."""
        for batch in batches:
            yield batch, self._program(batch)

    def _step(self, batch: Batch, program: Program) -> float:
        scalars = program.scalars
        row = scalars.row()
        assert row is not None
        self._seed(program)
        data, state, execute = program.data(_tensors(batch)), program.arrays(self._key), program.execute
        if not program.stops:
            program.remember(state)
        with self.task.aside():
            outputs = execute(data, state, row)
        loss = float(outputs[program.loss])
        if not math.isfinite(loss):  # the step was not taken
            if not program.stops:
                program.go_back(state)
            return loss
        scalars.advance()
        program.count_changes()
        self._key[1] += np.uint64(1)
        if self.task.per_step is not None:
            self.task.per_step.step()
        return loss

    def _program(self, batch: Batch, structure: Structure | None = None) -> Program:
        """Return the program of a batch's shape, a new one where there is none that fits.

        structure: that of the task, where it was told a moment ago.
        """
        shape = tuple((t._array.shape, t._array.dtype) for t in _tensors(batch))
        program = self._programs.get(shape)
        if program is None or not program.fits():
            self._programs[shape] = program = self.program(self.task, batch, structure)
        return program

    def _seed(self, program: Program) -> None:
        if program.captured.key is not None and not self._seeded:
            self._key[:] = default_generator.random_int(), 0
            self._seeded = True


def example(source: Rows) -> Batch:
    """Return a batch of the shape that most will have, without drawing any."""
    loader = source.loader
    size = loader.batch_size or getattr(loader.batch_sampler, "batch_size", None) or 1
    return source.batch([wrap(array[:size]) for array in source.arrays])


def _tensors(batch: Batch) -> list[Any]:
    return [t for t in flat([*batch.inputs, batch.target]) if isinstance(t, TensorBase)]
