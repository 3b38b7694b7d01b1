"""Equal steps from one number to another, and how many elements fall into each of the intervals between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import OperationError
from fanin.ops.op import Op, Spec, define


def equal_steps(start: float, end: float, steps: int, dtype: Any) -> Any:
    """Return so many values from start to end as PyTorch rounds them, in a wider dtype than the floating one given.

    PyTorch counts from both ends towards the middle, each value a fused multiply-add, rounded once: so the middle of
    linspace(-1, 1, 7) is -2.98e-8, and is printed. A wider type holds the product exactly.
    """
    step = dtype.type((dtype.type(end) - dtype.type(start)) / dtype.type(max(steps - 1, 1)))
    wide: Any = {"float32": np.dtype(np.float64), "float64": np.dtype(np.longdouble)}.get(dtype.name, dtype)
    i = np.arange(steps)
    with np.errstate(all="ignore"):
        upward = wide.type(dtype.type(start)) + wide.type(step) * i.astype(wide)
        downward = wide.type(dtype.type(end)) - wide.type(step) * (steps - 1 - i).astype(wide)
    return np.where(i < steps // 2, upward, downward) if steps > 1 else np.full(steps, start)


def _bounds(x: Any, low: float, high: float) -> tuple[float, float]:
    """Return the range of the intervals: that of the elements when both bounds are equal."""
    if low > high:
        raise OperationError("max must be larger than min")
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise OperationError(f"range of [{low}, {high}] is not finite")
    return (low - 1, high + 1) if low == high else (low, high)


def _edges(x: Any, *, bins: int, low: float, high: float) -> Any:
    low, high = _bounds(x, low, high)
    if x.dtype.kind != "f":
        return np.linspace(low, high, bins + 1).astype(x.dtype)
    return equal_steps(low, high, bins + 1, x.dtype).astype(x.dtype)


def _places(x: Any, edges: Any, exact: bool) -> Any:
    """Return in which of the equal parts each element lies, as PyTorch rounds: exactly, or by its place alone."""
    bins, first, last = len(edges) - 1, edges[0], edges[-1]
    place = ((x - first) * x.dtype.type(bins) / (last - first)).astype(np.int64)
    place = np.minimum(place, bins)
    if exact:
        place = place - (x < edges[place])
        place = place + (x >= edges[np.minimum(place + 1, bins)])
    return np.minimum(place, bins - 1)


def _histogram(
    x: Any,
    edges: Any = None,
    weight: Any = None,
    *,
    bins: int,
    low: float,
    high: float,
    density: bool = False,
    exact: bool = True,
) -> Any:
    x, weights = x.reshape(-1), None if weight is None else weight.reshape(-1)
    if edges is not None or x.dtype.kind != "f":
        intervals, limits = (bins, _bounds(x, low, high)) if edges is None else (edges, None)
        return np.histogram(x, intervals, limits, density=density, weights=weights)[0].astype(x.dtype)
    edges = _edges(x, bins=bins, low=low, high=high)
    inside = (x >= edges[0]) & (x <= edges[-1])
    counts = np.bincount(_places(x[inside], edges, exact), None if weights is None else weights[inside], bins)
    if density:
        counts = counts / (counts.sum() * np.diff(edges))
    return counts.astype(x.dtype)


# How many elements, or how much weight, fall into each interval: between edges, or in `bins` equal parts of a range.
histogram: Op = define(
    "histogram",
    _histogram,
    lambda x, edges=None, weight=None, *, bins, **_: Spec((bins if edges is None else edges.shape[0] - 1,), x.dtype),
)
# The edges of equal parts.
histogram_edges: Op = define("histogram_edges", _edges, lambda x, *, bins, **_: Spec((bins + 1,), x.dtype))
