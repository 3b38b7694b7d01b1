"""Targets: labels become numbers of classes, amounts standardised outputs, and a network's outputs either of them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin._core.errors import ArgumentTypeError, OperationError, TableError
from fanin.tabular.inputs.cells import is_missing, read_cells
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables import InputTable, Levels
from fanin.tabular.inputs.tables.arrays import levels_of
from fanin.tabular.inputs.tables.read import read_columns

Codes = NDArray[np.int64]
SHOWN = 5  # rows or labels in a message


class ClassTarget:
    """Labels as numbers of classes, from 0 in the order of `classes_`.

    classes_: the labels, sorted, in the dtype of the labels in fit: whole numbers, texts, true and false, or objects.

    >>> target = ClassTarget().fit(["no", "yes", "no"])
    >>> print(target.classes_, target.encode(["yes"]), target.decode(np.array([0, 1])))
    ['no' 'yes'] [1] ['no' 'yes']
    """

    def __init__(self) -> None:
        self.classes_: NDArray[Any] = np.empty(0)

    def fit(self, y: Any) -> ClassTarget:
        """Learn the classes.

        Raises TableError for missing labels, for numbers that are not whole, for labels of several types, and when all
        labels are the same.
        """
        labels = _labels(y)
        found = levels_of(labels)
        _check_labels(labels, found)
        if len(found.values) == 1:
            raise TableError(f"y holds one class only, {found.values[0]!r}: a classifier needs two classes or more")
        self.classes_ = np.empty(len(found.values), labels.dtype)
        self.classes_[:] = sorted(found.values)
        return self

    def encode(self, y: Any) -> Codes:
        """Return the number (rows,) of each label's class; raises TableError for labels that fit did not see."""
        self._check_fitted()
        found = levels_of(_labels(y))
        _check_missing(found)
        number = {label: index for index, label in enumerate(self.classes_.tolist())}
        strangers = [value for value in found.values if value not in number]
        if strangers:
            raise TableError(f"y holds classes that fit did not see: {_listed(strangers)}")
        return np.array([number[value] for value in found.values], np.int64)[found.codes]

    def decode(self, outputs: ArrayLike) -> NDArray[Any]:
        """Return labels of class numbers (rows,), or of each row's largest output (rows, classes)."""
        self._check_fitted()
        codes = np.asarray(outputs)
        labels: NDArray[Any] = self.classes_[codes.argmax(axis=1) if codes.ndim == 2 else codes]
        return labels

    def _check_fitted(self) -> None:
        if not len(self.classes_):
            raise OperationError("this ClassTarget is not fitted yet", remedy="call fit first")

    def to_dict(self) -> dict[str, Any]:
        """Return the classes as JSON takes them."""
        labels = self.classes_.tolist()
        plain = [label.decode("latin-1") if isinstance(label, bytes) else label for label in labels]
        return {"kind": "classes", "classes": plain, "dtype": self.classes_.dtype.str}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> ClassTarget:
        """Return the target whose `to_dict` gave `state`."""
        target, dtype = cls(), np.dtype(state["dtype"])
        labels = [label.encode("latin-1") for label in state["classes"]] if dtype.kind == "S" else state["classes"]
        target.classes_ = np.empty(len(labels), dtype)
        target.classes_[:] = labels
        return target


class NumberTarget:
    """One or more columns of numbers as (y - mean) / standard deviation of the training rows.

    mean, deviation, low, high: (outputs,) float64; a deviation of 1 for a column that is constant.
    single:                     whether y had one dimension in fit, so that decoded values have one, too.

    >>> target = NumberTarget().fit([1.0, 3.0])
    >>> print(target.encode([1.0, 5.0]).ravel(), target.decode(np.array([[0.0], [3.0]])))
    [-1.  3.] [2. 5.]
    """

    def __init__(self) -> None:
        self.mean = self.deviation = self.low = self.high = np.empty(0)
        self.single = True

    def fit(self, y: Any) -> NumberTarget:
        """Learn mean, deviation and range; raises TableError for missing and infinite values and for texts."""
        values, dimensions = _amounts(y)
        self.single = dimensions == 1
        self.low, self.high = values.min(axis=0), values.max(axis=0)
        # Powers of two change no digit, and keep the squares of very large and very small numbers within float64.
        power = np.frexp(np.maximum(np.abs(self.low), np.abs(self.high)))[1]
        near = np.ldexp(values, -power)
        self.mean = np.clip(np.ldexp(near.mean(axis=0), power), self.low, self.high)
        differs = self.low < self.high
        self.deviation = np.where(differs, np.ldexp(near.std(axis=0), power), 1.0)
        self.deviation[self.deviation == 0] = 1.0
        return self

    @property
    def outputs(self) -> int:
        """How many numbers a network puts out."""
        return len(self.mean)

    def encode(self, y: Any) -> NDArray[np.float32]:
        """Return y standardised (rows, outputs)."""
        self._check_fitted()
        values, _ = _amounts(y)
        if values.shape[1] != self.outputs:
            raise TableError(f"y has {values.shape[1]} columns, but fit saw {self.outputs}")
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def decode(self, outputs: ArrayLike, within: bool = False) -> Floats:
        """Return values of outputs (rows, outputs), in the dimensions of y in fit.

        within: keep them in the range of the training rows; beyond what it saw, a network guesses wildly.
        """
        self._check_fitted()
        values = np.asarray(outputs, np.float64).reshape(-1, self.outputs) * self.deviation + self.mean
        values = values.clip(self.low, self.high) if within else values
        return values[:, 0] if self.single else values

    def _check_fitted(self) -> None:
        if not self.outputs:
            raise OperationError("this NumberTarget is not fitted yet", remedy="call fit first")

    def to_dict(self) -> dict[str, Any]:
        """Return numbers in lists, as JSON takes them."""
        lists = {name: getattr(self, name).tolist() for name in ("mean", "deviation", "low", "high")}
        return {"kind": "numbers", "single": self.single, **lists}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> NumberTarget:
        """Return the target whose `to_dict` gave `state`."""
        target = cls()
        target.mean, target.deviation, target.low, target.high = (
            np.array(state[name], np.float64) for name in ("mean", "deviation", "low", "high")
        )
        target.single = state["single"]
        return target


def _labels(y: Any) -> NDArray[Any]:
    """Return labels (rows,) in their own dtype; warns, as scikit-learn does, when they come as one column."""
    labels = _as_array(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        message = "A column-vector y was passed when a 1d array was expected; pass y.ravel()"
        warnings.warn(message, _conversion_warning(), stacklevel=3)
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise TableError(f"y should be a 1d array, got an array of shape {labels.shape} instead")
    if not len(labels):
        raise TableError("y: found 0 sample(s) (shape=(0,)) while a minimum of 1 is required.")
    return labels


def _as_array(y: Any) -> NDArray[Any]:
    _check_given(y)
    if hasattr(y, "dictionary_encode") and hasattr(y, "to_pylist"):  # Arrow's, of which not all become arrays
        labels = y.to_pylist()
        return np.array(labels, dtype=object if any(isinstance(label, str) for label in labels) else None)
    if hasattr(y, "to_numpy"):
        return np.asarray(y.to_numpy())
    if hasattr(y, "to_pydict") or hasattr(y, "__arrow_c_stream__"):  # Arrow's tables have no to_numpy
        table, _ = read_columns(y)
        columns = [(levels := table.levels(column)).codes for column in range(table.columns)]
        if len(columns) == 1:
            return np.array([*levels.values, None], object)[columns[0]][:, None]
        return np.empty((table.rows, table.columns))
    array = np.asarray(y)
    # NumPy writes [1, "a"] as two texts; as objects they stay what they are, to be refused.
    mixed = array is not y and array.dtype.kind in "US" and not all(isinstance(label, str | bytes) for label in y)
    return np.array(y, dtype=object) if mixed else array


def _check_given(y: Any) -> None:
    if y is None:
        raise TableError("the estimator requires y to be passed, but the target y is None")
    if isinstance(y, str | bytes | dict | set):
        raise ArgumentTypeError(f"y must be an array or a column of a frame, not a {type(y).__name__}")


def _conversion_warning() -> type[Warning]:
    """Return scikit-learn's warning when scikit-learn is there to expect it."""
    exceptions = sys.modules.get("sklearn.exceptions")
    return getattr(exceptions, "DataConversionWarning", UserWarning)


def _check_labels(labels: NDArray[Any], found: Levels) -> None:
    _check_missing(found)
    given = set(map(type, labels.tolist() if labels.dtype == object else found.values))
    types = {_family(each) for each in given}
    if labels.dtype.kind in "cMm" or "other" in types:
        kind = labels.dtype if labels.dtype.kind in "cMm" else "other objects than numbers and texts"
        raise TableError(f"Unknown label type: {kind}. Classes are texts, whole numbers, or true and false")
    if len(types) > 1:
        raise TableError(f"Unknown label type: y mixes {' and '.join(sorted(types))}; give all labels one type")
    fraction = next((value for value in found.values if isinstance(value, float) and not value.is_integer()), None)
    if fraction is not None:
        raise TableError(
            f"Unknown label type: continuous. y holds {fraction!r}, and classes that are numbers are whole; for "
            "numbers to be predicted take the regressor"
        )


def _family(of: type) -> str:
    if issubclass(of, int | float | np.number | np.bool_):
        return "numbers"
    return "texts" if issubclass(of, str | bytes) else "other"


def _check_missing(found: Levels) -> None:
    """Raise TableError, which names rows, when a label is missing."""
    missing = np.array([is_missing(value) for value in found.values] + [True])  # the last one for code -1
    rows = np.flatnonzero(missing[found.codes])
    if len(rows):
        raise TableError(
            f"Input y contains NaN: {_rows(rows, 'no label')}", remedy="leave out the rows without a label"
        )


def _amounts(y: Any) -> tuple[Floats, int]:
    """Return numbers (rows, outputs), and the dimensions in which they came; all are finite."""
    _check_given(y)
    table, dimensions = read_columns(y)
    values = np.stack([_column(table, column) for column in range(table.columns)], axis=1)
    missing = np.flatnonzero(np.isnan(values).any(axis=1))
    if len(missing):
        remedy = "leave out the rows without a target"
        raise TableError(f"Input y contains NaN: {_rows(missing, 'no target')}", remedy=remedy)
    infinite = np.flatnonzero(np.isinf(values).any(axis=1))
    if len(infinite):
        raise TableError(f"Input y contains infinity: {_rows(infinite, 'an infinite target')}")
    return values, dimensions


def _column(table: InputTable, column: int) -> Floats:
    storage = table.storages[column]
    if storage in ("numbers", "flags"):
        return table.numbers(np.array([column]))[:, 0].astype(np.float64)
    if storage == "missing":
        return np.full(table.rows, np.nan)
    if storage == "dates":
        raise TableError("y holds dates, where numbers to be predicted are expected; give days since a date instead")
    cells = read_cells(table.levels(column))
    texts = [cells.values[index] for index in np.flatnonzero(np.isnan(cells.numbers))]
    if texts:
        raise TableError(f"y holds {_listed(texts)}, where numbers to be predicted are expected")
    return cells.rows_of(cells.numbers)


def _rows(rows: NDArray[np.int64], what: str) -> str:
    shown = ", ".join(str(row) for row in rows[:SHOWN].tolist())
    if len(rows) == 1:
        return f"row {shown} has {what}"
    return f"{len(rows):,} rows have {what}: {shown}" + (", ..." if len(rows) > SHOWN else "")


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")
