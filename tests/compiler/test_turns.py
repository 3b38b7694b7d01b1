"""Orders drawn beside the training: what the two threads tell each other, and the memory that is drawn into."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from fanin.compiler.native import orders
from fanin.compiler.native.helpers import turns
from fanin.compiler.native.target import assembly, named
from fanin.random import Generator, randperm

GUARD = 64  # numbers behind an array, which nobody may touch
UNTOUCHED = -7


def test_an_order_is_counted_when_it_is_drawn() -> None:
    """The other order would be seen seldom: by a thread that waits at this very moment."""
    text = turns.text(named("sse")).partition('@"turns"(')[2].partition("\n}\n")[0]
    (counting,) = re.finditer(r"atomicrmw add ptr \S+, i32 1 release", text)
    block = text[: counting.start()].rpartition("\n\n")[2].rpartition(":\n")[2]
    assert re.search(r'call void @"?draw"?\(', block), block


def test_what_is_drawn_is_seen_on_a_processor_that_reorders() -> None:
    """Every load and store of an x86 is ordered as it has to be here; on ARM it takes instructions of their own."""
    listing = assembly(turns.text(named("neon")), named("neon"))
    turning = listing[listing.index("\nturns:") :].partition(".Lfunc_end")[0]
    assert re.search(r"\bldap?rb?\s|\bldar\s", turning), "the count is read without acquire"
    assert re.search(r"\bstlxr\s|\bldaddl\s|\b__aarch64_ldadd4_rel\b", turning), "an order is counted without release"


@pytest.mark.parametrize("parts", [[20], [18, 2], [1, 19], [7], [7, 6], [10, 10]])
@pytest.mark.parametrize("n", [20, 700])
def test_orders_stay_in_their_memory(parts: list[int], n: int) -> None:
    """The last order needs more than its part: the rows are shuffled where the next one would lie."""
    held: dict[str, Any] = {}

    def guarded(name: str, count: int) -> Any:
        held[name] = np.full(count + GUARD, UNTOUCHED)
        return held[name][:count]

    parts = [part * n // 20 for part in parts]
    stream, other = (Generator().manual_seed(3) for _ in range(2))
    drawing = orders.Drawing(stream, stream, True, 4, n, parts, guarded)
    with drawing.alone():
        orders._draw()(drawing.address, 4)
    for whole in held.values():
        assert (whole[-GUARD:] == UNTOUCHED).all()
        assert (whole[:-GUARD] != UNTOUCHED).all()
    for found, expected in zip(drawing.parts, orders.draw_orders(other, other, True, 4, n, parts), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("epochs", [1, 15, 16, 17, 40])
def test_orders_are_those_of_one_pass_after_the_other(epochs: int, shared: bool) -> None:
    base = Generator().manual_seed(3)
    stream = base if shared else Generator().manual_seed(4)
    expected = []
    for _ in range(epochs):  # as PyTorch's loader and sampler draw
        base._bits.random_raw(2)
        seed = stream._bits.random_raw(2)[1]
        expected.append(randperm(Generator().manual_seed(int(seed)), 9))
    other = Generator().manual_seed(3)
    second = other if shared else Generator().manual_seed(4)
    (found,) = orders.draw_orders(other, second, True, epochs, 9, (9,))
    np.testing.assert_array_equal(found, np.concatenate(expected))
    for a, b in ((base, other), (stream, second)):
        np.testing.assert_array_equal(a.get_state(), b.get_state())
