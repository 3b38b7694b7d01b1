"""The validation after an epoch: the model in evaluation mode, all rows, one loss, and the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.tensor.grad_mode import no_grad
from fanin.training.engines.eager import scalar
from fanin.training.metrics import Metric
from fanin.training.source import Batch, Rows, Source, joined

ROWS_AT_ONCE = 8192  # in one forward pass: more would need more memory and be no faster


@dataclass(frozen=True)
class Judge:
    """Computes loss and metrics over all rows of a source.

    loss: None where only the metrics are wanted (on the training rows, when there are no others).
    """

    source: Source
    loss: Any
    metrics: Mapping[str, Metric]

    def judge(self, model: Any) -> tuple[float, dict[str, float]]:
        """Return the loss (NaN without one) and the metrics; the model is left in evaluation mode."""
        model.eval()
        with no_grad():
            outputs, targets = self._outputs(model)
            loss = math.nan if self.loss is None else float(scalar(self.loss(outputs, targets))._array)
            return loss, {name: metric(outputs, targets) for name, metric in self.metrics.items()}

    def _outputs(self, model: Any) -> tuple[Any, Any]:
        """Return outputs and targets of all rows: some losses, and most metrics, are no means over batches."""
        batches = _pieces(self.source.whole()) if isinstance(self.source, Rows) else self.source.batches()
        results = [(model(*batch.inputs), batch.target) for batch in batches]
        if not results:
            raise ArgumentError("fit: there are no validation rows")
        return joined([output for output, _ in results]), joined([target for _, target in results])


def _pieces(whole: Batch) -> list[Batch]:
    if whole.rows <= ROWS_AT_ONCE:
        return [whole]
    starts = range(0, whole.rows, ROWS_AT_ONCE)
    return [_piece(whole, slice(start, start + ROWS_AT_ONCE)) for start in starts]


def _piece(whole: Batch, rows: slice) -> Batch:
    target = tuple(t[rows] for t in whole.target) if isinstance(whole.target, tuple) else whole.target[rows]
    inputs = tuple(x[rows] for x in whole.inputs)
    return Batch(inputs, target, len(inputs[0]._array))
