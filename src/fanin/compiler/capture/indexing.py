"""Indices that come with the data: square brackets, scatter and their relatives in operations whose indices are inputs.

An index tensor of a captured step is a value, and cannot be an attribute. The dimensions that are indexed are brought
together and flattened, so that one row number, computed from all index tensors, finds what they select.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError, IndexRangeError
from fanin.compiler.graph import Value, constant
from fanin.ops import arithmetic, index
from fanin.ops.arithmetic import add, equal, less, multiply, where
from fanin.ops.elementwise import cast_like
from fanin.ops.op import Op, Spec
from fanin.ops.shape import permute, reshape
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap

_WHOLE = slice(None)
_SLOT = "input"


def has_values(items: Any) -> bool:
    """Say whether a value is among the items of an index."""
    return any(isinstance(item, Value) for item in items)


@dataclass(frozen=True)
class _Plan:
    """How an index with values is carried out on a tensor of the shape that `basic` leaves.

    basic: the index of slices, ints and None that comes first.
    dims:  the dimensions that the index tensors speak for; rest: all others.
    """

    basic: tuple[Any, ...]
    arrays: tuple[Any, ...]
    dims: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """The dimensions with the indexed ones first."""
        return (*self.dims, *self.rest)

    @property
    def before(self) -> int:
        """How many of the other dimensions stand before the indexed ones in the result."""
        neighbours = all(b == a + 1 for a, b in zip(self.dims, self.dims[1:], strict=False))
        return self.dims[0] if neighbours else 0


def _planned(items: tuple[Any, ...], ndim: int) -> _Plan:
    for item in items:
        if isinstance(item, (Value, np.ndarray)) and item.dtype.kind == "b":
            raise CaptureError(
                "a mask selects as many elements as it has true ones, which are not known in a captured step",
                remedy="Keep the shape: torch.where(mask, x, 0), x * mask, or x.masked_fill(~mask, 0).",
            )
    used = sum(item is not None and item is not Ellipsis for item in items)
    basic: list[Any] = []
    arrays, dims, axis = [], [], 0
    for item in items if any(item is Ellipsis for item in items) else (*items, Ellipsis):
        if item is Ellipsis:
            basic += [_WHOLE] * (ndim - used)
            axis += ndim - used
            continue
        if isinstance(item, (Value, np.ndarray)):
            arrays.append(item)
            dims.append(axis)
            item = _WHOLE
        basic.append(item)
        axis += not isinstance(item, int)
    rest = tuple(d for d in range(axis) if d not in dims)
    return _Plan(tuple(basic), tuple(arrays), tuple(dims), rest)


def _rows(plan: _Plan, sizes: tuple[int, ...]) -> Any:
    """Return the row that the index tensors name together, counted over the indexed dimensions."""
    parts = [_from_front(a, n) for a, n in zip(plan.arrays, sizes, strict=True)]
    if len(parts) == 1:
        return parts[0]  # whoever reads there looks whether it exists
    # Together they may name an element although one alone is out of range.
    parts = [index.within(part, size=n) for part, n in zip(parts, sizes, strict=True)]
    row = parts[0]
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        row = add(multiply(row, size), part)
    return row


def _from_front(array: Any, size: int) -> Any:
    array = array.astype(np.dtype(np.int64))
    if isinstance(array, np.ndarray):
        return constant(np.where(array < 0, array + size, array))
    return where(less(array, 0), add(array, size), array)


def get(x: Any, items: tuple[Any, ...]) -> Any:
    """Return what an index with values selects of a tensor or value."""
    plan = _planned(items, len(x.shape))
    if any(item != _WHOLE for item in plan.basic):
        x = index.getitem(x, index=plan.basic)
    shape = tuple(x.shape)
    sizes, rest = tuple(shape[d] for d in plan.dims), tuple(shape[d] for d in plan.rest)
    rows = _rows(plan, sizes)
    moved = x if plan.order == tuple(range(len(shape))) else permute(x, dims=plan.order)
    if rest:
        table = reshape(moved, (math.prod(sizes), math.prod(rest)))
        found = index.take_rows(table, rows, padding_idx=None, by_frequency=False)
    else:
        found = index.gather(reshape(moved, (math.prod(sizes),)), reshape(rows, (math.prod(rows.shape),)), dim=0)
    return _arranged(reshape(found, (*rows.shape, *rest)), len(rows.shape), plan.before)


def _arranged(found: Any, ndim: int, before: int) -> Any:
    """Move the dimensions of the index, which come first, behind those that stood before them."""
    if not before or not ndim:
        return found
    rest = range(ndim, len(found.shape))
    return permute(found, dims=(*rest[:before], *range(ndim), *rest[before:]))


# Writing --------------------------------------------------------------------------------------------------------------


def _filled(template: tuple[Any, ...], arrays: Any) -> tuple[Any, ...]:
    """Return an index with its slots filled with arrays."""
    waiting = iter(arrays)
    return tuple(next(waiting) if isinstance(item, str) else item for item in template)


def _put_at(x: Any, values: Any, *arrays: Any, template: tuple[Any, ...], accumulate: bool) -> Any:
    try:
        return index.index_put.evaluate(x, values, index=_filled(template, arrays), accumulate=accumulate)
    except IndexError as error:
        raise IndexRangeError(str(error).replace("for axis", "for dimension")) from None


def _put_at_spec(x: Spec, values: Spec, *arrays: Spec, template: tuple[Any, ...], accumulate: bool) -> Spec:
    """Return the spec of x; raise ShapeError where the values do not fit, but for leading dimensions of size 1."""
    firsts = _filled(template, [np.zeros(array.shape, np.int64) for array in arrays])
    surplus = max(0, values.ndim - np.empty(x.shape, np.bool_)[firsts].ndim)
    kept = values.shape[surplus:] if set(values.shape[:surplus]) <= {1} else values.shape
    return index.index_put.infer(x, Spec(kept, values.dtype), index=firsts, accumulate=accumulate)


def _put_at_vjp(
    i: int, g: Any, out: Any, x: Any, values: Any, *arrays: Any, template: tuple[Any, ...], accumulate: bool
) -> Any:
    if i == 0:
        zero = np.zeros((), g.dtype if not isinstance(g, TensorBase) else g._array.dtype)
        return g if accumulate else put_at(g, zero, *arrays, template=template, accumulate=False)
    taken = get(g, _filled(template, _held(arrays)))
    return arithmetic.sum_to(taken, tuple(values.shape))


# index_put whose index tensors are inputs, in the slots of the template.
put_at = Op(
    "put_at",
    _put_at,
    _put_at_spec,
    vjp_each=_put_at_vjp,
    reads=None,
    grad_name="IndexPutBackward0",
)


def _held(arrays: Any) -> list[Any]:
    """Return index tensors as what they hold: a gradient with a graph of its own is computed with tensors."""
    return [array._array if isinstance(array, TensorBase) else array for array in arrays]


def _combine_at(x: Any, source: Any, *arrays: Any, template: tuple[Any, ...], how: str) -> Any:
    return index.scatter_combine.evaluate(x, source, index=_filled(template, arrays), how=how)


def _combine_at_vjp(
    i: int, g: Any, out: Any, x: Any, source: Any, *arrays: Any, template: tuple[Any, ...], how: str
) -> Any:
    items = _filled(template, _held(arrays))
    if how == "prod":
        return _product_vjp(i, g, out, x, source, arrays, template)
    ours, theirs = cast_like(equal(x, out), g), cast_like(equal(source, get(out, items)), g)
    share = g / put_at(ours, theirs, *arrays, template=template, accumulate=True)
    return share * ours if i == 0 else get(share, items) * theirs


def _product_vjp(i: int, g: Any, out: Any, x: Any, source: Any, arrays: Any, template: tuple[Any, ...]) -> Any:
    how: dict[str, Any] = {"template": template, "how": "prod"}
    if i == 0:
        return g * combine_at(index.without_zeros(x), source, *arrays, **how) / index.without_zeros(x)
    return index.product_vjp(
        g,
        out,
        source,
        lambda other: combine_at(x, other, *arrays, **how),
        lambda values: get(values, _filled(template, _held(arrays))),
        lambda values: put_at(arithmetic.zeros_like(g), values, *arrays, template=template, accumulate=True),
    )


# scatter_combine whose index tensors are inputs.
combine_at = Op(
    "combine_at",
    _combine_at,
    lambda x, *_, **__: Spec(x.shape, x.dtype),
    vjp_each=_combine_at_vjp,
    reads=None,
    reads_out=True,
    grad_name="ScatterReduceBackward0",
)


def combine(x: Any, source: Any, items: tuple[Any, ...], how: str) -> Any:
    """Return x in which the values of the source that come to one place are combined with it."""
    arrays, template = _in_slots(x, items)
    return combine_at(x, source, *arrays, template=template, how=how)


def put(x: Any, values: Any, items: tuple[Any, ...], accumulate: bool) -> Any:
    """Return x with values written, or added, where an index with values selects."""
    if any(isinstance(item, (Value, np.ndarray)) and item.dtype.kind == "b" for item in items):
        return _put_where(x, values, items)
    arrays, template = _in_slots(x, items)
    return put_at(x, values, *arrays, template=template, accumulate=bool(accumulate))


def _in_slots(x: Any, items: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...]]:
    """Return the values of an index, as tensors where x is one, and the index with slots in their place."""
    arrays = [wrap(item) if isinstance(x, TensorBase) else item for item in items if isinstance(item, Value)]
    return arrays, tuple(_SLOT if isinstance(item, Value) else item for item in items)


def _put_where(x: Any, values: Any, items: tuple[Any, ...]) -> Any:
    mask = items[0]
    if len(items) != 1 or len(getattr(values, "shape", ())):
        raise CaptureError(
            "as many values as a mask has true elements are written, and their number is not known in a captured step",
            remedy="Use torch.where(mask, values, x) with values of the shape of x.",
        )
    if isinstance(x, TensorBase):
        mask = wrap(mask)
    mask = reshape(mask, (*mask.shape, *(1,) * (len(x.shape) - len(mask.shape))))
    return where(mask, values, x)
