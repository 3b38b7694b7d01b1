"""Norms and distances, and softmax with its relatives."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.errors import ArgumentTypeError, DtypeError, OperationError, ShapeError
from fanin.ops import arithmetic, linalg, reduce
from fanin.ops.rules import wrap_dim
from fanin.tensor.functions.operands import (
    converted,
    is_dim,
    number,
    numpy_names,
    reduction_dims,
    require_one_dtype,
    require_tensor,
    to_out,
)
from fanin.tensor.tape import apply, label

_ORDERS = {"inf": math.inf, "-inf": -math.inf}


def vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Any:
    """Return (sum |x| ** ord) ** (1 / ord) over the dimensions; the largest |x| for inf, the count of non-zeros for 0.

    At 0 the gradient is 0.

    >>> import fanin as torch
    >>> x = torch.tensor([[3.0, -4.0], [6.0, 8.0]])
    >>> torch.linalg.vector_norm(x, dim=1), torch.linalg.vector_norm(x, ord=float("inf"))
    (tensor([ 5., 10.]), tensor(8.))
    """
    x = _floating("linalg.vector_norm", converted(require_tensor("linalg.vector_norm", x), dtype))
    order = float(number(ord))
    dims = reduction_dims(x, dim)
    if order in (math.inf, -math.inf) or order < 0:
        _require_elements(x, dims)
    result = apply(linalg.norm, (x,), {"p": order, "dim": dims, "keepdim": keepdim})
    return to_out(out, result, "linalg.vector_norm")


def _require_elements(x: Any, dims: tuple[int, ...]) -> None:
    if any(not x._array.shape[d] for d in dims):
        raise OperationError(
            "linalg.vector_norm cannot compute the norm on an empty dimension because the operation does not have an "
            "identity"
        )


def _floating(function: str, x: Any) -> Any:
    if x._array.dtype.kind != "f":
        raise DtypeError(f"{function}: Expected a floating point or complex tensor as input. Got {x.dtype.legacy_name}")
    return x


def matrix_norm(
    A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Any:
    """Return the norm of matrices: 'fro', 'nuc' (sum of singular values), or inf, -inf, 1, -1, 2, -2.

    >>> import fanin as torch
    >>> torch.linalg.matrix_norm(torch.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1)
    tensor(6.)
    """
    A = _floating("linalg.matrix_norm", converted(require_tensor("linalg.matrix_norm", A), dtype))
    if A._array.ndim < 2:
        raise ShapeError(f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got {A._array.ndim}")
    rows, columns = (wrap_dim(d, A._array.ndim) for d in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, out=out)
    if ord == "nuc" or ord in (2, -2):
        return to_out(out, _spectral(A, ord, rows, columns, keepdim), "linalg.matrix_norm")
    order = math.nan if isinstance(ord, str) else float(ord)
    if abs(order) not in (1.0, math.inf):
        raise OperationError(f"linalg.matrix_norm: Order {ord} not supported.")
    inner, other = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = A.abs().sum(inner, keepdim=True)
    result = sums.amax(other, keepdim=True) if order > 0 else sums.amin(other, keepdim=True)
    return to_out(out, result if keepdim else _squeezed(result, rows, columns), "linalg.matrix_norm")


def _spectral(A: Any, ord: Any, rows: int, columns: int, keepdim: bool) -> Any:
    from fanin.tensor.functions.decompositions import svdvals

    values = svdvals(A.movedim((rows, columns), (-2, -1)))
    result = values.sum(-1) if ord == "nuc" else values.amax(-1) if float(ord) > 0 else values.amin(-1)
    if keepdim:
        for d in sorted((rows, columns)):
            result = result.unsqueeze(d)
    return result


def _squeezed(x: Any, *dims: int) -> Any:
    return x.squeeze(tuple(dims))


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None) -> Any:
    """Return the p-norm over the dimensions, all of them when dim is None: by default the root of the sum of squares.

    >>> import fanin as torch
    >>> torch.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    require_tensor("norm", input)
    if p == "nuc":
        dims = (0, 1) if dim is None else dim
        return matrix_norm(input, "nuc", dims, keepdim, dtype=dtype, out=out)
    order = 2.0 if p in ("fro", None) else _ORDERS.get(p, p) if isinstance(p, str) else float(number(p))
    if isinstance(order, str):
        raise OperationError(f"unknown norm {p!r}: p is a number, 'fro' or 'nuc'")
    return vector_norm(input, order, dim, keepdim, dtype=dtype, out=out)


def linalg_norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Any:
    """Return a vector norm, or a matrix norm when two dimensions (or a matrix and an order) are given.

    >>> import fanin as torch
    >>> torch.linalg.norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]])), torch.linalg.norm(torch.tensor([3.0, -4.0]), ord=1)
    (tensor(5.), tensor(7.))
    """
    require_tensor("linalg.norm", A)
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    count = A._array.ndim if dim is None else 1 if is_dim(dim) else len(dim)
    if count == 2:
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if count != 1 or isinstance(ord, str):
        raise OperationError(
            f"linalg.norm: If ord={ord!r} is specified, A must be 1-D or 2-D, or dim must name 1 or 2 dims"
        )
    return vector_norm(A, ord, dim, keepdim, dtype=dtype, out=out)


@numpy_names
def renorm(input: Any, p: float, dim: int, maxnorm: float, *, out: Any = None) -> Any:
    """Return the tensor with every slice along dim whose p-norm is above maxnorm scaled down to it.

    >>> import fanin as torch
    >>> torch.renorm(torch.tensor([[3.0, 4.0], [0.6, 0.8]]), p=2, dim=0, maxnorm=2)
    tensor([[1.2000, 1.6000],
            [0.6000, 0.8000]])
    """
    if input._array.ndim < 2:
        raise OperationError(f"renorm: input needs at least 2 dimensions, got {input._array.ndim} dimensions")
    dim = wrap_dim(dim, input._array.ndim)
    others = tuple(axis for axis in range(input._array.ndim) if axis != dim)
    sizes = vector_norm(input, p, others, keepdim=True)
    factor = apply(arithmetic.where, (sizes > maxnorm, maxnorm / (sizes + 1e-7), 1.0), {})
    return to_out(out, label(input * factor, "RenormBackward0"), "renorm")


# Distances ------------------------------------------------------------------------------------------------------------


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the p-norm of the difference.

    >>> import fanin as torch
    >>> torch.dist(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0]))
    tensor(5.)
    """
    return label(vector_norm(input - other, p), "DistBackward0")


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Any:
    """Return the p-norm distances of all pairs of rows: (..., n, d) and (..., m, d) give (..., n, m).

    >>> import fanin as torch
    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    tensor([[5., 1.]])
    """
    for name, x in (("X1", x1), ("X2", x2)):
        _floating("cdist", require_tensor("cdist", x, name))
        if x._array.ndim < 2:
            raise ShapeError(f"cdist only supports at least 2D tensors, {name} got: {x._array.ndim}D")
    if x1._array.shape[-1] != x2._array.shape[-1]:
        raise ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {x1._array.shape[-1]} X2: {x2._array.shape[-1]}"
        )
    require_one_dtype("expected scalar type {0} but found {1}", x1, x2)
    if p < 0:
        raise OperationError("cdist only supports non-negative p values")
    if not x1._array.shape[-1]:
        return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).sum(-1)
    return label(vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1), "CdistBackward0")


# Softmax and its relatives --------------------------------------------------------------------------------------------


@numpy_names
def softmax(input: Any, dim: Any = None, dtype: Any = None, *, out: Any = None) -> Any:
    """Return exp(x) / sum exp(x) along dim: numbers in (0, 1) whose sum is 1.

    >>> import fanin as torch
    >>> torch.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return to_out(out, _softmax(reduce.softmax, "softmax", input, dim, dtype), "softmax")


@numpy_names
def log_softmax(input: Any, dim: Any = None, dtype: Any = None, *, out: Any = None) -> Any:
    """Return log(softmax(x)) along dim, without overflow: x - logsumexp(x).

    >>> import fanin as torch
    >>> torch.log_softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return to_out(out, _softmax(reduce.log_softmax, "log_softmax", input, dim, dtype), "log_softmax")


def _softmax(op: Any, name: str, input: Any, dim: Any, dtype: Any) -> Any:
    require_tensor(name, input)
    if not is_dim(dim):
        raise ArgumentTypeError(
            f"{name}() received an invalid combination of arguments: dim must be an int, got {dim!r}"
        )
    input = converted(input, dtype)
    return apply(op, (input,), {"dim": wrap_dim(dim, input._array.ndim)})


@numpy_names
def logsumexp(input: Any, dim: Any, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return log(sum exp(x)) over the dimensions, without overflow.

    >>> import fanin as torch
    >>> torch.logsumexp(torch.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    dims = reduction_dims(require_tensor("logsumexp", input), dim)
    return to_out(out, apply(reduce.logsumexp, (input,), {"dim": dims, "keepdim": keepdim}), "logsumexp")
