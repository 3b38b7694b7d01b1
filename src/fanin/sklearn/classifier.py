"""`MLPClassifier`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from fanin import nn
from fanin._core.errors import ArgumentError
from fanin.sklearn.base import SPARSE, BaseMLP
from fanin.sklearn.losses import CLASSIFICATION
from fanin.sklearn.parameters import CONSTRAINTS, dtypes_of
from fanin.training.arrays import takes_classes


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """scikit-learn's `MLPClassifier`, trained by native code, with what its users asked for.

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
        loss: "log_loss", "focal" (`FocalLoss`), a module, or a function of (output, target) that
            returns one number for each row, or their mean.
        dropout: the share of each hidden layer that is dropped in training, or a list of shares.
        batch_norm: whether the hidden layers are normalised before their activation.
        initializer: the name of an initialiser of `fanin.nn.init` without its underscore, or a function of a weight;
            scikit-learn's (Glorot's) if not given.
        class_weight: "balanced", or the weight of each class; it multiplies the weights of the rows.
        dtype: "float32" or "float64" to compute with; that of X if not given.
        callbacks: functions called after each epoch, or `fanin.training.Callback`s; each is given the run.

    Attributes:
        classes_, coefs_, intercepts_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_,
            n_iter_, n_layers_, n_outputs_, out_activation_, t_, n_features_in_, feature_names_in_: as in scikit-learn.
        validation_loss_curve_: the loss of the rows that are held out, without the penalty, after each epoch.
        converged_: whether training ended because nothing got better.

    Raises:
        ValueError: arguments outside their domain, data that do not fit, weights that became infinite.

    >>> import numpy as np
    >>> from fanin.sklearn import MLPClassifier
    >>> X = np.random.RandomState(0).normal(size=(200, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = MLPClassifier(learning_rate_init=0.03, tol=1e-2, random_state=0)
    >>> model.fit(X, y).predict([[1.0, 1.0], [-1.0, 1.0]])
    array(['same', 'other'], dtype='<U5')
    """

    _parameter_constraints = {
        **CONSTRAINTS,
        "loss": [StrOptions(set(CLASSIFICATION)), nn.Module, callable],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }
    _loss_names = CLASSIFICATION

    def __init__(
        self,
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
        loss: Any = "log_loss",
        dropout: Any = 0.0,
        batch_norm: bool = False,
        initializer: Any = None,
        class_weight: Any = None,
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
    ) -> MLPClassifier:
        """Train anew (with warm_start: on), and return the estimator.

        Args:
            X: (rows, features), an array, a data frame or a sparse matrix.
            y: (rows,) classes, or (rows, labels) of zeros and ones.
            sample_weight: (rows,), how much each row counts.
            X_val, y_val, sample_weight_val: rows to judge by after each epoch; with `early_stopping` they decide.
        """
        fitted: MLPClassifier = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), False)
        return fitted

    @available_if(lambda estimator: estimator._check_solver())  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPClassifier:
        """Train on for one pass over these rows, and return the estimator.

        With `early_stopping`, rows that are given judge each call, or a share of the rows of the first call; when there
        were `n_iter_no_change` calls without a better score, the best weights come back and later calls do nothing.

        Args:
            X, y, sample_weight, X_val, y_val, sample_weight_val: as in `fit`.
            classes: all classes there will be, in the first call.
        """
        if self.class_weight == "balanced":
            raise ArgumentError(
                "class_weight='balanced' is not supported for partial_fit: it needs to see all rows",
                remedy="Give a dictionary, as sklearn.utils.class_weight.compute_class_weight computes it from all y.",
            )
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y if type_of_target(y).startswith("multilabel") else classes)
        fitted: MLPClassifier = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), True)
        return fitted

    def predict(self, X: Any) -> Any:
        """Return the classes, or for several labels their zeros and ones."""
        return self._labels(self._outputs(X))

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities (rows, classes), in the order of `classes_`."""
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of the probabilities."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    # Data -------------------------------------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        kinds = dtypes_of(self.dtype)
        X, y = validate_data(self, X, y, accept_sparse=SPARSE, multi_output=True, dtype=kinds, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y, incremental)
        return X, y

    def _check_classes(self, y: Any, incremental: bool) -> None:
        classes = unique_labels(y)
        if self.warm_start and not incremental:
            if set(classes) != set(self.classes_):
                raise ArgumentError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ArgumentError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _kind(self) -> str:
        kind: str = self._label_binarizer.y_type_
        return kind

    def _takes_numbers(self) -> bool:
        """Say whether the loss takes the numbers of classes, and an output for each."""
        if self._kind() == "multiclass":
            return True
        return self._kind() == "binary" and not isinstance(self.loss, str) and takes_classes(self.loss) is True

    def _encoded(self, y: Any, dtype: Any) -> Any:
        if self._takes_numbers():
            return np.searchsorted(self.classes_, y).astype(np.int64)
        binary = self._label_binarizer.transform(y)
        return np.ascontiguousarray(binary.toarray() if hasattr(binary, "toarray") else binary, dtype)

    def _output_count(self, targets: Any) -> int:
        return max(2, len(self.classes_)) if targets.ndim == 1 else int(targets.shape[1])

    def _output_activation(self) -> str:
        return "softmax" if self._takes_numbers() else "logistic"

    def _own_weights(self, y: Any, weights: Any) -> Any:
        if self.class_weight is None:
            return weights
        own = compute_sample_weight(self.class_weight, y)
        return own if weights is None else own * weights

    def _stratify(self, targets: Any) -> Any:
        return targets.astype(bool) if self.n_outputs_ == 1 else None

    # Outputs ----------------------------------------------------------------------------------------------------------

    def _labels(self, outputs: Any) -> Any:
        if self._takes_numbers():
            return self.classes_[outputs.argmax(axis=1)]
        return self._label_binarizer.inverse_transform(outputs.ravel() if self.n_outputs_ == 1 else outputs)

    def _score_of(self, raw: Any, labels: Any, weights: Any) -> float:
        outputs = self._activated(raw.copy())
        if not np.isfinite(outputs).all():
            return float("nan")
        right = self._labels(outputs) == labels
        return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=weights))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
