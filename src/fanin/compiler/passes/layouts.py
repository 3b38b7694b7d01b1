"""Shapes: moves of elements that cancel or join, repetitions that broadcasting does anyway, sums over one element."""

from __future__ import annotations

import math
from typing import Any

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.lower.rules import ELEMENTWISE
from fanin.compiler.passes.rewriting import Rewrite, is_result_of, like, once, stands_for, to_the_end
from fanin.ops.arithmetic import expand_op, multiply
from fanin.ops.rules import broadcast_shape, shape_of
from fanin.ops.shape import permute, reshape_op

Shape = tuple[int, ...]


def simplify_layouts(graph: Graph) -> Graph:
    """Return the graph with fewer moves and repetitions of elements."""
    return once(graph, layout)


def layout(value: Value) -> Value:
    """Return a simpler value that is the same."""
    if value.op is None or value.weak:
        return value
    return to_the_end(_first, value)


def _first(value: Value) -> Value:
    if value.op is None:
        return value
    rule = _RULES.get(value.op.name)
    return value if rule is None else rule(value)


def _reshaped(x: Value, shape: Shape) -> Value:
    if x.shape == shape:
        return x
    return Value(shape, x.dtype, op=reshape_op, inputs=(x,), attrs={"shape": shape}, weak=x.weak)


def _expanded(x: Value, shape: Shape) -> Value:
    if x.shape == shape:
        return x
    return Value(shape, x.dtype, op=expand_op, inputs=(x,), attrs={"shape": shape}, weak=x.weak)


def _one_number(x: Any) -> Value | None:
    """Return the number, of shape (), of which x consists; None when there may be several."""
    if is_result_of(x, "expand") and x.inputs[0].size == 1:
        return _reshaped(x.inputs[0], ())
    return None


# Moves ----------------------------------------------------------------------------------------------------------------


def _of_one_number(value: Value) -> Value:
    """Whatever is moved is the same number."""
    number = _one_number(value.inputs[0])
    return value if number is None else _expanded(number, value.shape)


def _reshape(value: Value) -> Value:
    """Join two; leave out one that changes nothing, or that turns a reduction's other form into this one."""
    x: Value = value.inputs[0]
    if stands_for(x, value):
        return x
    if is_result_of(x, "reshape"):
        return _reshaped(x.inputs[0], value.shape)
    if x.op is not None and x.op.name in _REDUCTIONS:
        (whole,), keepdim = x.inputs, x.attrs.get("keepdim", False)
        if value.shape == _reduced_shape(whole.shape, x.attrs["dim"], not keepdim):
            return like(value, x.op, x.inputs, {**x.attrs, "keepdim": not keepdim})
    return _of_one_number(value)


def _reduced_shape(shape: Shape, dim: Shape, keepdim: bool) -> Shape:
    return tuple(1 if i in dim else n for i, n in enumerate(shape) if keepdim or i not in dim)


def _permute(value: Value) -> Value:
    """Join two; a permutation that moves no dimension but those of one element is a reshape."""
    (x,), dims = value.inputs, value.attrs["dims"]
    if is_result_of(x, "permute"):
        inner = x.attrs["dims"]
        return like(value, permute, x.inputs, {"dims": tuple(inner[d] for d in dims)})
    moved = [d for d in dims if x.shape[d] != 1]
    if moved == sorted(moved):
        return _reshaped(x, value.shape)
    return _of_one_number(value)


def _getitem(value: Value) -> Value:
    """Leave out a selection of everything."""
    (x,), index = value.inputs, value.attrs["index"]
    whole = all(i is Ellipsis or (isinstance(i, slice) and i.step in (None, 1)) for i in index)
    return x if whole and stands_for(x, value) else _of_one_number(value)


def _flip(value: Value) -> Value:
    (x,) = value.inputs
    return x if all(x.shape[d] == 1 for d in value.attrs["dims"]) else _of_one_number(value)


def _expand(value: Value) -> Value:
    """Join two; leave out one that repeats nothing, and leading ones that come with it anyway."""
    x: Value = value.inputs[0]
    if stands_for(x, value):
        return x
    if x.size == value.size:
        return _reshaped(x, value.shape)
    if is_result_of(x, "expand"):
        return _expanded(x.inputs[0], value.shape)
    inner = _without_leading_ones(x)
    return value if inner is x else _expanded(inner, value.shape)


def _without_leading_ones(x: Any) -> Any:
    if is_result_of(x, "reshape"):
        inner: Value = x.inputs[0]
        if x.shape == (1,) * (x.ndim - inner.ndim) + inner.shape:
            return inner
    return x


# Arithmetic: what broadcasting repeats need not be repeated before, and is better repeated after. ---------------------


def _elementwise(value: Value) -> Value:
    inputs = tuple([_unrepeated(x) for x in value.inputs])
    if all(a is b for a, b in zip(inputs, value.inputs, strict=True)):
        return value
    assert value.op is not None
    shape = broadcast_shape(*(shape_of(x) for x in inputs if x is not None))
    small = Value(shape, value.dtype, op=value.op, inputs=inputs, attrs=value.attrs)
    return _expanded(small, value.shape)


def _unrepeated(x: Any) -> Any:
    return x.inputs[0] if is_result_of(x, "expand") and not x.weak else _without_leading_ones(x)


def _product(value: Value) -> Value:
    """Return the broadcast product where each sum has one term."""
    a, b = value.inputs
    return like(value, multiply, (a, b)) if a.ndim == b.ndim and a.ndim >= 2 and a.shape[-1] == 1 else value


# Reductions -----------------------------------------------------------------------------------------------------------


def _reduction(value: Value) -> Value:
    """Leave out a reduction of one element each; take repetitions out of a sum, or an extreme."""
    (x,), dim = value.inputs, value.attrs["dim"]
    if x.dtype != value.dtype:
        return value
    if x.size == value.size and value.size:
        return _reshaped(x, value.shape)
    return _of_repeated(value, x, dim) if is_result_of(x, "expand") else value


def _of_repeated(value: Value, x: Value, dim: Shape) -> Value:
    """sum(x repeated n times) = n sum(x)."""
    assert value.op is not None
    inner: Value = x.inputs[0]
    name, lead = value.op.name, x.ndim - inner.ndim
    repeated = [d for d in dim if x.shape[d] != 1 and (d < lead or inner.shape[d - lead] == 1)]
    n = math.prod(x.shape[d] for d in repeated)
    if not repeated or not n or name == "prod" or not x.size:
        return value
    once_each = _expanded(inner, tuple(1 if d in repeated else size for d, size in enumerate(x.shape)))
    less = like(value, value.op, (once_each,), value.attrs)
    return like(value, multiply, (less, float(n) if value.dtype.kind == "f" else n)) if name == "sum" else less


_REDUCTIONS = frozenset("sum prod amax amin any all".split())
_RULES: dict[str, Rewrite] = {
    "reshape": _reshape,
    "permute": _permute,
    "getitem": _getitem,
    "flip": _flip,
    "expand": _expand,
    "matmul": _product,
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(ELEMENTWISE, _elementwise),
}
