"""Learn a column of a table from the others: read, tell the columns, split, train, report, save, predict.

Each step is a plain function whose result is a frozen dataclass:
`read_table` -> `prepare` -> `train` -> `save_model`, and `load_model` -> `Model.predict`.
"""

from __future__ import annotations

from fanin._core.errors import MissingExtraError

try:
    # Tried here once, so that every module below may simply import it.
    import polars as _polars
except ImportError as error:
    raise MissingExtraError(
        'reading a table needs polars, which is not installed: pip install "fanin[table]"'
    ) from error

from fanin.tabular.job import Options, Prepared, Result, prepare, train
from fanin.tabular.model import Model, Predictions
from fanin.tabular.store import load_model, save_model
from fanin.tabular.table import Table, read_table
from fanin.tabular.training import Settings

__all__ = [
    "Model",
    "Options",
    "Predictions",
    "Prepared",
    "Result",
    "Settings",
    "Table",
    "load_model",
    "prepare",
    "read_table",
    "save_model",
    "train",
]
