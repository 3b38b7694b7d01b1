"""What a program is run on at once: parameters gathered side by side, one parameter, or a large one in pieces.

Every call's arguments are bound beforehand, but for the gradient, which is new at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from fanin.optim.engine.memory import PIECE, Block, pieces
from fanin.optim.engine.schedule import Call, Place, Schedule

# Calls with their arguments, or functions of the gradient and nothing.
Bound = list[tuple[Callable[..., Any], tuple[Any, ...] | None]]
Segment = Callable[[list[Any]], None]
# A result's place is the last argument, which costs less than naming it; these functions want it named.
_KEYWORD_OUT: dict[Callable[..., Any], Callable[..., Any]] = {
    np.maximum: lambda a, b, out: np.maximum(a, b, out=out),
    np.minimum: lambda a, b, out: np.minimum(a, b, out=out),
}


def segments(block: Block, positions: dict[int, int], places: Schedule, numbers: Any) -> list[Segment]:
    """Return what has to be called, with a list of gradients, to run a program on some members of a block.

    positions: for each member, where its gradient is in the list.
    numbers:   where the step's numbers will stand.
    """
    runs: list[list[int]] = []
    large: list[int] = []
    for i in sorted(positions):
        start, end = block.spans[i]
        if end - start > PIECE and block.params[i]._array.flags.c_contiguous:
            large.append(i)
        elif runs and runs[-1][-1] == i - 1 and end - block.spans[runs[-1][0]][0] <= PIECE:
            runs[-1].append(i)
        else:
            runs.append([i])
    longest = max((block.spans[run[-1]][1] - block.spans[run[0]][0] for run in runs), default=0)
    binder = Binder(block, positions, places, numbers, max(longest, PIECE if large else 0))
    found: list[Segment] = []
    for run in runs:
        found += [gathered(binder, run)] if worth_gathering(len(run), places) else [alone(binder, i) for i in run]
    return found + [in_pieces(binder, i) for i in large]


def worth_gathering(members: int, places: Schedule) -> bool:
    """Say whether parameters are gathered, or worked on one after the other; in units of one NumPy call, as timed."""
    calls = len(places.body) + len(places.after)
    copying = (1.5 + 0.6 * members) * (2 if places.reads_param else 1)
    return copying + calls + members < members * (calls + 1)


class Binder:
    """Turns calls on places into calls on arrays; holds the buffers that all segments share."""

    def __init__(self, block: Block, positions: dict[int, int], places: Schedule, numbers: Any, size: int) -> None:
        self.block = block
        self.positions = positions
        self.places = places
        self.numbers = numbers
        self.grad = np.empty(size, block.dtype)
        self.param = np.empty(size if places.reads_param else 0, block.dtype)
        self.scratch = [np.empty(size, block.dtype) for _ in range(places.scratch)]
        self.masks = [np.empty(size, np.bool_) for _ in range(places.masks)]

    def bind(self, calls: Sequence[Call], start: int, part: slice, shape: Any, param: Any, grad: Any = None) -> Bound:
        """Return calls on one part of the stretch of state that begins at `start`, seen in a shape.

        param: the parameter's values there, in that shape.
        grad:  the gradient's values there; None when they will be given at each step.
        """

        def array(place: Place) -> Any:
            if place.kind == "param":
                return param
            if place.kind == "grad":
                return grad
            if place.kind == "number":
                return self.numbers[place.key : place.key + 1].reshape(())
            return self._stretch(place, start)[part].reshape(shape)

        return [_bound(call.function, [array(place) for place in call.operands], array(call.out)) for call in calls]

    def _stretch(self, place: Place, start: int) -> Any:
        if place.kind == "state":
            return self.block.flat[place.key][start:]
        return (self.scratch if place.kind == "scratch" else self.masks)[place.key]


def _bound(function: Callable[..., Any], operands: list[Any], out: Any) -> Any:
    """Return a call with its arguments; where an operand is None, a function that is given it."""
    function = _KEYWORD_OUT.get(function, function)
    if not any(operand is None for operand in operands):
        return function, (*operands, out)
    if len(operands) == 1:
        return (lambda grad: function(grad, out)), None
    if len(operands) == 2:
        a, b = operands
        if a is None:
            return (lambda grad: function(grad, grad if b is None else b, out)), None
        return (lambda grad: function(a, grad, out)), None
    return (lambda grad: function(*[grad if operand is None else operand for operand in operands], out)), None


def gathered(binder: Binder, members: list[int]) -> Segment:
    """Work on parameters that lie side by side in the state: copy gradients together, write values back to each."""
    block, places = binder.block, binder.places
    start, end = block.spans[members[0]][0], block.spans[members[-1]][1]
    grad, whole = binder.grad[: end - start], slice(0, end - start)
    arrays = [block.params[i]._array for i in members]
    param = binder.param[: end - start] if places.reads_param else None
    calls = binder.bind(places.body, start, whole, -1, param, grad)
    if places.last is not None:
        for i, array in zip(members, arrays, strict=True):
            part = slice(block.spans[i][0] - start, block.spans[i][1] - start)
            piece = grad[part].reshape(array.shape)
            calls += binder.bind([places.last], start, part, array.shape, array, piece)
    calls += binder.bind(places.after, start, whole, -1, param, grad)
    mine = _picker([binder.positions[i] for i in members])
    concatenate = np.concatenate

    def run(grads: list[Any]) -> None:
        concatenate(mine(grads), None, grad)
        if param is not None:
            concatenate(arrays, None, param)
        for function, arguments in calls:
            function(*arguments)  # type: ignore[misc]

    return run


def _picker(positions: list[int]) -> Callable[[list[Any]], Any]:
    """Return a function that takes the entries at these positions out of a list."""
    first = positions[0]
    if positions == list(range(first, first + len(positions))):
        return itemgetter(slice(first, first + len(positions)))
    return itemgetter(*positions)


def alone(binder: Binder, member: int) -> Segment:
    """Work on one parameter, in its own memory and shape."""
    block, places = binder.block, binder.places
    start, end = block.spans[member]
    array = block.params[member]._array
    calls = binder.bind(places.calls, start, slice(0, end - start), array.shape, array)
    position = binder.positions[member]

    def run(grads: list[Any]) -> None:
        grad = grads[position]
        for function, arguments in calls:
            if arguments is None:
                function(grad)
            else:
                function(*arguments)

    return run


def in_pieces(binder: Binder, member: int) -> Segment:
    """Work on a large parameter in its own memory, a piece at a time, so that all buffers stay in the cache."""
    block, places = binder.block, binder.places
    start, end = block.spans[member]
    flat = block.params[member]._array.reshape(-1)
    parts = [
        (low, high, binder.bind(places.calls, start + low, slice(0, high - low), -1, flat[low:high]))
        for low, high in pieces(end - start)
    ]
    position = binder.positions[member]

    def run(grads: list[Any]) -> None:
        whole = grads[position].reshape(-1)
        for low, high, calls in parts:
            grad = whole[low:high]
            for function, arguments in calls:
                if arguments is None:
                    function(grad)
                else:
                    function(*arguments)

    return run
