"""`Tensor.backward`, `autograd.backward` and `autograd.grad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.dtypes import FLOATS
from fanin._core.errors import DtypeError, GraphError, ShapeError
from fanin.ops.shape import cat
from fanin.tensor.base import TensorBase, known
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import store
from fanin.tensor.tape import apply, edge_of, refresh, wrap
from fanin.tensor.walking import as_tensor, call_hooks, walk


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of tensors to the `.grad` of the leaves they were computed from.

    For a scalar y and a leaf w: w.grad += dy/dw. For a tensor y with grad_tensors v: w.grad += v^T dy/dw.

    Raises RuntimeError when a tensor does not require a gradient, or is not a scalar and has no grad_tensors.
    """
    if grad_tensors is None and isinstance(tensors, TensorBase):
        roots = [_root(tensors, None, create_graph)]
    else:
        outputs = _as_tuple(tensors)
        given = (None,) * len(outputs) if grad_tensors is None else _as_tuple(grad_tensors)
        roots = [_root(y, g, create_graph) for y, g in zip(outputs, given, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    targets = None
    if inputs is not None:
        targets = {_target_edge(x) for x in _as_tuple(inputs)}
        if not targets:
            raise GraphError("'inputs' argument to backward cannot be empty.")
    found = walk(roots, create_graph=create_graph, retain_graph=retain, targets=targets)
    _accumulate(found, roots)
    if inputs is not None:
        _accumulate_at_nodes(_as_tuple(inputs), found)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of outputs with respect to inputs, without touching any `.grad`.

    With create_graph the gradients have a graph themselves, so that they can be differentiated again. With
    is_grads_batched each of grad_outputs holds one gradient for each row, and so does what is returned.

    Raises RuntimeError when an input was not used (unless allow_unused) or does not require a gradient.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.grad((w ** 3).sum(), w)
    (tensor([ 3., 12.]),)
    """
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    if is_grads_batched and grad_outputs is not None:
        retain = create_graph if retain_graph is None else retain_graph
        kept = {"create_graph": create_graph, "allow_unused": allow_unused, "materialize_grads": materialize_grads}
        return _grads_of_rows(outputs, inputs, _as_tuple(grad_outputs), retain, kept)
    given = _as_tuple(grad_outputs) if grad_outputs is not None else (None,) * len(outputs)
    roots = [_root(y, g, create_graph) for y, g in zip(outputs, given, strict=True)]
    edges = [_target_edge(x) for x in inputs]
    retain = create_graph if retain_graph is None else retain_graph
    found = walk(roots, create_graph=create_graph, retain_graph=retain, targets=set(edges))
    unused_ok = materialize_grads if allow_unused is None else allow_unused
    return tuple(
        _found_or_none(found, edge, x, at, unused_ok, materialize_grads)
        for at, (edge, x) in enumerate(zip(edges, inputs, strict=True))
    )


def _grads_of_rows(outputs: Any, inputs: Any, given: Any, retain: bool, kept: dict[str, Any]) -> tuple[Any, ...]:
    """Return the gradients for each row of the given ones, one walk for each, along a new first dimension."""
    for place, (y, g) in enumerate(zip(outputs, given, strict=True)):
        if g is not None and g._array.shape[1:] != y._array.shape:
            raise ShapeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{place}] has a shape of {_size(g[0])} and "
                f"output[{place}] has a shape of {_size(y)}."
            )
    sizes = {len(g) for g in given if g is not None}
    if len(sizes) != 1 or 0 in sizes:
        raise ShapeError(f"Expected grad_outputs to have the same size, 1 or more, in dimension 0, got {sorted(sizes)}")
    (count,) = sizes
    rows = [
        grad(outputs, inputs, [g if g is None else g[i] for g in given], retain or i + 1 < count, **kept)
        for i in range(count)
    ]
    return tuple(None if parts[0] is None else _stacked(parts) for parts in zip(*rows, strict=True))


def _stacked(parts: tuple[Any, ...]) -> Any:
    return apply(cat, tuple(part.unsqueeze(0) for part in parts), {"dim": 0})


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, TensorBase) else tuple(value)


def _target_edge(x: Any) -> Any:
    if x._base is not None:
        refresh(x)
    edge = edge_of(x)
    if edge is None:
        raise GraphError("One of the differentiated Tensors does not require grad")
    return edge


def _found_or_none(found: dict[Any, Any], edge: Any, x: Any, at: int, unused_ok: bool, materialize: bool) -> Any:
    result = found.get(edge)
    if result is None:
        if not unused_ok:
            raise GraphError(
                f"The differentiated Tensor at index {at} appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        return wrap(np.zeros_like(x._array)) if materialize else None
    result = as_tensor(result)
    if edge is x and x._hooks:
        result = call_hooks(x._hooks, result)
    return result if result._array.base is None and result._array.flags.writeable else _owned(result)


def _owned(result: Any) -> Any:
    # A gradient may be a read-only broadcast view; what a caller gets is memory of its own.
    if result._requires_grad:
        return result
    return wrap(result._array.copy())


# What flows into a scalar loss. A NumPy scalar: its products cost a tenth of those of a zero-dimensional array.
_ONE = {d.numpy: d.numpy.type(1) for d in FLOATS}


def _root(y: Any, grad: Any, create_graph: bool) -> tuple[Any, Any]:
    if y._base is not None:
        refresh(y)
    edge = edge_of(y)
    if edge is None:
        raise GraphError("element 0 of tensors does not require grad and does not have a grad_fn")
    array = y._array
    if grad is None:
        if array.size != 1:
            raise GraphError("grad can be implicitly created only for scalar outputs")
        ones = np.ones(array.shape, array.dtype) if array.ndim else _ONE[array.dtype]
        if mode.capture is not None:
            ones = mode.capture.constant(ones)
        return edge, wrap(ones if not known(ones) else np.array(ones)) if create_graph else ones
    if not isinstance(grad, TensorBase):
        raise DtypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    if grad._array.shape != array.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[0] has a shape of {_size(grad)} and output[0] has a shape of {_size(y)}."
        )
    if create_graph:
        return edge, grad
    return edge, grad._array if mode.capture is None else mode.capture.constant(grad._array)


def _size(x: Any) -> str:
    return f"torch.Size({list(x._array.shape)})"


def _accumulate(found: dict[Any, Any], roots: Sequence[Any]) -> None:
    taken = {id(grad) for _, grad in roots}
    for leaf, grad in found.items():
        if not isinstance(leaf, TensorBase):
            continue
        if leaf._hooks:
            grad = call_hooks(leaf._hooks, grad.copy() if grad.__class__ is np.ndarray else grad)
        if leaf._grad is not None or grad.__class__ is not np.ndarray:
            _add_to(leaf, grad)
        else:
            # One array may come to several leaves (a + b), be a view of another, or be kept by a hook: each .grad gets
            # memory of its own.
            if grad.base is not None or id(grad) in taken or leaf._hooks:
                grad = grad.copy()
            taken.add(id(grad))
            leaf._grad = wrap(grad)
        if "_after_accumulate" in leaf.__dict__:
            for hook in list(leaf._after_accumulate.values()):  # type: ignore[attr-defined]
                hook(leaf)


def _add_to(leaf: TensorBase, grad: Any) -> None:
    held = leaf._grad
    if isinstance(grad, TensorBase):
        leaf._grad = grad if held is None else held + grad
    elif mode.capture is not None:
        leaf._grad = wrap(grad) if held is None else store(held, held._array + grad)
    elif held is None:
        leaf._grad = wrap(np.array(grad))
    else:
        if held._used or held._mixed:
            # Zeroed by hand, or added to what a step has used: the next step can tell (optim/mistakes.py).
            held._mixed, held._used = bool(held._array.any()), False
        np.add(held._array, grad, out=held._array)


def _accumulate_at_nodes(inputs: tuple[Any, ...], found: dict[Any, Any]) -> None:
    for x in inputs:
        if x._node is not None and x._node in found:
            part = found[x._node]
            part = as_tensor(part.copy() if isinstance(part, np.ndarray) else part)  # a leaf may hold it, too
            x._grad = part if x._grad is None else x._grad + part
