"""The native elementary functions, in units in the last place, against wider references."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest

from fanin.compiler.native import ir
from fanin.compiler.native.math import BINARY, FUNCTIONS, exponential
from fanin.compiler.native.target import Isa, Library, assembly, compiled, named, runs_here
from fanin.compiler.native.vector import I64, POINTER, element_type, function
from fanin.ops import op as ops

ISAS = [name for name in ("avx512", "avx2", "sse", "neon") if runs_here(named(name))]
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
LIMITS = {SINGLE: 2.0, DOUBLE: 4.0}
EXACT = {"abs", "neg", "sign", "floor", "ceil", "trunc", "round", "square", "sqrt", "rsqrt", "reciprocal"}
WIDE = np.longdouble
needs_wide = pytest.mark.skipif(np.finfo(WIDE).nmant < 60, reason="long double is no longer than double here")
Kernel = tuple[str, np.dtype[Any], int]


def erf_by_element(name: str) -> Callable[[Any], Any]:
    return np.frompyfunc(getattr(math, name), 1, 1)


def logistic(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def scaled_erfc(x: Any) -> Any:
    """e^(x^2) erfc x: as it stands, and as a continued fraction for large x (Abramowitz & Stegun 7.1.14)."""
    near = np.exp(x * x) * erf_by_element("erfc")(x.astype(np.float64)).astype(x.dtype)
    y = np.maximum(x, 5)
    below = y
    for k in range(60, 0, -1):
        below = y + k / below / 2
    return np.where(x < 5, near, 1 / (below * np.sqrt(4 * np.arctan(x.dtype.type(1)))))


REFERENCES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sigmoid": logistic, "erf": erf_by_element("erf"), "erfc": erf_by_element("erfc"),
    "erfcx": scaled_erfc,
}  # fmt: skip


# Compiled functions ---------------------------------------------------------------------------------------------------


def text_of(isa: Isa, kernels: Iterable[Kernel]) -> str:
    """Return the LLVM text of loops over arrays, one for each (name, dtype, width)."""
    module = ir.Module("math")
    module.triple = isa.triple
    for name, dtype, width in kernels:
        table: dict[str, Any] = {**FUNCTIONS, **BINARY}
        element, operands = element_type(dtype), 1 if name in FUNCTIONS else 2
        made, code = function(
            module, f"{name}_{dtype.str[1:]}_{width}", [POINTER] * (operands + 1) + [I64], isa, internal=False
        )
        *inputs, out, n = made.args
        with code.loop(0, n, width) as i:
            loaded = [code.load(code.at(p, i, element), element, width) for p in inputs]
            code.store(table[name](code, *loaded), code.at(out, i, element))
        code.b.ret_void()
    return str(module)


class Functions:
    """Functions over arrays in native code; lengths are padded to the width."""

    def __init__(self, isa: Isa, kernels: Iterable[Kernel]) -> None:
        self._library = Library(compiled(text_of(isa, kernels), isa))

    def __call__(self, name: str, *inputs: Any, width: int) -> Any:
        size, dtype = inputs[0].size, inputs[0].dtype
        padded = [np.append(x, np.ones(-size % width, dtype)) for x in inputs]
        out = np.empty_like(padded[0])
        address = self._library.address(f"{name}_{dtype.str[1:]}_{width}")
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(inputs) + 1), ctypes.c_int64)(address)
        call(*(x.ctypes.data for x in padded), out.ctypes.data, out.size)
        return out[:size]


@cache
def library(isa_name: str) -> Functions:
    isa = named(isa_name)
    return Functions(isa, [(name, t, isa.lanes(t)) for name in (*FUNCTIONS, *BINARY) for t in LIMITS])


def evaluate(isa_name: str, name: str, *inputs: Any) -> Any:
    return library(isa_name)(name, *inputs, width=named(isa_name).lanes(inputs[0].dtype))


# The measure ----------------------------------------------------------------------------------------------------------


def ulps(got: Any, wide: Any) -> Any:
    """Return |got - wide| in units in the last place; inf where NaN, infinity or the sign of a zero differ."""
    dtype, info = got.dtype, np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded, size = wide.astype(dtype), np.abs(wide)
        exponent = np.frexp(np.where(size > 0, size, info.tiny))[1] - 1
        unit = np.ldexp(np.ones((), wide.dtype), np.clip(exponent, info.minexp, info.maxexp - 1) - info.nmant)
        error = np.abs(got.astype(wide.dtype) - wide) / unit
    either = ~np.isfinite(got) | ~np.isfinite(rounded)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    error = np.where(either, np.where(same, 0.0, np.inf), error)
    wrong_zero = (got == 0) & (rounded == 0) & (np.signbit(got) != np.signbit(rounded))
    return np.where(wrong_zero, np.inf, error)


def check(isa_name: str, name: str, limit: float, wide: Any, *inputs: Any) -> None:
    got = evaluate(isa_name, name, *inputs)
    error = ulps(got, wide)
    worst = int(np.argmax(error))
    at = ", ".join(repr(x[worst]) for x in inputs)
    assert error[worst] <= limit, f"{name}({at}) = {got[worst]!r}, not {wide[worst]!r}: {error[worst]:.3f} ulp"


def neighbours(centres: Iterable[float], dtype: Any, count: int = 400) -> Any:
    """Return the floats around every centre and around its negative."""
    bits = np.dtype(f"i{dtype.itemsize}")
    steps = np.arange(-count, count + 1).astype(bits)
    around = [(np.array(abs(c), dtype).view(bits) + steps).view(dtype) for c in centres]
    around = [x[~np.isnan(x)] for x in around]
    return np.concatenate([*around, *(-x for x in around)])


QUARTERS = [math.pi / 2 * k for k in (0.5, 1, 1.5, 2, 3, 4, 7, 22, 355, 10**4)]
CRITICAL = {
    SINGLE: [
        0.0, 2.0**-126, 0.5, 0.625, 0.7, 1.0, 1.1, 2.0, 4.0, 9.01, 16.6, 17.3, 25.0, 87.3, 88.7228, 103.97, 126.0,
        128.0, 149.0, *QUARTERS, math.pi / 2 * 10**7, 2.0**25, 3e38,
    ],
    DOUBLE: [
        0.0, 2.0**-1022, 0.41421356, 0.5, 0.7, 1.0, 2.0, 19.06, 26.5, 36.7, 708.4, 709.78271, 710.4758, 745.13, 1024.0,
        1074.0, *QUARTERS, 2.0**20, 2.0**53, 2.0**60, 1.7e308,
    ],
}  # fmt: skip


@cache
def samples(dtype: Any) -> Any:
    """Return every 4099th pattern of float32, or 10^5 doubles of all sizes; and what lies around critical points."""
    rng = np.random.default_rng(7)
    if dtype == SINGLE:
        drawn = [np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)]
    else:
        drawn = [rng.integers(-(2**63), 2**63, 20000).view(np.float64)]
        drawn += [rng.standard_normal(16000) * scale for scale in (1e-6, 0.3, 1, 10, 300)]
    drawn += [neighbours(CRITICAL[dtype], dtype), np.array([np.inf, -np.inf, np.nan], dtype)]
    x = np.concatenate(drawn).astype(dtype)
    return np.where(np.isnan(x), np.array(np.nan, dtype), x)  # one NaN, which can be cast without a warning


@cache
def reference(name: str, dtype: Any) -> Any:
    wide = samples(dtype).astype(np.float64 if dtype == SINGLE or name in ("erf", "erfc") else WIDE)
    with np.errstate(all="ignore"):
        return REFERENCES[name](wide).astype(wide.dtype)


# Functions of one value -----------------------------------------------------------------------------------------------


def test_every_function_has_a_reference_and_a_record() -> None:
    assert set(FUNCTIONS) == EXACT | set(REFERENCES)
    assert set(BINARY) == set(BINARY_REFERENCES)
    assert {*FUNCTIONS, *BINARY} <= {op.name for op in ops.table()}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_float32_is_within_two_ulp(name: str, isa: str) -> None:
    check(isa, name, LIMITS[SINGLE], reference(name, SINGLE), samples(SINGLE))


@needs_wide
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_float64_is_within_four_ulp(name: str, isa: str) -> None:
    # The C library's erf and erfc are themselves up to one unit off.
    slack = 1.0 if name in ("erf", "erfc", "erfcx") else 0.0
    check(isa, name, LIMITS[DOUBLE] + slack, reference(name, DOUBLE), samples(DOUBLE))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", sorted(EXACT))
def test_roots_rounding_and_signs_equal_the_record(name: str, dtype: Any, isa: str) -> None:
    with np.errstate(all="ignore"):
        expected = ops.get(name).evaluate(samples(dtype))
    check(isa, name, 0.0, expected, samples(dtype))


# Worked by hand, or from C's annex F: argument, result.
INF, NAN = math.inf, math.nan
SPECIAL = {
    "exp": [(0, 1), (-INF, 0), (INF, INF), (NAN, NAN), (1e4, INF), (-1e4, 0)],
    "exp2": [(3, 8), (-1, 0.5), (-INF, 0), (INF, INF), (-149, 2.0**-149)],
    "expm1": [(-0.0, -0.0), (-INF, -1), (INF, INF)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (-1, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "log2": [(8, 3), (2.0**-149, -149), (0, -INF), (-1, NAN)],
    "log10": [(1, 0), (0, -INF), (INF, INF)],
    "log1p": [(-1, -INF), (-0.0, -0.0), (-2, NAN), (INF, INF)],
    "tanh": [(-0.0, -0.0), (INF, 1), (-INF, -1), (50, 1), (NAN, NAN)],
    "sigmoid": [(0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN)],
    "sin": [(-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "cos": [(0, 1), (INF, NAN)],
    "tan": [(-0.0, -0.0), (-INF, NAN)],
    "erf": [(-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN)],
    "erfc": [(0, 1), (INF, 0), (-INF, 2)],
    "erfcx": [(0, 1), (INF, 0), (-INF, INF), (NAN, NAN)],
    "acosh": [(1, 0), (0.5, NAN), (INF, INF), (-INF, NAN)],
    "atanh": [(1, INF), (-1, -INF), (1.5, NAN), (-0.0, -0.0)],
    "asin": [(1.5, NAN), (-0.0, -0.0)],
    "acos": [(1, 0), (-1.5, NAN)],
    "sign": [(NAN, 0), (-0.0, 0), (-3, -1), (INF, 1)],
    "round": [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, -0.0), (-3.5, -4), (NAN, NAN)],
    "floor": [(-0.5, -1), (-0.0, -0.0), (2.0**60, 2.0**60)],
    "ceil": [(-0.5, -0.0), (0.25, 1)],
    "trunc": [(-0.5, -0.0), (-1.75, -1)],
    "sqrt": [(-1, NAN), (-0.0, -0.0)],
    "rsqrt": [(0, INF), (4, 0.5)],
    "reciprocal": [(-0.0, -INF), (INF, 0)],
}  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_limits(name: str, dtype: Any, isa: str) -> None:
    x, expected = np.array(SPECIAL[name], dtype).T.copy()
    check(isa, name, 0.0, expected, x)


# To 20 digits: e, pi and the tables of Abramowitz & Stegun (7.1, 4.1) and of the constants' decimal expansions.
KNOWN = [
    ("exp", 1.0, "2.7182818284590452354"),
    ("log", 2.0, "0.69314718055994530942"),
    ("log10", 2.0, "0.30102999566398119521"),
    ("atan", 1.0, "0.78539816339744830962"),
    ("acos", -1.0, "3.14159265358979323846"),
    ("sin", 1.0, "0.84147098480789650665"),
    ("sin", 1e22, "-0.85220084976718880177"),  # the classic test of argument reduction
    ("cos", 1.0, "0.54030230586813971740"),
    ("tanh", 1.0, "0.76159415595576488812"),
    ("erf", 1.0, "0.84270079294971486934"),
    ("erfc", 2.0, "0.0046777349810472658379"),
    ("erfc", 10.0, "2.0884875837625447570e-45"),
]


@needs_wide
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("name", "x", "digits"), KNOWN)
def test_known_constants(name: str, x: float, digits: str, isa: str) -> None:
    check(isa, name, 2.0, np.array([WIDE(digits)]), np.array([x]))


# Functions of two values ----------------------------------------------------------------------------------------------


def record(name: str) -> Callable[[Any, Any], Any]:
    return lambda a, b: ops.get(name).evaluate(a, b)


# Those of the second row have results that must be equal.
BINARY_REFERENCES: dict[str, Callable[[Any, Any], Any]] = {
    "pow": np.power, "atan2": np.arctan2,
    **{n: record(n) for n in "fmod remainder floor_divide trunc_divide copysign maximum minimum fmax fmin".split()},
}  # fmt: skip
CORNERS = [0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, INF, -INF, NAN, 1e-30, -1e-30, 1e30, 2.5, 7, -7, 0.1]


@cache
def pairs(dtype: Any) -> tuple[Any, Any]:
    rng, n, info = np.random.default_rng(8), 16000, np.finfo(dtype)
    extreme = [float(info.tiny), float(info.smallest_subnormal), -float(info.smallest_subnormal), float(info.max)]
    corners = np.meshgrid([*CORNERS, *extreme], [*CORNERS, *extreme])
    powers = math.log(float(info.max))
    bits = rng.integers(0, 256, (2, n * dtype.itemsize), np.uint8).view(dtype)
    bits[np.isnan(bits)] = np.nan
    drawn = [
        (corners[0].ravel(), corners[1].ravel()),
        (rng.standard_normal(n) * 3, rng.standard_normal(n) * 3),
        (rng.integers(-60, 60, n), rng.integers(-9, 9, n)),
        (np.abs(rng.standard_normal(n)) + 0.01, rng.uniform(-powers, powers, n)),
        (np.exp(rng.uniform(-powers / 2, powers / 2, n)), np.exp(rng.uniform(-powers / 2, powers / 2, n))),
        tuple(bits),
    ]
    first, second = zip(*drawn, strict=True)
    with np.errstate(all="ignore"):
        return np.concatenate(first).astype(dtype), np.concatenate(second).astype(dtype)


@needs_wide
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_powers_and_angles(name: str, dtype: Any, isa: str) -> None:
    a, b = pairs(dtype)
    wide = np.float64 if dtype == SINGLE else WIDE
    with np.errstate(all="ignore"):
        expected = BINARY_REFERENCES[name](a.astype(wide), b.astype(wide))
    check(isa, name, LIMITS[dtype], expected, a, b)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", sorted(set(BINARY_REFERENCES) - {"pow", "atan2"}))
def test_division_and_choice_equal_the_record(name: str, dtype: Any, isa: str) -> None:
    a, b = pairs(dtype)
    with np.errstate(all="ignore"):
        expected = BINARY_REFERENCES[name](a, b)
    if name in ("maximum", "minimum", "fmax", "fmin"):  # which zero of two is chosen is left open
        a, b, expected = (x[(a != 0) | (b != 0)] for x in (a, b, expected))
    check(isa, name, 0.0, expected, a, b)


BINARY_SPECIAL = [
    ("pow", 0, 0, 1), ("pow", NAN, 0, 1), ("pow", 1, NAN, 1), ("pow", -1, INF, 1), ("pow", -8, 1 / 3, NAN),
    ("pow", -2, 3, -8), ("pow", -0.0, -3, -INF), ("pow", -INF, 3, -INF), ("pow", 0.5, -INF, INF), ("pow", NAN, 1, NAN),
    ("atan2", 0, -0.0, math.pi), ("atan2", -0.0, 0, -0.0), ("atan2", INF, -INF, 3 * math.pi / 4),
    ("fmod", -7, 3, -1), ("fmod", 1, 0, NAN), ("fmod", 5, INF, 5), ("fmod", INF, 5, NAN),
    ("remainder", -7, 3, 2), ("remainder", 7, -3, -2), ("remainder", -1, INF, INF), ("remainder", 6, -3, -0.0),
    ("floor_divide", -7, 2, -4), ("floor_divide", 1, 0, INF), ("trunc_divide", -7, 2, -3),
    ("maximum", NAN, 1, NAN), ("maximum", 1, NAN, NAN), ("fmax", NAN, 1, 1), ("fmin", 1, NAN, 1),
    ("copysign", 3, -0.0, -3),
]  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize(("name", "a", "b", "expected"), BINARY_SPECIAL)
def test_limits_of_two(name: str, a: float, b: float, expected: float, dtype: Any, isa: str) -> None:
    check(isa, name, 0.0, *(np.array([x], dtype) for x in (expected, a, b)))


# Widths, sets of instructions, and the measure itself -----------------------------------------------------------------

SOME = ("exp", "log", "tanh", "sigmoid", "sin", "erf", "pow", "fmod")


@pytest.mark.parametrize("isa", ISAS)
def test_every_width_gives_the_same(isa: str) -> None:
    made = Functions(named(isa), [(name, SINGLE, width) for name in SOME for width in (1, 2, 4, 8, 16)])
    x = np.concatenate([samples(SINGLE)[::613], np.array([1e30, 2, 3], SINGLE)])
    for name in SOME:
        inputs = (x,) if name in FUNCTIONS else (x, x[::-1].copy())
        single = made(name, *inputs, width=1)
        for width in (2, 4, 8, 16):
            np.testing.assert_array_equal(made(name, *inputs, width=width), single, err_msg=f"{name}, {width} lanes")


@pytest.mark.parametrize("isa", ["avx512", "avx2", "sse", "neon"])
def test_nothing_outside_is_called(isa: str) -> None:
    target = named(isa)
    names = [name for name in (*FUNCTIONS, *BINARY) if name not in ("erfc", "asinh", "acosh", "atanh", "floor_divide")]
    listing = assembly(text_of(target, [(name, SINGLE, target.lanes(SINGLE)) for name in names]), target)
    called = set(re.findall(r"^\t(?:callq?|jmp|bl|b)\t([A-Za-z_][\w.]*)", listing, re.MULTILINE))
    assert called == {"fanin.reduce_huge"}


def test_a_wrong_coefficient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    isa, x = named(ISAS[0]), np.linspace(-5, 5, 4001).astype(np.float32)
    wide = np.exp(x.astype(np.float64))

    def worst() -> float:
        made = Functions(isa, [("exp", SINGLE, 1)])
        return float(ulps(made("exp", x, width=1), wide).max())

    assert worst() <= 1
    third = exponential._EXP["f4"]
    monkeypatch.setitem(exponential._EXP, "f4", (*third[:3], third[3] * (1 + 5e-5), third[4]))
    assert worst() > 2


def test_the_measure_counts_units_and_refuses_wrong_limits() -> None:
    one = np.float32(1)
    got = np.array([np.nextafter(one, one * 2), one, 0.0, 1, np.nan, np.inf, -0.0, 2.0**-149], np.float32)
    wide = np.array([1.0, 1 + 2.0**-24, 0.0, np.nan, 1, 3e38, 0.0, 0.0])
    np.testing.assert_array_equal(ulps(got, wide), [1, 0.5, 0, np.inf, np.inf, np.inf, np.inf, 1])
