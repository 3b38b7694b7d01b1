"""The explicit loop: each step through the tape, as a program written by hand takes it. All other engines follow it."""

from __future__ import annotations

import inspect
import math
from functools import lru_cache
from typing import Any

import numpy as np

from fanin._core.advice import give
from fanin._core.errors import ArgumentTypeError, ShapeError
from fanin.nn.utils import clip_grad_norm_
from fanin.tensor.base import TensorBase
from fanin.training.engines.engine import NotFinite, Steps, Task, Watch
from fanin.training.source import Batch


class EagerEngine:
    """Runs a task step by step.

    why: a warning that is given after the first step: it says why the steps are not compiled.
    """

    name = "eager"

    def __init__(self, task: Task, why: str = "") -> None:
        self.task, self._why = task, why
        self._parameters = task.optimized()
        self._evaluates = evaluates(task.optimizer)

    def run_epoch(self, watch: Watch) -> Steps:
        """Take one pass over the source."""
        losses: list[float] = []
        rows: list[int] = []
        for batch in self.task.source.batches():
            losses.append(self._step(batch, losses))
            rows.append(batch.rows)
            if self._why:
                give(UserWarning, self._why)
                self._why = ""
            watch.step(len(losses), losses[-1])
        return Steps(np.array(losses, np.float64), np.array(rows, np.int64))

    def state(self) -> dict[str, Any]:
        """Return nothing: the state is in the model, the optimiser and the generators."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _step(self, batch: Batch, losses: list[float]) -> float:
        optimizer, scheduler = self.task.optimizer, self.task.per_step
        if self._evaluates:
            first: list[float] = []
            optimizer.step(lambda: self._evaluate(batch, losses, first))
            value = first[0]
        else:
            value = float(self._evaluate(batch, losses, [])._array)
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
        return value

    def _evaluate(self, batch: Batch, losses: list[float], values: list[float]) -> Any:
        """Compute the loss and its gradients, and return the loss."""
        task = self.task
        task.optimizer.zero_grad()
        loss = scalar(task.loss(task.model(*batch.inputs), batch.target))
        values.append(float(loss._array))
        if not math.isfinite(values[-1]):
            raise NotFinite(len(losses), batch, [*losses, values[-1]], True)
        loss.backward()
        if task.clip is not None:
            clip_grad_norm_(self._parameters, task.clip)
        return loss


def evaluates(optimizer: Any) -> bool:
    """Say whether a step evaluates the loss several times, as that of LBFGS does, and so is given a function for it."""
    return _needs_closure(type(optimizer).step)


@lru_cache(maxsize=64)
def _needs_closure(step: Any) -> bool:
    closure = inspect.signature(step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def scalar(loss: Any) -> Any:
    """Return a loss, which must be a tensor with one element."""
    if not isinstance(loss, TensorBase):
        raise ArgumentTypeError(
            f"fit: the loss must return a tensor, but it returned {type(loss).__name__}",
            remedy="A loss is called as loss(output, target); compute it from these tensors, without .item().",
        )
    if loss._array.size != 1:
        raise ShapeError(
            f"fit: the loss must be one number, but it has the shape {list(loss._array.shape)}",
            remedy="Leave reduction='none' out, or average: lambda output, target: loss(output, target).mean().",
        )
    return loss
