"""Fit the polynomials of fanin.compiler.native.math: Remez's exchange in 50 digits. Run by hand; needs mpmath.

The approximation minimises max |weight(x) (p(x) - f(x))| over [low, high]. Every row of FITS tells what is fitted; the
weight is the share of the fitted part in the function's result, over that result: the error printed is relative.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Function = Callable[[Any], Any]


def _value(coefficients: list[Any], x: Any) -> Any:
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _solve(points: list[Any], f: Function, weight: Function) -> list[Any]:
    n = len(points)
    matrix, right = mp.matrix(n, n), mp.matrix(n, 1)
    for i, x in enumerate(points):
        for j in range(n - 1):
            matrix[i, j] = x**j
        matrix[i, n - 1] = (-1) ** i / max(weight(x), TINY)  # zero weights make no equation
        right[i] = f(x)
    return list(mp.lu_solve(matrix, right))


def _extremes(grid: list[Any], errors: list[Any], n: int) -> list[Any]:
    """Return the n largest errors of alternating sign, as positions in order."""
    picked: list[int] = []
    for i, e in enumerate(errors):
        if picked and (e > 0) == (errors[picked[-1]] > 0):
            if abs(e) > abs(errors[picked[-1]]):
                picked[-1] = i
        else:
            picked.append(i)
    while len(picked) > n:
        picked.pop(0 if abs(errors[picked[0]]) < abs(errors[picked[-1]]) else -1)
    return [grid[i] for i in picked]


def remez(f: Function, weight: Function, low: Any, high: Any, degree: int, rounds: int = 7) -> tuple[list[Any], Any]:
    """Return the coefficients, lowest first, and the largest weighted error."""
    low, high, n = mpf(low), mpf(high), degree + 2
    spread = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (60 * n)) for i in range(60 * n + 1)]
    points = [spread[round(i * 60 * n / (n - 1))] for i in range(n)]
    at = [(x, f(x), weight(x)) for x in spread]
    for _ in range(rounds):
        coefficients = _solve(points, f, weight)[:-1]
        errors = [w * (_value(coefficients, x) - y) for x, y, w in at]
        found = _extremes(spread, errors, n)
        if len(found) < n:
            break
        points = found
    return coefficients, max(abs(e) for e in errors)


def _tail(f: Function, head: list[Any], power: int, near: list[Any]) -> Function:
    """Return (f(x) - head(x)) / x^power, by `near` (a short series) close to zero."""

    def tail(x: Any) -> Any:
        if abs(x) < mpf(10) ** -8:
            return _value(near, x)
        return (f(x) - _value(head, x)) / x**power

    return tail


def _even(f: Function, first: Any, sign: int = 1) -> tuple[Function, Function]:
    """Return g with f(x) = x (first + x^2 g(x^2)), and the weight that makes its error one of f."""

    def g(z: Any) -> Any:
        x = mp.sqrt(z)
        return (f(x) / x - first) / z

    return g, lambda z: z * mp.sqrt(z) / f(mp.sqrt(z))


def _series(f: Function, start: int) -> list[Any]:
    return mp.taylor(f, 0, start + 4)[start:]


TINY = 1e-9
ERFC_AT = 4


def _expm1_tail(x: Any) -> Any:
    """(e^x - 1 - x) / x^2."""
    return _tail(mp.exp, [1, 1], 2, _series(mp.exp, 2))(x)


def _scaled_erfc(t: Any) -> Any:
    """(1 + 2 x) e^(x^2) erfc x in t = (x - 4) / (x + 4): M. M. Shepherd & J. G. Laframboise, Math. Comp. 36 (1981)."""
    x = ERFC_AT * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _root_of_erfc(u: Any) -> Any:
    return mp.erfc(u * mpf("1.45") + mpf("2.55")) ** (mpf(1) / 4)


def _log_rest(z: Any) -> Any:
    """(2 atanh s - 2 s - 2 s^3 / 3) / s^5 in z = s^2."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s - 2 * s**3 / 3) / s**5


def _cos_tail(z: Any) -> Any:
    """(cos x - 1 + x^2 / 2) / x^4 in z = x^2."""
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def _exp_weight(x: Any) -> Any:
    return x * x / mp.exp(x)


def _expm1_weight(x: Any) -> Any:
    return mpf(1) if abs(x) < TINY else abs(x * x / mp.expm1(x))


def _fits() -> dict[str, tuple[Function, Function, Any, Any, int]]:
    fits: dict[str, tuple[Function, Function, Any, Any, int]] = {}

    def even(name: str, f: Function, first: Any, high: Any, degree: int) -> None:
        g, weight = _even(f, first)
        fits[name] = (g, weight, TINY, mpf(high) ** 2, degree)

    half = mp.log(2) / 2 * mpf("1.003")
    fits["exp f4"] = (_expm1_tail, _exp_weight, -half, half, 4)
    fits["exp f8"] = (_expm1_tail, _exp_weight, -half, half, 9)
    fits["expm1 f4"] = (_expm1_tail, _expm1_weight, -half, half, 5)
    fits["expm1 f8"] = (_expm1_tail, _expm1_weight, -half, half, 10)
    low, high = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(2) - 1
    log_tail = _tail(mp.log1p, [0, 1, mpf(-1) / 2], 3, _series(mp.log1p, 3))
    fits["log f4"] = (log_tail, lambda x: abs(x**3 / mp.log1p(x)) if abs(x) > TINY else x, low, high, 7)
    fits["pow f8"] = (_log_rest, lambda z: z**2 * mp.sqrt(z) / 2 / mp.atanh(mp.sqrt(z)), TINY, mpf("0.02945"), 6)
    even("log f8", lambda s: 2 * mp.atanh(s), 2, mpf("0.17158"), 6)
    quarter = mp.pi / 4 * mpf("1.001")
    for name, degrees in (("f4", (2, 2)), ("f8", (5, 5))):
        even(f"sin {name}", mp.sin, 1, quarter, degrees[0])
        fits[f"cos {name}"] = (_cos_tail, lambda z: z * z / mp.cos(mp.sqrt(z)), TINY, quarter**2, degrees[1])
    even("sinh f4", mp.sinh, 1, 1, 3)
    even("sinh f8", mp.sinh, 1, 1, 6)
    even("asin f8", mp.asin, 1, "0.5", 11)
    even("atan f8", mp.atan, 1, mp.sqrt(2) - 1 + TINY, 11)
    even("erf f4", mp.erf, 2 / mp.sqrt(mp.pi), "1.11", 6)
    even("erf f8", mp.erf, 2 / mp.sqrt(mp.pi), 1, 11)
    # The fourth root of erfc in u = (x - 2.55) / 1.45 for x in [1.1, 4].
    fits["erf far f4"] = (_root_of_erfc, lambda u: 4 * _root_of_erfc(u) ** 3, -1, 1, 7)
    fits["erfc f8"] = (_scaled_erfc, lambda t: 1 / _scaled_erfc(t), -1, mpf(28 - ERFC_AT) / (28 + ERFC_AT), 22)
    return fits


def main(names: list[str]) -> None:
    """Print coefficients, the highest power first."""
    for name, fit in _fits().items():
        if names and name not in names:
            continue
        coefficients, error = remez(*fit)
        print(f"{name}: error {mp.nstr(error, 3)} = 2^{mp.nstr(mp.log(error, 2), 4)}")
        digits = 10 if " f4" in name else 18
        print("   ", ", ".join(mp.nstr(c, digits) for c in reversed(coefficients)), flush=True)


if __name__ == "__main__":
    # Here, so that the tests, which import every module in search of examples, do not need it.
    from mpmath import mp, mpf

    mp.dps = 50
    main(sys.argv[1:])
