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
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.sklearn.base import SPARSE, BaseMLP
from fanin.sklearn.losses import REGRESSION
from fanin.sklearn.parameters import CONSTRAINTS, dtypes_of


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """scikit-learn's `MLPRegressor`, trained by native code, with what its users asked for.

    Every parameter, attribute and default of scikit-learn's class is here and means the same; with the same
    `random_state` the training is the same, too, up to rounding: starting values, order of the rows, updates, stopping.

    Args:
        hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter,
            shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping,
            validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun: as in scikit-learn.
        activation: also another name (elu, gelu, hardswish, leaky_relu, mish, selu, silu, softplus, softsign), a
            module, or a list with one for each hidden layer.
        solver: also another name (adadelta, adafactor, adagrad, adamax, adamw, nadam, radam, rmsprop), a class of
            `fanin.optim`, or a function of the parameters that returns an optimiser.
        learning_rate: also a function of the optimiser that returns a scheduler; it takes a step after each epoch.
        loss: "squared_error", "absolute_error", "huber", "quantile", "poisson", a module, or a function of (output,
            target) that returns one number for each row, or their mean.
        dropout: the share of each hidden layer that is dropped in training, or a list of shares.
        batch_norm: whether the hidden layers are normalised before their activation.
        initializer: the name of an initialiser of `fanin.nn.init` without its underscore, or a function of a weight;
            scikit-learn's (Glorot's) if not given.
        dtype: "float32" or "float64" to compute with; that of X if not given.
        callbacks: functions called after each epoch, or `fanin.training.Callback`s; each is given the run.

    Attributes:
        coefs_, intercepts_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_, n_iter_,
            n_layers_, n_outputs_, out_activation_, t_, n_features_in_, feature_names_in_: as in scikit-learn.
        validation_loss_curve_: the loss of the rows that are held out, without the penalty, after each epoch.
        converged_: whether training ended because nothing got better.

    Raises:
        ValueError: arguments outside their domain, data that do not fit, weights that became infinite.

    >>> import numpy as np
    >>> from fanin.sklearn import MLPRegressor
    >>> X = np.random.RandomState(0).normal(size=(200, 2))
    >>> y = np.abs(X[:, 0])
    >>> model = MLPRegressor(loss="absolute_error", learning_rate_init=0.03, tol=1e-2, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
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
        """Train anew (with warm_start: on), and return the estimator.

        Args:
            X: (rows, features), an array, a data frame or a sparse matrix.
            y: (rows,) or (rows, outputs).
            sample_weight: (rows,), how much each row counts.
            X_val, y_val, sample_weight_val: rows to judge by after each epoch; with `early_stopping` they decide.
        """
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
        """Train on for one pass over these rows, and return the estimator.

        With `early_stopping`, rows that are given judge each call, or a share of the rows of the first call; when there
        were `n_iter_no_change` calls without a better score, the best weights come back and later calls do nothing.
        """
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
        _check_are_numbers(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encoded(self, y: Any, dtype: Any) -> Any:
        if isinstance(self.loss, str) and self.loss == "poisson":
            _check_counts(y)
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


def _check_are_numbers(y: Any) -> None:
    """Raise TypeError for dates, durations and texts, which would become numbers without a word of their unit."""
    kind = {"M": "dates", "m": "durations", "U": "texts", "S": "texts", "T": "texts"}.get(y.dtype.kind)
    if kind is not None:
        raise ArgumentTypeError(
            f"y holds {kind}, and numbers are learned",
            remedy='Pass numbers of a unit, as (y - y[0]) / np.timedelta64(1, "D"), or y.astype(float) of texts.',
        )


def _check_counts(y: Any) -> None:
    """Raise ValueError for a target below 0, of which the Poisson deviance is NaN."""
    if (y < 0).any():
        row, *column = (int(place[0]) for place in np.nonzero(y < 0))
        raise ArgumentError(
            f"loss='poisson' is for targets of 0 and more, but y{[row, *column]} is {y[(row, *column)]:g}",
            remedy="Take another loss, such as 'squared_error', or shift the targets.",
        )
