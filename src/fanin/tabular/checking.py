"""What scikit-learn wants to know of a table before it is learned from: its columns, their number and names."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data


def checked_table(estimator: Any, X: Any, reset: bool) -> Any:
    """Return a frame as it is, anything else as an array (rows, columns), once its columns fit.

    Args:
        estimator: takes note of the columns, or has done so.
        X: a frame or an array.
        reset: whether these are the columns to remember, or those to compare with.

    Raises ValueError for other columns than those of `fit`, for what is no table, and for sparse or complex arrays.
    """
    if is_frame(X):
        # Names and number are looked at where the frame can say them; cells are the encoder's.
        validate_data(estimator, _named(X), reset=reset, skip_check_array=True)
        if not len(X):
            raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
        return X
    return validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)


def checked_target(y: Any) -> Any:
    """Return targets as an array, of a polars or Arrow column too."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    if type(y).__module__.startswith("pyarrow"):
        return y.to_numpy(zero_copy_only=False)  # texts lie otherwise in Arrow's memory
    return y.to_numpy() if hasattr(y, "to_numpy") else y


def is_frame(X: Any) -> bool:
    """Say whether X is a table with named columns: of pandas, polars or Arrow."""
    return (hasattr(X, "columns") or hasattr(X, "schema")) and hasattr(X, "shape") and not isinstance(X, np.ndarray)


def _named(X: Any) -> Any:
    """Return what scikit-learn can read columns of; of an Arrow table, an empty frame with its columns."""
    if hasattr(X, "column_names"):
        return X.slice(0, 0).to_pandas()
    return X
