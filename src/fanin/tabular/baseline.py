"""What a network has to beat: a constant, and a linear model of the same columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin import Tensor, nn, optim
from fanin.tabular.columns import Encoded
from fanin.tabular.target import ClassTarget, Target, Task
from fanin.tabular.threads import blas_threads
from fanin.tabular.training import Part

# So little that only directions without data feel it; without it, a class alone in a corner sends weights off.
RIDGE = 1e-4


class LinearModel(nn.Module):
    """One weight per number and output, and one per level of an embedded category, which spares its one-hot columns."""

    def __init__(self, numbers: int, levels: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(fanin.zeros(numbers, outputs))
        self.bias = nn.Parameter(fanin.zeros(outputs))
        self.levels = nn.ParameterList(nn.Parameter(fanin.zeros(count, outputs)) for count in levels)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return outputs (N, outputs) for numbers (N, numbers) and level indices (N, embedded columns)."""
        outputs: Tensor = numbers @ self.weight + self.bias
        for position, level in enumerate(self.levels):
            outputs = outputs + nn.functional.embedding(codes[:, position], level)
        return outputs


def constant_outputs(target: Target, encoded_target: NDArray[np.number], rows: int) -> NDArray[np.float32]:
    """Return the best constant as network outputs: log frequencies of the classes, or the mean."""
    if isinstance(target, ClassTarget):
        counts = np.bincount(encoded_target.astype(np.int64), minlength=target.outputs)
        constant = np.log((counts / counts.sum()).clip(1e-15))
    else:
        constant = encoded_target.mean(axis=0)
    return np.tile(constant.astype(np.float32), (rows, 1))


def fit_linear(part: Part, levels: Sequence[int], outputs: int, task: Task, iterations: int = 100) -> LinearModel:
    """Fit by least squares or logistic regression, with L-BFGS on all rows at once."""
    model = LinearModel(part.encoded.numbers.shape[1], levels, outputs)
    loss_of = nn.CrossEntropyLoss() if task == "classes" else nn.MSELoss()
    numbers, codes = (fanin.from_numpy(part.encoded.numbers), fanin.from_numpy(part.encoded.codes))
    target = fanin.from_numpy(part.target)
    optimiser = optim.LBFGS(model.parameters(), max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = loss_of(model(numbers, codes), target)
        loss = loss + RIDGE * sum((p * p).sum() for p in model.parameters() if p.ndim > 1)
        loss.backward()
        return loss

    with blas_threads(1):
        optimiser.step(closure)
    return model


def linear_outputs(model: LinearModel, encoded: Encoded) -> NDArray[np.float32]:
    """Return the outputs (rows, outputs) of a linear model."""
    with fanin.no_grad():
        outputs: NDArray[np.float32] = model(fanin.from_numpy(encoded.numbers), fanin.from_numpy(encoded.codes)).numpy()
    return outputs
