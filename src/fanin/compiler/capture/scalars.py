"""The numbers of a step that the host computes: rates, corrections, and what else a rule's `hyper` returns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from fanin.compiler import numpy_engine
from fanin.compiler.graph import CONSTANT, Value, in_order
from fanin.optim.engine.memory import STEP
from fanin.optim.engine.trace import is_flag

# Options of a group that are no numbers of a step; and what stands for one whose value may change behind its back.
_UNREAD = ("params", "param_names")
_MORE = object()


class _Place:
    """Where a cohort counts its steps, as long as the optimiser keeps to the plan."""

    def __init__(self, plan: Any, block: Any, members: list[int]) -> None:
        self.plan, self.block, self.members = plan, block, members
        self.first = members[0]
        self.steps = block.scalars.get(STEP)
        self.index: Any = slice(None) if len(members) == len(block.params) else np.array(members)

    def count(self) -> int:
        """Return how many steps the parameters have taken."""
        return self.block.counts[self.first] if self.steps is None else int(self.steps[self.first])

    def advance(self, steps: int) -> None:
        """Count steps."""
        if self.steps is not None:
            self.steps[self.index] += steps
            return
        for i in self.members:
            self.block.counts[i] += steps


class HostScalars:
    """The scalars of the steps of all optimisers in a captured function, in the order of the graph's.

    leaves:  the graph's scalars, each with the cohort, kind and name of its source.
    cohorts: the parameters that share their scalars, of all optimisers and groups.
    calls:   each optimiser with how many steps it takes in one call.
    """

    def __init__(self, leaves: Sequence[Any], cohorts: Sequence[Any], calls: Sequence[tuple[Any, int]]) -> None:
        self._values = tuple(leaf.leaf for leaf in leaves)
        position = {cohort: i for i, cohort in enumerate(cohorts)}
        self._sources = [(position[s.cohort], s.kind == "state", s.name) for s in leaves]
        self._belong_to(cohorts, calls)

    def _belong_to(self, cohorts: Sequence[Any], calls: Sequence[tuple[Any, int]]) -> None:
        self.cohorts, self.calls = tuple(cohorts), tuple(calls)
        self._numbered = any(cohort.names for cohort in self.cohorts)
        self._places: list[_Place | None] = [None] * len(self.cohorts)
        self._steps_of = {id(optimizer): count for optimizer, count in self.calls}
        self._groups = [_sizes(optimizer) for optimizer, _ in self.calls if optimizer is not None]

    def of(self, cohorts: Sequence[Any], optimizer: Any, places: Sequence[Any] = ()) -> HostScalars:
        """Return the scalars of the same step of another optimiser, None for one that is not known yet.

        places: (plan, block, positions of the parameters in it) of each cohort, where they are known.
        """
        made = copy.copy(self)
        made._belong_to(cohorts, [(optimizer, 1)])
        if places:
            made._places = [_Place(*place) for place in places]
        return made

    def __len__(self) -> int:
        return len(self._sources)

    def groups_hold(self) -> bool:
        """Say whether the optimisers have the groups that they had; another one may have been added."""
        return all(_sizes(o) == sizes for (o, _), sizes in zip(self.calls, self._groups, strict=True))

    @property
    def numbered(self) -> bool:
        """Whether the optimisers keep numbers of their own, besides the count of steps, from step to step."""
        return self._numbered

    def layout(self) -> Any:
        """Return what is equal for two captures of the same optimisers whose steps have the same table of scalars."""
        cohorts = [(id(c.optimizer), c.index, c.nth, c.flags, *map(id, c.params)) for c in self.cohorts]
        return cohorts, self._sources

    def form(self) -> Any:
        """Return what is equal for two captures whose steps have the same scalars, of whichever optimisers."""
        return [(c.index, c.nth, c.flags, c.negate) for c in self.cohorts], self._sources

    def flags(self) -> tuple[Any, ...]:
        """Return all that needs another capture when it is another at the next step."""
        found = []
        for cohort in self.cohorts:
            hyper = self._hyper(cohort, 0)
            flags = None if hyper is None else tuple((n, v) for n, v in hyper.items() if is_flag(v))
            found.append((flags, bool(cohort.group.get("maximize", False))))
        return tuple(found)

    @property
    def expected(self) -> tuple[Any, ...]:
        """The flags that the capture was made with."""
        return tuple((cohort.flags, cohort.negate) for cohort in self.cohorts)

    def row(self) -> list[float] | None:
        """Return the scalars of the next step; None when a flag is another than in the capture."""
        hypers = []
        for i, cohort in enumerate(self.cohorts):
            place, group = self._place(i), cohort.group
            if place is None or bool(group.get("maximize", False)) is not cohort.negate:
                return None
            hyper = cohort.optimizer.hyper(group, place.count() + 1 + cohort.nth)
            for name, value in cohort.flags:
                now = hyper.get(name)
                if now is not value and now != value:
                    return None
            hypers.append(hyper)
        return [
            float(self._number(self.cohorts[at], name) if is_state else hypers[at][name])
            for at, is_state, name in self._sources
        ]

    def table(self, steps: int) -> np.ndarray[Any, Any]:
        """Return the scalars of the next `steps` calls, (steps, n), without taking them.

        There are fewer rows where a flag changes on the way, and none when it has changed already.
        """
        if self.row() is None:
            return np.empty((0, len(self)))
        columns = [self._columns(cohort, steps) for cohort in self.cohorts]
        length = min((n for n, _ in columns), default=steps)
        if self._numbered:
            return self._table_with_state(length)
        table = np.empty((length, len(self)))
        for i, (at, _, name) in enumerate(self._sources):
            column = columns[at][1][name]
            table[:, i] = column[:length] if column.ndim else column
        return table

    def told(self) -> Hashable:
        """Return what is equal for two optimisers of this package whose next steps have the same scalars.

        None where that cannot be said: `hyper` of a user's may read anything.
        """
        if self._numbered:
            return None
        found: list[Hashable] = []
        for i, cohort in enumerate(self.cohorts):
            place, kind = self._place(i), type(cohort.optimizer)
            pure = kind.__module__.startswith("fanin.optim.") and "hyper" not in cohort.optimizer.__dict__
            options = [(n, type(v), _exactly(v)) for n, v in cohort.group.items() if n not in _UNREAD] if pure else None
            if place is None or options is None or any(value is _MORE for _, _, value in options):
                return None
            found.append((kind, kind.hyper, place.count(), cohort.nth, cohort.flags, cohort.negate, *options))
        return (tuple(found), tuple(self._sources), tuple([count for _, count in self.calls]))

    def advance(self, steps: int = 1) -> None:
        """Count steps as taken, as the optimisers themselves would have."""
        for _ in range(steps if self._numbered else 0):
            self._advance_numbers()
            self._count(1)
        if not self._numbered:
            self._count(steps)
        for optimizer, count in self.calls:
            optimizer._step_count += count * steps

    def take_back(self, steps: int) -> None:
        """Count steps as not taken after all; not for numbers of the state, which only `count_as` brings back."""
        assert not self._numbered
        self._count(-steps)
        for optimizer, count in self.calls:
            optimizer._step_count -= count * steps

    def _place(self, i: int) -> _Place | None:
        """Return where a cohort counts its steps; None when its parameters have not taken the same number of them."""
        cohort, place = self.cohorts[i], self._places[i]
        if place is None or cohort.optimizer._plans.get(cohort.index) is not place.plan:
            counts = cohort.counts()
            if counts.count(counts[0]) != len(counts):
                return None
            block, members = cohort.place()
            place = self._places[i] = _Place(cohort.optimizer._plans[cohort.index], block, members)
        return place

    def flats(self) -> dict[int, Any]:
        """Return the memory in which the optimisers keep arrays of many parameters, by ids."""
        blocks = [cohort.place()[0] for cohort in self.cohorts]
        return {id(flat): flat for block in blocks for flat in block.flat.values()}

    def counted(self) -> Any:
        """Return what the optimisers count, to be given to `count_as`."""
        blocks = [cohort.place()[0] for cohort in self.cohorts]
        held = [({n: a.copy() for n, a in block.scalars.items()}, list(block.counts)) for block in blocks]
        return held, [optimizer._step_count for optimizer, _ in self.calls]

    def count_as(self, counted: Any) -> None:
        """Count on from where `counted` was called."""
        for cohort, (scalars, counts) in zip(self.cohorts, counted[0], strict=True):
            block = cohort.place()[0]
            for name, array in scalars.items():
                block.scalars[name][...] = array
            block.counts[:] = counts
        for (optimizer, _), count in zip(self.calls, counted[1], strict=True):
            optimizer._step_count = count

    # One cohort ---------------------------------------------------------------------------------------------------

    def _hyper(self, cohort: Any, call: int) -> dict[str, Any] | None:
        """Return `hyper` for a call from now on; None when the parameters have not taken the same number of steps."""
        counts = cohort.counts()
        if counts.count(counts[0]) != len(counts):
            return None
        step = counts[0] + 1 + cohort.nth + call * self._steps_of[id(cohort.optimizer)]
        hyper: dict[str, Any] = cohort.optimizer.hyper(cohort.group, step)
        return hyper

    def _number(self, cohort: Any, name: str) -> float:
        block, members = cohort.place()
        return float(block.scalars[name][members[0]])

    def _columns(self, cohort: Any, steps: int) -> tuple[int, dict[str, Any]]:
        """Return for how many calls the flags stay, and each number of these calls: an array, or one for all."""
        every = self._steps_of[id(cohort.optimizer)]
        first = cohort.counts()[0] + 1 + cohort.nth
        numbers = first + every * np.arange(steps)
        columns = _vectorised(cohort.optimizer.hyper, cohort.group, numbers)
        if columns is not None:
            return steps, columns
        rows = []
        for number in numbers.tolist():
            hyper = cohort.optimizer.hyper(cohort.group, number)
            if tuple((n, v) for n, v in hyper.items() if is_flag(v)) != cohort.flags:
                break
            rows.append({n: float(v) for n, v in hyper.items() if not is_flag(v)})
        names = rows[0] if rows else {}
        return len(rows), {n: np.array([row[n] for row in rows]) for n in names}

    def _count(self, steps: int) -> None:
        for i in range(len(self.cohorts)):
            place = self._place(i)
            assert place is not None
            place.advance(steps)

    # Numbers of the state -----------------------------------------------------------------------------------------

    def _advance_numbers(self) -> None:
        """Compute the state's numbers of the next step, and write them where the optimisers keep them."""
        row = self.row()
        assert row is not None
        held: dict[Value, Any] = dict(zip(self._values, row, strict=True))
        for cohort in self.cohorts:
            for name in cohort.names:
                result = _on_host(cohort.results[name], held)
                block, members = cohort.place()
                block.scalars[name][members] = result

    def _table_with_state(self, steps: int) -> np.ndarray[Any, Any]:
        """Take the steps one after the other, and put everything back."""
        saved = self.counted()
        rows = []
        for _ in range(steps):
            rows.append(self.row())
            self._advance_numbers()
            self._count(1)
        self.count_as(saved)
        return np.array(rows).reshape(steps, len(self))


def _sizes(optimizer: Any) -> list[int]:
    return [len(group["params"]) for group in optimizer.param_groups]


def _exactly(value: Any) -> Hashable:
    """Return a number or text so that only what is the same, and no tensor, is equal: 0.0 is not -0.0."""
    kind = type(value)
    if kind is float:
        return value.hex()  # type: ignore[no-any-return]
    if kind is tuple:
        parts = tuple([(type(part), _exactly(part)) for part in value])
        return _MORE if any(part is _MORE for _, part in parts) else parts
    return value if value is None or kind is bool or kind is int or kind is str else _MORE


def _vectorised(hyper: Callable[..., Any], group: dict[str, Any], steps: Any) -> dict[str, Any] | None:
    """Return the numbers of many steps from one call of `hyper`; None where it does not work on an array of steps."""
    try:
        many = hyper(group, steps)
    except Exception:  # a branch on the step, a function of the math module: anything that takes numbers only
        return None
    columns = {name: np.asarray(_plain(v), np.float64) for name, v in many.items() if not is_flag(v)}
    if any(column.shape not in ((), steps.shape) for column in columns.values()):
        return None
    for number in (0, len(steps) - 1):
        one = hyper(group, int(steps[number]))
        if not all(_agrees(one.get(name), value, columns.get(name), number) for name, value in many.items()):
            return None
    return columns


def _agrees(one: Any, many: Any, column: Any, number: int) -> bool:
    """Say whether `hyper` gave for one step what it gave for many steps at once."""
    if column is None or is_flag(one):
        return bool(one is many or one == many)
    return _is_close(float(column[number] if column.ndim else column), float(one))


def _is_close(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= 1e-12 * abs(b) or (a != a and b != b)


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "_array") else value


def _on_host(result: Any, held: dict[Value, Any]) -> float:
    """Return the number that an expression of scalars has."""
    if not isinstance(result, Value):
        return float(result)
    for value in in_order([result]):
        if value.role == CONSTANT:
            held[value] = value.array
        elif value.op is not None and value not in held:
            inputs = [held[x] if isinstance(x, Value) else x for x in value.inputs]
            held[value] = numpy_engine.evaluate(value, inputs)
    return float(held[result])
