"""Many epochs in one native call, for small work: an epoch may take less time than Python needs between two of them.

A block gives what its epochs give one by one: the same orders from the same streams, the same weights, bit for bit, and
the same numbers of the optimiser. It can be undone and taken again in part, which is how a run comes back to an epoch
inside of it.
"""

from __future__ import annotations

import copy
import ctypes
import operator
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.compiler.native.orders import Drawing, can_draw, draw_orders
from fanin.compiler.native.turns import Turn, draws_beside, take_turns
from fanin.random.generator import Generator, default_generator
from fanin.training.engines.ahead import Table
from fanin.training.engines.engine import Task
from fanin.training.source import Rows
from fanin.utils.data import DataLoader
from fanin.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

# What `guess` takes for granted: operations in a second, and the seconds of a step, and of a call back to NumPy in it.
_OPERATIONS, _OF_A_STEP, _OF_A_CALL = 2e10, 1e-6, 1e-4
_BYTES = 4 * 625  # of the words of a generator and their position


@dataclass(frozen=True)
class Place:
    """Where a run stands: everything that steps change, as copies.

    arrays:     (array, its values) of the model and the optimiser.
    counts:     what the optimisers count, as `HostScalars.counted` returns it.
    generators: (generator, its words and their position).
    key:        that of the random masks.
    rates:      the options of the optimiser's groups and the state of the scheduler, where there is one.
    """

    arrays: tuple[tuple[Any, Any], ...]
    counts: Any
    generators: tuple[tuple[Any, Any], ...]
    key: Any
    rates: Any = None


class Orders:
    """Draws the orders of a loader's next epochs."""

    def __init__(self, source: Rows) -> None:
        self._source, loader = source, source.loader
        self._batches = loader.batch_sampler
        self._base = loader.generator or default_generator
        sampler = getattr(self._batches, "sampler", None)
        self._own = getattr(sampler, "generator", None)
        self.is_random = type(sampler) is RandomSampler
        plain = type(loader) is DataLoader and type(self._batches) is BatchSampler
        self.possible = plain and can_draw(len(source)) and self._takes_all(sampler)
        size = self._batches.batch_size if self.possible else 1
        whole, rest = divmod(len(source), size)
        ends = [(rest, 1)] if self.possible and rest and not self._batches.drop_last else []
        # The rows of a batch, and how many batches there are: at most two kinds.
        self.parts = tuple(([(size, whole)] if whole else []) + ends)
        self.sizes = np.repeat(*np.array(self.parts, np.int64).reshape(-1, 2).T)
        # Unshuffled orders of so many epochs: those of the next block are the same.
        self._repeated, self._in_sequence = 0, list[NDArray[np.int64]]()

    def _takes_all(self, sampler: Any) -> bool:
        if type(sampler) is SequentialSampler:
            return True
        if not self.is_random or sampler.replacement:
            return False
        return bool(sampler.num_samples == len(sampler.data_source) == len(self._source))

    def generators(self) -> tuple[Generator, ...]:
        """Return the generators that the orders are drawn from."""
        listed = (self._base, *((self._own or default_generator,) if self.is_random else ()))
        return tuple({id(generator): generator for generator in listed}.values())

    def draw(self, epochs: int) -> list[NDArray[np.int64]]:
        """Return the row numbers of the batches of each part, for all epochs in sequence."""
        parts = self._rows_of_parts()
        if self.is_random:
            rows = draw_orders(*self._streams(), epochs, len(self._source), parts)
        else:
            self._base.words(2 * epochs)
            if self._source.is_whole(self.parts[0][0]):
                return [np.empty(0, np.int64)]  # no rows are fetched
            if epochs > self._repeated:
                ends = accumulate(parts)
                rows = [np.tile(np.arange(end - part, end), epochs) for part, end in zip(parts, ends, strict=True)]
                self._repeated, self._in_sequence = epochs, self._of_source(rows)
            return [rows[: epochs * part] for rows, part in zip(self._in_sequence, parts, strict=True)]
        return self._of_source(rows)

    def _of_source(self, rows: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Return the numbers of rows of the data for numbers of those that are chosen."""
        return rows if self._source.chosen is None else [self._source.chosen[part] for part in rows]

    def to_draw(self, epochs: int, empty: Any) -> Drawing | None:
        """Return the same as what native code may draw while the steps are taken; None where it cannot."""
        if not self.is_random or self._source.chosen is not None:
            return None
        return Drawing(*self._streams(), epochs, len(self._source), self._rows_of_parts(), empty)

    def _streams(self) -> tuple[Generator, Generator, bool]:
        return self._base, self._own or default_generator, self._own is None

    def _rows_of_parts(self) -> list[int]:
        return [size * count for size, count in self.parts]


class Scratch:
    """Memory that block after block uses: the first touch of fresh memory costs as much as drawing an order into it."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[Any]] = {}

    def empty(self, name: str, count: int, dtype: Any = np.int64) -> NDArray[Any]:
        """Return an array of a length, at the place of the one that had this name before."""
        array = self._kept.get(name)
        if array is None or len(array) < count or array.dtype != dtype:
            array = self._kept[name] = np.empty(count, dtype)
        return array[:count]


class Blocks:
    """Takes blocks of epochs with the programs of an engine, one for each size of a batch.

    scheduler: takes a step after each epoch, if there is one.
    rates:     the learning rates of the first group at the start of the epochs of the last block.
    """

    def __init__(self, task: Task) -> None:
        assert isinstance(task.source, Rows)
        self._task = task
        self._orders = Orders(task.source)
        self.sizes = self._orders.sizes
        self._programs: list[Any] = []
        self._states: list[list[Any]] = []
        self._key: Any = None
        self._scratch = Scratch()
        self.scheduler: Any = None
        self.rates: list[float] = []

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return int(self.sizes.sum())

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The sizes of the batches that there are; none where a loader's order cannot be drawn in blocks."""
        return tuple(size for size, _ in self._orders.parts) if self._orders.possible else ()

    def guess(self) -> float:
        """Return roughly how many seconds an epoch takes."""
        codes = [program.epochs.executable for program in self._programs]
        counts = [count for _, count in self._orders.parts]
        seconds = [code.work / _OPERATIONS + _OF_A_STEP + _OF_A_CALL * code.calls_back for code in codes]
        return float(sum(map(operator.mul, seconds, counts)))

    def ready(self, programs: dict[int, Any], key: Any) -> bool:
        """Say whether the next epochs can be taken together, with these programs, which fit, by their batch sizes."""
        parts = self._orders.parts
        if not self._orders.possible or self._task.per_step is not None or not all(n in programs for n, _ in parts):
            return False
        self._programs, self._key = [programs[n] for n, _ in parts], key
        self.look()
        first, *others = [program.scalars for program in self._programs]
        return (
            all(program.epochs is not None for program in self._programs)
            and not first.numbered
            and all(other is first or other.layout() == first.layout() for other in others)
            and all(array.flags.c_contiguous for _, state in self._apart() for array in state)
        )

    def look(self) -> None:
        """Look where the arrays of the state lie; to be called when somebody else had a turn since the last time."""
        first, *others = self._programs
        state = first.arrays(self._key)
        self._states = [state, *(state if first.is_beside(other) else other.arrays(self._key) for other in others)]

    def _apart(self) -> list[tuple[Any, list[Any]]]:
        """Return the programs with the arrays that they change, one of those that change the same ones."""
        first, *others = zip(self._programs, self._states, strict=True)
        return [first, *(pair for pair in others if not first[0].is_beside(pair[0]))]

    # Where the run stands -----------------------------------------------------------------------------------------

    def place(self) -> Place:
        """Return where the run stands."""
        arrays = {}
        flats = self._programs[0].scalars.flats()
        for program, state in self._apart():
            for array in program.changing(state):
                whole = flats.get(id(array.base), array)  # one copy for all of an optimiser's moments
                arrays[id(whole)] = whole
        return Place(
            tuple([(array, array.copy()) for array in arrays.values()]),
            self._programs[0].scalars.counted(),
            tuple([(generator, _words(generator)) for generator in self._generators()]),
            self._key.copy(),
            self._rates_held(),
        )

    def _generators(self) -> tuple[Generator, ...]:
        """Return what a block draws from, and no other: other threads may draw meanwhile, and keep what they drew."""
        drawn = self._orders.generators()
        if self.scheduler is None or default_generator in drawn:
            return drawn
        return (*drawn, default_generator)  # from which a rule of the rates may draw

    def _rates_held(self) -> Any:
        if self.scheduler is None:
            return None
        groups = self._task.optimizer.param_groups
        options = [{name: value for name, value in group.items() if name != "params"} for group in groups]
        return options, copy.deepcopy(self.scheduler.state_dict())

    def go_to(self, place: Place) -> None:
        """Write back what `place` returned."""
        for array, values in place.arrays:
            np.copyto(array, values)
        self._programs[0].scalars.count_as(place.counts)
        for generator, words in place.generators:
            ctypes.memmove(_address(generator), words, _BYTES)
        self._key[:] = place.key
        if place.rates is not None:
            for group, options in zip(self._task.optimizer.param_groups, place.rates[0], strict=True):
                group.update(options)
            self.scheduler.load_state_dict(copy.deepcopy(place.rates[1]))

    # Steps --------------------------------------------------------------------------------------------------------

    def run(self, epochs: int) -> NDArray[np.float64] | None:
        """Take epochs, and return the losses of their steps, (epochs, steps).

        Returns None where that cannot be done at once; then the run has to `go_to` where it stood.
        """
        table = self._table(epochs)
        if table is None:
            return None
        counts = [count for _, count in self._orders.parts]
        tables = table.cut(tuple(counts))
        codes = [program.epochs.executable for program in self._programs]
        drawing = None
        if draws_beside(codes, [count * epochs for count in counts], self._task.threads):
            drawing = self._orders.to_draw(epochs, self._scratch.empty)
        orders = self._orders.draw(epochs) if drawing is None else drawing.parts
        losses = []
        for place, program in enumerate(self._programs):
            made = self._scratch.empty(f"losses {place}", len(tables[place]), program.result.dtype)
            losses.append(made)
            program.bind(orders[place], self._states[place], made.reshape(-1, *program.result.shape))
        with self._task.aside():
            self._call(epochs, tables, drawing)
        for program, _ in self._apart():
            program.count_changes()
        self._key[1] += np.uint64(len(table.numbers))
        found = self._scratch.empty("losses of epochs", len(table.numbers), np.float64).reshape(epochs, -1)
        for part, count, end in zip(losses, counts, accumulate(counts), strict=True):
            found[:, end - count : end] = part.reshape(epochs, -1)
        return found

    def _call(self, epochs: int, tables: Sequence[Any], drawing: Drawing | None) -> None:
        codes = [program.epochs.executable for program in self._programs]
        threads = self._task.threads
        if len(codes) == 1 and drawing is None and codes[0].together == 1:
            codes[0].run(tables[0], len(tables[0]), threads=threads)
            return
        keys = [program.own_key(self._key) if len(codes) > 1 else None for program in self._programs]
        counts = [count for _, count in self._orders.parts]
        turns = [Turn(*turn) for turn in zip(codes, tables, counts, keys, strict=True)]
        with nullcontext() if drawing is None else drawing.alone():
            take_turns(turns, epochs, threads, drawing)

    def _table(self, epochs: int) -> Table | None:
        """Return the scalars of all steps, and count these as taken; None where a flag changes on the way."""
        steps, ahead, scalars = len(self.sizes), self._programs[0].ahead, self._programs[0].scalars
        group = self._task.optimizer.param_groups[0]
        found, self.rates = [], []
        for count in [1] * epochs if self.scheduler is not None else [epochs]:
            self.rates += [float(group.get("lr", np.nan))] * count
            table = ahead.table(count * steps)
            if len(table.numbers) < count * steps:
                return None
            found.append(table)
            scalars.advance(count * steps)
            if self.scheduler is not None:
                self.scheduler.step()
        return found[0] if len(found) == 1 else Table(np.concatenate([table.numbers for table in found]))


def _words(generator: Generator) -> bytes:
    """Return a copy of the words of a generator and their position."""
    return ctypes.string_at(_address(generator), _BYTES)


def _address(generator: Generator) -> int:
    address: int = generator._bits.ctypes.state_address
    return address
