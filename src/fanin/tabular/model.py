"""A trained model: how to encode a table, the network, and how to read its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.columns import Encoded, Floats, Plan, Unknown, encode
from fanin.tabular.network import TableNetwork, as_tensors, outputs_of
from fanin.tabular.scores import softmax
from fanin.tabular.table import Table
from fanin.tabular.target import ClassTarget, NumberTarget, Target
from fanin.tabular.threads import blas_threads


@dataclass(frozen=True)
class Predictions:
    """One prediction per row: numbers, or class indices with probabilities (rows, classes)."""

    target: Target
    values: Floats
    probabilities: Floats | None = None
    unknown: tuple[Unknown, ...] = ()

    def labels(self) -> list[Any]:
        """Return the predictions as they stand in the table: numbers, or the names of classes."""
        if isinstance(self.target, ClassTarget):
            return [self.target.classes[int(index)] for index in self.values]
        return [float(value) for value in self.values]


@dataclass(frozen=True)
class Model:
    """Everything that a prediction needs; `training` is how it was trained, for the record."""

    plans: tuple[Plan, ...]
    target: Target
    network: TableNetwork
    missing: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, table: Table) -> Predictions:
        """Predict every row; raises TableError for a missing column and for a text where a number is expected."""
        return self.predict_encoded(encode(table, self.plans))

    def predict_encoded(self, encoded: Encoded) -> Predictions:
        """Predict rows that are encoded already; numbers stay in the range of the training rows."""
        predictions = read_outputs(self.target, self.outputs(encoded), encoded.unknown)
        if isinstance(self.target, NumberTarget):
            return replace(predictions, values=self.target.in_range(predictions.values))
        return predictions

    def outputs(self, encoded: Encoded) -> NDArray[np.float32]:
        """Return the network's outputs (rows, outputs)."""
        with blas_threads(1):
            return outputs_of(self.network, *as_tensors(encoded))


def read_outputs(target: Target, outputs: NDArray[np.float32], unknown: tuple[Unknown, ...] = ()) -> Predictions:
    """Turn a network's (or a baseline's) outputs into predictions."""
    if isinstance(target, NumberTarget):
        return Predictions(target, target.decode(outputs), None, unknown)
    probabilities = softmax(outputs)
    return Predictions(target, probabilities.argmax(axis=1).astype(np.float64), probabilities, unknown)
