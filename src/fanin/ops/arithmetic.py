"""Arithmetic of two or three values, comparisons and logic."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fanin._core.dtypes import bool_, category, default_numpy, from_numpy
from fanin._core.errors import DtypeError, OperationError, UnsupportedDtypeError
from fanin.ops import rules
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import broadcast, broadcast_shape, compare, shape_of, to_common, to_float

# Reshaping of gradients: what broadcasting repeated in the forward direction is summed in the backward one. -----------


@lru_cache(maxsize=64)
def ones_vector(n: int, char: str) -> Any:
    """Return n ones of the dtype with this character code; do not write to it."""
    return np.ones(n, char)


def _sum_to(x: Any, *, shape: tuple[int, ...]) -> Any:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    if x.shape[lead:] == shape:  # a bias: only leading dimensions were added
        if x.ndim == 2 and lead == 1 and x.dtype.kind == "f" and x.dtype.itemsize > 2:
            # As a product with ones BLAS adds the rows, 2 to 8 times as fast as the reduction.
            return ones_vector(x.shape[0], x.dtype.char).dot(x)
        return np.add.reduce(x, tuple(range(lead)))
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    return np.add.reduce(x, axis=axes, keepdims=True).reshape(shape)


sum_to_op: Op = define(
    "sum_to",
    _sum_to,
    lambda x, *, shape: Spec(shape, x.dtype),
    vjps=(lambda grad, out, x, *, shape: expand(grad, shape_of(x)),),
    grad_name="SumBackward1",
)


def _expand_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    if broadcast_shape(x.shape, shape) != tuple(shape):
        raise rules.ShapeError(
            f"The expanded size of the tensor {list(shape)} must match the existing size {list(x.shape)} "
            "at every dimension that is not 1"
        )
    return Spec(tuple(shape), x.dtype)


def _expand(x: Any, *, shape: tuple[int, ...]) -> Any:
    # NumPy makes it read-only; whether a part of it may be written is for the writer to see (check_memory).
    spread = np.broadcast_to(x, shape)
    if spread is not x and isinstance(x, np.ndarray) and x.flags.writeable:
        spread.flags.writeable = True
    return spread


expand_op: Op = define(
    "expand",
    _expand,
    _expand_spec,
    vjps=(lambda grad, out, x, *, shape: sum_to(grad, shape_of(x)),),
    view=True,
)


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum x over the dimensions that broadcasting added to or stretched from `shape`."""
    if x.shape == shape:
        return x
    return _sum_to(x, shape=shape) if x.__class__ is np.ndarray else sum_to_op(x, shape=shape)


def expand(x: Any, shape: tuple[int, ...]) -> Any:
    """Repeat x to `shape` without copying."""
    return x if x.shape == shape else expand_op(x, shape=shape)


# Arithmetic -----------------------------------------------------------------------------------------------------------


def _subtract_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    a, b = inputs
    if a.__class__ is np.ndarray and b.__class__ is np.ndarray and a.dtype is b.dtype and a.dtype.kind != "b":
        return inputs
    if any(x.__class__ is bool or (x.__class__ is np.ndarray and x.dtype.kind == "b") for x in inputs):
        if all(x.__class__ is np.ndarray and x.dtype.kind == "b" for x in inputs):
            raise DtypeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. "
                "Use the `^` or `logical_xor()` operator instead."
            )
        raise DtypeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. "
            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return to_common(inputs)


def float_broadcast(*xs: Any, **_: Any) -> Spec:
    """Give the result the broadcast shape and a floating dtype."""
    spec = broadcast(*xs)
    return spec if category(spec.dtype) == 2 else Spec(spec.shape, default_numpy())


add: Op = define(
    "add",
    np.add,
    broadcast,
    vjps=(lambda g, out, a, b: sum_to(g, shape_of(a)), lambda g, out, a, b: sum_to(g, shape_of(b))),
    promote=to_common,
)
subtract: Op = define(
    "sub",
    np.subtract,
    broadcast,
    vjps=(lambda g, out, a, b: sum_to(g, shape_of(a)), lambda g, out, a, b: sum_to(-g, shape_of(b))),
    promote=_subtract_promote,
)
multiply: Op = define(
    "mul",
    np.multiply,
    broadcast,
    vjps=(lambda g, out, a, b: sum_to(g * b, shape_of(a)), lambda g, out, a, b: sum_to(g * a, shape_of(b))),
    reads=None,
    reads_by=((1,), (0,)),
    promote=to_common,
)
divide: Op = define(
    "div",
    np.true_divide,
    float_broadcast,
    vjps=(lambda g, out, a, b: sum_to(g / b, shape_of(a)), lambda g, out, a, b: sum_to(-g * (a / b / b), shape_of(b))),
    reads=None,
    reads_by=((1,), (0, 1)),
    promote=to_float,
)


def refuse_bools(name: str, a: Any, b: Any) -> None:
    """Raise NotImplementedError when the common dtype is bool."""
    if np.result_type(a, b).kind == "b":
        raise UnsupportedDtypeError(f"\"{name}\" not implemented for 'Bool'; convert with .int() first")


def _divisible(name: str, a: Any, b: Any) -> bool:
    """Say whether the operands are floating; refuse bools, and a zero among integer divisors."""
    if np.result_type(a, b).kind == "f":
        return True
    refuse_bools(name, a, b)
    if not np.all(b):
        raise OperationError("ZeroDivisionError")
    return False


def _floor_divide(a: Any, b: Any) -> Any:
    _divisible("div_floor_cpu", a, b)
    return np.floor_divide(a, b)


def _trunc_divide(a: Any, b: Any) -> Any:
    if _divisible("div_trunc_cpu", a, b):
        return np.trunc(np.true_divide(a, b))
    quotient = np.floor_divide(a, b)
    return quotient + ((quotient < 0) & (quotient * b != a))


def _remainder(a: Any, b: Any) -> Any:
    _divisible("remainder_cpu", a, b)
    return np.remainder(a, b)


def _fmod(a: Any, b: Any) -> Any:
    _divisible("fmod_cpu", a, b)
    return np.fmod(a, b)


_FLAT: Any = (
    lambda g, out, a, b: sum_to(zeros_like(g), shape_of(a)),
    lambda g, out, a, b: sum_to(zeros_like(g), shape_of(b)),
)
floor_divide: Op = define(
    "floor_divide", _floor_divide, broadcast, vjps=_FLAT, promote=to_common, grad_name="DivBackward2"
)
trunc_divide: Op = define(
    "trunc_divide", _trunc_divide, broadcast, vjps=_FLAT, promote=to_common, grad_name="DivBackward2"
)
remainder: Op = define(
    "remainder",
    _remainder,
    broadcast,
    vjps=(
        lambda g, out, a, b: sum_to(g, shape_of(a)),
        lambda g, out, a, b: sum_to(-g * floor_divide(a, b), shape_of(b)),
    ),
    reads=None,
    reads_by=((), (0, 1)),
    promote=to_common,
)
fmod: Op = define(
    "fmod",
    _fmod,
    broadcast,
    vjps=(
        lambda g, out, a, b: sum_to(g, shape_of(a)),
        lambda g, out, a, b: sum_to(-g * trunc_divide(a, b), shape_of(b)),
    ),
    reads=None,
    reads_by=((), (0, 1)),
    promote=to_common,
)


def _selected(g: Any, lost: Any, equal_values: Any, shape: tuple[int, ...]) -> Any:
    # PyTorch gives each side one half at a tie, and all of it to both where one is nan.
    shared = where(equal_values, g * 0.5, g)
    return sum_to(where(lost, zeros_like(g), shared), shape)


maximum: Op = define(
    "maximum",
    np.maximum,
    broadcast,
    vjps=(
        lambda g, out, a, b: _selected(g, less(a, b), equal(a, b), shape_of(a)),
        lambda g, out, a, b: _selected(g, less(b, a), equal(a, b), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
)
minimum: Op = define(
    "minimum",
    np.minimum,
    broadcast,
    vjps=(
        lambda g, out, a, b: _selected(g, greater(a, b), equal(a, b), shape_of(a)),
        lambda g, out, a, b: _selected(g, greater(b, a), equal(a, b), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
)


def _from_origin(a: Any, b: Any) -> Any:
    """Return a^2 + b^2, and 1 at the origin, where the angle has no derivative: it is 0 there in PyTorch."""
    squared = a * a + b * b
    return where(equal(squared, 0), squared + 1, squared)


atan2: Op = define(
    "atan2",
    np.arctan2,
    float_broadcast,
    vjps=(
        lambda g, out, a, b: sum_to(g * (b / _from_origin(a, b)), shape_of(a)),
        lambda g, out, a, b: sum_to(g * (-a / _from_origin(a, b)), shape_of(b)),
    ),
    reads=None,
    promote=to_float,
)


def _kept(g: Any, chosen: Any, shape: tuple[int, ...]) -> Any:
    return sum_to(where(chosen, g, zeros_like(g)), shape)


fmax: Op = define(
    "fmax",
    np.fmax,
    broadcast,
    vjps=(
        lambda g, out, a, b: _kept(g, logical_or(greater_equal(a, b), isnan(b)), shape_of(a)),
        lambda g, out, a, b: _kept(g, logical_not(logical_or(greater_equal(a, b), isnan(b))), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
)
fmin: Op = define(
    "fmin",
    np.fmin,
    broadcast,
    vjps=(
        lambda g, out, a, b: _kept(g, logical_or(less_equal(a, b), isnan(b)), shape_of(a)),
        lambda g, out, a, b: _kept(g, logical_not(logical_or(less_equal(a, b), isnan(b))), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
)


def floats_only(name: str) -> Any:
    """Return the promotion to the common dtype that refuses integers."""

    def promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        common = to_common(inputs)
        if all(x.__class__ is not np.ndarray or x.dtype.kind != "f" for x in common):
            raise UnsupportedDtypeError(f'"{name}" not implemented for integers; convert with .float() first')
        return common

    return promote


def _hypot_vjp(g: Any, out: Any, side: Any) -> Any:
    return sum_to(g * (side / out), shape_of(side))


hypot: Op = define(
    "hypot",
    np.hypot,
    broadcast,
    vjps=(lambda g, out, a, b: _hypot_vjp(g, out, a), lambda g, out, a, b: _hypot_vjp(g, out, b)),
    reads=None,
    reads_out=True,
    reads_by=((0, -1), (1, -1)),
    promote=floats_only("hypot_cpu"),
)


def _copysign_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    slope = where(equal(a, 0), zeros_like(out), out / a)
    return sum_to(g * slope, shape_of(a))


copysign: Op = define(
    "copysign",
    np.copysign,
    float_broadcast,
    vjps=(_copysign_vjp, lambda g, out, a, b: sum_to(zeros_like(g), shape_of(b))),
    reads=(0,),
    reads_out=True,
    promote=to_float,
)


# Comparison and logic: bool, without derivatives. ---------------------------------------------------------------------


def _predicate(name: str, evaluate: Any) -> Any:
    return define(name, evaluate, compare, promote=to_common)


equal: Op = _predicate("eq", np.equal)
not_equal: Op = _predicate("ne", np.not_equal)
less: Op = _predicate("lt", np.less)
less_equal: Op = _predicate("le", np.less_equal)
greater: Op = _predicate("gt", np.greater)
greater_equal: Op = _predicate("ge", np.greater_equal)
logical_and: Op = define("logical_and", np.logical_and, compare)
logical_or: Op = define("logical_or", np.logical_or, compare)
logical_xor: Op = define("logical_xor", np.logical_xor, compare)
logical_not: Op = define("logical_not", np.logical_not, compare)
isnan: Op = define("isnan", np.isnan, compare)
isinf: Op = define("isinf", np.isinf, compare)
isfinite: Op = define("isfinite", np.isfinite, compare)
signbit: Op = define("signbit", lambda x: np.signbit(x) if x.dtype.kind == "f" else np.less(x, 0), compare)


def _bitwise(name: str) -> Any:
    """Return the rule of an operation on bits: no floats, whose bits are no number."""

    def infer(*xs: Any) -> Spec:
        for x in xs:
            if isinstance(x, float) or (isinstance(x, Spec) and category(x.dtype) == 2):
                kind = {"e": "Half", "f": "Float"}.get(x.dtype.char if isinstance(x, Spec) else "f", "Double")
                raise UnsupportedDtypeError(
                    f"\"{name}_cpu\" not implemented for '{kind}'", remedy="Compare, or convert with .long(), first."
                )
        return broadcast(*xs)

    return infer


bitwise_and: Op = define("bitwise_and", np.bitwise_and, _bitwise("bitwise_and"), promote=to_common)
bitwise_or: Op = define("bitwise_or", np.bitwise_or, _bitwise("bitwise_or"), promote=to_common)
bitwise_xor: Op = define("bitwise_xor", np.bitwise_xor, _bitwise("bitwise_xor"), promote=to_common)
bitwise_not: Op = define("bitwise_not", np.invert, _bitwise("bitwise_not"))
heaviside: Op = define(
    "heaviside", lambda a, b: np.where(a == 0, b, (a > 0).astype(a.dtype)), broadcast, promote=to_common
)
left_shift: Op = define("bitwise_left_shift", np.left_shift, _bitwise("lshift"), promote=to_common)
right_shift: Op = define("bitwise_right_shift", np.right_shift, _bitwise("rshift"), promote=to_common)

nextafter: Op = define("nextafter", np.nextafter, broadcast, promote=floats_only("nextafter_cpu"))


def _integers_only(name: str) -> Any:
    """Return the promotion to the common dtype that refuses all but integers."""

    def promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        common = to_common(inputs)
        for x in common:
            if hasattr(x, "dtype") and x.dtype.kind not in "iu":
                kind = from_numpy(x.dtype).legacy_name
                raise UnsupportedDtypeError(f"\"{name}\" not implemented for '{kind}'; convert with .long() first")
        return common

    return promote


gcd: Op = define("gcd", np.gcd, broadcast, promote=_integers_only("gcd_cpu"))
lcm: Op = define("lcm", np.lcm, broadcast, promote=_integers_only("lcm_cpu"))

# Choice ---------------------------------------------------------------------------------------------------------------


def _where_spec(condition: Spec, a: Any, b: Any) -> Spec:
    if condition.dtype != bool_.numpy:
        raise DtypeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{from_numpy(condition.dtype).legacy_name}"
        )
    spec = broadcast(a, b) if isinstance(a, Spec) or isinstance(b, Spec) else Spec((), rules.result_dtype((a, b)))
    return Spec(broadcast_shape(condition.shape, spec.shape), spec.dtype)


def _where_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    condition, a, b = inputs
    if not isinstance(condition, np.ndarray) or condition.dtype.kind != "b":
        _where_spec(Spec.of(np.asarray(condition)), Spec.of(a), Spec.of(b))
    given = a, b
    rules.require_numbers(given)
    a, b = to_common(given)
    if not isinstance(a, np.ndarray):
        a = np.asarray(a, b.dtype)
    if not isinstance(b, np.ndarray):
        b = np.asarray(b, a.dtype)
    rules.refuse_overflow(given, a.dtype)
    return condition, a, b


where: Op = define(
    "where",
    np.where,
    _where_spec,
    vjps=(
        None,
        lambda g, out, c, a, b: sum_to(where(c, g, zeros_like(g)), shape_of(a)),
        lambda g, out, c, a, b: sum_to(where(c, zeros_like(g), g), shape_of(b)),
    ),
    reads=(0,),
    promote=_where_promote,
)
zeros_like: Op = define("zeros_like", np.zeros_like, rules.same)
ones_like: Op = define("ones_like", np.ones_like, rules.same)


def _lerp_spec(a: Spec, b: Spec, weight: Any) -> Spec:
    if a.dtype.kind != "f":
        raise UnsupportedDtypeError(f'"lerp" not implemented for {a.dtype}; convert with .float() first')
    for name, x in (("end", b), ("weight", weight)):
        if isinstance(x, Spec) and x.dtype != a.dtype:
            raise DtypeError(f"expected dtype {a.dtype} for `{name}` but got dtype {x.dtype}")
    return broadcast(a, b, *([weight] if isinstance(weight, Spec) else []))


def _lerp_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    a, b, weight = inputs
    if a.dtype.kind != "f" or b.dtype != a.dtype:
        _lerp_spec(*(Spec.of(x) for x in inputs))
    if isinstance(weight, np.ndarray) and weight.dtype != a.dtype:
        if weight.ndim or weight.dtype.kind != "f":
            _lerp_spec(*(Spec.of(x) for x in inputs))
        weight = weight.astype(a.dtype)
    return a, b, weight


def _lerp(a: Any, b: Any, weight: Any) -> Any:
    # Two forms, so that weight 0 gives a and weight 1 gives b exactly.
    difference = b - a
    if isinstance(weight, (int, float)):
        return a + weight * difference if abs(weight) < 0.5 else b - difference * (1 - weight)
    return np.where(np.abs(weight) < 0.5, a + weight * difference, b - difference * (1 - weight))


lerp: Op = define(
    "lerp",
    _lerp,
    _lerp_spec,
    vjps=(
        lambda g, out, a, b, w: sum_to(g * (1 - w), shape_of(a)),
        lambda g, out, a, b, w: sum_to(g * w, shape_of(b)),
        lambda g, out, a, b, w: sum_to(g * (b - a), shape_of(w)),
    ),
    reads=None,
    reads_by=((2,), (2,), (0, 1)),
    promote=_lerp_promote,
)
