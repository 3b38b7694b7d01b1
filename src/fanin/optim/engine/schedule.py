"""Where each value of a program lives: in the state's own memory, or in as few scratch buffers as will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fanin.optim.engine.symbols import Ref
from fanin.optim.engine.trace import Line, Program, select

# Calls that read an operand again after they began to write.
_NOT_IN_PLACE: tuple[Callable[..., Any], ...] = (select,)


@dataclass(frozen=True)
class Place:
    """kind: "param", "grad", "state" (key: its name), "number" (its index), "scratch" or "mask" (its index)."""

    kind: str
    key: Any = None


@dataclass(frozen=True)
class Call:
    """function(*operands, out)."""

    function: Callable[..., Any]
    operands: tuple[Place, ...]
    out: Place


@dataclass(frozen=True)
class Schedule:
    """A program with a place for every value.

    body:  the calls up to the last; none of them writes the parameter.
    last:  the call that gives the new parameter, which may be made for each parameter apart; None when it stays.
    after: what could not be written into the state before, because the old values were still read.
    """

    body: tuple[Call, ...]
    last: Call | None
    after: tuple[Call, ...]
    scratch: int
    masks: int

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, in order."""
        return (*self.body, *(() if self.last is None else (self.last,)), *self.after)

    @cached_property
    def reads_param(self) -> bool:
        """Whether the body needs the parameter's value."""
        return any(place.kind == "param" for call in self.body for place in call.operands)


def schedule(program: Program) -> Schedule:
    """Give every value of a program its place."""
    lines = _with_param_last(program)
    planner = _Planner(program, lines)
    calls = [planner.place(i, line) for i, line in enumerate(lines)]
    last = calls.pop() if "param" in program.outputs else None
    after = [
        Call(np.positive, (planner.places[ref.index],), Place("state", name))
        for name, ref in program.outputs.items()
        if name != "param" and planner.places[ref.index] != Place("state", name)
    ]
    return Schedule(tuple(calls), last, tuple(after), planner.scratch, planner.masks)


def _with_param_last(program: Program) -> list[Line]:
    """Return the body with the line that gives the new parameter at the end, where others do not need it."""
    lines = list(program.body)
    if "param" not in program.outputs:
        return lines
    new = program.outputs["param"]
    if any(new in line.operands for line in lines):
        # The new parameter is read again: it is computed in scratch memory, and copied as the last call.
        return [*lines, Line(np.positive, (new,), Ref(-1))]
    position = next(i for i, line in enumerate(lines) if line.result == new)
    return [*lines[:position], *lines[position + 1 :], lines[position]]


@dataclass
class _Planner:
    """Goes through the lines once, and hands out places."""

    program: Program
    lines: list[Line]
    places: dict[int, Place] = field(default_factory=dict)
    free: list[Place] = field(default_factory=list)
    scratch: int = 0
    masks: int = 0

    def __post_init__(self) -> None:
        for name, ref in self.program.arrays.items():
            self.places[ref.index] = Place(name) if name in ("param", "grad") else Place("state", name)
        self.last_use = {ref.index: i for i, line in enumerate(self.lines) for ref in line.operands if not ref.host}
        end = len(self.lines)
        self.last_use.update((ref.index, end) for name, ref in self.program.outputs.items() if name != "param")
        self.home = {ref.index: name for name, ref in self.program.outputs.items() if name != "param"}

    def place(self, i: int, line: Line) -> Call:
        """Return line i as a call, with a place for its result."""
        operands = tuple(self._find(ref) for ref in line.operands)
        if i == len(self.lines) - 1 and "param" in self.program.outputs:
            return Call(line.function, operands, Place("param"))
        if line.function in _NOT_IN_PLACE:
            out = self._result(i, line)
            self._release(i, line)
        else:
            self._release(i, line)
            out = self._result(i, line)
        self.places[line.result.index] = out
        return Call(line.function, operands, out)

    def _find(self, ref: Ref) -> Place:
        return Place("number", ref.index) if ref.host else self.places[ref.index]

    def _release(self, i: int, line: Line) -> None:
        """Take back the scratch memory of operands that nobody reads any more."""
        for index in {ref.index for ref in line.operands if not ref.host}:
            place = self.places[index]
            if self.last_use[index] == i and place.kind == "scratch" and place not in self.free:
                self.free.append(place)

    def _result(self, i: int, line: Line) -> Place:
        if line.mask:
            self.masks += 1
            return Place("mask", self.masks - 1)
        name = self.home.get(line.result.index)
        if name is not None and self._is_over(name, i, line):
            return Place("state", name)
        if self.free:
            return self.free.pop()
        self.scratch += 1
        return Place("scratch", self.scratch - 1)

    def _is_over(self, name: str, i: int, line: Line) -> bool:
        """Say whether the old value of a state is not needed any more once line i has run."""
        old = self.last_use.get(self.program.arrays[name].index, -1)
        return old < i or (old == i and line.function not in _NOT_IN_PLACE)
