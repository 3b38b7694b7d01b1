"""The report on a fitted model: `evaluate(model, X, y)` gives an `Evaluation`, a text or a page."""

from __future__ import annotations

from fanin._core.errors import MissingExtraError

try:
    import sklearn
except ImportError as error:
    raise MissingExtraError(
        'the report needs scikit-learn, which is not installed: pip install "fanin[tabular]"'
    ) from error

from fanin.tabular.evaluation.judging import evaluate
from fanin.tabular.evaluation.report import Evaluation

__all__ = ["Evaluation", "evaluate"]
