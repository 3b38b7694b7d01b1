"""Why a loss became NaN or infinite: the likely cause, found in the data, the weights, the outputs and the losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import FaninError
from fanin._core.quiet import Quiet
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import no_grad
from fanin.training.source import Rows, flat

SMALLER = 10.0  # what to divide a rate by that is too large
LARGE = 100.0  # mean size of a column from which on its gradients are too long for the usual rates
GROWN = 1e12  # outputs that no target asks for
MODERATE = 1e10  # losses from which no gradient overflows


def cause_of(task: Any, batch: Any, losses: Sequence[float], before: bool) -> tuple[str, str]:
    """Return the likely cause of a loss that is not finite, and what to do about it.

    losses: those up to the one in question, of this epoch and the last ones before it.
    before: whether the weights are still those that the loss was computed with.
    """
    found = _in_data(task, batch) or _in_classes(task.loss, batch)
    if found is not None:
        return found
    rising = _rising(losses)
    if rising:
        return _too_fast(task, batch, rising)
    if before:
        found = _in_parameters(task, batch, losses) or _in_outputs(task, batch)
    return found or _too_fast(task, batch, "the weights grew without limit")


def _too_fast(task: Any, batch: Any, sign: str) -> tuple[str, str]:
    """Name the rate, and the columns whose size makes it too large, with the sign of it."""
    rate = task.optimizer.param_groups[0].get("lr")
    cause = f"the learning rate is too large (lr={_shown(rate)})"
    large = _large(task, batch)
    if large is None:
        return f"{cause}: {sign}", f"Try a smaller rate: lr={_smaller(rate)}, or clip_grad_norm=1.0."
    name, size = large
    letter = "x" if name.startswith("input") else "y"
    return (
        f"{cause} for the {name}, whose values are as large as {size:.4g}: {sign}",
        f"Scale such columns, as ({letter} - {letter}.mean(0)) / {letter}.std(0).",
    )


def _in_data(task: Any, batch: Any) -> tuple[str, str] | None:
    where = "of the data" if isinstance(task.source, Rows) else "of the batch"
    for name, array in _arrays(task, batch):
        place = _first_not_finite(array)
        if place is not None:
            return f"the {name} has {place} {where}", "Remove such rows, or fill the gaps, before training."
    return None


def _in_classes(loss: Any, batch: Any) -> tuple[str, str] | None:
    """Look for a batch of which the loss of classes leaves every row out: it divides by the rows that are left."""
    ignored = getattr(loss, "ignore_index", None)
    target = getattr(batch, "target", None)
    if ignored is None or getattr(loss, "reduction", "") != "mean" or not isinstance(target, TensorBase):
        return None
    classes = target._array
    if classes.dtype.kind not in "iu" or not (classes == ignored).all():
        return None
    cause = f"all {classes.size} targets of the batch are ignore_index={ignored}, and the mean of no losses is 0/0"
    return cause, 'Leave such rows out, take larger batches or drop_last=True, or add the losses up: reduction="sum".'


def _large(task: Any, batch: Any) -> tuple[str, float] | None:
    """Return the input or target with the largest column, and its largest value; None where all are of usual size."""
    found = []
    for name, array in _arrays(task, batch):
        if array.dtype.kind == "f" and array.size:
            sizes = np.abs(array.reshape(len(array), -1)).mean(axis=0, dtype=np.float64)
            found.append((float(sizes.max()), name, float(np.abs(array).max())))
    size, name, most = max(found, default=(0.0, "", 0.0))
    return (name, most) if size > LARGE else None


def _arrays(task: Any, batch: Any) -> Iterator[tuple[str, Any]]:
    """Yield the inputs and targets of all rows, or of the batch, with what they are called."""
    source = task.source
    whole = source.batch(source.tensors) if isinstance(source, Rows) else batch
    if whole is None:
        return
    for kind, values in (("input", whole.inputs), ("target", [whole.target])):
        tensors = [t for t in flat(values) if isinstance(t, TensorBase)]
        for number, tensor in enumerate(tensors):
            yield f"{kind} {number + 1}" if len(tensors) > 1 else kind, tensor._array


def _first_not_finite(array: Any) -> str | None:
    if array.dtype.kind != "f":
        return None
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return None
    first = tuple(int(i) for i in bad[0])
    columns = "" if len(first) < 2 else f", column {', '.join(map(str, first[1:]))}"
    return f"{array[first]} in row {first[0]}{columns} ({len(bad)} such values)"


def _in_parameters(task: Any, batch: Any, losses: Sequence[float]) -> tuple[str, str] | None:
    """Look at the weights that the failed pass began with."""
    name = next((name for name, p in task.model.named_parameters() if not np.isfinite(p._array).all()), None)
    if name is None:
        return None
    last = next((loss for loss in reversed(losses) if math.isfinite(loss)), math.inf)
    if np.isnan(task.model.get_parameter(name)._array).any() and abs(last) < MODERATE:
        cause = f"the parameter {name} is nan after a step from a loss of {last:.4g}"
        remedy = "Keep the argument away from there, as torch.sqrt(z + 1e-12)."
        return f"{cause}: a derivative was not finite, as that of sqrt or of a norm at 0", remedy
    return f"the parameter {name} is no longer finite after the step before", _too_fast(task, batch, "")[1]


def _in_outputs(task: Any, batch: Any) -> tuple[str, str] | None:
    """Look at the outputs of every module, in the forward pass that failed."""
    trail: list[tuple[str, Any]] = []
    hooks = [module.register_forward_hook(_noting(name, trail)) for name, module in task.model.named_modules()]
    try:
        with no_grad(), Quiet():
            output = task.model(*batch.inputs)
    except (FaninError, ArithmeticError, ValueError):
        return None
    finally:
        for hook in hooks:
            hook.remove()
    for name, result in trail:
        if not _finite(result):
            which = f"module {name!r} ({type(task.model.get_submodule(name)).__name__})" if name else "model"
            sign = f"the output of the {which} is not finite"
            fast, remedy = _too_fast(task, batch, sign)
            return (fast if _large(task, batch) else f"{sign}, though its weights are"), remedy
    arrays = [t._array for t in flat([output]) if isinstance(t, TensorBase)]
    if not arrays or not all(_finite(array) for array in arrays):
        return None
    low, high = min(float(a.min()) for a in arrays), max(float(a.max()) for a in arrays)
    if max(-low, high) > GROWN:
        return _too_fast(task, batch, f"the outputs grew to {high if high > -low else low:.4g}")
    cause = (
        f"the outputs are finite, between {low:.4g} and {high:.4g}, but their loss is not: it takes a logarithm of 0 "
        "or of a negative number, divides by 0, or overflows"
    )
    remedy = (
        "Use a loss that takes logits (BCEWithLogitsLoss, CrossEntropyLoss), or keep the argument of log above 0, "
        "as with .clamp(min=1e-7)."
    )
    return cause, remedy


def _noting(name: str, trail: list[tuple[str, Any]]) -> Callable[[Any, Any, Any], None]:
    def note(_: Any, __: Any, output: Any) -> None:
        trail.append((name, output))

    return note


def _finite(values: Any) -> bool:
    tensors: Iterable[Any] = flat([values])
    arrays = [t._array if isinstance(t, TensorBase) else t for t in tensors]
    return all(bool(np.isfinite(a).all()) for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f")


def _rising(losses: Sequence[float]) -> str:
    """Say how far the losses rose before the end; nothing where they did not."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 2:
        return ""
    lowest = min(range(len(finite)), key=finite.__getitem__)
    low, last = finite[lowest], finite[-1]
    if last <= 10 * abs(low) or lowest == len(finite) - 1:
        return ""
    steps = len(finite) - 1 - lowest
    return f"the loss rose from {low:.4g} to {last:.4g} in the last {f'{steps} steps' if steps > 1 else 'step'}"


def _shown(rate: Any) -> str:
    return "?" if rate is None else f"{float(rate):g}"


def _smaller(rate: Any) -> str:
    return "..." if rate is None else f"{float(rate) / SMALLER:.1g}"
