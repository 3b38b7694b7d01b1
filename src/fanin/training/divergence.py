"""Why a loss became NaN or infinite: the likely cause, found in the data, the weights, the outputs and the losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import FaninError
from fanin._core.quiet import Quiet
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import no_grad
from fanin.training.source import Rows, flat

SMALLER = 10.0  # what to divide a rate by that is too large


def cause_of(task: Any, batch: Any, losses: Sequence[float], before: bool) -> tuple[str, str]:
    """Return the likely cause of a loss that is not finite, and what to do about it.

    losses: those up to the one in question, of this epoch and the last ones before it.
    before: whether the weights are still those that the loss was computed with.
    """
    rate = task.optimizer.param_groups[0].get("lr")
    remedy = f"Try a smaller rate: lr={_smaller(rate)}, or clip_grad_norm=1.0."
    found = _in_data(task, batch)
    if found is not None:
        return found
    rising = _rising(losses)
    if rising:
        return f"the learning rate is too large (lr={_shown(rate)}): {rising}", remedy
    if before:
        found = _in_outputs(task, batch)
    if found is not None:
        return found[0], found[1] or remedy
    return f"the weights grew without limit (lr={_shown(rate)})", remedy


def _in_data(task: Any, batch: Any) -> tuple[str, str] | None:
    source = task.source
    whole = source.batch(source.tensors) if isinstance(source, Rows) else batch
    if whole is None:
        return None
    where = "of the data" if isinstance(source, Rows) else "of the batch"
    for kind, values in (("input", whole.inputs), ("target", [whole.target])):
        tensors = [t for t in flat(values) if isinstance(t, TensorBase)]
        for number, tensor in enumerate(tensors):
            place = _first_not_finite(tensor._array)
            if place is not None:
                name = f"{kind} {number + 1}" if len(tensors) > 1 else kind
                return f"the {name} has {place} {where}", "Remove such rows, or fill the gaps, before training."
    return None


def _first_not_finite(array: Any) -> str | None:
    if array.dtype.kind != "f":
        return None
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return None
    first = tuple(int(i) for i in bad[0])
    columns = "" if len(first) < 2 else f", column {', '.join(map(str, first[1:]))}"
    return f"{array[first]} in row {first[0]}{columns} ({len(bad)} such values)"


def _in_outputs(task: Any, batch: Any) -> tuple[str, str] | None:
    """Look at the weights and the outputs of every module, in the forward pass that failed."""
    for name, parameter in task.model.named_parameters():
        if not np.isfinite(parameter._array).all():
            return f"the parameter {name} is no longer finite after the step before", ""
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
            return f"the output of the {which} is not finite, though its weights are", ""
    arrays = [t._array for t in flat([output]) if isinstance(t, TensorBase)]
    if not arrays or not all(_finite(array) for array in arrays):
        return None
    low, high = min(float(a.min()) for a in arrays), max(float(a.max()) for a in arrays)
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
    return f"the loss rose from {low:.4g} to {last:.4g} in the last {len(finite) - 1 - lowest} steps"


def _shown(rate: Any) -> str:
    return "?" if rate is None else f"{float(rate):g}"


def _smaller(rate: Any) -> str:
    return "..." if rate is None else f"{float(rate) / SMALLER:.1g}"
