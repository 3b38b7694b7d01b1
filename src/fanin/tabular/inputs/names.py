"""Check that a table has the columns that an encoder was fitted on, in scikit-learn's words."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence

from fanin._core.errors import TableError
from fanin.tabular.inputs.tables import InputTable

SHOWN = 5  # names in a message, as in scikit-learn's


def feature_names_of(table: InputTable) -> tuple[str, ...] | None:
    """Return the columns' names; None when there are none, or not all are texts."""
    if table.names is None or not all(isinstance(name, str) for name in table.names):
        return None
    return tuple(str(name) for name in table.names)


def check_columns(table: InputTable, names: tuple[str, ...] | None, count: int, owner: str, warns: bool = True) -> None:
    """Compare a table with the names and the number of columns in fit.

    Raises TableError for missing and extra columns, and for another order; warns, unless the caller has done so, when
    only one of both has names.
    """
    given = feature_names_of(table)
    if names is not None and given is not None:
        if names != given:
            raise TableError(_difference(names, given), remedy=_remedy(names, given))
        return
    if warns and given is not None:
        warnings.warn(f"X has feature names, but {owner} was fitted without feature names", UserWarning, stacklevel=4)
    if warns and names is not None:
        warnings.warn(
            f"X does not have valid feature names, but {owner} was fitted with feature names", UserWarning, stacklevel=4
        )
    if table.columns != count:
        raise TableError(f"X has {table.columns} features, but {owner} is expecting {count} features as input")


def check_order(table: InputTable, names: tuple[str, ...]) -> None:
    """Raise TableError where a table has the names of fit in another order, be they texts or not.

    Names that are numbers or pairs say as well as texts which column is which; columns of other names go by place.
    """
    if table.names is None:
        return
    given = tuple(map(str, table.names))
    if given != names and len(set(given)) == len(given) and sorted(given) == sorted(names):
        raise TableError(_difference(names, given), remedy="pass the columns in the order of fit")


def _difference(names: Sequence[str], given: Sequence[str]) -> str:
    unseen, lacking = _beyond(given, names), _beyond(names, given)
    message = "The feature names should match those that were passed during fit.\n"
    if unseen:
        message += "Feature names unseen at fit time:\n" + _listed(unseen)
    if lacking:
        message += "Feature names seen at fit time, yet now missing:\n" + _listed(lacking)
    if not unseen and not lacking:
        message += "Feature names must be in the same order as they were in fit.\n"
    return message


def _beyond(these: Iterable[str], those: Iterable[str]) -> list[str]:
    """Return the names of which there are more in these than in those, in order."""
    left: dict[Hashable, int] = {}
    for name in those:
        left[name] = left.get(name, 0) + 1
    beyond = []
    for name in these:
        left[name] = left.get(name, 0) - 1
        if left[name] < 0:
            beyond.append(name)
    return sorted(beyond)


def _remedy(names: Sequence[str], given: Sequence[str]) -> str:
    if _beyond(names, given):
        return ""
    return "pass the columns by name, as in X[list(names)], to have those of fit in their order"


def _listed(names: Sequence[str]) -> str:
    return "".join(f"- {name}\n" for name in names[:SHOWN]) + ("- ...\n" if len(names) > SHOWN else "")
