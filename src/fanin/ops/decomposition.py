"""Decompositions of matrices, and what is made of them.

Of most of them fanin has the values and no derivative; it says so where PyTorch would have one. A decomposition into
several matrices is one operation, whose result holds the elements of all of them: (..., n).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import GraphError
from fanin.ops.arithmetic import zeros_like
from fanin.ops.index import getitem
from fanin.ops.linalg import matmul, solve, square_spec, swap
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import shape_of
from fanin.ops.shape import cat, tril
from fanin.ops.singular import FACTOR, LinAlgError, bad_minor, fails_with

Shapes = tuple[tuple[int, ...], ...]


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of NumPy returns; raise LinAlgError where its algorithm fails."""
    try:
        return function(*arguments)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg: the algorithm failed on this matrix: {error}") from None


def _refuse(*_: Any, what: str = "this decomposition", **__: Any) -> Any:
    raise GraphError(
        f"the derivative of {what} is not part of fanin; take .detach() of its input when no gradient is needed there"
    )


def _halved_triangle(x: Any) -> Any:
    return (tril(x, diagonal=0) + tril(x, diagonal=-1)) * 0.5


def _cholesky_vjp(g: Any, out: Any, x: Any) -> Any:
    # Sebastian F. Walter, "Structured higher-order algorithmic differentiation", 2012, section 3.4.
    middle = solve(swap(out), _halved_triangle(matmul(swap(out), g)))
    outer = swap(solve(swap(out), swap(middle)))
    return (outer + swap(outer)) * 0.5


cholesky: Op = define(
    "cholesky",
    fails_with(np.linalg.cholesky, "linalg.cholesky", FACTOR, bad_minor),
    square_spec,
    vjps=(_cholesky_vjp,),
    reads_out=True,
    grad_name="LinalgCholeskyExBackward0",
)


def _svd_outer(g: Any, x: Any) -> Any:
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return np.matmul(u * g[..., None, :], vh)


svd_outer: Op = define("svd_outer", _svd_outer, lambda g, x: x, vjps=(_refuse, _refuse), reads=None)
singular_values: Op = define(
    "svdvals",
    lambda x: np.linalg.svd(x, compute_uv=False),
    lambda x: Spec((*x.shape[:-2], min(x.shape[-2:])), x.dtype),
    vjps=(lambda g, out, x: svd_outer(g, x),),
    reads=(0,),
    grad_name="LinalgSvdBackward0",
)


def _eigh_outer(g: Any, x: Any) -> Any:
    _, vectors = np.linalg.eigh(x)
    return np.matmul(vectors * g[..., None, :], np.swapaxes(vectors, -1, -2))


eigh_outer: Op = define("eigh_outer", _eigh_outer, lambda g, x: x, vjps=(_refuse, _refuse), reads=None)
eigenvalues: Op = define(
    "eigvalsh",
    lambda x: np.linalg.eigvalsh(x),
    lambda x: Spec(square_spec(x).shape[:-1], x.dtype),
    vjps=(lambda g, out, x: eigh_outer(g, x),),
    reads=(0,),
    grad_name="LinalgEighBackward0",
)

# Several matrices in one --------------------------------------------------------------------------------------------


def qr_shapes(shape: tuple[int, ...], mode: str) -> Shapes:
    """Return the shapes of Q and R."""
    m, n = shape[-2:]
    k = m if mode == "complete" else min(m, n)
    return ((m, k), (k, n))


def svd_shapes(shape: tuple[int, ...], full: bool) -> Shapes:
    """Return the shapes of U, the singular values and Vh."""
    m, n = shape[-2:]
    k = min(m, n)
    return ((m, m if full else k), (k,), (n if full else k, n))


def _of(shapes: Shapes, x: Spec) -> Spec:
    return Spec((*x.shape[:-2], sum(map(math.prod, shapes))), x.dtype)


def _evaluate_together(function: Callable[..., Any], x: Any, shapes: Shapes, *arguments: Any) -> Any:
    parts = attempt(function, x, *arguments)
    batch = x.shape[:-2]
    return np.concatenate([part.reshape(*batch, math.prod(s)) for part, s in zip(parts, shapes, strict=True)], axis=-1)


qr: Op = define(
    "qr",
    lambda x, *, mode: _evaluate_together(np.linalg.qr, x, qr_shapes(x.shape, mode), mode),
    lambda x, *, mode: _of(qr_shapes(x.shape, mode), x),
    vjps=(lambda g, out, x, *, mode: _refuse(what="qr"),),
)
svd: Op = define(
    "svd",
    lambda x, *, full: _evaluate_together(np.linalg.svd, x, svd_shapes(x.shape, full), full),
    lambda x, *, full: _of(svd_shapes(x.shape, full), x),
    vjps=(lambda g, out, x, *, full: _refuse(what="svd"),),
)
eigh: Op = define(
    "eigh",
    lambda x, *, uplo: _evaluate_together(np.linalg.eigh, x, (x.shape[-1:], x.shape[-2:]), uplo),
    lambda x, *, uplo: _of((square_spec(x).shape[-1:], x.shape[-2:]), x),
    vjps=(lambda g, out, x, *, uplo: _refuse(what="the eigenvectors of eigh"),),
)

# By singular values ---------------------------------------------------------------------------------------------------


def _kept(s: Any, shape: tuple[int, ...], atol: Any, rtol: Any) -> Any:
    """Return which singular values count: by default those above eps * the larger side * the largest."""
    if rtol is None:
        rtol = 0.0 if atol is not None and np.any(atol) else np.finfo(s.dtype).eps * max(shape[-2:])
    if not s.size:
        return np.zeros(s.shape, np.bool_)
    return s > np.maximum(0.0 if atol is None else atol, rtol * s[..., :1])


def _inverted(s: Any, kept: Any) -> Any:
    return np.divide(1, s, out=np.zeros_like(s), where=kept)


def _pinv(x: Any, *, atol: Any, rtol: Any) -> Any:
    u, s, vh = attempt(np.linalg.svd, x, False)
    scale = _inverted(s, _kept(s, x.shape, atol, rtol))
    return np.matmul(np.swapaxes(vh, -1, -2) * scale[..., None, :], np.swapaxes(u, -1, -2))


pinv: Op = define(
    "pinv",
    _pinv,
    lambda x, **_: Spec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype),
    vjps=(lambda g, out, x, **_: _refuse(what="the pseudoinverse"),),
    grad_name="LinalgPinvBackward0",
)


def _matrix_rank(x: Any, *, atol: Any, rtol: Any) -> Any:
    s = attempt(singular_values.evaluate, x)
    return np.asarray(_kept(s, x.shape, atol, rtol).sum(axis=-1), np.int64)


matrix_rank: Op = define("matrix_rank", _matrix_rank, lambda x, **_: Spec(x.shape[:-2], np.dtype(np.int64)))


def _lstsq(a: Any, b: Any, *, rtol: Any) -> Any:
    u, s, vh = attempt(np.linalg.svd, a, False)
    scale = _inverted(s, _kept(s, a.shape, None, rtol))
    return np.matmul(np.swapaxes(vh, -1, -2) * scale[..., None, :], np.matmul(np.swapaxes(u, -1, -2), b))


# The X with the smallest ||A X - B||.
lstsq: Op = define(
    "lstsq",
    _lstsq,
    lambda a, b, *, rtol: Spec((*a.shape[:-2], a.shape[-1], b.shape[-1]), a.dtype),
    vjps=(lambda g, out, *_, rtol: _refuse(what="lstsq"),) * 2,
    grad_name="LinalgLstsqBackward0",
)

# exp of a matrix ------------------------------------------------------------------------------------------------------


def _matrix_exp(x: Any) -> Any:
    """Scale each matrix down to a norm of 1, sum up its series, and square up again, in float64."""
    work = x.astype(np.float64)
    size = np.abs(work).sum(axis=-1).max(axis=-1, initial=0.0)
    squarings = np.where((size > 1) & (size < math.inf), np.ceil(np.log2(np.maximum(size, 1))), 0).astype(int)
    small = np.ldexp(work, -squarings[..., None, None])
    term = total = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 19):  # 1 / 19! is less than half a unit in the last place of 1
        term = np.matmul(term, small) / k
        total = total + term
    for done in range(squarings.max(initial=0)):
        total = np.where((done < squarings)[..., None, None], np.matmul(total, total), total)
    return total.astype(x.dtype)


def _matrix_exp_vjp(g: Any, out: Any, x: Any) -> Any:
    # exp of [[a, g], [0, a]] has the derivative at a, in the direction g, in its upper right corner: R. Mathias, "A
    # chain rule for matrix functions and applications", 1996, theorem 2.1.
    a, (*batch, _, n) = swap(x), shape_of(x)
    across, down = len(batch) + 1, len(batch)
    both = cat(cat(a, g, dim=across), cat(zeros_like(a), a, dim=across), dim=down)
    return getitem(matrix_exp(both), index=(Ellipsis, slice(0, n), slice(n, 2 * n)))


matrix_exp: Op = define(
    "matrix_exp",
    _matrix_exp,
    square_spec,
    vjps=(_matrix_exp_vjp,),
    reads=(0,),
    grad_name="LinalgMatrixExpBackward0",
)
