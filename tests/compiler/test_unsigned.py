"""Bytes without a sign in native code: from 128 on they are large, not negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.compiler.native.target import host, named, runs_here

ISAS = [name for name in ("sse", "avx2", "avx512", "neon") if runs_here(named(name))]
# On both sides of 128, and the ends.
FEW = np.array([[0, 1, 127, 128, 200, 255, 3], [255, 127, 128, 0, 20, 129, 254]], np.uint8)
MANY = np.random.default_rng(0).integers(0, 256, (7, 45)).astype(np.uint8)

# What NumPy makes of the same bytes.
OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "with a number": (lambda a, b: a > 100, lambda a, b: a > 100),
    "less": (lambda a, b: a < b, lambda a, b: a < b),
    "at most": (lambda a, b: a <= b, lambda a, b: a <= b),
    "greater": (lambda a, b: a > b, lambda a, b: a > b),
    "at least": (lambda a, b: a >= b, lambda a, b: a >= b),
    "maximum": (torch.maximum, np.maximum),
    "minimum": (torch.minimum, np.minimum),
    "clamped": (lambda a, b: a.clamp(20, 150), lambda a, b: a.clip(20, 150)),
    "relu": (lambda a, b: torch.relu(a), lambda a, b: a),
    "abs": (lambda a, b: a.abs(), lambda a, b: a),
    "sign": (lambda a, b: torch.sign(a), lambda a, b: (a != 0).astype(np.uint8)),
    "where": (lambda a, b: torch.where(a > b, a, b.float()), lambda a, b: np.where(a > b, a, b.astype(np.float32))),
    "largest": (lambda a, b: a.amax(), lambda a, b: a.max()),
    "largest of rows": (lambda a, b: a.amax(1), lambda a, b: a.max(1)),
    "largest of columns": (lambda a, b: a.amax(0), lambda a, b: a.max(0)),
    "smallest": (lambda a, b: a.amin(), lambda a, b: a.min()),
    "smallest of rows": (lambda a, b: a.amin(1), lambda a, b: a.min(1)),
    "smallest of columns": (lambda a, b: a.amin(0), lambda a, b: a.min(0)),
    "where the largest is": (lambda a, b: a.argmax(1), lambda a, b: a.argmax(1)),
    "where the smallest is": (lambda a, b: a.argmin(0), lambda a, b: a.argmin(0)),
    "sum": (lambda a, b: a.sum(1), lambda a, b: a.sum(1, dtype=np.int64)),
}  # fmt: skip


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compile for an instruction set."""
    if request.param != host().name:
        monkeypatch.setenv("FANIN_ISA", request.param)
    return request.param


@pytest.mark.parametrize("bytes_", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_bytes_have_no_sign(name: str, bytes_: Any, isa: str) -> None:
    ours, numpys = OPERATIONS[name]
    a, b = bytes_, np.roll(bytes_, 3, 1).copy()
    actual = torch.compile(ours, engine="native")(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    expected = numpys(a, b)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def test_bytes_have_no_sign_behind_a_product(isa: str) -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.integers(0, 5, (6, 40)).astype(np.float32), rng.integers(0, 4, (40, 11)).astype(np.float32)

    def step(x: Any, weight: Any, other: Any) -> Any:
        made = (x @ weight).to(torch.uint8)
        return made > 80, torch.maximum(made, other)

    made = (x @ weight).astype(np.uint8)
    other = np.roll(made, 1, 1).copy()
    assert 60 < made.min() < 128 < made.max() == (x @ weight).max()
    above, larger = torch.compile(step, engine="native")(*map(torch.from_numpy, (x, weight, other)))
    np.testing.assert_array_equal(above.numpy(), made > 80)
    np.testing.assert_array_equal(larger.numpy(), np.maximum(made, other))


@pytest.mark.parametrize("target", [torch.uint8, torch.int8])
def test_floats_outside_of_a_byte_wrap_around(target: Any, isa: str) -> None:
    x = np.arange(-513.5, 700, 0.75, dtype=np.float32)
    actual = torch.compile(lambda x: x.to(target), engine="native")(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(actual, np.trunc(x).astype(np.int64).astype(actual.dtype))
