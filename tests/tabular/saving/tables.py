"""Small tables and models for the tests of saving."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars

from fanin.tabular import TabularClassifier, TabularRegressor

TINY: dict[str, Any] = {"preset": "fast", "epochs": 2, "hidden": (4,), "random_state": 0}


def table(rows: int = 60) -> polars.DataFrame:
    """Return columns of every kind, with gaps."""
    number = [(37 * row) % 101 / 50 - 1 for row in range(rows)]
    return polars.DataFrame(
        {
            "number": number,
            "gaps": [None if row % 7 == 0 else float(row % 23) for row in range(rows)],
            "few": [("red", "green", "blau")[row % 3] for row in range(rows)],
            "many": [f"level {row % 14}" for row in range(rows)],
            "flag": [row % 5 == 0 for row in range(rows)],
            "day": [f"2024-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(rows)],
        }
    )


def labels(rows: int = 60) -> np.ndarray[Any, Any]:
    """Return texts that the table's columns tell."""
    return np.array([("low", "high", "high")[row % 3] for row in range(rows)], object)


def numbers(rows: int = 60) -> np.ndarray[Any, Any]:
    """Return numbers that the table's columns tell."""
    return np.array(table(rows)["number"]) * 10 + 100.0


def classifier() -> TabularClassifier:
    """Return a model of labels."""
    return TabularClassifier(**TINY).fit(table(), labels())


def regressor() -> TabularRegressor:
    """Return a model of numbers with quantiles."""
    return TabularRegressor(**TINY, quantiles=(0.1, 0.5, 0.9)).fit(table(), numbers())
