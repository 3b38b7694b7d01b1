"""scikit-learn's networks, `MLPClassifier` and `MLPRegressor`, trained by native code; needs scikit-learn."""

from fanin._core.errors import MissingExtraError

try:
    import sklearn as _sklearn
except ImportError as _error:
    raise MissingExtraError("fanin.sklearn needs scikit-learn", remedy="pip install 'fanin[sklearn]'") from _error

from fanin.sklearn.classifier import MLPClassifier
from fanin.sklearn.losses import FocalLoss, HuberError, QuantileError
from fanin.sklearn.regressor import MLPRegressor

__all__ = ["FocalLoss", "HuberError", "MLPClassifier", "MLPRegressor", "QuantileError"]
