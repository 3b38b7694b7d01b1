"""`MLPRegressor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from fanin import nn
from fanin.sklearn.base import SPARSE, BaseMLP
from fanin.sklearn.losses import REGRESSION
from fanin.sklearn.parameters import CONSTRAINTS, dtypes_of


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """scikit-learn's `MLPRegressor`, trained by native code, with what its users asked for.

    Every parameter, attribute and default of scikit-learn's class is here and means the same; with the same
    `random_state` the training is the same, too, up to rounding: starting values, order of the rows, updates, stopping.
    """

    _parameter_constraints = {**CONSTRAINTS, "loss": [StrOptions(set(REGRESSION)), nn.Module, callable]}
    _loss_names = REGRESSION

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        initializer: Any = None,
        dtype: str | None = None,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Train anew (with warm_start: on), and return the estimator."""
        fitted: MLPRegressor = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), False)
        return fitted

    @available_if(lambda estimator: estimator._check_solver())  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Train on for one pass over these rows, and return the estimator."""
        fitted: MLPRegressor = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), True)
        return fitted

    def predict(self, X: Any) -> Any:
        """Return the predicted values, (rows,) or (rows, outputs)."""
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    # Data -------------------------------------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        kinds = dtypes_of(self.dtype)
        X, y = validate_data(
            self, X, y, accept_sparse=SPARSE, multi_output=True, y_numeric=True, dtype=kinds, reset=reset
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encoded(self, y: Any, dtype: Any) -> Any:
        return np.ascontiguousarray(y if y.ndim == 2 else y.reshape(-1, 1), dtype)

    def _output_count(self, targets: Any) -> int:
        return int(targets.shape[1])

    def _output_activation(self) -> str:
        is_logarithm = isinstance(self.loss, nn.PoissonNLLLoss) and self.loss.log_input
        return "exp" if is_logarithm or (isinstance(self.loss, str) and self.loss == "poisson") else "identity"

    def _score_of(self, raw: Any, labels: Any, weights: Any) -> float:
        outputs = self._activated(raw.copy())
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(labels, outputs, sample_weight=weights))
