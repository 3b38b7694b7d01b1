"""What the classifier and the regressor share: data, network, training, and outputs."""

from __future__ import annotations

import warnings
import zlib
from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import fanin
from fanin._core.errors import ArgumentError
from fanin._core.turns import FITTING
from fanin.sklearn import parameters
from fanin.sklearn.epochs import Drawing, Epochs, rows_of
from fanin.sklearn.layers import IN_PLACE, Network, glorot, initialize, stage_of, through
from fanin.sklearn.lbfgs import minimise
from fanin.sklearn.loop import Held, Loop, copied, is_finite
from fanin.sklearn.losses import Objective, loss_of
from fanin.tensor.in_place import store
from fanin.training.engines import Task
from fanin.training.threads import threads_to_use
from fanin.training.turn import Turn
from fanin.training.weights import tensors_of

SPARSE = ["csr", "csc"]


class BaseMLP(BaseEstimator):  # type: ignore[misc]
    """Base of `MLPClassifier` and `MLPRegressor`."""

    _parameter_constraints = parameters.CONSTRAINTS
    _loss_names: dict[str, Any]
    _has_ended = False  # by early stopping in partial_fit

    def _keep(self, given: dict[str, Any]) -> None:
        for name in self._get_param_names():
            setattr(self, name, given[name])

    # What differs -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        """Return X and y as arrays, and learn the classes."""

    @abstractmethod
    def _encoded(self, y: Any, dtype: Any) -> Any:
        """Return the targets that the loss takes."""

    @abstractmethod
    def _output_count(self, targets: Any) -> int:
        """Return how many outputs the network has."""

    @abstractmethod
    def _output_activation(self) -> str:
        """Return the name of the output activation."""

    @abstractmethod
    def _score_of(self, raw: Any, labels: Any, weights: Any) -> float:
        """Return the score of raw outputs; NaN where they are not finite."""

    def _own_weights(self, y: Any, weights: Any) -> Any:
        """Return the weights of rows, those of their classes included."""
        return weights

    def _stratify(self, targets: Any) -> Any:
        """Return what a held-out set is balanced by, None for nothing."""
        return None

    # Fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], incremental: bool) -> Any:
        self._validate_params()
        sizes = parameters.hidden_sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._checked(X, y, incremental, first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        sample_weight = self._own_weights(y, sample_weight)
        targets = self._encoded(y, X.dtype)
        self._random_state = check_random_state(self.random_state)
        # Further pieces do not get the masks of the first one.
        turn = Turn(FITTING, _seed_from(self._random_state) + (0 if first else self.t_))
        with turn.taken():
            if first or not hasattr(self, "_network"):
                self._build(sizes, X, targets, first)
            self._read_attributes()
            if parameters.is_stochastic(self.solver):
                held = self._given(validation, self._dtype())
                self._fit_stochastic(Held(X, y, targets, sample_weight), held, incremental, turn)
            else:
                minimise(self, X, targets, sample_weight)
            self._write_attributes()
        self._check_finite(False)
        return self

    def _check_finite(self, is_lost: bool) -> None:
        if is_lost or not is_finite(self._network):
            raise ArgumentError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                "preprocessed."
            )

    def _build(self, sizes: list[int], X: Any, targets: Any, first: bool) -> None:
        """Make the network, with new starting values."""
        self.n_outputs_ = self._output_count(targets)
        widths = [X.shape[1], *sizes, self.n_outputs_]
        activations = parameters.activations_of(self.activation, len(sizes))
        dropouts = parameters.dropouts_of(self.dropout, len(sizes))
        dtype = X.dtype
        kind = fanin.float64 if dtype == np.float64 else fanin.float32
        stages = [
            stage_of(activation, width, self.batch_norm, dropout, kind)
            for activation, width, dropout in zip(activations, sizes, dropouts, strict=True)
        ]
        self._network = Network(widths, stages, kind)
        if not first:
            return
        if self.initializer is None:
            # By the parameter, not the layers: scikit-learn lets it decide where there is no hidden layer, too.
            given = activations or [self.activation]
            glorot(self._network, all(isinstance(a, str) and a == "logistic" for a in given), self._random_state)
        else:
            initialize(self._network, self.initializer)
        self._begin(len(widths))

    def _begin(self, layers: int) -> None:
        """Set the attributes of a network that has seen nothing yet."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = layers
        self.out_activation_ = self._output_activation()
        self.coefs_, self.intercepts_ = self._network.written()
        self._best = copied(self._network)
        self._held: Any = None
        self.converged_ = self._has_ended = False
        if parameters.is_stochastic(self.solver):
            self._begin_curves()

    def _begin_curves(self) -> None:
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] | None = [] if self.early_stopping else None
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self._no_improvement_count = 0
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf

    def _read_attributes(self) -> None:
        self._network.read(self.coefs_, self.intercepts_)

    def _write_attributes(self) -> None:
        self.coefs_, self.intercepts_ = self._network.written()

    # Batches ----------------------------------------------------------------------------------------------------------

    def _fit_stochastic(self, rows: Held, held: Held | None, incremental: bool, turn: Turn) -> None:
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = parameters.optimizer_of(self, self._network)
            self._scheduler = parameters.scheduler_of(self, self._optimizer)
        if self.early_stopping:
            rows, held = self._split(rows, held, incremental)
        self._go_on_with(held, incremental)
        self.n_iter_ = 0
        if self._has_ended:
            return
        most = 1 if incremental else self.max_iter
        epochs = self._epochs(rows, turn, most)
        try:
            loop = Loop(self, epochs, rows.inputs.shape[0], held, most)
            self.converged_ = loop.run()
        finally:
            epochs.close()
        if not incremental and not self.converged_:
            loop.warn()
        if not self.early_stopping:
            self._check_finite(epochs.is_lost)
        elif self.converged_ or not incremental:
            self._has_ended = incremental
            for name, tensor in tensors_of(self._network).items():
                store(tensor, self._best[name].copy())

    def _go_on_with(self, held: Held | None, incremental: bool) -> None:
        """Make the curves ready for what follows; the parameters may be others than at the last call."""
        if not hasattr(self, "loss_curve_"):  # so far without batches
            self._begin_curves()
        if self.early_stopping and self.best_validation_score_ is None:
            self.best_validation_score_ = -np.inf
        if not self.early_stopping and self.best_loss_ is None:
            self.best_loss_ = np.inf
        if held is not None:
            self.validation_scores_ = self.validation_scores_ or []
            self.validation_loss_curve_ = self.validation_loss_curve_ or []
        self._has_ended = self._has_ended and incremental and self.early_stopping
        if incremental and self.early_stopping and self.converged_ and not self._has_ended:
            self._no_improvement_count = 0  # it was `fit` that ended

    def _epochs(self, rows: Held, turn: Turn, most: int) -> Epochs:
        count, dtype = rows.inputs.shape[0], self._dtype()
        targets = rows.targets.astype(dtype, copy=False) if rows.targets.dtype.kind == "f" else rows.targets
        weights = () if rows.weights is None else (np.asarray(rows.weights, dtype),)
        inputs = rows.inputs.toarray() if hasattr(rows.inputs, "toarray") else rows.inputs
        drawing = Drawing(count, self._random_state if self.shuffle else None)
        source = rows_of(np.asarray(inputs, dtype), (targets, *weights), self._rows_of_a_batch(count), drawing)
        objective = self._objective(rows.weights is not None)
        task = Task(
            self._network,
            objective,
            self._optimizer,
            source,
            threads=threads_to_use(),
            aside=turn.aside,
            goes_on=True,  # as scikit-learn's steps do
        )
        scheduler = self._scheduler or parameters.inverse_scaling(self, self._optimizer, count)
        return Epochs(task, scheduler, _seed_from(self._random_state) + self.t_, most)

    def _dtype(self) -> Any:
        return self._network.layers[0].weight._array.dtype

    def _objective(self, weighted: bool) -> Objective:
        loss = loss_of(self.loss, self._loss_names, weighted)
        return Objective(loss, self._network.weights(), float(self.alpha), weighted)

    def _rows_of_a_batch(self, rows: int) -> int:
        if self.batch_size == "auto":
            return self._apart(min(200, rows), rows)
        if self.batch_size > rows:
            message = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            warnings.warn(message, stacklevel=2)
        return self._apart(int(np.clip(self.batch_size, 1, rows)), rows)

    def _apart(self, size: int, rows: int) -> int:
        """Return a size that leaves no row alone where batches are normalised: it would have no variance."""
        if self.batch_norm and rows == 1:
            raise ArgumentError("batch_norm needs 2 rows or more, but n_samples=1")
        while self.batch_norm and (size == 1 or rows % size == 1):
            size += 1
        return size

    # Validation -------------------------------------------------------------------------------------------------------

    def _given(self, validation: tuple[Any, Any, Any], dtype: Any) -> Held | None:
        """Return the validation rows that a user gave."""
        X, y, weights = validation
        if (X is None) != (y is None):
            raise ArgumentError("X_val and y_val go together: give both or neither")
        if X is None:
            if weights is not None:
                raise ArgumentError("sample_weight_val needs X_val and y_val")
            return None
        X, y = self._checked(X, y, True, False)
        weights = None if weights is None else _check_sample_weight(weights, X)
        return Held(X.astype(dtype, copy=False), y, self._encoded(y, dtype), weights)

    def _split(self, rows: Held, held: Held | None, incremental: bool) -> tuple[Held, Held]:
        """Return the rows to train on, and those that decide when to stop."""
        held = held if held is not None else self._held if incremental else None
        if held is None:
            rows, held = self._held_out(rows, incremental)
        if held.inputs.shape[0] < 2:
            raise ArgumentError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        self._held = held if incremental else None
        return rows, held

    def _held_out(self, rows: Held, incremental: bool) -> tuple[Held, Held]:
        stratify = None if incremental else self._stratify(rows.targets)
        numbers = np.arange(rows.inputs.shape[0])
        chosen = train_test_split(
            numbers, random_state=self._random_state, test_size=self.validation_fraction, stratify=stratify
        )
        train, test = (
            Held(
                *(
                    None if part is None else part[which]
                    for part in (rows.inputs, rows.labels, rows.targets, rows.weights)
                )
            )
            for which in chosen
        )
        return train, test

    # Outputs ----------------------------------------------------------------------------------------------------------

    def _raw(self, X: Any, network: Any) -> Any:
        """Return the outputs of a network, before the output activation, for rows that may be sparse."""
        for layer, stage in zip(network.layers, [*network.stages, None], strict=True):
            X = safe_sparse_dot(X, layer.weight._array.T) + layer.bias._array
            X = X if stage is None else through(stage, X, layer.bias._array.dtype)
        return X

    def _outputs(self, X: Any) -> Any:
        """Return the outputs for rows, after the output activation, by the weights in the attributes."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=SPARSE, reset=False)
        for coef, intercept, stage in zip(self.coefs_, self.intercepts_, [*self._network.stages, None], strict=True):
            X = safe_sparse_dot(X, coef) + intercept
            X = X if stage is None else through(stage, X, self._dtype())
        return self._activated(X)

    def _activated(self, raw: Any) -> Any:
        IN_PLACE[self.out_activation_](raw)
        return raw

    def _check_solver(self) -> bool:
        if not parameters.is_stochastic(self.solver):
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _seed_from(random: Any) -> int:
    """Return a seed that follows from where a generator of NumPy's stands, and leave it there."""
    _, words, position = random.get_state()[:3]
    return zlib.crc32(words, position) >> 1
