"""Learn a column of a table from the others.

`TabularClassifier` and `TabularRegressor` are scikit-learn estimators, which take frames and arrays.

What the command line uses are plain functions whose results are frozen dataclasses: read, tell the columns, split,
train, report, save, predict. `read_table` -> `prepare` -> `train` -> `save_model`, and `load_model` -> `Model.predict`.

Names are imported when they are first used: estimators need scikit-learn, and reading files needs polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.tabular.estimators import TabularClassifier, TabularRegressor
    from fanin.tabular.files import PredictedFile, TableFile, open_table, predict_file
    from fanin.tabular.job import Options, Prepared, Result, prepare, train
    from fanin.tabular.model import Model, Predictions
    from fanin.tabular.store import load_model, save_model
    from fanin.tabular.table import Table, read_table
    from fanin.tabular.training import Settings

_ESTIMATORS = ("TabularClassifier", "TabularRegressor")
_HOMES = {
    **dict.fromkeys(_ESTIMATORS, "estimators"),
    **dict.fromkeys(("PredictedFile", "TableFile", "open_table", "predict_file"), "files"),
    **dict.fromkeys(("Options", "Prepared", "Result", "prepare", "train"), "job"),
    **dict.fromkeys(("Model", "Predictions"), "model"),
    **dict.fromkeys(("load_model", "save_model"), "store"),
    **dict.fromkeys(("Table", "read_table"), "table"),
    "Settings": "training",
}

__all__ = [
    "Model",
    "Options",
    "PredictedFile",
    "Predictions",
    "Prepared",
    "Result",
    "Settings",
    "Table",
    "TableFile",
    "TabularClassifier",
    "TabularRegressor",
    "load_model",
    "open_table",
    "predict_file",
    "prepare",
    "read_table",
    "save_model",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a name's module at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names, imported or not."""
    return sorted({*globals(), *__all__})
