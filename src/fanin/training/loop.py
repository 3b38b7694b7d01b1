"""The epochs of one run: steps, validation, schedule, callbacks, the best weights, checkpoints, and how it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fanin._core.errors import DivergenceError, IndexRangeError
from fanin.tensor.grad_mode import no_grad
from fanin.training.callbacks import Callbacks, Training
from fanin.training.checkpoint import CheckpointFile, Parts, check_same
from fanin.training.divergence import cause_of
from fanin.training.engines import Engine, NotFinite, Steps, Task, make_engine
from fanin.training.history import History
from fanin.training.interrupt import Interrupt
from fanin.training.judging import Judge
from fanin.training.progress import Progress
from fanin.training.schedule import Schedule
from fanin.training.several import Several
from fanin.training.source import Batch, Rows
from fanin.training.threads import product_threads
from fanin.training.weights import Kept, Members

PIECE = 4096  # rows that are looked at together for an index or class that does not exist
RECENT = 100  # epochs, and losses of each, before a divergence that its diagnosis reads


@dataclass(frozen=True)
class Saving:
    """Where a run is saved, and what is compared when it goes on."""

    file: CheckpointFile
    fingerprint: dict[str, Any]
    resume: bool


@dataclass
class Run:
    """One call of `fit`, checked and ready.

    tell:   is told the share of the run that is done, besides the progress bar.
    best:   the weights of the best epoch; lowest: its loss; waited: how many epochs ago it was.
    """

    training: Training
    task: Task
    parts: Parts
    engine: str
    judge: Judge | None
    schedule: Schedule
    callbacks: Callbacks
    patience: int | None = None
    restore_best: bool = True
    saving: Saving | None = None
    interrupt: Interrupt = field(default_factory=Interrupt)
    progress: bool = True
    tell: Callable[[float], None] | None = None
    best: Kept = field(init=False)
    lowest: float = field(init=False, default=math.inf)
    waited: int = field(init=False, default=0)
    _watch: Any = field(init=False, default=None)
    _running: Engine | None = field(init=False, default=None)

    @property
    def history(self) -> History:
        """The epochs so far."""
        return self.training.history

    def go(self) -> History:
        """Run to the end."""
        members = self.task.members()
        modes = [module.training for module in members.modules]
        self.best = Kept(self.task.model, self.task.loss, self.task.optimizer)
        try:
            with self.interrupt, product_threads(self.task.threads):
                return self._go(members)
        finally:
            for module, mode in zip(members.modules, modes, strict=True):
                if module.training is not mode:
                    module.training = mode
            # No circle of references is left: a search makes thousands of runs, which should go with their networks.
            self._watch = self._running = None
            self.best.forget()

    def _go(self, members: Members) -> History:
        self._recent: list[Any] = []  # losses of the steps of the last epochs, (epochs, steps) each
        self._engine_state: dict[str, Any] = {}
        self._resume()
        if not self.history.losses:
            self.best.take(members=members)
        self.lowest = self.history.best_loss if self.history.losses else math.inf
        self.waited = len(self.history) - self.history.best_epoch
        self._settled = self._is_training = False
        self.callbacks.call("on_train_begin", self.training)
        bar = Progress(self.progress, self._describe)
        self._watch = _Watch(self, bar)
        engine, several = None, Several(self)
        try:
            while self._goes_on():
                self._running = engine = engine or self._engine()
                if not several.take(engine):
                    self._epoch(engine)
            if self.saving is not None or (self.restore_best and self._restores()):
                self.best.settle()
        except NotFinite as problem:
            self._diverged(problem)
        except IndexRangeError:
            self._look_at_rows()
            raise
        except KeyboardInterrupt:
            self._end("interrupted", True)
            raise
        finally:
            bar.close()
            if engine is not None:
                engine.close()
        self._finish()
        return self.history

    def _engine(self) -> Engine:
        engine = make_engine(self.engine, self.task)
        engine.load_state(self._engine_state)
        self.history.engine = engine.name
        return engine

    def _goes_on(self) -> bool:
        training = self.training
        if not training.reason and self.patience is not None and self.waited >= self.patience:
            training.reason = "patience"
        if not training.reason and self.interrupt.wanted:
            training.reason = "interrupted"
        return not training.reason and len(self.history) < training.epochs

    # One epoch --------------------------------------------------------------------------------------------------------

    def _epoch(self, engine: Engine) -> None:
        started = time.perf_counter()
        training, task = self.training, self.task
        training.epoch = len(self.history) + 1
        rate = float(task.optimizer.param_groups[0].get("lr", math.nan))
        self.callbacks.call("on_epoch_begin", training)
        if not self._is_training or self.judge is not None or self.callbacks:
            task.model.train()
            self._is_training = True
        self._watch.begin()
        steps = engine.run_epoch(self._watch)
        self._recent = [*self._recent[-RECENT:], steps.losses[None, -RECENT:]]
        validation, metrics = self._validation(steps)
        with self.interrupt.later():
            self._record(steps.mean(), validation, metrics, rate, started)
        self.schedule.end_epoch(self.history.judged[-1])
        self.callbacks.call("on_epoch_end", training)
        self.save(final=False)

    def _validation(self, steps: Steps) -> tuple[float | None, dict[str, float]]:
        if self.judge is None:
            return None, {}
        loss, metrics = self.judge.judge(self.task.model)
        if self.judge.loss is None:
            return None, metrics
        if not math.isfinite(loss):
            raise _NotFiniteValidation(len(steps.losses) - 1, loss)
        return loss, metrics

    def _record(
        self, loss: float, validation: float | None, metrics: dict[str, float], rate: float, started: float
    ) -> None:
        history = self.history
        judged = loss if validation is None else validation
        if judged < self.lowest:
            # Only what a user's code does, or a first forward pass, gives a model other tensors.
            take = partial(self.best.take, same=self._settled)
            if len(history) + 1 == self.training.epochs and not self.callbacks:
                self.best.promise(take)  # nobody changes the weights any more, and mostly nobody asks for a copy
            else:
                take()
            self.lowest, self.waited = judged, 0
            self._settled = not self.callbacks
        else:
            self.waited += 1
        history.losses.append(loss)
        if validation is not None:
            history.validation_losses.append(validation)
        for name, value in metrics.items():
            history.metrics.setdefault(name, []).append(value)
        history.rates.append(rate)
        history.seconds.append(time.perf_counter() - started)

    def record_block(self, means: list[float], rates: list[float], losses: Any, started: float) -> None:
        """Record epochs that were taken at once, with the losses of their steps; the best weights are kept already."""
        history, count = self.history, len(means)
        lowest = min(means)
        if lowest < self.lowest:
            self.lowest, self.waited = lowest, count - 1 - means.index(lowest)
        else:
            self.waited += count
        history.losses += means
        history.rates += rates
        self._recent = [*self._recent[-RECENT:], losses[-RECENT:, -RECENT:].copy()]
        self.training.epoch = len(history)
        self._watch.begin()
        self._watch.step(0, float(losses[-1, -1]))
        history.seconds += [(time.perf_counter() - started) / count] * count

    # The end ----------------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        reason = self.training.reason
        self.history.stopped = reason or "finished"
        self.save(final=True)
        self._end(self.history.stopped, self._restores())
        self.callbacks.call("on_train_end", self.training)

    def _restores(self) -> bool:
        """Say whether a run that ends without an error goes back to its best weights."""
        return self.patience is not None or self.training.reason == "interrupted"

    def _end(self, reason: str, restore: bool) -> None:
        self.history.stopped = reason
        if restore and self.restore_best:
            with self.interrupt.later():
                self.best.settle()
                self.best.put_back()

    def _diverged(self, problem: NotFinite) -> None:
        epoch, step = len(self.history) + 1, problem.step + 1
        epochs = [losses for block in self._recent for losses in block.tolist()]
        recent = [loss for losses in epochs[-RECENT:] for loss in losses]
        cause, remedy = cause_of(self.task, problem.batch, [*recent, *problem.losses], problem.before)
        loss = problem.losses[-1]
        self._end("diverged", True)
        self._look_at_classes(problem)
        what = "validation loss" if isinstance(problem, _NotFiniteValidation) else "loss"
        where = (
            f"after epoch {epoch}" if isinstance(problem, _NotFiniteValidation) else f"in epoch {epoch}, step {step}"
        )
        raise DivergenceError(
            f"fit: the {what} became {loss} {where}. The likely cause: {cause}. {remedy}{self._kept()}",
            epoch=epoch,
            step=step,
            loss=loss,
            cause=cause,
            history=self.history,
        ) from None

    def _look_at_classes(self, problem: NotFinite) -> None:
        """Let an eager loss raise its own error, where a validation's rows have a class that does not exist."""
        if problem.batch is None or self.history.engine == "eager":
            return
        with no_grad():
            self.task.loss(self.task.model(*problem.batch.inputs), problem.batch.target)

    def _look_at_rows(self) -> None:
        """Let eager code raise its own error for an index or class that does not exist: native code says only that."""
        if self.history.engine == "eager":
            return
        self._end("diverged", True)
        source = self.task.source
        self.task.model.eval()
        with no_grad():
            for batch in _in_pieces(source) if isinstance(source, Rows) else source.batches():
                self.task.loss(self.task.model(*batch.inputs), batch.target)

    def _kept(self) -> str:
        if not self.restore_best:
            return ""
        best = self.history.best_epoch
        kept = f"those of epoch {best}" if best else "those it started with"
        return f" The model's weights are {kept}."

    # Saving -----------------------------------------------------------------------------------------------------------

    def save(self, final: bool) -> None:
        """Write the checkpoint, if there is one: at the end of the run, and when it is time."""
        if self.saving is None or not self.history.losses:
            return
        if final or self.saving.file.is_due():
            self.best.settle()
            self.saving.file.write(
                {
                    "fanin_fit": 1,
                    "fingerprint": self.saving.fingerprint,
                    "history": self.history.to_dict(),
                    "reason": self.training.reason,
                    "engine": self._engine_state if self._running is None else self._running.state(),
                    "best": self.best.to_tensors(),
                    **self.parts.state(),
                }
            )

    def _resume(self) -> None:
        saving = self.saving
        if saving is None or not saving.resume or not saving.file.exists():
            return
        saved = saving.file.read()
        check_same(saved["fingerprint"], saving.fingerprint, saving.file.path)
        self.parts.load(saved)
        self._engine_state = saved["engine"]
        self.best.load(saved["best"])
        self.training.history = History.from_dict(saved["history"])
        self.training.epoch = len(self.history)

    # Progress ---------------------------------------------------------------------------------------------------------

    def _describe(self) -> str:
        training, history = self.training, self.history
        rate = float(self.task.optimizer.param_groups[0].get("lr", math.nan))
        text = f"epoch {training.epoch}/{training.epochs}  loss {self._watch.loss:.4g}  rate {rate:.2g}"
        return text + (f"  best {history.best_loss:.4g} (epoch {history.best_epoch})" if history.losses else "")


def _in_pieces(source: Rows) -> Iterator[Batch]:
    """Yield all rows in their own order, so many at a time that no memory is filled."""
    whole = source.whole()
    tensors = (*whole.inputs, *(whole.target if source.paired else (whole.target,)))
    for first in range(0, whole.rows, PIECE):
        yield source.batch([tensor[first : first + PIECE] for tensor in tensors])


class _NotFiniteValidation(NotFinite):
    def __init__(self, step: int, loss: float) -> None:
        super().__init__(step, None, [loss], False)


class _Watch:
    """Turns steps into a share of the whole run."""

    def __init__(self, run: Run, bar: Progress) -> None:
        self._run, self._bar = run, bar
        self._steps = run.task.source.steps
        self._finished = 0
        self.loss = math.nan

    def begin(self) -> None:
        """Take note that an epoch begins."""
        self._finished = len(self._run.history)

    def step(self, done: int, loss: float) -> None:
        """Take note of a step."""
        self.loss = loss
        share = done / self._steps if self._steps else 0.0
        self._bar.update(self._finished + share, self._run.training.epochs)
        if self._run.tell is not None:
            self._run.tell((self._finished + share) / self._run.training.epochs)
