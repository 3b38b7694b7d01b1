"""A graph bound to native code and to memory that is planned before the first step."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from fanin._core.addresses import address
from fanin._core.errors import IndexRangeError
from fanin._core.threads import cores
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value
from fanin.compiler.native import target
from fanin.compiler.native.abi import EARLY, ENTRY, EXTRA, FINE, LATE, OUT_OF_RANGE, STEP
from fanin.compiler.native.barrier import new_barrier
from fanin.compiler.native.cache import default_cache
from fanin.compiler.native.manifest import Manifest
from fanin.compiler.native.pace import Pace, pace_of
from fanin.compiler.native.packing import packed, unpacked
from fanin.compiler.native.quick import QUICK, builtin, objects_are_known
from fanin.compiler.native.team import Team
from fanin.compiler.native.version import compiler_version
from fanin.compiler.passes.fingerprint import fingerprint

if TYPE_CHECKING:
    from fanin.compiler.native.memory import Layout
    from fanin.compiler.native.planned import Planned
    from fanin.compiler.passes.plan import Plan

# Floating-point operations from which on waking a second thread, some 20 us, pays.
WORK_OF_A_TEAM = 10_000_000
# Floating-point operations of a prediction that takes microseconds.
QUICK_WORK = 5_000_000
_HOST = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


class Executable:
    """Native code for a graph.

    watched: the number of an output that has to be finite.

    Attributes:
        graph: as it was given.
        manifest: what is known of the code.
        address: of the native function (context, thread, threads).
        taken: the steps of the last run that were completed.
    """

    def __init__(self, graph: Graph, isa: target.Isa | None = None, *, watched: int | None = None) -> None:
        self.isa = isa or target.chosen()
        self.graph, self.watched = graph, watched
        self._name = self._key(graph)
        self._program = _program(self._name, self._made)
        self.manifest = self._program.manifest
        self._hosted = self._without_code() if self.manifest.calls_back else []
        self._failure: BaseException | None = None
        self._pace = pace_of(self._name)
        self.taken = 0
        self._lock = threading.Lock()  # Python's threads share the arena
        self.address = self._program.library.address(ENTRY)
        self._run = _RUN(self.address)
        self._bind_memory()

    # The plan: looked at by people, and where code is made or calls back ------------------------------------------

    @cached_property
    def _planned(self) -> Planned:
        from fanin.compiler.native.planned import planned

        return planned(self.graph, self.isa, self.watched)

    @property
    def plan(self) -> Plan:
        """What is computed when."""
        return self._planned.plan

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self._planned.layout

    @property
    def text(self) -> str:
        """The LLVM text of the program."""
        return self._planned.text

    def assembly(self) -> str:
        """Return the machine code of the program, to be read."""
        return target.assembly(self.text, self.isa)

    def explain(self) -> str:
        """Return the plan as text: the kernels in order, what each reads and stores, and where the bytes lie."""
        from fanin.compiler.native.explain import explain

        return explain(self.plan, self.layout, self.isa, self.work, WORK_OF_A_TEAM, self._planned.together)

    def _without_code(self) -> list[Value]:
        return [group.members[0] for group in self.plan.groups if group.kind == "host"]

    def _made(self) -> bytes:
        """Return the code and its manifest as they are kept."""
        return packed([self._planned.manifest().to_bytes(), self._planned.compiled()])

    def _key(self, graph: Graph) -> str:
        return "\n".join((fingerprint(graph), repr(self.watched), repr(self.isa), compiler_version()))

    # Memory -------------------------------------------------------------------------------------------------------

    def _bind_memory(self) -> None:
        size, sources = self.manifest.arena, self.manifest.sources
        arena = np.zeros(size + 64, np.uint8)
        start = -arena.ctypes.data % 64
        self._arena = arena[start : start + size]
        self._notes, self._barrier = np.zeros(3, np.int64), new_barrier()
        self._pointers = np.zeros(len(sources) + len(EXTRA), np.uint64)
        self._slots: dict[tuple[str, int], int] = {}
        self._held: list[Any] = [self._arena]
        for number, (kind, what) in enumerate(sources):
            if kind == "constant":
                array = np.ascontiguousarray(what)
                self._held.append(array)
                self._pointers[number] = array.ctypes.data
            elif kind != "arena":
                self._slots[kind, what] = number
        self._pointers[0] = self._arena.ctypes.data
        extra = len(sources)
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
        self._pointers[number] = address(array)
        self._arrays[number] = array

    def bind_state(self, arrays: Sequence[Any]) -> None:
        """Let the first of the state be these arrays, which must be C-contiguous."""
        slots = self._slots_of_state[: len(arrays)]
        self._pointers[slots] = [address(array) for array in arrays]
        self._arrays.update(zip(slots.tolist(), arrays, strict=True))

    @cached_property
    def _slots_of_state(self) -> Any:
        return np.array([self._slots["state", i] for i in range(len(self.graph.state))], np.intp)

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
        quick, method = builtin(self._program.library.address(QUICK), context)
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
            pointers[self._slots["state", i]] = address(array)
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
            if self._notes[EARLY] or self._notes[LATE]:
                left = int(self._notes[STEP])
                self.taken = done + count if left < 0 else left - first
                break
            done += count
        else:
            self.taken = steps
        self.check()

    def prepare(self, numbers: Any, steps: int, first: int = 0) -> int:
        """Write down what is to be run, and return the address of this note: what native code is called with."""
        context, notes = self._context, self._notes
        notes[EARLY] = notes[LATE] = FINE
        notes[STEP] = -1
        context[1], context[2] = address(numbers), len(self.graph.scalars)
        context[3], context[4] = first, steps
        return address(context)

    @property
    def stops(self) -> bool:
        """Whether a step whose watched output is not finite leaves the state as it was."""
        return self.manifest.stops

    @property
    def together(self) -> int:
        """How many steps are taken together: a run begins where an epoch does, or whole such stretches later."""
        return self.manifest.together

    @property
    def work(self) -> int:
        """Floating-point operations of a step."""
        return self.manifest.work

    @property
    def calls_back(self) -> int:
        """How many operations of a step have no code, and are evaluated with NumPy."""
        return self.manifest.calls_back

    def let_go(self) -> None:
        """Let go of all arrays that are bound; to be called when others are bound before the next run."""
        self._arrays = {0: self._arena}

    def threads_for(self, steps: int, most: int | None) -> int:
        """Return how many threads some steps may be worth, at most `most`."""
        lanes = self.manifest.lanes
        if lanes == 1 or most == 1 or self.work * steps < WORK_OF_A_TEAM:
            return 1
        return min(lanes, cores() if most is None else most)

    @property
    def pace(self) -> Pace:
        """What chooses the number of threads where several may be worth it."""
        return self._pace

    @cached_property
    def pace_of_drawing(self) -> Pace:
        """What chooses whether a thread of its own draws the orders that the steps take."""
        return pace_of(self._name, "drawing")

    def check(self) -> None:
        """Raise what went wrong in the last run."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        found = self._notes[EARLY], self._notes[LATE]
        self._notes[EARLY] = self._notes[LATE] = FINE
        if OUT_OF_RANGE in found:
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
        from fanin.compiler.passes.views import is_number

        if is_number(x):
            return self._number(x, step)
        ref = self.plan.refs[x]
        flat = self._memory(ref.base, step).reshape(-1)
        steps = tuple(s * ref.base.itemsize for s in ref.strides)
        return np.lib.stride_tricks.as_strided(flat[ref.offset :], ref.shape, steps)

    def _number(self, x: Value, step: int) -> Any:
        row = self._numbers_of(step)
        graph = self.plan.graph
        state = [None] * len(graph.state)
        data = [None] * len(graph.data)
        wanted = Graph(graph.data, graph.state, graph.scalars, (x,))
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


class _Program:
    """Code that is loaded, and its manifest."""

    def __init__(self, kept: bytes) -> None:
        manifest, code = unpacked(kept)
        self.manifest, self.library = Manifest.from_bytes(manifest), target.Library(code)


_PROGRAMS: WeakValueDictionary[str, _Program] = WeakValueDictionary()


def _program(key: str, make: Callable[[], bytes]) -> _Program:
    """Return the code kept under a key: that which is loaded, or from the disk, or made."""
    program = _PROGRAMS.get(key)
    if program is None:
        cache = default_cache()
        kept = cache.get(key)
        if kept is None:
            kept = make()
            cache.put(key, kept)
        program = _PROGRAMS[key] = _Program(kept)
    return program


@lru_cache(maxsize=8)
def team_of(threads: int) -> Team:
    """Return the team of a size that this process shares."""
    return Team(threads)


def make(graph: Graph, **options: Any) -> Executable:
    """Compile a graph."""
    return Executable(graph, **options)
