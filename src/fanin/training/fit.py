"""`fit`: a whole training run in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fanin._core.advice import give
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.nn import BCELoss, BCEWithLogitsLoss, Module
from fanin.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits
from fanin.optim import Optimizer
from fanin.tensor.functions.creation import full_like
from fanin.training.callbacks import Callbacks, Training
from fanin.training.checkpoint import CheckpointFile, Parts, fingerprint, streams_of
from fanin.training.data import (
    Batching,
    Sources,
    is_fraction,
    split_by_fraction,
    validation_source,
)
from fanin.training.engines import Task, check_engine
from fanin.training.history import History
from fanin.training.judging import Judge
from fanin.training.loop import Run, Saving
from fanin.training.metrics import metrics_of
from fanin.training.schedule import schedule_of
from fanin.training.source import Rows, Source
from fanin.training.weights import Members

_OF_PROBABILITIES = {BCELoss: binary_cross_entropy, BCEWithLogitsLoss: binary_cross_entropy_with_logits}


def fit(
    model: Any,
    train: Any,
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    epochs: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
    generator: Any = None,
    validation: Any = None,
    metrics: str | Iterable[Any] | Mapping[str, Callable[[Any, Any], Any]] = (),
    scheduler: Any = None,
    clip_grad_norm: float | None = None,
    callbacks: Any = (),
    patience: int | None = None,
    restore_best: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = True,
) -> History:
    """Train a model, in place, and return what happened.

    It does what this loop does, with the same rows in the same order and the same random numbers, so that the weights
    are the same afterwards, and the state of the default generator, too:

        loader = DataLoader(TensorDataset(x, y), batch_size, shuffle=True)
        for epoch in range(epochs):
            model.train()
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss(model(inputs), targets).backward()
                optimizer.step()
            scheduler.step()

    Args:
        model: a Module; in training mode for the steps, in evaluation mode for validation, and left as it was found.
        train: (x, y), with x and y of shape (rows, ...), or ((x1, x2), y) for a model with several inputs; or a
            dataset, or a DataLoader. Tensors keep their dtype, and are used where they lie when they are contiguous.
            Arrays, lists and data frames get the dtype of the model; whole numbers as targets stay whole where the
            loss takes classes, or is your own.
        loss: called as loss(output, target); a loss module or any function that returns one number as a tensor.
        optimizer: an optimiser of the model's parameters.
        epochs: passes over the rows; with resume the total, with those before.
        batch_size: rows of a step, 32 if not given. This one and the next three are for data other than a DataLoader.
        shuffle: take the rows in a new random order in each epoch.
        drop_last: leave a last, shorter batch out.
        generator: the stream of the order; the default generator's if not given.
        validation: rows to judge by after each epoch: (x, y), a dataset or DataLoader; or the share of the rows of
            train that is held out for it, as 0.2. Which ones is drawn from a stream of its own, the same in each run.
        metrics: names ("accuracy", "mae", "mse", "rmse", "r2", "auc") or functions of (outputs, targets) that return
            a number, computed after each epoch on all validation rows, without validation on the training rows.
        scheduler: of the learning rate. It takes a step after each epoch, OneCycleLR and CyclicLR after each batch;
            ("batch", scheduler) or ("epoch", scheduler) says otherwise. ReduceLROnPlateau is given the validation loss,
            without validation the training loss.
        clip_grad_norm: scale the gradients of the optimiser's parameters so that their common norm is at most this.
        callbacks: functions called at the end of each epoch, or `Callback`s; each is given a `Training`.
        patience: end training after so many epochs without a lower validation loss (training loss without validation).
        restore_best: put the weights of the best epoch back in the end, when there was patience, or when training was
            cut short by Ctrl-C or a loss that is not finite. Without patience, a full run keeps its last weights.
        checkpoint: a file to which the state is written after an epoch (as often as costs a tenth of the time, and in
            the end), whole or not at all.
        resume: go on from the checkpoint, to the weights that the run would have had without a break; begin anew
            where there is no such file.
        engine: "eager" (the loop above), "native" (compiled steps), "numpy" (the same steps, evaluated with NumPy), or
            "auto": native for rows in memory, eager for batches that are made in Python, and eager with a warning where
            a step cannot be compiled.
        threads: how many threads the steps may use; the engine's choice if not given.
        progress: show a bar on the terminal when the run takes more than a second.

    Compiled steps differ from the loop in three ways: sums are rounded in another order, as with another BLAS; the
    masks of dropout come from a stream of their own, which is seeded by one draw of the default generator; and
    gradients are not left in `.grad`.

    Ctrl-C ends training after the current epoch (of short ones, after those of the next tenth of a second), with its
    history and the best weights; a second Ctrl-C raises KeyboardInterrupt at once.

    Raises:
        DivergenceError: the loss became NaN or infinite; the message names epoch, step and likely cause.
        ShapeError, DtypeError, ArgumentError: data or arguments that do not fit; the message says which.
        StateError: resume, and the checkpoint is that of another model, optimiser or kind of run.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(200, 2)
    >>> y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> history = torch.fit(model, (x, y), torch.nn.MSELoss(), optimizer, epochs=10, batch_size=20)
    >>> len(history), history.losses[-1] < 1e-3
    (10, True)
    >>> [round(w, 2) for w in model.weight[0].tolist()]
    [2.0, -1.0]
    """
    return prepared(**locals()).go()


def prepared(
    *,
    model: Any,
    train: Any,
    loss: Any,
    optimizer: Any,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    drop_last: bool,
    generator: Any,
    validation: Any,
    metrics: Any,
    scheduler: Any,
    clip_grad_norm: float | None,
    callbacks: Any,
    patience: int | None,
    restore_best: bool,
    checkpoint: Any,
    resume: bool,
    engine: str,
    threads: int | None,
    progress: bool,
    sources: Sources | None = None,
    aside: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Run:
    """Check the arguments of `fit`, and return the run that they describe.

    sources: those of many runs. aside: surrounds work that leaves Python alone.
    """
    members = _check_parts(model, loss, optimizer)
    _check_numbers(epochs, patience, clip_grad_norm, threads)
    check_engine(engine)
    batching = Batching(batch_size, shuffle, drop_last, generator)
    held_out = None
    if is_fraction(validation):
        train, validation, held_out = split_by_fraction(train, float(validation), model, loss)
    source = (sources or Sources()).training(train, model, loss, batching, held_out)
    if epochs and source.steps == 0:
        raise ArgumentError(
            "fit: an epoch has no steps: with drop_last, the batch size must be at most the number of rows"
        )
    if engine != "eager":
        _look_at_targets(source, loss)
    schedule = schedule_of(scheduler, optimizer, epochs, source.steps)
    task = Task(model, loss, optimizer, source, schedule.per_step, clip_grad_norm, threads, aside, members)
    parts = Parts(model, optimizer, schedule.scheduler, streams_of(source, generator), loss)
    return Run(
        Training(model, loss, optimizer, schedule.scheduler, epochs),
        task,
        parts,
        engine,
        _judge(validation, source, model, loss, metrics, batch_size),
        schedule,
        Callbacks(callbacks),
        patience,
        restore_best,
        _saving(checkpoint, resume, parts, task),
        progress=progress,
    )


def _look_at_targets(source: Source, loss: Any) -> None:
    """Let a loss of probabilities say of all targets what it says in eager code: compiled steps look at no values."""
    look = _OF_PROBABILITIES.get(type(loss))
    if look is None or not isinstance(source, Rows) or source.paired or not source.tensors[-1].is_floating_point():
        return
    target = source.tensors[-1].detach()
    look(full_like(target, 0.5), target)


def _judge(validation: Any, train: Source, model: Any, loss: Any, metrics: Any, batch_size: int | None) -> Judge | None:
    found = metrics_of(metrics, loss)
    if validation is not None:
        return Judge(validation_source(validation, model, loss, batch_size), loss, found)
    if not found:
        return None
    if not isinstance(train, Rows):
        raise ArgumentError(
            "fit: metrics need rows in memory, or validation",
            remedy="A pass over the loader for the metrics would draw from its stream. Give validation=...",
        )
    return Judge(train, None, found)


def _saving(checkpoint: Any, resume: bool, parts: Parts, task: Task) -> Saving | None:
    if checkpoint is None:
        if resume:
            raise ArgumentError("fit: resume=True needs checkpoint, the path of the file to go on from")
        return None
    return Saving(CheckpointFile(checkpoint), fingerprint(parts, task.loss, task.source, task.clip), resume)


def _check_parts(model: Any, loss: Any, optimizer: Any) -> Members:
    """Raise unless the parts of a run belong together, and return what the model is made of."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(f"fit: model must be a Module, not {type(model).__name__}")
    if isinstance(loss, type):
        raise ArgumentTypeError(f"fit: loss is the class {loss.__name__}; give an object of it: {loss.__name__}()")
    if not callable(loss):
        raise ArgumentTypeError(f"fit: loss must be a function of (output, target), not {type(loss).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"fit: optimizer must be an Optimizer, not {optimizer!r}",
            remedy="For example torch.optim.Adam(model.parameters(), lr=1e-3).",
        )
    members = Members.of(model)
    _check_owner(members, loss, optimizer)
    return members


def _check_owner(members: Members, loss: Any, optimizer: Any) -> None:
    own = set(map(id, members.parameters.values()))
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    strange = [p for p in held if p not in own]
    if not strange:
        return
    beside = {id(p) for p in loss.parameters()} if isinstance(loss, Module) else set()
    strange = [p for p in strange if p not in beside]
    if len(strange) == len(held):
        raise ArgumentError(
            "fit: the optimizer has none of the model's parameters: it was made for another model",
            remedy="Make it after the model: optimizer = torch.optim.Adam(model.parameters()).",
        )
    if strange:
        give(
            UserWarning,
            f"fit: {len(strange)} of the {len(held)} parameters of the optimizer are not the model's; they stay as "
            "they are unless the loss reaches them",
        )


def _check_numbers(epochs: Any, patience: Any, clip: Any, threads: Any) -> None:
    for name, value, low in (("epochs", epochs, 0), ("patience", patience, 1), ("threads", threads, 1)):
        if value is None and name != "epochs":
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise ArgumentTypeError(f"fit: {name} must be a whole number, not {value!r}")
        if value < low:
            raise ArgumentError(f"fit: {name} must be {low} or more, not {value}")
    if clip is not None and not clip > 0:
        raise ArgumentError(f"fit: clip_grad_norm must be above 0, not {clip}")
