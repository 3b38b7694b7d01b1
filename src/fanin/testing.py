"""torch.testing: comparing results with a tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tensor.base import TensorBase

# Relative and absolute tolerance by dtype; what is not floating must be equal.
_DEFAULTS = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


@dataclass(frozen=True)
class _Rules:
    """How closely, and in what besides their values, two things must agree."""

    rtol: float | None
    atol: float | None
    equal_nan: bool
    allow_subclasses: bool
    check_dtype: bool
    check_stride: bool
    message: str | Callable[[str], str] | None


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    actual, expected: tensors, arrays, numbers, or sequences and mappings of these, nested at will.
    rtol, atol:       both or none; by default 1.3e-6 and 1e-5 for float32, 1e-7 twice for float64, 0 for integers.
    msg:              the error's text, or a function that makes it of the usual one.

    Raises TypeError for things that cannot be compared, ValueError when one tolerance is given alone.

    >>> import fanin as torch
    >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ArgumentError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    rules = _Rules(rtol, atol, equal_nan, allow_subclasses, check_dtype, check_stride, msg)
    _compare(actual, expected, rules, ())


def _compare(actual: Any, expected: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    if isinstance(actual, TensorBase) and isinstance(expected, TensorBase):
        _require_same_class(actual, expected, rules)
        _compare_tensors(actual, expected, rules, path)
    elif isinstance(actual, np.ndarray) and isinstance(expected, np.ndarray):
        _compare_arrays(actual, expected, rules, path)
    elif isinstance(actual, (bool, np.bool_)) and isinstance(expected, (bool, np.bool_)):
        if bool(actual) is not bool(expected):
            _fail(f"Booleans mismatch: {actual} is not {expected}", rules, path)
    elif isinstance(actual, (int, float, np.number)) and isinstance(expected, (int, float, np.number)):
        _compare_numbers(actual, expected, rules, path)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        _compare_mappings(actual, expected, rules, path)
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            _fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", rules, path)
        for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
            _compare(a, b, rules, (*path, i))
    elif actual is None or expected is None:
        if actual is not expected:
            _fail(f"None mismatch: {actual} is not {expected}", rules, path)
    else:
        _refuse(actual, expected)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _refuse(actual: Any, expected: Any) -> None:
    raise ArgumentTypeError(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
    )


def _require_same_class(actual: Any, expected: Any, rules: _Rules) -> None:
    if type(actual) is type(expected):
        return
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not rules.allow_subclasses or not related:
        _refuse(actual, expected)


def _compare_mappings(actual: Any, expected: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    missing, extra = ([k for k in a if k not in b] for a, b in ((expected, actual), (actual, expected)))
    if missing or extra:
        _fail(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing)}\n"
            f"Additional keys in the actual mapping: {sorted(extra)}",
            rules,
            path,
        )
    for key in actual:
        _compare(actual[key], expected[key], rules, (*path, key))


def _compare_tensors(actual: Any, expected: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    a, b = actual._array, expected._array
    if a.shape != b.shape:
        _mismatch("shape", actual.shape, expected.shape, rules, path)
    if rules.check_dtype and a.dtype != b.dtype:
        _mismatch("dtype", actual.dtype, expected.dtype, rules, path)
    if rules.check_stride and actual.stride() != expected.stride():
        _mismatch("stride()", actual.stride(), expected.stride(), rules, path)
    _compare_values(a, b, rules, path)


def _compare_arrays(a: Any, b: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    if a.shape != b.shape:
        _mismatch("shape", a.shape, b.shape, rules, path)
    if rules.check_dtype and a.dtype != b.dtype:
        _mismatch("dtype", a.dtype, b.dtype, rules, path)
    _compare_values(a, b, rules, path)


def _mismatch(name: str, a: Any, b: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    _fail(f"The values for attribute '{name}' do not match: {a} != {b}.", rules, path)


def _tolerances(rules: _Rules, *kinds: np.dtype[Any]) -> tuple[float, float]:
    if rules.rtol is not None and rules.atol is not None:
        return rules.rtol, rules.atol
    pairs = [_DEFAULTS.get(kind.name, (0.0, 0.0)) for kind in kinds]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _compare_values(a: Any, b: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    rtol, atol = _tolerances(rules, a.dtype, b.dtype)
    kind = dtypes.promote(a.dtype, b.dtype)
    wide = kind if kind.kind == "f" else np.dtype(np.int64)
    with np.errstate(all="ignore"):
        x, y = a.astype(wide), b.astype(wide)
        gap = np.abs(x - y)
        close = (x == y) | (np.isfinite(y) & (gap <= atol + rtol * np.abs(y)))
        if rules.equal_nan and kind.kind == "f":
            close |= np.isnan(x) & np.isnan(y)
        if close.all():
            return
        relative = np.divide(gap, np.abs(y), dtype=kind if kind.kind == "f" else np.float32)
    _fail(_report(gap, relative, close, rtol, atol, (x, y)), rules, path)


def _report(gap: Any, relative: Any, close: Any, rtol: float, atol: float, values: tuple[Any, Any]) -> str:
    exact = rtol == 0 and atol == 0
    word = "equal" if exact else "close"
    if not gap.ndim:
        x, y = (value.item() for value in values)
        return _scalar_report(x, y, gap.item(), relative.item(), rtol, atol)
    wrong = int((~close).sum())
    return (
        f"Tensor-likes are not {word}!\n\n"
        f"Mismatched elements: {wrong} / {close.size} ({wrong / close.size:.1%})\n"
        + _greatest("absolute", np.where(close, 0, gap), "" if exact else f" (up to {atol} allowed)")
        + "\n"
        + _greatest("relative", np.where(close, 0, relative), "" if exact else f" (up to {rtol} allowed)")
    )


def _greatest(name: str, differences: Any, allowed: str) -> str:
    index = np.unravel_index(int(differences.argmax()), differences.shape)
    place = f"({', '.join(str(int(i)) for i in index)}{',' if len(index) == 1 else ''})"
    return f"Greatest {name} difference: {differences[index].item()} at index {place}{allowed}"


def _scalar_report(x: Any, y: Any, gap: Any, relative: Any, rtol: float, atol: float) -> str:
    exact = rtol == 0 and atol == 0
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\n"
        f"Expected {y} but got {x}.\n"
        f"Absolute difference: {gap}{'' if exact else f' (up to {atol} allowed)'}\n"
        f"Relative difference: {relative}{'' if exact else f' (up to {rtol} allowed)'}"
    )


def _compare_numbers(a: Any, b: Any, rules: _Rules, path: tuple[Any, ...]) -> None:
    if rules.check_dtype and type(a) is not type(b):
        _fail(f"The (d)types do not match: {type(a)} != {type(b)}.", rules, path)
    kinds = [np.dtype(np.float64 if isinstance(x, (float, np.floating)) else np.int64) for x in (a, b)]
    rtol, atol = _tolerances(rules, *kinds)
    if a == b or (rules.equal_nan and a != a and b != b):
        return
    gap = abs(a - b)
    if np.isfinite(b) and gap <= atol + rtol * abs(b):
        return
    relative = gap / abs(b) if b else float("inf")
    _fail(_scalar_report(a, b, gap, relative, rtol, atol), rules, path)


def _fail(text: str, rules: _Rules, path: tuple[Any, ...]) -> None:
    if path:
        text += f"\n\nThe failure occurred for item {''.join(f'[{part!r}]' for part in path)}"
    message = rules.message
    if message is not None:
        text = message(text) if callable(message) else message
    raise AssertionError(text)
