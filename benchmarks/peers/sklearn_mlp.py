"""scikit-learn's MLPRegressor and MLPClassifier, an epoch at a time with partial_fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor

from peers.cases import Case, Data, Job

VERSION = sklearn.__version__


def start(threads: int) -> None:
    """Nothing: the threads of its BLAS are set by the process's environment."""


def variants(case: Case) -> list[str]:
    # It has no AdamW, starts two classes with one output where the others have two, and has no loop over networks.
    can = case.rule in ("SGD", "Adam") and case.kind == "training"
    return ["partial_fit"] if can else []


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    kind = MLPClassifier if case.classes else MLPRegressor
    # It minimises half the squared error; Adam does not see the difference.
    rate = case.rate * (2 if case.rule == "SGD" and not case.classes else 1)
    model = kind(
        hidden_layer_sizes=case.widths[1:-1],
        activation=case.activation.lower(),
        solver=case.rule.lower(),
        learning_rate_init=rate,
        alpha=0.0,
        batch_size=case.batch,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=case.shuffle,
        random_state=0,
    )
    y = data.y if case.classes or case.widths[-1] > 1 else data.y[:, 0]
    more = {"classes": np.arange(case.widths[-1])} if case.classes else {}
    model.partial_fit(data.x[: case.batch], y[: case.batch], **more)
    start_from(model, data)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            model.partial_fit(data.x, y)

    def loss() -> float:
        if case.classes:
            return float(log_loss(y, model.predict_proba(data.x), labels=model.classes_))
        return float(mean_squared_error(y, model.predict(data.x)))

    return Job(train, case.steps, loss)


def start_from(model: Any, data: Data) -> None:
    """Give a model the weights that all start from; its optimiser is made anew by the next partial_fit."""
    for coef, intercept, (weight, bias) in zip(model.coefs_, model.intercepts_, data.layers, strict=True):
        coef[:], intercept[:] = weight.T, bias
    del model._optimizer
