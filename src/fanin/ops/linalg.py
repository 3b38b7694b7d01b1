"""Matrix products, the affine map of a layer, einsum, norms and a few solvers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.errors import OperationError, ShapeError
from fanin.ops.arithmetic import equal, expand, ones_vector, sum_to, where, zeros_like
from fanin.ops.elementwise import absolute, sign
from fanin.ops.op import Op, Spec, define
from fanin.ops.power import power
from fanin.ops.reduce import cast_hits, reduced_shape, spread, sum_
from fanin.ops.rules import broadcast_shape, require_same_dtype, shape_of
from fanin.ops.shape import reshape, transpose
from fanin.ops.singular import INVERSE, SOLUTION, fails_with, zero_pivot

# matmul ---------------------------------------------------------------------------------------------------------------


def _matmul_spec(a: Spec, b: Spec) -> Spec:
    if not a.ndim or not b.ndim:
        raise ShapeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D; "
            "multiply by a scalar with *"
        )
    rows = a.shape if a.ndim > 1 else (1, *a.shape)
    columns = b.shape if b.ndim > 1 else (*b.shape, 1)
    if rows[-1] != columns[-2]:
        raise ShapeError(
            _unfit(a, b, rows, columns),
            remedy=f"The last dimension of the first, {rows[-1]}, must equal {columns[-2]}.",
        )
    lead = broadcast_shape(rows[:-2], columns[:-2])
    tail = (rows[-2],) * (a.ndim > 1) + (columns[-1],) * (b.ndim > 1)
    return Spec(lead + tail, a.dtype)


def _unfit(a: Spec, b: Spec, rows: tuple[int, ...], columns: tuple[int, ...]) -> str:
    """Return what PyTorch says of two shapes that do not multiply, in the words of the product it would have used."""
    if a.ndim == b.ndim == 1:
        n, m = a.shape[0], b.shape[0]
        return (
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, but "
            f"got {n} and {m} elements respectively"
        )
    if (a.ndim, b.ndim) == (2, 1):
        return f"size mismatch, got input ({rows[0]}), mat ({rows[0]}x{rows[1]}), vec ({b.shape[0]})"
    if a.ndim > 2 and b.ndim > 2:
        expected, got = [math.prod(rows[:-2]), rows[-1]], [math.prod(columns[:-2]), columns[-2]]
        return f"Expected size for first two dimensions of batch2 tensor to be: {expected} but got: {got}."
    height = math.prod(rows[:-1])
    return f"mat1 and mat2 shapes cannot be multiplied ({height}x{rows[-1]} and {columns[-2]}x{columns[-1]})"


def swap(x: Any) -> Any:
    """Return matrices transposed."""
    return x.T if len(x.shape) == 2 else transpose(x, dim0=-2, dim1=-1)


def _matmul_vjp_a(g: Any, out: Any, a: Any, b: Any) -> Any:
    shape_a, shape_b = shape_of(a), shape_of(b)
    if len(shape_b) == 1:
        if len(shape_a) == 1:
            return g * b
        return reshape(g, (*g.shape, 1)) * b
    if len(shape_a) == 1:
        g = reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
        return reshape(sum_to(matmul(g, swap(b)), (1, *shape_a)), shape_a)
    return sum_to(matmul(g, swap(b)), shape_a)


def _matmul_vjp_b(g: Any, out: Any, a: Any, b: Any) -> Any:
    shape_a, shape_b = shape_of(a), shape_of(b)
    if len(shape_a) == 1:
        if len(shape_b) == 1:
            return g * a
        return sum_to(reshape(a, (*shape_a, 1)) * reshape(g, (*g.shape[:-1], 1, g.shape[-1])), shape_b)
    if len(shape_b) == 1:
        g = reshape(g, (*g.shape, 1))
        return reshape(sum_to(matmul(swap(a), g), (*shape_b, 1)), shape_b)
    return sum_to(matmul(swap(a), g), shape_b)


def _matmul(a: Any, b: Any) -> Any:
    # For two matrices both call the same product of BLAS, and dot gets there 1.5 us earlier.
    return a.dot(b) if a.ndim == b.ndim == 2 else np.matmul(a, b)


matmul: Op = define(
    "matmul",
    _matmul,
    _matmul_spec,
    vjps=(_matmul_vjp_a, _matmul_vjp_b),
    reads=None,
    reads_by=((1,), (0,)),
    promote=require_same_dtype("matmul"),
    grad_name="MmBackward0",
)

# linear: y = x W^T + b, one operation because every layer is made of it. ----------------------------------------------


def _linear_spec(x: Spec, weight: Spec, bias: Spec | None = None) -> Spec:
    if x.ndim == 0 or x.shape[-1] != weight.shape[-1]:
        rows = math.prod(x.shape[:-1])
        inner = x.shape[-1] if x.ndim else 1
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {weight.shape[-1]}x{weight.shape[0]})",
            remedy=f"The layer takes {weight.shape[-1]} features in the last dimension, the input is {list(x.shape)}.",
        )
    shape = x.shape[:-1] + weight.shape[:-1]
    if bias is not None and broadcast_shape(shape, bias.shape) != shape:
        raise ShapeError(
            f"The expanded size of the bias, {list(bias.shape)}, must match the existing size {list(shape)} of "
            "the result"
        )
    return Spec(shape, x.dtype)


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    if x.ndim > 2 and weight.ndim == 2:  # one product of matrices, not one for each leading index
        return _linear(_rows(x), weight, bias).reshape(x.shape[:-1] + weight.shape[:1])
    out = x.dot(weight.T) if x.ndim == 2 else np.matmul(x, weight.T)
    if bias is not None:
        if out.ndim:
            out += bias
        else:
            out = out + bias
    return out


def _rows(x: Any) -> Any:
    shape = shape_of(x)
    return x if len(shape) == 2 else reshape(x, (math.prod(shape[:-1]), shape[-1]))


# A batch of rows comes first in each rule: on arrays it is one call of BLAS, without the detour over the operation.


def _linear_vjp_weight(g: Any, out: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    if g.__class__ is np.ndarray and g.ndim == 2:
        return g.T.dot(x)
    if len(shape_of(weight)) == 1:
        return sum_to(x * reshape(g, (*shape_of(g), 1)), shape_of(weight))
    return matmul(_rows(g).T, _rows(x))


def _linear_vjp_x(g: Any, out: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    if g.__class__ is np.ndarray and g.ndim == 2:
        return g.dot(weight)
    if len(shape_of(weight)) == 1:
        return reshape(g, (*shape_of(g), 1)) * weight
    return matmul(g, weight)


def _linear_vjp_bias(g: Any, out: Any, x: Any, weight: Any, bias: Any) -> Any:
    if g.__class__ is np.ndarray and g.ndim == 2:
        return ones_vector(g.shape[0], g.dtype.char).dot(g)
    return sum_to(g, shape_of(bias))


linear: Op = define(
    "linear",
    _linear,
    _linear_spec,
    vjps=(_linear_vjp_x, _linear_vjp_weight, _linear_vjp_bias),
    reads=(0, 1),
    reads_by=((1,), (0,), ()),
    promote=require_same_dtype("linear"),
    grad_name="AddmmBackward0",
)

# einsum ---------------------------------------------------------------------------------------------------------------


def _einsum_spec(*xs: Spec, equation: str) -> Spec:
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    if len(terms) != len(xs):
        raise OperationError(f"einsum(): the equation names {len(terms)} operands, but {len(xs)} were given")
    sizes: dict[str, int] = {}
    for operand, (term, x) in enumerate(zip(terms, xs, strict=True)):
        if len(term) != x.ndim:
            raise OperationError(
                f"einsum(): the number of subscripts in {term!r} does not match the number of dimensions ({x.ndim})"
            )
        for letter, n in zip(term, x.shape, strict=True):
            if n != 1 and sizes.get(letter, 1) not in (1, n):
                raise OperationError(
                    f"einsum(): subscript {letter} has size {n} for operand {operand} which does not broadcast with "
                    f"previously seen size {sizes[letter]}"
                )
            sizes[letter] = max(n, sizes.get(letter, 1)) if n else 0
    return Spec(tuple(sizes[letter] for letter in output), xs[0].dtype)


def _einsum(*xs: Any, equation: str) -> Any:
    return np.asarray(np.einsum(equation, *xs, optimize=len(xs) > 2 or "greedy"), xs[0].dtype)


def _einsum_vjp(i: int, g: Any, out: Any, *xs: Any, equation: str) -> Any:
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    others = [x for j, x in enumerate(xs) if j != i]
    target = terms[i]
    # A letter that stands in this term alone was summed over: its gradient is spread over that dimension.
    present = set(output).union(*(set(t) for j, t in enumerate(terms) if j != i))
    partial = "".join(letter for letter in target if letter in present)
    left = ",".join([output] + [t for j, t in enumerate(terms) if j != i])
    gradient = einsum(g, *others, equation=f"{left}->{partial}")
    shape = shape_of(xs[i])
    sizes = dict(zip(partial, gradient.shape, strict=True))
    kept = reshape(gradient, tuple(sizes.get(letter, 1) for letter in target))
    stretched = tuple(n if letter in present else 1 for letter, n in zip(target, shape, strict=True))
    return expand(sum_to(kept, stretched), shape)


einsum: Op = define("einsum", _einsum, _einsum_spec, vjp_each=_einsum_vjp, reads=None, grad_name="ViewBackward0")

# Norms ----------------------------------------------------------------------------------------------------------------


def _norm_spec(x: Spec, *, p: float, dim: tuple[int, ...], keepdim: bool = False) -> Spec:
    return Spec(reduced_shape(x.shape, dim, keepdim), x.dtype)


# NumPy's stubs know `keepdims` only as a literal.
_add: Any = np.add
_maximum: Any = np.maximum
_minimum: Any = np.minimum


def _norm(x: Any, *, p: float, dim: tuple[int, ...], keepdim: bool = False) -> Any:
    magnitude = np.abs(x)
    if p == np.inf:
        return _maximum.reduce(magnitude, axis=dim, keepdims=keepdim)
    if p == -np.inf:
        return _minimum.reduce(magnitude, axis=dim, keepdims=keepdim)
    if p == 0:
        return _add.reduce((x != 0).astype(x.dtype), axis=dim, keepdims=keepdim)
    if p == 1:
        return _add.reduce(magnitude, axis=dim, keepdims=keepdim)
    if p == 2:
        return np.sqrt(_add.reduce(x * x, axis=dim, keepdims=keepdim))
    return np.power(_add.reduce(np.power(magnitude, p), axis=dim, keepdims=keepdim), 1.0 / p)


def _norm_vjp(g: Any, out: Any, x: Any, *, p: float, dim: tuple[int, ...], keepdim: bool = False) -> Any:
    shape = shape_of(x)
    g, size = spread(g, shape, dim), spread(out, shape, dim)
    if p == 0:
        return zeros_like(x)
    if p == 1:
        return g * sign(x)
    if p in (np.inf, -np.inf):
        hits = cast_hits(equal(absolute(x), size), x)
        return g * sign(x) * (hits / sum_(hits, dim=dim, keepdim=True))
    # At zero the norm has no derivative; PyTorch's choice, 0, is a subgradient.
    nonzero = where(equal(size, 0), size + 1, size)
    if p == 2:
        return g * (x / nonzero)
    away = absolute(x)
    if p < 2:  # a power of 0, or that of its derivative, would be infinite, times a sign of 0
        away = where(equal(x, 0), away + 1, away)
    slope = power(away / nonzero, p - 1)
    return g * sign(x) * (where(equal(size, 0), zeros_like(slope), slope) if p < 0 else slope)


norm: Op = define(
    "norm", _norm, _norm_spec, vjps=(_norm_vjp,), reads=(0,), reads_out=True, grad_name="LinalgVectorNormBackward0"
)

# Solvers --------------------------------------------------------------------------------------------------------------


def square_spec(x: Spec) -> Spec:
    """Return what square matrices become where their shape stays; raise RuntimeError for others."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"linalg: A must be batches of square matrices, but they are {list(x.shape)}")
    return x


inverse: Op = define(
    "inverse",
    fails_with(np.linalg.inv, "linalg.inv", INVERSE, zero_pivot),
    square_spec,
    vjps=(lambda g, out, x: -matmul(swap(out), matmul(g, swap(out))),),
    reads_out=True,
    grad_name="LinalgInvExBackward0",
)


def _solve_spec(a: Spec, b: Spec) -> Spec:
    square_spec(a)
    if b.shape[-2:-1] != a.shape[-1:]:
        raise ShapeError(
            "linalg.solve: Incompatible shapes of A and B for the equation AX = B "
            f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})",
            remedy=f"The shapes were {list(a.shape)} and {list(b.shape)}.",
        )
    return Spec(broadcast_shape(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)


solve: Op = define(
    "solve",
    fails_with(np.linalg.solve, "torch.linalg.solve", SOLUTION, zero_pivot),
    _solve_spec,
    vjps=(
        lambda g, out, a, b: sum_to(-matmul(solve(swap(a), g), swap(out)), shape_of(a)),
        lambda g, out, a, b: sum_to(solve(swap(a), g), shape_of(b)),
    ),
    reads=(0,),
    reads_by=((0, -1), (0,)),
    reads_out=True,
    grad_name="LinalgSolveExBackward0",
)
det: Op = define(
    "det",
    np.linalg.det,
    lambda x: Spec(square_spec(x).shape[:-2], x.dtype),
    vjps=(lambda g, out, x: reshape(g * out, (*shape_of(out), 1, 1)) * swap(inverse(x)),),
    reads=(0,),
    reads_out=True,
    grad_name="LinalgDetBackward0",
)
sign_of_det: Op = define(
    "sign_of_det",
    lambda x: np.asarray(np.linalg.slogdet(x)[0], x.dtype),
    lambda x: Spec(square_spec(x).shape[:-2], x.dtype),
)
log_abs_det: Op = define(
    "log_abs_det",
    lambda x: np.asarray(np.linalg.slogdet(x)[1], x.dtype),
    lambda x: Spec(square_spec(x).shape[:-2], x.dtype),
    vjps=(lambda g, out, x: reshape(g, (*shape_of(g), 1, 1)) * swap(inverse(x)),),
    reads=(0,),
    grad_name="LinalgSlogdetBackward0",
)
