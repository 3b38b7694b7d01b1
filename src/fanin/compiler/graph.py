"""The graph of a computation: immutable, typed values, each an operation of the table applied to other values.

A `Value` stands where an array stands otherwise: it has a shape and a dtype, operators, and hands itself over to the
operations (`fanin.ops`), whose derivatives therefore run on it unchanged. What a `Value` does not have is numbers: code
that asks for one raises `CaptureError`.

A `Graph` says which values come with the data, which are state, which are the scalars of a step, and which results
replace which state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from fanin._core.errors import CaptureError
from fanin.ops import arithmetic, elementwise, linalg, power, shape
from fanin.ops.op import Op, Spec

# Where a value comes from that is not the result of an operation.
DATA = "data"  # it comes with each call
STANDING = "standing"  # what is said of data that is the same in all steps of a call
COUNTED = "counted"  # what is said of state whose number of rows the code is told when it runs
STATE = "state"  # a tensor that outlives the call: a parameter, a buffer, an optimiser's moment
SCALAR = "scalar"  # a number of this step, computed on the host: a rate, a bias correction
CONSTANT = "constant"  # the same at every call

_NO_ATTRS: Mapping[str, Any] = {}


class Value:
    """One value of a graph: `op` applied to `inputs`, or a leaf.

    inputs: values, Python numbers (which do not widen a dtype) and None (an input left out).
    weak:   a scalar of a step, which does not widen a dtype either.
    array:  the elements of a constant.
    name:   of a leaf, for printing.
    """

    __slots__ = ("__weakref__", "array", "attrs", "dtype", "inputs", "name", "op", "role", "shape", "weak")
    __array_ufunc__ = None  # NumPy's functions and operators leave values alone
    __array_priority__ = 2000
    __hash__ = object.__hash__

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        *,
        op: Op | None = None,
        inputs: tuple[Any, ...] = (),
        attrs: Mapping[str, Any] = _NO_ATTRS,
        role: str = "",
        weak: bool = False,
        array: Any = None,
        name: str = "",
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.op, self.inputs, self.attrs = op, inputs, attrs
        self.role, self.weak, self.array, self.name = role, weak, array, name

    # What an array would say of itself ----------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes between neighbours along each dimension: values lie in row-major order."""
        steps, step = [], self.dtype.itemsize
        for n in reversed(self.shape):
            steps.append(step)
            step *= n
        return tuple(reversed(steps))

    @property
    def flags(self) -> Any:
        """What NumPy's flags say of a fresh array."""
        return _FLAGS

    base = None

    @property
    def T(self) -> Any:
        """The dimensions in reverse order."""
        return shape.permute(self, dims=tuple(reversed(range(self.ndim)))) if self.ndim > 1 else self

    def reshape(self, *sizes: Any) -> Any:
        """Return the value with another shape."""
        wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
        return shape.reshape(self, shape.resolve_shape(self.shape, tuple(wanted)))

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return the value in another dtype."""
        return self if np.dtype(dtype) == self.dtype else elementwise.cast(self, dtype=np.dtype(dtype))

    def copy(self, order: str = "C") -> Any:
        """Return the value: nothing changes it."""
        return self

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d value")
        return self.shape[0]

    # Operations ---------------------------------------------------------------------------------------------------

    def _apply_operation(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        return apply(op, inputs, attrs)

    def __add__(self, other: Any) -> Any:
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return apply(arithmetic.add, (other, self), {})

    def __sub__(self, other: Any) -> Any:
        return arithmetic.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return apply(arithmetic.subtract, (other, self), {})

    def __mul__(self, other: Any) -> Any:
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return apply(arithmetic.multiply, (other, self), {})

    def __truediv__(self, other: Any) -> Any:
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return apply(arithmetic.divide, (other, self), {})

    def __pow__(self, other: Any) -> Any:
        return power.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return apply(power.power, (other, self), {})

    def __matmul__(self, other: Any) -> Any:
        return linalg.matmul(self, other)

    def __neg__(self) -> Any:
        return elementwise.negative(self)

    def __abs__(self) -> Any:
        return elementwise.absolute(self)

    def __invert__(self) -> Any:
        return arithmetic.logical_not(self) if self.dtype.kind == "b" else arithmetic.bitwise_not(self)

    def __and__(self, other: Any) -> Any:
        return arithmetic.bitwise_and(self, other)

    def __or__(self, other: Any) -> Any:
        return arithmetic.bitwise_or(self, other)

    def __lt__(self, other: Any) -> Any:
        return arithmetic.less(self, other)

    def __le__(self, other: Any) -> Any:
        return arithmetic.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return arithmetic.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return arithmetic.greater_equal(self, other)

    def __eq__(self, other: object) -> Any:
        return arithmetic.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return arithmetic.not_equal(self, other)

    # What needs the numbers ---------------------------------------------------------------------------------------

    def __bool__(self) -> NoReturn:
        raise CaptureError(
            "a branch on the value of a tensor cannot be captured",
            remedy="Write it with torch.where(condition, a, b), or keep this branch outside of the compiled function.",
        )

    def _no_number(self, *_: Any, **__: Any) -> NoReturn:
        raise CaptureError(
            "the value of a tensor is read in the middle of a captured step (.item(), .numpy(), .tolist(), float(), "
            "print)",
            remedy="Return the tensor from the compiled function, and read it outside.",
        )

    __float__ = __int__ = __index__ = __complex__ = __array__ = __iter__ = _no_number
    item = tolist = tobytes = any = all = max = min = sum = __getitem__ = __setitem__ = _no_number

    def __repr__(self) -> str:
        what = self.op.name if self.op is not None else self.role
        return f"<{what} {short_dtype(self.dtype)}{list(self.shape)}>"


class _Flags:
    c_contiguous = contiguous = owndata = writeable = True
    f_contiguous = False


_FLAGS = _Flags()


def constant(array: Any) -> Value:
    """Return a constant of the array's elements, which are copied."""
    array = np.array(array, order="C")
    array.flags.writeable = False
    return Value(array.shape, array.dtype, role=CONSTANT, array=array)


def apply(op: Op, inputs: tuple[Any, ...], attrs: Mapping[str, Any]) -> Value:
    """Return the value of an operation on values, arrays (which become constants), numbers and None."""
    lifted = tuple(constant(x) if isinstance(x, (np.ndarray, np.generic)) else x for x in inputs)
    if op.promote is not None:
        lifted = _promoted(op, lifted)
    weak = bool(lifted) and all(not isinstance(x, Value) or x.weak for x in lifted)
    spec = op.infer(*(_spec(x) for x in lifted), **attrs)
    if weak and spec.dtype.kind == "f":
        spec = Spec(spec.shape, np.dtype(np.float64))  # the host's arithmetic is in double precision
    return Value(spec.shape, spec.dtype, op=op, inputs=lifted, attrs=dict(attrs), weak=weak)


def _spec(x: Any) -> Any:
    return Spec(x.shape, x.dtype) if isinstance(x, Value) else x


def _promoted(op: Op, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Apply an operation's promotion to stand-ins of one element, and cast the values as it did those."""
    values = [x for x in inputs if isinstance(x, Value)]
    if values and all(x.weak for x in values):
        return inputs  # numbers of the host among themselves
    stand_ins = tuple(_stand_in(x) for x in inputs)
    assert op.promote is not None
    promoted = op.promote(stand_ins)
    return tuple(_like(x, p) for x, p in zip(inputs, promoted, strict=True))


def _stand_in(x: Any) -> Any:
    if not isinstance(x, Value):
        return x
    return 1.0 if x.weak else np.ones((1,) * x.ndim, x.dtype)


def _like(x: Any, promoted: Any) -> Any:
    if isinstance(x, Value):
        if not isinstance(promoted, np.ndarray):
            return x  # a weak scalar that stays one
        return x if x.dtype == promoted.dtype else _cast(x, promoted.dtype)
    if isinstance(promoted, np.ndarray) and not isinstance(x, np.ndarray):
        return constant(promoted)
    return x


def _cast(x: Value, dtype: np.dtype[Any]) -> Value:
    if x.role == CONSTANT:
        return constant(x.array.astype(dtype))
    return Value(x.shape, dtype, op=elementwise.cast, inputs=(x,), attrs={"dtype": dtype})


# Graphs ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graph:
    """What a captured function computes.

    data:    the leaves that come with each call, in the order of the arguments.
    state:   the leaves that are read, or written, and outlive the call.
    scalars: the leaves that the host computes anew for every step.
    outputs: the results that are returned.
    updates: for each state that changes, its number in `state` and its new value.
    """

    data: tuple[Value, ...] = ()
    state: tuple[Value, ...] = ()
    scalars: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    updates: tuple[tuple[int, Value], ...] = ()
    names: Mapping[Value, str] = field(default_factory=dict, compare=False)

    @property
    def roots(self) -> tuple[Value, ...]:
        """Everything that has to be computed."""
        return (*self.outputs, *(new for _, new in self.updates))

    def values(self) -> list[Value]:
        """Return all values that the roots depend on, each after its inputs."""
        return list(self._order)

    @cached_property
    def _order(self) -> list[Value]:
        return in_order(self.roots)

    def rewritten(self, rewrite: Callable[[Value], Any]) -> Graph:
        """Return the graph with every value replaced by rewrite(value), from the inputs to the roots.

        `rewrite` is given a value whose inputs are rewritten already, and returns it or another in its place.
        """
        done: dict[Value, Any] = {}
        for value in self.values():
            done[value] = rewrite(rebuilt(value, done))
        return replace(
            self,
            outputs=tuple(done[v] for v in self.outputs),
            updates=tuple((i, done[v]) for i, v in self.updates),
        )

    def __str__(self) -> str:
        from fanin.compiler.printing import text

        return text(self)


def in_order(roots: Iterable[Value]) -> list[Value]:
    """Return all values behind the roots, each after its inputs, without recursion."""
    order: list[Value] = []
    done: set[int] = set()
    for root in roots:
        stack: list[tuple[Value, Iterator[Any]]] = []
        if id(root) not in done:
            done.add(id(root))
            stack.append((root, iter(root.inputs)))
        while stack:
            value, rest = stack[-1]
            for x in rest:
                if isinstance(x, Value) and id(x) not in done:
                    done.add(id(x))
                    stack.append((x, iter(x.inputs)))
                    break
            else:
                order.append(value)
                stack.pop()
    return order


def rebuilt(value: Value, done: Mapping[Value, Any]) -> Value:
    """Return value with its inputs replaced; the same object when none changed."""
    inputs = tuple(done.get(x, x) if isinstance(x, Value) else x for x in value.inputs)
    if all(a is b for a, b in zip(inputs, value.inputs, strict=True)):
        return value
    return Value(value.shape, value.dtype, op=value.op, inputs=inputs, attrs=value.attrs, weak=value.weak)


def short_dtype(dtype: np.dtype[Any]) -> str:
    """Return f32, i64, b1 ..."""
    return f"{dtype.kind}{dtype.itemsize * (1 if dtype.kind == 'b' else 8)}"
