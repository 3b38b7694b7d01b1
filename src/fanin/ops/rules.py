"""Shape and dtype rules, promotions and gradient reshaping that many records share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin._core.dtypes import bool_, category, default_numpy, from_numpy, result_dtype
from fanin._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    DimensionError,
    DtypeError,
    ShapeError,
    UnsupportedDtypeError,
)
from fanin.ops.op import Spec

_NDARRAY = np.ndarray


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that all shapes broadcast to; raise ShapeError with PyTorch's words."""
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        offset = ndim - len(shape)
        for axis in range(ndim - 1, offset - 1, -1):  # from the last, as PyTorch does: which sizes it names
            size = shape[axis - offset]
            if size == 1 or size == result[axis]:
                continue
            if result[axis] != 1:
                raise ShapeError(
                    f"The size of tensor a ({result[axis]}) must match the size of tensor b ({size}) at non-singleton "
                    f"dimension {axis}",
                    remedy=f"The shapes were {' and '.join(str(list(s)) for s in shapes)}.",
                )
            result[axis] = size
    return tuple(result)


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array, tensor, symbol or spec; () for a Python number."""
    try:
        shape: tuple[int, ...] = value.shape
    except AttributeError:
        return ()
    return shape


def wrap_dim(dim: int, ndim: int) -> int:
    """Return dim counted from the front; raise IndexError outside [-ndim, ndim - 1] (a scalar counts as one dim)."""
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise DimensionError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})"
        )
    return dim + limit if dim < 0 else dim


def wrap_dims(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the dims as a tuple counted from the front; all of them for None or an empty tuple."""
    if dim is None or (not isinstance(dim, (int, np.integer)) and len(dim) == 0):
        return tuple(range(ndim))
    dims = (dim,) if isinstance(dim, (int, np.integer)) else tuple(dim)
    wrapped = tuple(wrap_dim(int(d), ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        repeated = next(d for d in wrapped if wrapped.count(d) > 1)
        raise ShapeError(f"dim {repeated} appears multiple times in the list of dims")
    return wrapped if ndim else ()


# Shape and dtype rules ------------------------------------------------------------------------------------------------


def same(x: Spec, *_: Any, **__: Any) -> Spec:
    """Give the result the shape and dtype of the first input."""
    return Spec(x.shape, x.dtype)


def broadcast(*xs: Any, **_: Any) -> Spec:
    """Give the result the broadcast shape and the promoted dtype."""
    arrays = [x for x in xs if isinstance(x, Spec)]
    dtypes = {x.dtype for x in arrays}
    dtype = dtypes.pop() if len(dtypes) == 1 else _spec_result_dtype(xs)
    return Spec(broadcast_shape(*(x.shape for x in arrays)), dtype)


def _spec_result_dtype(xs: tuple[Any, ...]) -> np.dtype[Any]:
    stand_ins = tuple(np.empty((1,) * x.ndim, x.dtype) if isinstance(x, Spec) else x for x in xs)
    return result_dtype(stand_ins)


def compare(*xs: Any, **_: Any) -> Spec:
    """Give the result the broadcast shape and bool."""
    return Spec(broadcast_shape(*(shape_of(x) for x in xs)), bool_.numpy)


# Promotion ------------------------------------------------------------------------------------------------------------


def to_common(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring arrays to the arithmetic result dtype; Python numbers that fit it stay weak."""
    if len(inputs) == 2:
        a, b = inputs
        if a.__class__ is _NDARRAY:
            if b.__class__ is _NDARRAY:
                if a.dtype is b.dtype:
                    return inputs
            elif a.dtype.kind == "f" and (b.__class__ is float or b.__class__ is int):
                return inputs
        elif b.__class__ is _NDARRAY and b.dtype.kind == "f" and (a.__class__ is float or a.__class__ is int):
            return inputs
    return cast_all(inputs, result_dtype(inputs))


def cast_all(inputs: tuple[Any, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Cast every array to dtype; a Python number becomes a zero-dimensional array of it."""
    return tuple(
        (x if x.dtype is dtype else x.astype(dtype)) if isinstance(x, _NDARRAY) else _number(x, dtype) for x in inputs
    )


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu" and not isinstance(value, (bool, np.bool_)):
        return np.asarray(int(value)).astype(dtype)  # wraps around as PyTorch does, where NumPy would raise
    with np.errstate(over="ignore"):
        return np.asarray(value, dtype)


# NumPy would read the number that a text spells, nan from None, the real part of a complex number, and all of a list.
_NO_NUMBERS = (str, bytes, complex, list, tuple, type(None))


def require_numbers(values: Sequence[Any]) -> None:
    """Refuse values that are to be written to elements, or to bound them, and are no real numbers."""
    for value in values:
        if isinstance(value, _NO_NUMBERS):
            raise ArgumentTypeError(f"a value must be a real number, not {type(value).__name__} {value!r}")


def refuse_overflow(numbers: Sequence[Any], dtype: np.dtype[Any], *, wraps: bool = True) -> None:
    """Refuse what is no number, and numbers that an integer dtype does not hold.

    wraps: whether dtypes without a sign take small negative integers.
    """
    require_numbers(numbers)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        most, least = int(info.max), {int: -int(info.max) - (dtype.kind == "i"), float: int(info.min)}
        if not wraps:
            least[int] = int(info.min)
        if any(isinstance(n, kind) and not least[kind] <= n <= most for n in numbers for kind in (int, float)):
            raise DtypeError(f"value cannot be converted to type {dtype} without overflow")


def to_float(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring arrays to a common floating dtype: integers and bools become the default one."""
    if len(inputs) == 1 and inputs[0].dtype.kind == "f":
        return inputs
    found = to_common(inputs)
    first = next(x for x in found if isinstance(x, _NDARRAY))
    # Not of the common integers: a number that they do not hold has wrapped around there.
    return found if first.dtype.kind == "f" else cast_all(inputs, default_numpy())


_BOOL = np.dtype(np.bool_)


def require_same_dtype(operation: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a promotion that refuses mixed dtypes and bools, as PyTorch's matrix products do."""

    def check(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        dtype = inputs[0].dtype
        for x in inputs:
            if x is not None and x.dtype is not dtype and x.dtype != dtype:
                raise DtypeError(
                    _different_dtypes(operation if len(inputs) > 2 else "mm", dtype, x.dtype),
                    remedy="Convert one with .to(dtype) or .float().",
                )
        if dtype is _BOOL:
            raise UnsupportedDtypeError(
                "\"addmm_impl_cpu_\" not implemented for 'Bool'", remedy="Convert both with .float() or .long() first."
            )
        return inputs

    return check


# The names of the types in C++, by which the products of two matrices call them.
_C_NAMES = {
    "float16": "c10::Half", "float32": "float", "float64": "double", "int8": "signed char", "int16": "short int",
    "int32": "int", "int64": "long int", "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip


def c_name(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype in C++."""
    return _C_NAMES[dtype.name]


def _different_dtypes(operation: str, first: np.dtype[Any], other: np.dtype[Any]) -> str:
    """Return what PyTorch says of two dtypes that do not multiply."""
    if operation in ("linear", "addmm"):
        one, two = from_numpy(first).legacy_name, from_numpy(other).legacy_name
        return f"mat1 and mat2 must have the same dtype, but got {one} and {two}"
    return f"expected m1 and m2 to have the same dtype, but got: {c_name(first)} != {c_name(other)}"


def require_float(operation: str, *specs: Any) -> None:
    """Raise DtypeError unless every spec has a floating dtype."""
    for spec in specs:
        if isinstance(spec, Spec) and category(spec.dtype) != 2:
            raise UnsupportedDtypeError(
                f"\"{operation}\" not implemented for '{from_numpy(spec.dtype).legacy_name}'",
                remedy="Convert with .float() first.",
            )


def only_floats(operation: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a promotion that refuses an integer or bool input."""

    def check(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if inputs[0].dtype.kind != "f":
            require_float(operation, Spec.of(inputs[0]))
        return inputs

    return check


def require(condition: bool, message: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not condition:
        raise ArgumentError(message)
