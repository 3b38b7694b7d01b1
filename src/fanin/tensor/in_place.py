"""Changes in place, and how they are written into the history of a tensor and of all that shares its memory."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from fanin._core.dtypes import can_cast, from_numpy
from fanin._core.errors import DtypeError, InPlaceError, ShapeError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.ops.arithmetic import zeros_like
from fanin.ops.index import put_zeros
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import shape_of
from fanin.ops.shape import reshape
from fanin.tensor.base import TensorBase, storage_offsets, version_counter
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import Node, _stamps, edge_of, evaluate, reads_of, reads_result, refresh

# A view's elements are found in its base by number, so one pair of operations serves every kind of view. --------------


def _read_view(base: Any, *, positions: Any) -> Any:
    return base.reshape(-1)[positions]


read_view: Op = define(
    "read_view",
    _read_view,
    lambda base, *, positions: Spec(positions.shape, base.dtype),
    vjps=(lambda g, out, base, *, positions: _added_up(g, shape_of(base), positions),),
    grad_name="AsStridedBackward0",
)


def _added_up(g: Any, shape: tuple[int, ...], positions: Any) -> Any:
    # An expanded view shows an element several times: the gradients add up.
    where = (positions.reshape(-1),)
    flat = put_zeros(reshape(g, where[0].shape), shape=(math.prod(shape),), index=where)
    return reshape(flat, shape)


def _write_view(base: Any, values: Any, *, positions: Any) -> Any:
    result = np.array(base, order="C")  # in any other order, reshaping would copy
    result.reshape(-1)[positions] = values
    return result


write_view: Op = define(
    "write_view",
    _write_view,
    lambda base, values, *, positions: base,
    vjps=(
        lambda g, out, base, values, *, positions: write_view(
            g, zeros_like(read_view(g, positions=positions)), positions=positions
        ),
        lambda g, out, base, values, *, positions: read_view(g, positions=positions),
    ),
    grad_name="CopySlices",
)


def positions_in(base: Any, view: Any) -> Any:
    """Return where each element of a view lies in its base, counted in the base's row-major order."""
    addresses = storage_offsets(base).reshape(-1)
    order = np.argsort(addresses, kind="stable")
    return order[np.searchsorted(addresses, storage_offsets(view), sorter=order)]


def _positions(base: Any, view: Any) -> Any:
    if mode.capture is not None:
        return mode.capture.positions(base, view)
    return positions_in(base._array, view._array)


def bump(x: TensorBase) -> None:
    """Count one change of x's memory."""
    version_counter(x)[0] += 1


def check_writable(x: Any) -> None:
    """Raise where autograd could not follow a change in place."""
    if x._is_inference and not mode.inference:
        raise InPlaceError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if not mode.enabled:
        return
    if x._requires_grad and x._node is None:
        raise InPlaceError(
            "a leaf Variable that requires grad is being used in an in-place operation.",
            remedy="Wrap the change in torch.no_grad(), or change a .clone().",
        )
    base = x._base
    if base is not None and not x._detached and base._requires_grad and base._node is None:
        raise InPlaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation.",
            remedy="Wrap the change in torch.no_grad(), or change a .clone().",
        )


def write(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Evaluate op and write the result into inputs[0], which is returned with its new history."""
    target = inputs[0]
    arrays: Any = []
    tracked = False
    for x in inputs:
        if isinstance(x, TensorBase):
            if x._base is not None:
                refresh(x)
            tracked = tracked or x._requires_grad
            x = x._array
        arrays.append(x)
    if mode.capture is not None:
        return mode.capture.write(op, inputs, arrays, attrs, tracked)
    check_writable(target)
    if op.promote is not None:
        arrays = op.promote(tuple(arrays))
    tracked = tracked and mode.enabled and op.differentiable
    if not tracked and op.evaluate.__class__ is np.ufunc and _computed_there(op.evaluate, arrays, target._array):
        bump(target)
        return target
    out = evaluate(op, arrays, attrs)
    check_fits(target._array, out)
    if not tracked:
        return store(target, out)
    edges = [edge_of(x) if isinstance(x, TensorBase) else None for x in inputs]
    if 0 in reads_of(op, edges):
        arrays = [arrays[0].copy(), *arrays[1:]]
    # The first input's old value was copied above. Another one that shares its memory is spoilt by this very change.
    stamps = _stamps(op, (None, *inputs[1:]), target, edges)
    store(target, out)
    if stamps and reads_result(op, edges):
        stamps[-1] = (stamps[-1][0], stamps[-1][0][0])
    rewrite_history(target, Node(op, arrays, attrs, edges, target._array, stamps))
    return target


def _computed_there(ufunc: Any, arrays: Any, target: Any) -> bool:
    """Compute into the target's memory, without an array in between; return False where shape or dtype forbid it."""
    check_memory(target)
    silence = begin_silence(SILENT)
    try:
        ufunc(*arrays, out=target)
    except (ValueError, TypeError):
        return False
    finally:
        end_silence(silence)
    return True


def check_fits(target: Any, out: Any) -> None:
    """Raise when a result has another shape than the tensor it goes into, or a dtype that cannot be cast to its own."""
    if out.shape != target.shape:
        try:
            fits = np.broadcast_shapes(out.shape, target.shape) == target.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(out.shape)}"
            )
    if out.dtype != target.dtype:
        source, wanted = from_numpy(out.dtype), from_numpy(target.dtype)
        if not can_cast(source, wanted):
            raise DtypeError(
                f"result type {source.legacy_name} can't be cast to the desired output type {wanted.legacy_name}"
            )


def _repeats(array: Any) -> bool:
    """Say whether several elements lie at one place of the memory."""
    # An array without elements may have any strides.
    return array.size > 0 and any(n > 1 and not stride for n, stride in zip(array.shape, array.strides, strict=True))


def check_memory(array: Any) -> None:
    """Raise when memory cannot be written to element by element."""
    if not array.flags.writeable or (0 in array.strides and _repeats(array)):
        raise InPlaceError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def store(target: Any, values: Any) -> Any:
    """Copy values into a tensor's memory and count the change."""
    if mode.capture is not None:
        return mode.capture.store(target, values)
    array = target._array
    check_memory(array)
    with np.errstate(all="ignore"):
        np.copyto(array, values, casting="unsafe")
    bump(target)
    return target


def place(tensor: Any, node: Node) -> None:
    """Make node the origin of a tensor; one that keeps its gradient keeps that of what it is from now on."""
    if tensor._retains_grad:
        if tensor._node is not None:
            tensor._node.retained = None
        node.retained = weakref.ref(tensor)
    tensor._node, tensor._requires_grad = node, True


def rewrite_history(target: Any, node: Node) -> None:
    """Make node the origin of target, and of the part of its base that it shows."""
    place(target, node)
    base = target._base
    if base is None or target._detached:
        target._rebased += 1
        return
    positions = _positions(base, target)
    edges = [edge_of(base), node]
    arrays = [base._array, target._array]
    place(base, Node(write_view, arrays, {"positions": positions}, edges, base._array, []))
    base._rebased += 1
    target._seen = base._rebased


def reread(x: Any) -> None:
    """Let a view whose base was rewritten read the base's new history."""
    base = x._base
    x._seen = base._rebased
    if not base._requires_grad or x._array.dtype.kind != "f":
        return
    positions = _positions(base, x)
    place(x, Node(read_view, [base._array], {"positions": positions}, [edge_of(base)], x._array, []))


def zero_gradient(grad: Any) -> None:
    """Fill a gradient with zeros and take it off the tape, as `zero_grad(set_to_none=False)` does."""
    if not grad.is_leaf:
        grad.detach_()
    elif grad.requires_grad:
        grad.requires_grad_(False)
    grad.zero_()
