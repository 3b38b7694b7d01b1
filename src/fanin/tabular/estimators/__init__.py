"""`TabularClassifier` and `TabularRegressor`: scikit-learn estimators that take tables as they are."""

from fanin._core.errors import MissingExtraError

try:
    import sklearn
except ImportError as error:
    raise MissingExtraError(
        'the estimators need scikit-learn, which is not installed: pip install "fanin[tabular]"'
    ) from error

from fanin.tabular.estimators.classifier import TabularClassifier
from fanin.tabular.estimators.regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor"]
