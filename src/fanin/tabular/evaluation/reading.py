"""The rows that a model is judged by: the table, what came, and what the model says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tabular.checking import checked_target
from fanin.tabular.evaluation.measures import Classes, Floats
from fanin.tabular.evaluation.tables import as_table, take
from fanin.tabular.inputs.tables import read_table


@dataclass(frozen=True)
class Held:
    """Rows with a target.

    rows:    their numbers in the table that was given.
    classes: the number of each row's class (rows,), in the order of `labels`; None for numbers.
    numbers: (rows, targets); None for classes.
    labels:  those of the model, in its order, then those that it does not know.
    targets: their names.
    weights: of the rows, (rows,) with mean 1; None where all weigh the same.
    """

    table: Any
    rows: NDArray[np.int64]
    given: int
    targets: tuple[str, ...]
    classes: Classes | None = None
    numbers: Floats | None = None
    labels: tuple[Any, ...] = ()
    known: int = 0
    weights: Floats | None = None

    def __len__(self) -> int:
        return len(self.rows)


def is_classifier(model: Any) -> bool:
    """Say whether a model tells classes; raises for what has no `predict` and for what is not fitted."""
    if isinstance(model, type) or not hasattr(model, "predict"):
        raise ArgumentTypeError(
            f"evaluate needs a fitted model with predict, not {model!r}",
            remedy="Pass what TabularClassifier(...).fit(X, y) or TabularRegressor(...).fit(X, y) returns.",
        )
    if hasattr(model, "get_params"):
        check_is_fitted(model)
    return hasattr(model, "predict_proba")


def read_held(model: Any, X: Any, y: Any, sample_weight: Any = None, name: str = "X") -> Held:
    """Return the rows of X that have a target, and a weight above 0, with both.

    Raises ValueError where X is no table, X and y or the weights have different lengths, a weight is below 0 or not
    finite, fewer than two rows have a target, or the model knows none of the labels.
    """
    rows = read_table(X, name).rows
    table, targets, values = as_table(X), _target_names(y), np.asarray(checked_target(y))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if len(values) != rows:
        raise ArgumentError(f"{name} has {rows:,} rows, but its target has {len(values):,}: each row needs one")
    classes = is_classifier(model)
    there = _known(values) if classes else _finite(values)
    weights = None if sample_weight is None else _weights(sample_weight, rows)
    if weights is not None:
        there &= weights > 0
    kept = np.flatnonzero(there)
    if len(kept) < 2:
        raise ArgumentError(
            f"{name}: {len(kept)} of {rows:,} rows have a target{'' if weights is None else ' and a weight above 0'}; "
            "at least 2 are needed to judge a model"
        )
    table = table if there.all() else take(table, kept)
    weights = None if weights is None else weights[kept] / weights[kept].mean()
    if classes:
        numbers, labels, known = _coded(model, values[kept], name)
        return Held(table, kept, rows, targets[:1], classes=numbers, labels=labels, known=known, weights=weights)
    found: Floats = values[kept].astype(np.float64).reshape(len(kept), -1)
    return Held(table, kept, rows, _as_many(targets, found.shape[1]), numbers=found, weights=weights)


def some_of(held: Held, rows: NDArray[np.int64]) -> Held:
    """Return some of the rows."""
    parts = {name: getattr(held, name) for name in ("rows", "classes", "numbers", "weights")}
    some = {name: part[rows] for name, part in parts.items() if part is not None}
    return replace(held, table=take(held.table, rows), **some)


def _weights(sample_weight: Any, rows: int) -> Floats | None:
    like = np.empty((rows, 1))
    found = _check_sample_weight(checked_target(sample_weight), like, dtype=np.float64, ensure_non_negative=True)
    return None if (found == found[0]).all() else np.asarray(found, np.float64)


def _target_names(y: Any) -> tuple[str, ...]:
    if hasattr(y, "columns") and not callable(y.columns):
        return tuple(str(name) for name in getattr(y, "column_names", y.columns))
    name = getattr(y, "name", None)
    return ("target",) if name is None or name == "" else (str(name),)


def _as_many(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return names if len(set(names)) == count else tuple(f"target {number}" for number in range(count))


def _known(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.ndim != 1:
        raise ArgumentError(f"the classes must be one column, (rows,), not of shape {values.shape}")
    if values.dtype.kind == "f":
        finite: NDArray[np.bool_] = ~np.isnan(values)
        return finite
    if values.dtype.kind != "O":
        return np.ones(len(values), np.bool_)
    return np.array([_is_label(value) for value in values.tolist()], np.bool_)


def _is_label(value: Any) -> bool:
    try:
        return value is not None and bool(value == value)  # nan and NaT are not themselves
    except (TypeError, ValueError):
        return False  # pandas' NA does not know


def _finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"the target of a regressor must be numbers: {error}") from error
    finite: NDArray[np.bool_] = np.isfinite(numbers.reshape(len(numbers), -1)).min(axis=1)
    return finite


def _coded(model: Any, values: NDArray[Any], name: str) -> tuple[Classes, tuple[Any, ...], int]:
    """Return the class of each row by number, and the labels: first those of the model, then others."""
    known = np.asarray(model.classes_).tolist()
    number = {label: index for index, label in enumerate(known)}
    asked = values.tolist()
    new = sorted({label for label in asked if label not in number}, key=str)
    if len(new) == len(set(asked)):
        raise ArgumentError(
            f"{name}: no row has a class that the model knows, which are {_some(known)}: the target has {_some(new)}",
            remedy="Pass labels of the same type as in fit, and the model that was trained for this target.",
        )
    number |= {label: len(known) + index for index, label in enumerate(new)}
    return np.array([number[label] for label in asked], np.int64), (*known, *new), len(known)


def _some(labels: list[Any]) -> str:
    return ", ".join(repr(label) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")


# What a model says ----------------------------------------------------------------------------------------------------


def probabilities(model: Any, X: Any, labels: tuple[Any, ...], known: int) -> Floats:
    """Return probabilities (rows, labels): 0 for labels that the model does not know."""
    return widened(np.asarray(model.predict_proba(X), np.float64), len(labels), known, "predict_proba")


def widened(proba: Floats, labels: int, known: int, what: str = "the baseline") -> Floats:
    """Return probabilities with columns of 0 for the labels that come after those known."""
    if proba.ndim != 2 or proba.shape[1] != known:
        raise ArgumentError(f"{what} gives shape {proba.shape}, where (rows, {known}) is expected")
    return np.pad(proba, ((0, 0), (0, labels - known)))


def numbers(model: Any, X: Any, targets: int) -> Floats:
    """Return predicted numbers, (rows, targets)."""
    found = np.asarray(model.predict(X), np.float64)
    found = found.reshape(len(found), -1)
    if found.shape[1] != targets:
        raise ArgumentError(f"the model predicts {found.shape[1]} targets, but the target has {targets}")
    if not np.isfinite(found).all():
        raise ArgumentError(
            f"the model predicts {np.count_nonzero(~np.isfinite(found).all(axis=1)):,} rows as nan or infinite",
            remedy="Train it anew with a smaller learning rate; a model that predicts such numbers cannot be judged.",
        )
    return found
