"""The random orders of many epochs, drawn by one native function as a pass over a DataLoader draws each of them.

A pass draws an int64 first, of which nothing is used (PyTorch seeds its workers with it). Without a generator of its
own the sampler then seeds a private Mersenne Twister with another one, and the private one permutes the rows; with a
generator the sampler draws the permutation from it, and a second one, of which nothing is used. Seeding one takes 1 us,
and not much more for some side by side.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998, with the seeding of 2002.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.addresses import address
from fanin.compiler.native.kept import library_of
from fanin.compiler.native.shuffle import LIMIT as MOST_ROWS
from fanin.compiler.native.shuffle import _layout_is_known
from fanin.random import Generator

# What native code is told of the orders: the words of two generators, four numbers, and the memory of both parts.
FIELDS = ("base", "stream", "private", "rows", "first", "second", "out", "rest")


def can_draw(n: int) -> bool:
    """Say whether `draw_orders` works for this number of rows, and with this version of NumPy."""
    return 2 <= n < MOST_ROWS and _layout_is_known()


class Drawing:
    """The orders of some epochs, to be drawn by native code.

    Args:
        base: the generator of the int64 that each pass begins with.
        stream: the generator that permutes, or with `private`, from which the private one of each pass is seeded.
        private: whether each pass seeds one of its own.
        epochs, n: how many orders, of how many rows: `can_draw(n)`.
        parts: how many rows each part has in an epoch, one or two numbers; those that are left over belong to none.
        empty: makes an int64 array of a length; it is told which of the two parts it is for.

    Attributes:
        parts: for each part the rows of all epochs, int64 of shape (epochs * rows,), once they are drawn.
        rows: how many there are to draw.
        address: of what native code is told.
    """

    def __init__(
        self,
        base: Generator,
        stream: Generator,
        private: bool,
        epochs: int,
        n: int,
        parts: Sequence[int],
        empty: Callable[[str, int], npt.NDArray[np.int64]] = lambda _, count: np.empty(count, np.int64),
    ) -> None:
        first, second = (*parts, 0)[:2]
        # An order is drawn to where its first part belongs; what follows the part lies where the next order comes to.
        out, rest = empty("first", epochs * first + n - first), empty("second", epochs * second)
        self.parts = [out[: epochs * first], rest][: len(parts)]
        self.rows = epochs * n
        self._generators = [base._bits, stream._bits]
        words = [bits.ctypes.state_address for bits in self._generators]
        self._told = np.array([*words, private, n, first, second, address(out), address(rest)], np.int64)
        self.address = address(self._told)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from the generators inside."""
        # In one order everywhere: two threads may have the same two generators the other way round.
        first, second = sorted((bits.lock for bits in self._generators), key=id)
        _HELD.append((first, second))
        try:
            with first, second:  # perhaps the same one twice
                yield
        finally:
            _HELD.remove((first, second))


# The locks of the generators that native code draws from at this moment.
_HELD: list[tuple[Any, Any]] = []


def _let_go() -> None:
    """Let go, in a process made by `fork`, of what threads hold that it does not have: nobody else would."""
    while _HELD:
        for lock in _HELD.pop():
            if hasattr(lock, "_at_fork_reinit"):
                lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def draw_orders(
    base: Generator, stream: Generator, private: bool, epochs: int, n: int, parts: Sequence[int]
) -> list[npt.NDArray[np.int64]]:
    """Draw the orders of epochs, and return their parts: the first rows of each, then the ones that follow.

    The arguments, and what is returned, are those of `Drawing`.

    >>> from fanin.random import Generator
    >>> stream = Generator().manual_seed(0)
    >>> draw_orders(stream, stream, True, 2, 4, (3, 1))
    [array([2, 1, 3, 0, 1, 3]), array([0, 2])]
    """
    drawing = Drawing(base, stream, private, epochs, n, parts)
    with drawing.alone():
        _draw()(drawing.address, epochs)
    return drawing.parts


@lru_cache(maxsize=1)
def _draw() -> Any:
    """Return the compiled function; the library lives as long as it does."""
    library = library_of("orders")
    draw = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(library.address("orders"))
    draw.library = library  # type: ignore[attr-defined]
    return draw
