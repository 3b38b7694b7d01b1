"""The rows of a new table that a model can use."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import TableError
from fanin.tabular.files.cleaning import check_types, clean
from fanin.tabular.frames import polars


def usable(frame: polars.DataFrame, model: Any, source: str) -> tuple[polars.DataFrame, polars.Series, list[str]]:
    """Return the rows in which every value is what the model expects, which ones these are, and a word on the others.

    Args:
        frame: the columns that the model was trained with.
        model: a fitted estimator.
        source: how messages name the table.

    Raises TableError where no row is left, and for a column of another type than in training.
    """
    check_types(frame, model._encoder, source)
    cleaned, refused = clean(frame, model._encoder)
    kept = polars.Series([True]).new_from_index(0, frame.height)
    said = []
    for each in refused:
        kept &= ~each.where
        row, value = next(iter(each))
        count = int(each.where.sum())
        more = f" (and in {count - 1:,} more)" if count > 1 else ""
        said.append(f'{source}, column "{each.column}", row {row + 1}: "{value}"{more} left out: {each.reason}')
    if not kept.any():
        raise TableError(said[0] if said else f"{source} has no rows")
    return cleaned.filter(kept), kept, said
