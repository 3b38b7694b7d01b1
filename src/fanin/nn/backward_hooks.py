"""Hooks that see the gradients of a module's inputs and outputs.

The tensors that go into a module pass through one identity, those that come out through another. The hooks are hung
on these: the gradients of all the inputs are known when the backward pass reaches the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import OperationError
from fanin.ops import elementwise
from fanin.ops.activation import identity
from fanin.ops.index import getitem
from fanin.ops.shape import cat, reshape_op
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import apply, wrap

Grads = tuple[Any, ...]


class BackwardHook:
    """The hooks of one call of a module."""

    def __init__(self, module: Any, hooks: Sequence[Callable[..., Any]], before: Sequence[Callable[..., Any]]) -> None:
        self.module, self.hooks, self.before = module, hooks, before
        self.grad_outputs: Grads | None = None
        self.inputs: Grads = ()
        self.outputs: Grads = ()
        self.input_places: list[int] = []
        self.output_places: list[int] = []

    def around_inputs(self, args: Grads) -> Grads:
        """Return the arguments, the differentiable tensors among them behind an identity with the hooks."""
        self.inputs, self.input_places = args, _differentiable(args)
        return _through(args, self.input_places, self._at_inputs) if self.input_places else args

    def around_outputs(self, result: Any) -> Any:
        """Return the result, its differentiable tensors behind an identity that notes their gradients."""
        self.outputs = result if isinstance(result, tuple) else (result,)
        self.output_places = _differentiable(self.outputs)
        if not self.output_places:
            return result
        passed = _through(self.outputs, self.output_places, self._at_outputs)
        return passed if isinstance(result, tuple) else passed[0]

    def _at_outputs(self, grads: Grads) -> Grads | None:
        full, changed = _spread(grads, self.output_places, self.outputs), False
        for hook in self.before:
            replaced = hook(self.module, full)
            if replaced is not None:
                full, changed = _as_grads(replaced, len(full), "output"), True
        self.grad_outputs = full
        if not self.input_places:
            self._call_without_inputs(full)
        return tuple(full[i] for i in self.output_places) if changed else None

    def _call_without_inputs(self, grad_outputs: Grads) -> None:
        for hook in self.hooks:
            replaced = hook(self.module, (None,) * len(self.inputs), grad_outputs)
            if replaced is not None and not (isinstance(replaced, tuple) and all(r is None for r in replaced)):
                raise OperationError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )

    def _at_inputs(self, grads: Grads) -> Grads | None:
        # In a second derivative gradients reach the input without passing the output again. That is no pass through
        # the module, and no hook is called.
        if self.grad_outputs is None:
            return None
        full, changed = _spread(grads, self.input_places, self.inputs), False
        for hook in self.hooks:
            replaced = hook(self.module, full, self.grad_outputs)
            if replaced is not None:
                full, changed = _as_grads(replaced, len(full), "input"), True
        self.grad_outputs = None
        return tuple(full[i] for i in self.input_places) if changed else None


def _differentiable(values: Grads) -> list[int]:
    if not mode.enabled:
        return []
    return [i for i, value in enumerate(values) if isinstance(value, TensorBase) and value.requires_grad]  # type: ignore[attr-defined]


def _spread(grads: Grads, places: Sequence[int], values: Grads) -> Grads:
    """Return a gradient for each value: zeros for a tensor that takes none, None for what is no tensor."""
    full = [wrap(np.zeros_like(value._array)) if isinstance(value, TensorBase) else None for value in values]
    for place, grad in zip(places, grads, strict=True):
        full[place] = grad
    return tuple(full)


def _as_grads(replaced: Any, count: int, which: str) -> Grads:
    grads = replaced if isinstance(replaced, tuple) else (replaced,)
    if len(grads) != count:
        raise OperationError(
            f"Backward hook returned an invalid number of grad_{which}, got {len(grads)}, but expected {count}"
        )
    return grads


def _through(values: Grads, places: Sequence[int], hook: Callable[[Grads], Grads | None]) -> Grads:
    """Pass the tensors at some places through one point of the tape, where hook sees all their gradients at once."""
    tensors = [values[i] for i in places]
    passed = [_through_one(tensors[0], hook)] if len(tensors) == 1 else _through_many(tensors, hook)
    out = list(values)
    for place, tensor in zip(places, passed, strict=True):
        out[place] = tensor
    return tuple(out)


def _through_one(tensor: Any, hook: Callable[[Grads], Grads | None]) -> Any:
    def one(grad: Any) -> Any:
        replaced = hook((grad,))
        return None if replaced is None else replaced[0]

    passed = apply(identity, (tensor,), {})
    passed.register_hook(one)
    return passed


def _through_many(tensors: Sequence[Any], hook: Callable[[Grads], Grads | None]) -> list[Any]:
    # The tape knows only operations with one result. So the tensors are laid end to end, which is one point of the
    # tape, and cut apart again on either side of it.
    joined = _join(tensors)

    def many(grad: Any) -> Any:
        replaced = hook(tuple(_cut(grad, tensors)))
        return None if replaced is None else _join(replaced)

    joined.register_hook(many)
    return _cut(joined, tensors)


def _join(tensors: Sequence[Any]) -> Any:
    flat = [apply(reshape_op, (tensor,), {"shape": (-1,)}) for tensor in tensors]
    return apply(cat, tuple(flat), {"dim": 0})


def _cut(joined: Any, like: Sequence[Any]) -> list[Any]:
    pieces, start = [], 0
    for tensor in like:
        end = start + tensor._array.size
        piece = apply(getitem, (joined,), {"index": (slice(start, end),)})
        piece = apply(reshape_op, (piece,), {"shape": tensor._array.shape})
        if piece._array.dtype != tensor._array.dtype:
            piece = apply(elementwise.cast, (piece,), {"dtype": tensor._array.dtype})
        pieces.append(piece)
        start = end
    return pieces
