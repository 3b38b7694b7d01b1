"""Compiled steps: a whole epoch is one call of native code, which fetches its own rows.

Python comes back a few times a second, to look whether somebody pressed Ctrl-C, whether a loss is still finite, and to
move the progress bar. In between it holds no lock, so that other networks are trained meanwhile.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import IndexRangeError
from fanin.compiler.native.epochs import Epochs
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.shuffle import randperm
from fanin.tensor.tape import wrap
from fanin.training.engines.ahead import AT_ONCE, Ahead
from fanin.training.engines.blocks import Blocks
from fanin.training.engines.engine import NotFinite, Steps, Task, Watch
from fanin.training.engines.first_look import look_for_symmetry
from fanin.training.engines.graph import GraphEngine, Program, example
from fanin.training.engines.journal import Journal
from fanin.training.engines.pool import idle
from fanin.training.engines.structure import Structure
from fanin.training.source import Batch, Order, Rows

PAUSE = 0.05  # seconds between two looks at the run


class NativeProgram(Program):
    """The step of one batch shape, as native code."""

    def __init__(self, task: Task, batch: Batch, structure: Structure | None = None) -> None:
        super().__init__(task, batch, structure)
        self._threads, self._watched = task.threads, not task.goes_on
        self.ahead = Ahead(self.scalars)
        self._given: list[Any] = [None] * len(self.captured.graph.state)  # the arrays of the state as they are bound
        self.epochs: Epochs | None = None
        if isinstance(task.source, Rows):
            self._arrays = [np.ascontiguousarray(array) for array in self.data(task.source.tensors)]
            whole = task.source.is_whole(batch.rows)
            self.epochs = idle.take(self.captured.graph, self._arrays, self.loss, whole, self._watched)
            self._before = self.epochs.copies or self._before

    @cached_property
    def execute(self) -> Executable:
        """The function (data, state, scalars) -> outputs that takes one step."""
        return Executable(self.captured.graph, watched=self.loss if self._watched else None)

    @property
    def stops(self) -> bool:
        """Whether a step whose loss is not finite leaves the state as it was."""
        return (self.execute if self.epochs is None else self.epochs.executable).stops

    @property
    def together(self) -> int:
        """How many steps are taken together: calls are of multiples of that, so that results do not depend on time."""
        return 1 if self.epochs is None else self.epochs.executable.together

    @property
    def taken(self) -> int:
        """The steps of the last run that were completed."""
        assert self.epochs is not None
        return self.epochs.executable.taken

    def close(self) -> None:
        """Leave the compiled code to the next run."""
        if self.epochs is not None:
            self.epochs.copies = self._before  # memory that is fresh costs as much as copying to it
            idle.give(self.captured.graph, self._arrays, self.loss, self.epochs)
            self.epochs = None

    def run(self, order: NDArray[np.int64], numbers: NDArray[np.float64], key: Any) -> NDArray[Any]:
        """Take the steps of an order, and return their losses."""
        assert self.epochs is not None
        state = self.arrays(key)
        plain = [array if array.flags.c_contiguous else array.copy("C") for array in state]
        losses = np.empty((len(numbers), *self.result.shape), self.result.dtype)
        self.bind(order, plain, losses)
        self.epochs.executable.run(numbers, len(numbers), threads=self._threads)
        for there, here in zip(state, plain, strict=True):
            if there is not here:
                np.copyto(there, here)
        return losses

    @property
    def result(self) -> Any:
        """The value of the graph that is the loss of a step."""
        assert self.epochs is not None
        return self.epochs.executable.graph.outputs[0]

    def bind(self, order: NDArray[np.int64], state: Sequence[Any], losses: NDArray[Any]) -> None:
        """Let the code know where everything lies, in C order, and where the losses of all steps belong."""
        assert self.epochs is not None
        code = self.epochs.executable
        if any(map(operator.is_not, self._given, state)):
            self._given = list(state)
            code.bind_state(state)
        self.epochs.bind_order(order)
        code.bind("output", 0, losses)

    def own_key(self, key: Any) -> Any:
        """Bind a copy of the key of the random masks, until the next `bind`, and return it; None without one."""
        number = self.captured.key
        if number is None:
            return None
        assert self.epochs is not None
        self._given[number] = own = key.copy()
        self.epochs.executable.bind("state", number, own)
        return own

    def changing(self, state: Sequence[Any]) -> list[Any]:
        """Return the arrays of the state that steps change."""
        return [state[i] for i in self._written]


class NativeEngine(GraphEngine):
    """Runs a task as native code."""

    name = "native"
    program = NativeProgram

    def __init__(self, task: Task) -> None:
        self._journal = Journal()
        self._in_one_call = 16  # steps; more or fewer as they turn out to be quick or slow
        self._sized: dict[int, NativeProgram] = {}
        self._sequence = np.arange(0)
        self._blocks = Blocks(task) if isinstance(task.source, Rows) else None
        self._new: Structure | None = None  # that of the task, until the first look at what was captured for it
        super().__init__(task)

    def run_epoch(self, watch: Watch) -> Steps:
        """Take one pass over the source."""
        source = self.task.source
        if not isinstance(source, Rows):
            return super().run_epoch(watch)
        self._new = None
        self._journal.begin()
        order, done = source.order(randperm), 0
        rows = self._in_sequence(order) if order.rows is None else np.ascontiguousarray(order.rows)
        losses = np.empty(len(order.sizes), np.float64)
        for first, size, steps in stretches(order):
            self._refresh(source, size)
            self._sized[size].ahead.begin()
            at = first
            while steps:
                count = self._run(rows[at:], size, steps, losses[done:])
                if not count:
                    self._refresh(source, size)
                    self._sized[size].ahead.begin()
                    continue
                self._check(source, losses[: done + count], done, rows[at:], size)
                steps, done, at = steps - count, done + count, at + count * size
                watch.step(done, losses[done - 1])
        return Steps(losses, order.sizes)

    def blocks(self) -> Blocks | None:
        """Return what takes many epochs at once; None where the next ones have to be taken one by one."""
        found, source = self._blocks, self.task.source
        if found is None or not isinstance(source, Rows):
            return None
        structure, self._new = self._new, None
        for size in found.batch_sizes:
            if structure is None or size not in self._sized:
                self._refresh(source, size, structure)
        if not self._seeded and any(program.captured.key is not None for program in self._sized.values()):
            return None  # the seed is drawn after the first order
        return found if found.ready(self._sized, self._key) else None

    def close(self) -> None:
        """Leave the programs to others."""
        for program in self._programs.values():
            program.close()
        self._sized.clear()
        super().close()

    def _in_sequence(self, order: Order) -> NDArray[np.int64]:
        count = int(order.sizes.sum())
        if len(self._sequence) != count:
            self._sequence = np.arange(count)
        return self._sequence

    def _begin(self, source: Rows) -> None:
        """Capture the step of most batches, so that it shows at once whether there is a graph."""
        self._new = Structure(self.task)
        batch = example(source)
        self._sized[batch.rows] = cast(NativeProgram, self._program(batch, self._new))
        look_for_symmetry(self.task, batch)

    def _refresh(self, source: Rows, size: int, structure: Structure | None = None) -> None:
        """Capture the step of a batch size where there is none, or where the last capture does not hold any more."""
        program = self._sized.get(size)
        if program is None or not program.fits():
            batch = source.batch([wrap(array[:size]) for array in source.arrays])
            self._sized[size] = cast(NativeProgram, self._program(batch, structure))

    def _run(self, rows: Any, size: int, steps: int, losses: Any) -> int:
        """Take some of the steps, write their losses, and return how many they were."""
        program = self._sized[size]
        counted = program.scalars.counted() if program.scalars.numbered else None
        numbers = self._numbers(program, min(steps, self._in_one_call), steps)
        count = len(numbers)
        if not count:
            return 0
        self._seed(program)
        taken = rows[: count * size]
        if program.stops:
            self._journal.begin()
        else:
            self._journal.before(program, taken, numbers, self._key)
        started = time.perf_counter()
        try:
            with self.task.aside():
                losses[:count] = program.run(taken, numbers, self._key).reshape(count)
        except IndexRangeError:
            _count_as_taken(program.scalars, counted, program.taken, count)
            raise
        self._pace(count, time.perf_counter() - started, program.together)
        self._key[1] += np.uint64(count)
        bad = np.flatnonzero(~np.isfinite(losses[:count]))
        if len(bad):
            _count_as_taken(program.scalars, counted, int(bad[0]), count)
            if not program.stops:
                self._journal.go_to(int(bad[0]), self._key, self._again)
        program.count_changes()
        return count

    def _again(self, program: NativeProgram, rows: Any, numbers: Any) -> None:
        """Take steps once more."""
        program.run(rows, numbers, self._key)

    def _numbers(self, program: NativeProgram, steps: int, wanted: int) -> NDArray[np.float64]:
        """Return the scalars of the next steps, none where a flag has changed, and count these steps as taken."""
        scalars, scheduler = program.scalars, self.task.per_step
        if scheduler is None:
            return program.ahead.next(steps, wanted)
        rows: list[list[float]] = []
        while len(rows) < steps and (row := scalars.row()) is not None:
            rows.append(row)
            scalars.advance()
            scheduler.step()
        return np.array(rows, np.float64).reshape(len(rows), len(scalars))

    def _pace(self, count: int, seconds: float, together: int) -> None:
        """Let the next call take about as long as may pass between two looks, and whole stretches of steps together."""
        if seconds < PAUSE / 4 and count == self._in_one_call:
            self._in_one_call = min(AT_ONCE, 4 * self._in_one_call)
        elif seconds > PAUSE * 2:
            self._in_one_call = max(together, self._in_one_call // 2)

    def _check(self, source: Rows, losses: Any, done: int, rows: Any, size: int) -> None:
        """Raise NotFinite at the first of the latest losses that is NaN or infinite."""
        bad = np.flatnonzero(~np.isfinite(losses[done:]))
        if len(bad):
            step, at = int(bad[0]), int(bad[0]) * size
            batch = source.batch([wrap(array[rows[at : at + size]]) for array in source.arrays])
            raise NotFinite(done + step, batch, losses[: done + step + 1].tolist(), True)


def _count_as_taken(scalars: Any, counted: Any, steps: int, counts: int) -> None:
    """Let the optimisers count only the first of the steps that they have counted already.

    counted: what they counted before, where that cannot be found by counting back.
    """
    if counted is None:
        scalars.take_back(counts - steps)
        return
    scalars.count_as(counted)
    scalars.advance(steps)


def stretches(order: Order) -> Iterator[tuple[int, int, int]]:
    """Yield the stretches of batches of one size: the first row, the rows of a batch, and how many batches.

    >>> list(stretches(Order(None, np.array([4, 4, 4, 2]))))
    [(0, 4, 3), (12, 2, 1)]
    """
    sizes = order.sizes
    if not len(sizes):
        return
    changes = np.flatnonzero(sizes[1:] != sizes[:-1]) + 1
    first = start = 0
    for end in (*changes.tolist(), len(sizes)):
        size = int(sizes[start])
        yield first, size, end - start
        first, start = first + size * (end - start), end
