"""The pictures of a report, each a function from numbers and texts to SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fanin.plots.svg import ACCENT, INK, LINE, OTHER, QUIET, as_svg, new_figure, picture, printable

WIDTH = 6.4  # inches
LONGEST = 28  # characters of a name


@picture
def bars(names: Sequence[str], values: Sequence[float], spreads: Sequence[float], key: str, axis: str) -> str:
    """Draw a bar for each name, the first at the top, with a line of +- its spread.

    >>> bars(["a", "b"], [2.0, 1.0], [0.1, 0.2], "columns", "rise")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH, 0.7 + 0.24 * len(names))
    axes = figure.add_subplot()
    places = np.arange(len(names))
    axes.barh(places, values, height=0.62, color=ACCENT)
    axes.errorbar(values, places, xerr=spreads, fmt="none", ecolor=INK, elinewidth=1)
    _named_rows(axes, names)
    _quiet(axes, axis, "", grid="x")
    return as_svg(figure, key, f"Bars, {axis}: {names[0]} has the longest")


@picture
def leads(
    names: Sequence[str], values: Sequence[float], lows: Sequence[float], highs: Sequence[float], key: str, axis: str
) -> str:
    """Draw values with intervals beside a line at 0.

    >>> leads(["trees"], [0.1], [-0.1], [0.3], "lead", "better by")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH, 0.75 + 0.36 * len(names))
    axes = figure.add_subplot()
    axes.axvline(0, color=QUIET, linewidth=1)
    for place, (value, low, high) in enumerate(zip(values, lows, highs, strict=True)):
        axes.plot([low, high], [place, place], color=ACCENT, linewidth=2.4, solid_capstyle="round")
        axes.plot([value], [place], "o", color=ACCENT, markersize=6)
    _named_rows(axes, names)
    _quiet(axes, axis, "", grid="x")
    return as_svg(figure, key, f"Intervals, {axis}: right of the line at 0 the model is better")


@picture
def reliability(
    said: Sequence[float],
    found: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    rows: Sequence[int],
    key: str,
    label: str,
) -> str:
    """Draw how often it was so against the probability that was said, with the numbers of rows below.

    >>> reliability([0.2, 0.8], [0.3, 0.7], [0.1, 0.5], [0.5, 0.9], [10, 12], "bins", "calibration")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH * 0.75, 4.4)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (4, 1)})
    _against_diagonal(upper, said, found, lows, highs)
    _quiet(upper, "", "share that is so", grid="both")
    lower.bar(said, rows, width=0.035, color=OTHER)
    _quiet(lower, "mean probability", "rows", grid="y")
    lower.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    return as_svg(figure, key, label)


@picture
def coverage(
    meant: Sequence[float], found: Sequence[float], lows: Sequence[float], highs: Sequence[float], key: str, label: str
) -> str:
    """Draw the share of rows that intervals cover against the share that they are meant to cover.

    >>> coverage([0.5, 0.9], [0.4, 0.8], [0.3, 0.7], [0.5, 0.9], "cover", "coverage")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH * 0.75, 3.8)
    axes = figure.add_subplot()
    _against_diagonal(axes, meant, found, lows, highs)
    _quiet(axes, "meant", "covered", grid="both")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return as_svg(figure, key, label)


@picture
def scatter(x: Sequence[float], y: Sequence[float], key: str, x_axis: str, y_axis: str, label: str) -> str:
    """Draw points beside a line at y = 0.

    >>> scatter([1.0, 2.0], [0.1, -0.1], "errors", "predicted", "error", "errors")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH, 3.4)
    axes = figure.add_subplot()
    axes.axhline(0, color=QUIET, linewidth=1)
    axes.plot(x, y, "o", color=ACCENT, markersize=3, alpha=0.45, markeredgewidth=0)
    _quiet(axes, x_axis, y_axis, grid="both")
    return as_svg(figure, key, label)


@picture
def histogram(values: Sequence[float], key: str, axis: str, label: str) -> str:
    """Draw how often values occur; those beyond the outer 0.5% are left out.

    >>> histogram([1.0, 2.0, 2.0], "errors", "error", "errors")[:5]
    '<svg '
    """
    figure = new_figure(WIDTH, 2.2)
    axes = figure.add_subplot()
    low, high = np.quantile(values, (0.005, 0.995))
    shown = [value for value in values if low <= value <= high]
    axes.hist(shown, bins=min(40, 5 + len(shown) // 10), color=OTHER)
    axes.axvline(0, color=QUIET, linewidth=1)
    _quiet(axes, axis, "rows", grid="y")
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return as_svg(figure, key, label)


# What pictures share --------------------------------------------------------------------------------------------------


def _against_diagonal(axes: Axes, said: Any, found: Any, lows: Any, highs: Any) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    away = np.abs(np.stack([np.subtract(found, lows), np.subtract(highs, found)]))
    axes.errorbar(said, found, yerr=away, fmt="o-", color=ACCENT, elinewidth=1.2, linewidth=1, markersize=5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _named_rows(axes: Axes, names: Sequence[str]) -> None:
    short = [printable(name if len(name) <= LONGEST else name[: LONGEST - 3] + "...") for name in names]
    # A name is a name: "$" in it begins no formula.
    axes.set_yticks(np.arange(len(names)), short, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _quiet(axes: Axes, x_axis: str, y_axis: str, grid: str) -> None:
    """Leave of the frame what helps to read numbers."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.grid(True, axis=grid, color=LINE, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.set_xlabel(printable(x_axis), color=QUIET, parse_math=False)
    axes.set_ylabel(printable(y_axis), color=QUIET, parse_math=False)
