"""What scikit-learn wants to know of a table before it is learned from, and what a target has to be."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from fanin._core.errors import ArgumentError, ArgumentTypeError, TableError
from fanin.tabular.inputs.cells import is_missing
from fanin.tabular.inputs.tables.arrays import as_array, unmasked, wrong_dimensions

LARGEST = 1e100  # larger numbers cannot be squared, summed and divided in float64 without overflow


# The table ------------------------------------------------------------------------------------------------------------


def checked_table(estimator: Any, X: Any, reset: bool) -> Any:
    """Return a frame as it is, anything else as an array (rows, columns), once its columns fit.

    Args:
        estimator: takes note of the columns, or has done so.
        X: a frame or an array.
        reset: whether these are the columns to remember, or those to compare with.

    Raises ValueError for other columns than those of `fit`, for what is no table, and for sparse or complex arrays.
    """
    if type(X).__name__ == "LazyFrame":
        raise ArgumentTypeError("X is a LazyFrame of polars, which has no rows yet: pass X.collect()")
    if is_frame(X):
        # Names and number are looked at where the frame can say them; cells are the encoder's.
        _check_different(X)
        _validate(estimator, _named(X), reset)
        if not len(X):
            raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
        return X
    return validate_data(estimator, _rows_of(X), reset=reset, dtype=None, ensure_all_finite=False)


def is_frame(X: Any) -> bool:
    """Say whether X is a table with named columns: of pandas, polars or Arrow."""
    return (hasattr(X, "columns") or hasattr(X, "schema")) and hasattr(X, "shape") and not isinstance(X, np.ndarray)


def _named(X: Any) -> Any:
    """Return what scikit-learn can read columns of; of an Arrow table, an empty frame with its columns."""
    if hasattr(X, "column_names"):
        return X.slice(0, 0).to_pandas()
    return X


def _check_different(X: Any) -> None:
    """Raise TableError for two columns of one name, which could not be told apart later on."""
    names = [str(name) for name in getattr(X, "column_names", getattr(X, "columns", ()))]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        first, second = [place for place, name in enumerate(names) if name == twice][:2]
        raise TableError(
            f'X has two columns named "{twice}", number {first} and number {second}: each needs a name of its own',
            remedy="rename one of them, or leave it out; or pass an array, whose columns have no names",
        )


def _validate(estimator: Any, X: Any, reset: bool) -> None:
    try:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    except ValueError as error:
        learned = set(getattr(estimator, "feature_names_in_", ()))
        if learned and learned <= set(X.columns):
            error.add_note("the columns of fit are all there: pass X[list(model.feature_names_in_)]")
        raise


def _rows_of(X: Any) -> Any:
    """Return rows of Python's values and masked arrays as arrays; scikit-learn would lose masks, and types in lists.

    Raises TypeError and ValueError for what is no table, in a sentence rather than by printing it.
    """
    if isinstance(X, np.ndarray) and X.dtype.names:
        raise TableError(
            f"X is a structured array, with the fields {', '.join(X.dtype.names)}", remedy="pass pandas.DataFrame(X)"
        )
    if isinstance(X, np.ndarray) and X.dtype.kind == "c":
        raise TableError(
            "Complex data not supported: X", remedy="pass real and imaginary parts as columns of their own"
        )
    if hasattr(X, "toarray"):
        return X  # sparse: scikit-learn tells, and some are dictionaries, too
    if X is None or isinstance(X, str | bytes | dict | set | list | tuple | np.ma.MaskedArray | Iterator):
        X = as_array(X, "X")
    if isinstance(X, np.ndarray) and X.ndim < 2:
        raise TableError(wrong_dimensions(X, "X"))
    return X


# The target -----------------------------------------------------------------------------------------------------------


def checked_target(y: Any) -> Any:
    """Return targets as an array, of a polars or Arrow column too; what is masked is missing."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    if isinstance(y, str):
        raise ArgumentTypeError(
            f"y is the text {y!r}, where the targets of all rows are expected",
            remedy=f"pass the column itself, and a table without it: fit(table.drop(columns={y!r}), table[{y!r}])",
        )
    if type(y).__module__.startswith("pyarrow"):
        if hasattr(y, "column_names"):
            return np.stack([column.to_numpy(zero_copy_only=False) for column in y.columns], axis=1)
        return y.to_numpy(zero_copy_only=False)  # texts lie otherwise in Arrow's memory
    if isinstance(y, np.ma.MaskedArray):
        return unmasked(y) if np.ma.getmaskarray(y).any() else np.asarray(y.data)
    return y.to_numpy() if hasattr(y, "to_numpy") else y


def checked_labels(y: Any) -> NDArray[Any]:
    """Return labels (rows,), none of them missing.

    Raises ValueError for a missing label, with its row, and for several columns.
    """
    y = checked_target(y)
    given = _as_given(y)
    if given.ndim == 2 and given.shape[1] > 1:
        raise ArgumentError(
            f"y should be a 1d array, got an array of shape {given.shape} instead: one label for each row",
            remedy="where y has a column of flags for each class, pass y.argmax(axis=1), or the names of these",
        )
    _check_known(given, "y", "label")
    _check_types(given)
    found: NDArray[Any] = column_or_1d(y, warn=True)
    if found.dtype == object and len(found) and not isinstance(found[0], str):
        raise ArgumentError(
            f"Unknown label type: y has the dtype object, but no texts: {found[0]!r} in row 0",
            remedy="give it the dtype of its labels, as y.infer_objects() of pandas does, or y.astype(int)",
        )
    return found


def checked_groups(groups: Any, rows: int) -> NDArray[Any]:
    """Return the group of each row; raise ValueError for another number of them, and for a missing one."""
    groups = checked_target(groups)
    found: NDArray[Any] = column_or_1d(groups)
    check_consistent_length(np.empty((rows, 0)), found)
    _check_known(_as_given(groups), "groups", "group")
    return found


def _as_given(values: Any) -> NDArray[Any]:
    """Return an array; of a list, one of its objects, as NumPy makes texts of all where some are."""
    return np.array(values, dtype=object) if isinstance(values, list | tuple) else np.asarray(values)


def _check_known(given: NDArray[Any], name: str, what: str) -> None:
    lacking = np.flatnonzero(_missing(given))
    if len(lacking):
        more = f" (and {len(lacking) - 1:,} more rows)" if len(lacking) > 1 else ""
        raise ArgumentError(
            f"Input {name} contains NaN, or another missing value: row {lacking[0]}{more} has no {what}",
            remedy=f"leave these rows out of X and y, or give them a {what}",
        )


def _check_types(labels: NDArray[Any]) -> None:
    """Raise ValueError for texts among other labels: NumPy would make texts of all, so that 1 came back as "1"."""
    if labels.dtype != object:
        return
    texts = np.array([isinstance(label, str) for label in labels.ravel().tolist()])
    if texts.any() and not texts.all():
        one, other = int(np.argmax(texts)), int(np.argmin(texts))
        flat = labels.ravel()
        raise ArgumentError(
            f"y has texts and others among its labels: {flat[one]!r} in row {one}, {flat[other]!r} in row {other}",
            remedy="make them of one type, as [str(label) for label in y]",
        )


def checked_numbers(estimator: Any, y: Any) -> NDArray[np.float64]:
    """Return numbers (rows,) or (rows, targets), finite and such as can be squared.

    Raises ValueError, or TypeError for what is no array of numbers, with the first row that is at fault.
    """
    y = checked_target(y)
    given = np.empty((0, 1)) if hasattr(y, "toarray") else np.asarray(y)  # of a sparse array scikit-learn tells
    _refuse_units(given.dtype.kind)
    try:
        found = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=estimator)
    except (ValueError, TypeError) as error:
        row = _first_no_number(given)
        if row is None:
            raise
        raise _no_number(given[row], row, error) from None
    size = np.abs(found).reshape(len(found), -1).max(axis=1)
    if size.max() > LARGEST:
        raise ArgumentError(
            f"y, row {size.argmax()}: {size.max():g} is too large: numbers up to {LARGEST:g} can be learned",
            remedy="pass y in larger units, or its logarithm",
        )
    return np.asarray(found, np.float64)


def _refuse_units(kind: str) -> None:
    """Raise ValueError for the kinds of NumPy's dtypes that become numbers without a word of their unit."""
    if kind in "mM":
        raise ArgumentError(
            f"y holds {'durations' if kind == 'm' else 'dates'}, and numbers are learned",
            remedy='pass numbers of a unit, as (y - y[0]) / np.timedelta64(1, "D")',
        )
    if kind == "c":
        raise ArgumentError("Complex data not supported: y", remedy="pass y.real and y.imag as two targets")


def _no_number(value: Any, row: int, error: Exception) -> Exception:
    """Return scikit-learn's error with the row that it is about."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        text, remedy = f"y, row {row}: {value!r} where a number is expected", "for labels, use TabularClassifier"
    else:
        text, remedy = f"{str(error).rstrip('.')}. It is in row {row}: {value!r}", "leave such rows out of X and y"
    return (ArgumentTypeError if isinstance(error, TypeError) else ArgumentError)(text, remedy=remedy)


def _missing(given: NDArray[Any]) -> NDArray[np.bool_]:
    if given.dtype.kind in "fc":
        return np.asarray(np.isnan(given)).reshape(-1)
    if given.dtype.kind in "mM":
        return np.asarray(np.isnat(given)).reshape(-1)
    if given.dtype.kind != "O":
        return np.zeros(given.size, bool)
    # Most objects are texts, and of these none is missing.
    return np.array([type(value) is not str and is_missing(value) for value in given.ravel().tolist()], bool)


def _first_no_number(given: NDArray[Any]) -> int | None:
    """Return the first row that is no finite number; None where all are."""
    for row, value in enumerate(given):
        try:
            if not np.isfinite(np.asarray(value, np.float64)).all():
                return row
        except (TypeError, ValueError):
            return row
    return None


def checked_factors(class_weight: Any, factors: Any) -> NDArray[np.float64]:
    """Return the factors of classes; raise ValueError for one that is negative or no finite number."""
    found = np.asarray(factors, np.float64)
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ArgumentError(f"class_weight are finite factors of 0 or more, not {class_weight!r}")
    return found


# Parameters -----------------------------------------------------------------------------------------------------------


def check_time_limit(limit: float | None, where: str = "") -> None:
    """Raise ValueError unless a limit is a time above 0 seconds, or None; `where` begins the message."""
    if limit is not None and not (isinstance(limit, Real) and 0 < limit < np.inf):
        raise ArgumentError(f"{where}time_limit must be above 0 seconds, or None, not {limit!r}")
