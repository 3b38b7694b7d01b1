"""Integers and bools in compiled code, where eager code and NumPy keep their type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin._core.errors import UnsupportedDtypeError

DTYPES = ["int64", "int32", "int16", "int8", "uint8", "bool"]


def numbers(dtype: str) -> Any:
    return np.random.default_rng(3).integers(0, 2 if dtype == "bool" else 9, (5, 7)).astype(dtype)


def added(x: Any, rows: list[int], values: Any) -> Any:
    """Add rows of values to rows of x; of bools, any."""
    out = x.copy()
    for row, value in zip(rows, values, strict=True):
        out[row] = out[row] | value if out.dtype == bool else out[row] + value
    return out


ROWS = [0, 3, 3, 3]
OPERATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "product of vectors": (lambda x: x[0] @ x[1], lambda x: x[0] @ x[1]),
    "linear with one row": (lambda x: torch.nn.functional.linear(x, x[0]), lambda x: x @ x[0]),
    "einsum of one": (lambda x: torch.einsum("ij->i", x), lambda x: x.sum(axis=1, dtype=np.int64)),  # as sum() does
    "einsum of all": (lambda x: torch.einsum("ij,ij->", x, x), lambda x: x.reshape(-1) @ x.reshape(-1)),
    "einsum that sums first": (
        lambda x: torch.einsum("ij,kl->ik", x, x),
        lambda x: np.multiply.outer(x.sum(axis=1, dtype=np.int64), x.sum(axis=1, dtype=np.int64)),
    ),
    "einsum of products": (lambda x: torch.einsum("ij,ij->ij", x, x), lambda x: x * x),
    "below the diagonal": (lambda x: x.tril(), np.tril),
    "above the diagonal": (lambda x: x.triu(1), lambda x: np.triu(x, 1)),
    "added rows": (lambda x: x.index_add(0, torch.tensor(ROWS), x[:4]), lambda x: added(x, ROWS, x[:4])),
    "scattered": (
        lambda x: x.scatter_add(0, torch.tensor(ROWS)[:, None].expand(4, 7), x[:4]),
        lambda x: added(x, ROWS, x[:4]),
    ),
    "put": (
        lambda x: x.index_put((torch.tensor(ROWS),), x[:4], accumulate=True),
        lambda x: added(x, ROWS, x[:4]),
    ),
}  # fmt: skip


PRODUCTS = ("product of vectors", "linear with one row", "einsum of all")
CASES = [(name, dtype) for name in OPERATIONS for dtype in DTYPES if dtype != "bool" or name not in PRODUCTS]


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_the_type_is_kept(name: str, dtype: str, engine: str) -> None:
    ours, numpys = OPERATIONS[name]
    x = numbers(dtype)
    expected = np.asarray(numpys(x))
    for actual in (ours(torch.from_numpy(x)), torch.compile(ours, engine=engine)(torch.from_numpy(x))):
        assert actual.numpy().dtype == expected.dtype
        np.testing.assert_array_equal(actual.numpy(), expected)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "round to decimals": (lambda x: torch.round(x, decimals=1), "int32"),
    "frac": (torch.frac, "int32"),
    "einsum of bools": (lambda x: torch.einsum("ij,ij->i", x, x), "bool"),
    **{f"{name} of bools": (getattr(torch, name), "bool") for name in "abs floor ceil trunc round frac".split()},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_eager_code_refuses_is_not_compiled(name: str) -> None:
    refused, dtype = REFUSED[name]
    x = torch.from_numpy(numbers(dtype))
    for run in (refused, torch.compile(refused)):
        with pytest.raises(UnsupportedDtypeError, match=r"(?s)\" not implemented for .*[Cc]onvert with"):
            run(x)


@pytest.mark.parametrize("number", [256, 300, -1, -129, 2**31, 2**40])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_division_by_a_number_that_the_type_does_not_hold(dtype: str, number: int) -> None:
    x = numbers(dtype)
    divisions: list[tuple[Callable[[Any], Any], Any]] = [
        (lambda x: x / number, x.astype(np.float32) / np.float32(number)),
        (lambda x: number / (x + 1), np.float32(number) / (x + 1).astype(np.float32)),
        (lambda x: x / torch.tensor(number), x.astype(np.float32) / np.float32(number)),
    ]
    for divided, expected in divisions:
        for actual in (divided(torch.from_numpy(x)), torch.compile(divided)(torch.from_numpy(x))):
            assert actual.dtype == torch.float32
            np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("bound", ["min", "max"])
def test_a_bound_that_is_nan_is_the_result(bound: str) -> None:
    x = torch.arange(37) / 3

    def clamped(x: Any) -> Any:
        return x.clamp(**{bound: float("nan")})

    for actual in (clamped(x), torch.compile(clamped, engine="native")(x)):
        assert actual.isnan().all()


@pytest.mark.parametrize(("dtype", "number"), [("uint8", 300), ("uint8", -256), ("int8", 128), ("int32", -(2**31) - 1)])
def test_a_number_that_the_type_does_not_hold_is_refused(dtype: str, number: int) -> None:
    x = torch.from_numpy(numbers(dtype))
    uses: list[Callable[[Any], Any]] = [
        lambda x: x.clamp(min=number),
        lambda x: x.clamp(max=number),
        lambda x: torch.where(x > 3, x, number),
        lambda x: torch.where(x > 3, number, x),
    ]
    for use in uses:
        for run in (use, torch.compile(use)):
            with pytest.raises(RuntimeError, match=f"value cannot be converted to type {dtype} without overflow"):
                run(x)
