"""What a program is run on at once: small parameters gathered side by side, large ones in pieces.

Every call's arguments are bound beforehand; a step only brings the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin.optim.engine.memory import PIECE, Block, pieces
from fanin.optim.engine.schedule import Call, Place, Schedule

Bound = list[tuple[Callable[..., Any], tuple[Any, ...]]]
# A result's place is the last argument, which costs less than naming it; these functions want it named.
_KEYWORD_OUT: dict[Callable[..., Any], Callable[..., Any]] = {
    np.maximum: lambda a, b, out: np.maximum(a, b, out=out),
    np.minimum: lambda a, b, out: np.minimum(a, b, out=out),
}


def segments(block: Block, members: list[int], places: Schedule, numbers: Any, first: int) -> list[Gathered | InPieces]:
    """Cut the memory of some members of a block into segments.

    numbers: where the step's numbers will stand.
    first:   where the members' gradients begin in the list that the segments will be given.
    """
    order = {i: first + k for k, i in enumerate(members)}
    gathered: list[list[int]] = []
    large: list[int] = []
    for i in members:
        start, end = block.spans[i]
        if end - start > PIECE // 2 and block.params[i]._array.flags.c_contiguous:
            large.append(i)
        elif gathered and gathered[-1][-1] == i - 1 and end - block.spans[gathered[-1][0]][0] <= PIECE:
            gathered[-1].append(i)
        else:
            gathered.append([i])
    longest = max((block.spans[run[-1]][1] - block.spans[run[0]][0] for run in gathered), default=0)
    binder = Binder(block, places, numbers, max(longest, PIECE if large else 0))
    return [
        *(Gathered(binder, run, order[run[0]]) for run in gathered),
        *(InPieces(binder, i, order[i]) for i in large),
    ]


class Binder:
    """Turns calls on places into calls on arrays; holds the buffers that all segments share."""

    def __init__(self, block: Block, places: Schedule, numbers: Any, size: int) -> None:
        self.block = block
        self.places = places
        self.numbers = numbers
        self.grad = np.empty(size, block.dtype)
        self.param = np.empty(size if places.reads_param else 0, block.dtype)
        self.scratch = [np.empty(size, block.dtype) for _ in range(places.scratch)]
        self.masks = [np.empty(size, np.bool_) for _ in range(places.masks)]

    def bind(self, calls: Sequence[Call], start: int, part: slice, shape: Any, param: Any) -> Bound:
        """Return calls on one part of the stretch of state that begins at `start`, seen in a shape.

        param: the parameter's values there, in that shape.
        """

        def array(place: Place) -> Any:
            if place.kind == "param":
                return param
            if place.kind == "number":
                return self.numbers[place.key : place.key + 1].reshape(())
            return self._stretch(place, start)[part].reshape(shape)

        return [
            (_KEYWORD_OUT.get(call.function, call.function), (*map(array, call.operands), array(call.out)))
            for call in calls
        ]

    def _stretch(self, place: Place, start: int) -> Any:
        if place.kind == "state":
            return self.block.flat[place.key][start:]
        if place.kind == "grad":
            return self.grad
        return (self.scratch if place.kind == "scratch" else self.masks)[place.key]


class Gathered:
    """Parameters that lie side by side in the state: gradients are copied together, values written back to each."""

    def __init__(self, binder: Binder, members: list[int], first: int) -> None:
        block, places = binder.block, binder.places
        start, end = block.spans[members[0]][0], block.spans[members[-1]][1]
        self.mine = slice(first, first + len(members))
        self.arrays = [block.params[i]._array for i in members]
        self.grad = binder.grad[: end - start]
        self.param = binder.param[: end - start] if places.reads_param else None
        whole = slice(0, end - start)
        self.calls = binder.bind(places.body, start, whole, -1, self.param)
        if places.last is not None:
            for i, array in zip(members, self.arrays, strict=True):
                part = slice(block.spans[i][0] - start, block.spans[i][1] - start)
                self.calls += binder.bind([places.last], start, part, array.shape, array)
        self.calls += binder.bind(places.after, start, whole, -1, self.param)

    def run(self, grads: list[Any]) -> None:
        """Bring the gradients and make the calls."""
        np.concatenate(grads[self.mine], None, self.grad)
        if self.param is not None:
            np.concatenate(self.arrays, None, self.param)
        for function, arguments in self.calls:
            function(*arguments)


class InPieces:
    """A large parameter, worked on in its own memory, a piece at a time, so that all buffers stay in the cache."""

    def __init__(self, binder: Binder, member: int, position: int) -> None:
        block, places = binder.block, binder.places
        self.position = position
        start, end = block.spans[member]
        flat = block.params[member]._array.reshape(-1)
        calls = [*places.body, *([places.last] if places.last else []), *places.after]
        self.pieces = [
            (
                low,
                high,
                binder.grad[: high - low],
                binder.bind(calls, start + low, slice(0, high - low), -1, flat[low:high]),
            )
            for low, high in pieces(end - start)
        ]

    def run(self, grads: list[Any]) -> None:
        """Bring the gradient and make the calls, piece by piece."""
        grad = grads[self.position].reshape(-1)
        for low, high, copied, calls in self.pieces:
            np.copyto(copied, grad[low:high])
            for function, arguments in calls:
                function(*arguments)
