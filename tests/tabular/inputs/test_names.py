"""Other columns than those of fit: the words are scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from fanin._core.errors import OperationError, TableError
from fanin.tabular.inputs import Encoder

TYPES = [("a", float), ("b", float), ("c", float)]


def frame(*names: str) -> Any:
    """Return a structured array, the frame that NumPy has."""
    rows = np.zeros(3, [(name, float) for name in names])
    for name in names:
        rows[name] = [1, 2, 4]
    return rows


def test_names_are_kept_and_compared() -> None:
    encoder = Encoder().fit(frame("a", "b", "c"))
    assert encoder.feature_names == ("a", "b", "c")
    assert encoder.transform(frame("a", "b", "c")).numbers.shape == (3, 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("ab", "Feature names seen at fit time, yet now missing:\n- c\n"),
        ("abcd", "Feature names unseen at fit time:\n- d\n"),
        ("abd", "Feature names unseen at fit time:\n- d\nFeature names seen at fit time, yet now missing:\n- c\n"),
        ("bac", "Feature names must be in the same order as they were in fit.\n"),
    ],
)
def test_other_names(names: str, message: str) -> None:
    expected = "The feature names should match those that were passed during fit.\n" + message
    with pytest.raises(TableError, match=f"^{re.escape(expected)}(\npass the columns by name.*)?$"):
        Encoder().fit(frame("a", "b", "c")).transform(frame(*names))


def test_long_lists_of_names_are_cut() -> None:
    with pytest.raises(TableError, match=r"- n4\n- \.\.\.\n"):
        Encoder().fit(frame("a")).transform(frame("a", *(f"n{number}" for number in range(9))))


def test_another_number_of_columns() -> None:
    encoder = Encoder(owner="TabularClassifier").fit(np.eye(4))
    with pytest.raises(TableError, match="X has 1 features, but TabularClassifier is expecting 4 features as input"):
        encoder.transform(np.eye(4)[:, :1])


def test_names_on_one_side_only_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="X has feature names, but Encoder was fitted without feature names"):
        Encoder().fit(np.eye(3)).transform(frame("a", "b", "c"))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but Encoder was fitted with feature"):
        Encoder().fit(frame("a", "b", "c")).transform(np.eye(3))


def test_transform_before_fit() -> None:
    with pytest.raises(OperationError, match="this Encoder is not fitted yet"):
        Encoder().transform(np.eye(3))
