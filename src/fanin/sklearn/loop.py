"""One fit, epoch by epoch: what is noted, when it stops, and which weights it ends with - as scikit-learn has it."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import fanin
from fanin.sklearn.epochs import Epochs
from fanin.training.callbacks import Callbacks, Training
from fanin.training.weights import tensors_of

LOOK = 0.2  # seconds after which Ctrl-C is noticed, and verbose prints
# Seconds for which epochs are taken ahead of the first that may be the last. 200 epochs of two steps took 33 ms in
# blocks of 11, of which Python had half.
AHEAD = 0.01
FIRST_ROWS = 10_000  # in the epochs that are taken before it is known how long one takes
LOWEST_RATE = 1e-6  # at which "adaptive" gives up, as in scikit-learn


@dataclass(frozen=True)
class Held:
    """Rows to judge by: inputs, labels as the user has them, targets as the loss takes them, and weights."""

    inputs: Any
    labels: Any
    targets: Any
    weights: Any = None


class Loop:
    """Runs the epochs of an estimator, and writes what it sees into the estimator's attributes."""

    def __init__(self, estimator: Any, epochs: Epochs, rows: int, held: Held | None, most: int) -> None:
        self.estimator, self.epochs, self.rows, self.held, self.most = estimator, epochs, rows, held, most
        task = epochs.task
        self.callbacks = Callbacks(estimator.callbacks or ())
        self.training = Training(task.model, task.loss, task.optimizer, epochs.scheduler, most)
        self._seconds = 0.0

    def run(self) -> bool:
        """Run to the end; say whether it stopped because nothing got better."""
        self.callbacks.call("on_train_begin", self.training)
        stopped = False
        try:
            while self.estimator.n_iter_ < self.most and not stopped and not self._is_lost():
                stopped = self._next()
                if self.training.reason:
                    break
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        self.callbacks.call("on_train_end", self.training)
        return stopped

    def warn(self) -> None:
        """Warn when there were as many epochs as there may be."""
        most = self.estimator.max_iter
        if self.estimator.n_iter_ == most:
            message = (
                f"Stochastic Optimizer: Maximum iterations ({most}) reached and the optimization hasn't converged yet."
            )
            warnings.warn(message, ConvergenceWarning, stacklevel=5)  # the line that calls fit

    # Epochs -----------------------------------------------------------------------------------------------------------

    def _next(self) -> bool:
        started, count = time.perf_counter(), self._count()
        if self.callbacks:
            self.training.epoch += 1
            self.callbacks.call("on_epoch_begin", self.training)
        means = self.epochs.run(count, self._wanted)
        self._seconds = (time.perf_counter() - started) / len(means)
        for mean in means[:-1]:
            self._note(mean)
        return self._note(means[-1])

    def _count(self) -> int:
        """Return how many epochs to take at once.

        Before `calm` epochs have passed training cannot end. Short epochs are taken ahead of that: should the end lie
        among them, the rest is undone.
        """
        estimator = self.estimator
        if self.held is not None or self.callbacks:
            return 1
        left = self.most - estimator.n_iter_
        calm = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
        if not self._seconds:
            return max(1, int(min(left, calm, FIRST_ROWS // self.rows)))
        return max(1, int(min(left, LOOK / self._seconds, max(calm, AHEAD / self._seconds))))

    def _wanted(self, means: list[float]) -> int:
        """Return how many of some epochs come before the end, or a change of the rate, by their losses."""
        estimator = self.estimator
        if self.held is not None or self.callbacks:
            return len(means)
        best, waited = estimator.best_loss_, estimator._no_improvement_count
        for number, loss in enumerate(means, 1):
            waited = waited + 1 if loss > best - estimator.tol else 0
            best = min(best, loss)
            if waited > estimator.n_iter_no_change:
                return number
        return len(means)

    def _note(self, loss: float) -> bool:
        """Take note of an epoch's loss; say whether it was the last one."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self.rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")  # noqa: T201
        self._judge()
        if estimator.early_stopping:
            self._compare_scores()
        else:
            self._compare_losses()
        self._tell(loss)
        return estimator._no_improvement_count > estimator.n_iter_no_change and self._give_up()

    def _judge(self) -> None:
        if self.held is None:
            return
        estimator, held = self.estimator, self.held
        output = estimator._raw(held.inputs, self.epochs.task.model)
        estimator.validation_loss_curve_.append(self._loss_on(output))
        score = math.nan if self.epochs.is_lost else estimator._score_of(output, held.labels, held.weights)
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")  # noqa: T201

    def _loss_on(self, output: Any) -> float:
        """Return the loss of the held rows, without the penalty."""
        held = self.held
        assert held is not None
        objective = self.epochs.task.loss
        target: Any = fanin.from_numpy(held.targets)
        if objective.is_weighted:
            weights = np.ones(len(output)) if held.weights is None else held.weights
            target = (target, fanin.from_numpy(np.asarray(weights, output.dtype)))
        with fanin.no_grad(), np.errstate(all="ignore"):
            return float(objective.data_loss(fanin.from_numpy(output), target)[0])

    def _compare_scores(self) -> None:
        estimator = self.estimator
        score = estimator.validation_scores_[-1]
        worse = score < estimator.best_validation_score_ + estimator.tol
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if worse else 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            estimator._best = copied(self.epochs.task.model)

    def _compare_losses(self) -> None:
        estimator = self.estimator
        worse = estimator.loss_ > estimator.best_loss_ - estimator.tol
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if worse else 0
        estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)

    def _give_up(self) -> bool:
        """Stop, or go on with a lower rate."""
        estimator, groups = self.estimator, self.epochs.task.optimizer.param_groups
        what = "Validation score" if estimator.early_stopping else "Training loss"
        told = f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} consecutive "
        if estimator.learning_rate != "adaptive" or estimator.solver != "sgd":
            self._say(told + "epochs. Stopping.")
            return True
        if groups[0]["lr"] <= LOWEST_RATE:
            self._say(told + "epochs. Learning rate too small. Stopping.")
            return True
        for group in groups:
            group["lr"] /= 5.0
        self._say(told + f"epochs. Setting learning rate to {groups[0]['lr']:f}")
        estimator._no_improvement_count = 0
        return False

    def _say(self, text: str) -> None:
        if self.estimator.verbose:
            print(text)  # noqa: T201

    def _tell(self, loss: float) -> None:
        """Let the callbacks know."""
        if not self.callbacks:
            return
        history, estimator = self.training.history, self.estimator
        history.losses.append(loss)
        if self.held is not None:
            history.validation_losses.append(estimator.validation_loss_curve_[-1])
            history.metrics.setdefault("score", []).append(estimator.validation_scores_[-1])
        history.rates.append(float(self.training.optimizer.param_groups[0].get("lr", math.nan)))
        history.seconds.append(self._seconds)
        self.callbacks.call("on_epoch_end", self.training)

    def _is_lost(self) -> bool:
        """Say whether the weights are beyond repair, so that no more epochs can change what comes out."""
        curve = self.estimator.loss_curve_
        if not curve or math.isfinite(curve[-1]):
            return False
        self.epochs.is_lost = self.epochs.is_lost or not is_finite(self.epochs.task.model)
        return self.epochs.is_lost


def copied(model: Any) -> dict[str, Any]:
    """Return copies of a network's parameters and buffers by name."""
    return {name: tensor._array.copy() for name, tensor in tensors_of(model).items()}


def is_finite(model: Any) -> bool:
    """Say whether all weights are finite."""
    return all(np.isfinite(tensor._array).all() for tensor in model.parameters())
