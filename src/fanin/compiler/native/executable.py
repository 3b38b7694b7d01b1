"""A graph bound to native code and to memory that is planned before the first step."""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from fanin._core.errors import IndexRangeError
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value
from fanin.compiler.native import target
from fanin.compiler.native.barrier import new_barrier
from fanin.compiler.native.cache import default_cache
from fanin.compiler.native.leaving import FINE, OUT_OF_RANGE, STEP, exit_of
from fanin.compiler.native.memory import lay_out
from fanin.compiler.native.module import ENTRY, EXTRA, Builder, NativeMachine
from fanin.compiler.native.pace import Pace
from fanin.compiler.native.quick import QUICK, builtin, objects_are_known
from fanin.compiler.native.team import Team
from fanin.compiler.passes.fingerprint import fingerprint
from fanin.compiler.passes.lower import lower
from fanin.compiler.passes.reciprocal import with_reciprocals
from fanin.compiler.passes.schedule import schedule
from fanin.compiler.passes.simplify import simplify
from fanin.compiler.passes.tiling import work_of
from fanin.compiler.passes.tiny import without_tiny_products
from fanin.compiler.passes.views import is_number

# Floating-point operations from which on waking a second thread, some 20 us, pays.
WORK_OF_A_TEAM = 10_000_000
# Floating-point operations of a prediction that takes microseconds.
QUICK_WORK = 5_000_000
_HOST = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def prepared(graph: Graph) -> Graph:
    """Return the graph in primitives, simplified."""
    return without_tiny_products(with_reciprocals(simplify(lower(graph))))


class Executable:
    """Native code for a graph.

    watched: the number of an output that has to be finite.

    Attributes:
        graph: as it was planned.
        plan, layout: what is computed when, and where it lies.
        address: of the native function (context, thread, threads).
        taken: the steps of the last run that were completed.
    """

    def __init__(self, graph: Graph, isa: target.Isa | None = None, *, watched: int | None = None) -> None:
        self.isa = isa or target.chosen()
        graph = prepared(graph)
        self.plan = schedule(graph, NativeMachine(self.isa))
        self.graph = self.plan.graph
        self.layout = lay_out(self.plan)
        self.way_out = exit_of(self.plan, watched)
        self.work = work_of(self.graph)
        self._hosted = [g.members[0] for g in self.plan.groups if g.kind == "host"]
        self._library = _library(self._key(graph, watched), self._compiled)
        self._failure: BaseException | None = None
        self._pace = Pace()
        self.taken = 0
        self._lock = threading.Lock()  # Python's threads share the arena
        self.address = self._library.address(ENTRY)
        self._run = _RUN(self.address)
        self._bind_memory()

    @property
    def text(self) -> str:
        """The LLVM text of the program."""
        return Builder(self.plan, self.layout, self.isa, self.way_out).build()

    def assembly(self) -> str:
        """Return the machine code of the program, to be read."""
        return target.assembly(self.text, self.isa)

    def explain(self) -> str:
        """Return the plan as text: the kernels in order, what each reads and stores, and where the bytes lie."""
        from fanin.compiler.native.explain import explain

        return explain(self.plan, self.layout, self.isa, self.work, WORK_OF_A_TEAM)

    def _compiled(self) -> bytes:
        return target.compiled(Builder(self.plan, self.layout, self.isa, self.way_out).parts(), self.isa)

    def _key(self, graph: Graph, watched: int | None) -> str:
        return "\n".join((fingerprint(graph), repr(watched), repr(self.isa), compiler_version()))

    # Memory -------------------------------------------------------------------------------------------------------

    def _bind_memory(self) -> None:
        arena = np.zeros(self.layout.arena + 64, np.uint8)
        start = -arena.ctypes.data % 64
        self._arena = arena[start : start + self.layout.arena]
        self._notes, self._barrier = np.zeros(3, np.int64), new_barrier()
        self._pointers = np.zeros(len(self.layout.sources) + len(EXTRA), np.uint64)
        self._slots: dict[tuple[str, int], int] = {}
        self._held: list[Any] = [self._arena]
        for number, (kind, what) in enumerate(self.layout.sources):
            if kind == "constant":
                array = np.ascontiguousarray(what)
                self._held.append(array)
                self._pointers[number] = array.ctypes.data
            elif kind != "arena":
                self._slots[kind, what] = number
        self._pointers[0] = self._arena.ctypes.data
        extra = len(self.layout.sources)
        self._call_back = _HOST(self._evaluate)
        host = ctypes.cast(self._call_back, ctypes.c_void_p).value
        self._rows = np.array([v.shape[0] if v.ndim else 1 for v in self.graph.state], np.int64)
        behind = self._notes.ctypes.data, self._barrier.ctypes.data, host or 0, self._rows.ctypes.data
        self._pointers[extra : extra + len(EXTRA)] = behind
        self._context = np.zeros(5, np.int64)
        self._context[0] = self._pointers.ctypes.data
        self._numbers = np.zeros(max(1, len(self.graph.scalars)), np.float64)
        self._arrays: dict[int, Any] = {0: self._arena}

    def bind(self, kind: str, i: int, array: Any) -> None:
        """Let "data", "state" or "output" number i be an array, which must be C-contiguous."""
        number = self._slots[kind, i]
        self._pointers[number] = array.__array_interface__["data"][0]  # a third of the time of array.ctypes.data
        self._arrays[number] = array

    # Running ------------------------------------------------------------------------------------------------------

    def __call__(self, data: Sequence[Any], state: Sequence[Any], scalars: Sequence[float]) -> list[Any]:
        """Do one step: write the updates into the arrays of the state, and return the outputs."""
        with self._lock:
            return self._step(data, state, scalars)

    def _step(self, data: Sequence[Any], state: Sequence[Any], scalars: Sequence[float]) -> list[Any]:
        held = [np.ascontiguousarray(x) for x in data]
        for i, array in enumerate(held):
            self.bind("data", i, array)
        written = {i for i, _ in self.graph.updates}
        copies = []
        for i, array in enumerate(state):
            plain = array if array.flags.c_contiguous else np.ascontiguousarray(array)
            if plain is not array and i in written:
                copies.append((array, plain))
            self.bind("state", i, plain)
        outputs = [np.empty(v.shape, v.dtype) for v in self.graph.outputs]
        for i, array in enumerate(outputs):
            self.bind("output", i, array)
        self._numbers[: len(scalars)] = scalars
        self.run(self._numbers, 1)
        for array, plain in copies:
            np.copyto(array, plain)
        return outputs

    def single(self, state: Sequence[Any]) -> Callable[[Any], Any]:
        """Return a quick function from one array to one, for a graph without scalars and updates.

        It takes arrays of the right dtype, and is for work of microseconds. It returns None where the function for all
        cases has to do the work: for an array of another shape or order, and for one with an index out of range.
        """
        (given,), (result,) = self.graph.data, self.graph.outputs
        if not self._is_quick or not all(a.flags.c_contiguous for a in state):
            return lambda array: self((array,), state, ())[0] if array.shape == given.shape else None
        shape, dtype, empty = result.shape, result.dtype, np.empty
        context = self._context_for(state)
        quick, method = builtin(self._library.address(QUICK), context)
        hold = (context, method, tuple(state), self)

        def predict(array: Any, hold: Any = hold) -> Any:
            out = empty(shape, dtype)
            return out if quick(array, out) is out else None

        return predict

    @property
    def _is_quick(self) -> bool:
        """Whether a step takes no longer than what Python needs to begin it, and calls nobody back."""
        return self.work <= QUICK_WORK and not self._hosted and objects_are_known()

    def _context_for(self, state: Sequence[Any]) -> Any:
        """Return a context of its own, in which the state is bound."""
        pointers = self._pointers.copy()
        for i, array in enumerate(state):
            pointers[self._slots["state", i]] = array.ctypes.data
        self._held.append(pointers)
        return np.array([pointers.ctypes.data, self._numbers.ctypes.data, 0, 0, 1], np.int64)

    def run(self, numbers: Any, steps: int, first: int = 0, threads: int | None = None) -> None:
        """Do steps first, first + 1, ...; `numbers` is (steps, n) float64, data and outputs are bound, stacked by step.

        The run ends with a step whose watched output is not finite; where `stops` says so, before that step changes
        the state. So it does with one that meets an index out of range, which it raises IndexError for.

        threads: how many to use at most; None for as many as the work is worth.
        """
        most, done = self.threads_for(steps, threads), 0
        while done < steps:
            used, count = self._pace.choose(most, steps - done) if most > 1 else (1, steps)
            context = self.prepare(numbers, count, first + done)
            started = time.perf_counter()
            if used == 1:
                self._run(context, 0, 1)
            else:
                team_of(used).run(self._run, context)
            if most > 1:
                self._pace.note(used, (time.perf_counter() - started) / count, count)
            if self._notes[:STEP].any():
                left = int(self._notes[STEP])
                self.taken = done + count if left < 0 else left - first
                break
            done += count
        else:
            self.taken = steps
        self.check()

    def prepare(self, numbers: Any, steps: int, first: int = 0) -> int:
        """Write down what is to be run, and return the address of this note: what native code is called with."""
        context, self._notes[:] = self._context, (FINE, FINE, -1)
        context[1], context[2] = numbers.ctypes.data, len(self.graph.scalars)
        context[3], context[4] = first, steps
        return int(context.ctypes.data)

    @property
    def stops(self) -> bool:
        """Whether a step whose watched output is not finite leaves the state as it was."""
        return self.way_out is not None and self.way_out.loss is not None

    @property
    def calls_back(self) -> int:
        """How many operations of a step have no code, and are evaluated with NumPy."""
        return len(self._hosted)

    def let_go(self) -> None:
        """Let go of all arrays that are bound; to be called when others are bound before the next run."""
        self._arrays = {0: self._arena}

    def threads_for(self, steps: int, most: int | None) -> int:
        """Return how many threads some steps may be worth, at most `most`."""
        lanes = len(self.plan.tiling.lanes)
        if lanes == 1 or most == 1 or self.work * steps < WORK_OF_A_TEAM:
            return 1
        return min(lanes, cores() if most is None else most)

    @property
    def pace(self) -> Pace:
        """What chooses the number of threads where several may be worth it."""
        return self._pace

    def check(self) -> None:
        """Raise what went wrong in the last run."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        found = OUT_OF_RANGE in self._notes[:STEP]
        self._notes[:] = FINE
        if found:
            raise IndexRangeError(
                "an index or a class number of the data is out of range",
                remedy="Class numbers count from 0 to the number of outputs - 1, embedding indices to its rows - 1.",
            )

    # Operations without code --------------------------------------------------------------------------------------

    def _evaluate(self, number: int, step: int) -> None:
        """Evaluate for native code, through which no exception can pass."""
        try:
            if self._failure is None:
                self._evaluate_with_numpy(number, step)
        except BaseException as error:
            self._failure = error

    def _evaluate_with_numpy(self, number: int, step: int) -> None:
        value = self._hosted[number]
        inputs = [self._shown(x, step) if isinstance(x, Value) else x for x in value.inputs]
        with np.errstate(all="ignore"):
            out = numpy_engine.evaluate(value, inputs)
        self._memory(value, step)[...] = out

    def _shown(self, x: Value, step: int) -> Any:
        if is_number(x):
            return self._number(x, step)
        ref = self.plan.refs[x]
        flat = self._memory(ref.base, step).reshape(-1)
        steps = tuple(s * ref.base.itemsize for s in ref.strides)
        return np.lib.stride_tricks.as_strided(flat[ref.offset :], ref.shape, steps)

    def _number(self, x: Value, step: int) -> Any:
        row = self._numbers_of(step)
        state = [None] * len(self.graph.state)
        data = [None] * len(self.graph.data)
        wanted = Graph(self.graph.data, self.graph.state, self.graph.scalars, (x,))
        return numpy_engine.run(wanted, data, state, row)[0][0]

    def _numbers_of(self, step: int) -> Any:
        count = len(self.graph.scalars)
        kind = ctypes.c_double * count
        return list(kind.from_address(int(self._context[1]) + 8 * count * step))

    def _memory(self, value: Value, step: int) -> Any:
        place = self.layout.places[value]
        kind, what = self.layout.sources[place.source]
        if kind == "arena":
            raw = self._arena[place.offset : place.offset + value.nbytes]
            return raw.view(value.dtype).reshape(value.shape)
        if kind == "constant":
            return what
        array = self._arrays[place.source]
        if kind in ("data", "output") and array.ndim > value.ndim:
            array = array[step]
        return array.reshape(value.shape)


_LIBRARIES: WeakValueDictionary[str, target.Library] = WeakValueDictionary()


def _library(key: str, make: Callable[[], bytes]) -> target.Library:
    """Return the code kept under a key: that which is loaded, or from the disk, or made."""
    library = _LIBRARIES.get(key)
    if library is None:
        cache = default_cache()
        code = cache.get(key)
        if code is None:
            code = make()
            cache.put(key, code)
        library = _LIBRARIES[key] = target.Library(code)
    return library


@lru_cache(maxsize=1)
def compiler_version() -> str:
    """Return what tells one state of the compiler from another: its files' sizes and times, and LLVM's version."""
    import fanin.compiler

    folder = Path(fanin.compiler.__file__).parent
    files = sorted(folder.rglob("*.py"))
    stamps = [(str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(f"{target.llvm.llvm_version_info}{stamps}".encode()).hexdigest()


@lru_cache(maxsize=8)
def team_of(threads: int) -> Team:
    """Return the team of a size that this process shares."""
    return Team(threads)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make(graph: Graph, **options: Any) -> Executable:
    """Compile a graph."""
    return Executable(graph, **options)
