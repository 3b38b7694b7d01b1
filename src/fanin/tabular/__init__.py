"""Learn a column of a table from the others.

`TabularClassifier` and `TabularRegressor` are scikit-learn estimators: they take frames and arrays, and tables in files
that are larger than memory. `evaluate` says how good they are, `save_model` and `load_model` keep them as JSON and
safetensors, `open_table` and `predict_file` go from file to file. `fanin train`, `fanin evaluate` and `fanin predict`
are all of it as commands.

Names are imported when they are first used: estimators need scikit-learn, files polars, saving safetensors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.tabular.estimators import TabularClassifier, TabularRegressor
    from fanin.tabular.evaluation import Evaluation, evaluate
    from fanin.tabular.files import PredictedFile, TableFile, open_table, predict_file
    from fanin.tabular.inputs.unfamiliar import UnfamiliarWarning
    from fanin.tabular.saving import load_model, save_model

_HOMES = {
    **dict.fromkeys(("TabularClassifier", "TabularRegressor"), "estimators"),
    **dict.fromkeys(("Evaluation", "evaluate"), "evaluation"),
    **dict.fromkeys(("PredictedFile", "TableFile", "open_table", "predict_file"), "files"),
    "UnfamiliarWarning": "inputs.unfamiliar",
    **dict.fromkeys(("load_model", "save_model"), "saving"),
}

__all__ = [
    "Evaluation",
    "PredictedFile",
    "TableFile",
    "TabularClassifier",
    "TabularRegressor",
    "UnfamiliarWarning",
    "evaluate",
    "load_model",
    "open_table",
    "predict_file",
    "save_model",
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
