"""Lengths, angles and distances of vectors, and the bilinear map."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import from_numpy, result_dtype
from fanin._core.errors import DtypeError, OperationError
from fanin.nn.functional.checks import require_tensor
from fanin.ops import arithmetic, elementwise, linalg, reduce
from fanin.ops.index import take_rows
from fanin.ops.rules import broadcast_shape, c_name, wrap_dim, wrap_dims
from fanin.tensor.tape import apply, label


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Return x / max(|x|_p, eps), the length along a dimension.

    Args:
        input: any shape with that dimension.
        p: of the norm.
        dim: the dimension of the vectors.
        eps: the smallest divisor.
        out: a tensor that takes the result.

    >>> import fanin as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    require_tensor("normalize", input)
    _require_floating("linalg.vector_norm", input._array.dtype)
    dims = wrap_dims(dim, input._array.ndim)
    length = apply(linalg.norm, (input,), {"p": float(p), "dim": dims, "keepdim": True})
    result = input / apply(elementwise.clamp, (length, eps, None), {})
    if out is None:
        return result
    out._array[...] = result._array
    return out


def _require_floating(function: str, dtype: Any) -> None:
    if dtype.kind != "f":
        raise DtypeError(
            f"{function}: Expected a floating point or complex tensor as input. Got {from_numpy(dtype).legacy_name}",
            remedy="Convert with .float() first.",
        )


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return x1 x2 / (max(|x1|, eps) max(|x2|, eps)), the cosine of the angle between vectors along a dimension.

    Args:
        x1: (*, D, *).
        x2: of a shape that broadcasts with that of x1.
        dim: the dimension of the vectors, which the result lacks.
        eps: the smallest divisor.

    >>> import fanin as torch
    >>> torch.nn.functional.cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    require_tensor("cosine_similarity", x1)
    require_tensor("cosine_similarity", x2, "x2", 2)
    a, b = x1._array, x2._array
    dtype = result_dtype((a, b))
    if dtype.kind != "f":
        raise OperationError(
            f"expected common dtype to be floating point, yet common dtype is {from_numpy(dtype).legacy_name}",
            remedy="Convert with .float() first.",
        )
    shape = broadcast_shape(a.shape, b.shape)
    dims = (wrap_dim(dim, len(shape)),) if shape else ()
    parts = []
    for x in (x1, x2):
        if x._array.dtype != dtype:
            x = apply(elementwise.cast, (x,), {"dtype": dtype})
        # The length of the smaller operand is that of its expansion unless the vectors themselves are stretched.
        if x._array.shape != shape:
            x = apply(arithmetic.expand_op, (x,), {"shape": shape})
        length = apply(linalg.norm, (x,), {"p": 2.0, "dim": dims, "keepdim": True})
        parts.append(x / apply(elementwise.clamp, (length, eps, None), {}))
    return label(apply(reduce.sum_, (parts[0] * parts[1],), {"dim": dims}), "SumBackward1")


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """Return |x1 - x2 + eps|_p along the last dimension.

    Args:
        x1: (N, D) or (D,).
        x2: of a shape that broadcasts with that of x1.
        p: of the norm.
        eps: added to the difference.
        keepdim: keep the last dimension, with size 1.

    >>> import fanin as torch
    >>> torch.nn.functional.pairwise_distance(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    require_tensor("pairwise_distance", x1)
    require_tensor("pairwise_distance", x2, "x2", 2)
    difference = x1 - x2 + eps
    last = (difference._array.ndim - 1,) if difference._array.ndim else ()
    result = apply(linalg.norm, (difference,), {"p": float(p), "dim": last, "keepdim": keepdim})
    return label(result, "NormBackward1")


def pdist(input: Any, p: float = 2.0) -> Any:
    """Return the distances |x_i - x_j|_p of all pairs of rows i < j.

    Args:
        input: (N, D).
        p: of the norm, at least 0.

    Returns (N (N - 1) / 2,), the pairs in the order (0, 1), (0, 2), ..., (1, 2), ... Raises RuntimeError for another
    number of dimensions or a negative p.

    >>> import fanin as torch
    >>> torch.nn.functional.pdist(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    require_tensor("pdist", input)
    if input._array.ndim != 2:
        raise OperationError(f"pdist only supports 2D tensors, got: {input._array.ndim}D")
    if p < 0:
        raise OperationError("pdist only supports non-negative p values")
    first, second = np.triu_indices(input._array.shape[0], 1)
    plain = {"padding_idx": None, "by_frequency": False}
    difference = apply(take_rows, (input, first), plain) - apply(take_rows, (input, second), plain)
    return label(apply(linalg.norm, (difference,), {"p": float(p), "dim": (1,)}), "PdistBackward0")


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """Return y_k = x1^T A_k x2 + b_k.

    Args:
        input1: (*, n1).
        input2: (*, n2).
        weight: (m, n1, n2), the matrices A_k.
        bias: (m,) or None.

    Returns (*, m). Raises RuntimeError where sizes or dtypes differ.

    >>> import fanin as torch
    >>> ones = torch.ones(1, 2)
    >>> torch.nn.functional.bilinear(ones, ones, torch.ones(1, 2, 2))
    tensor([[4.]])
    """
    require_tensor("bilinear", input1)
    require_tensor("bilinear", input2, "input2", 2)
    a, b, w = input1._array, input2._array, weight._array
    _check_bilinear(a.shape, b.shape, w.shape, None if bias is None else bias._array.shape)
    _check_dtypes(input1=input1, input2=input2, weight=weight, bias=bias)
    rows = int(np.prod(a.shape[:-1]))
    flat = apply(
        linalg.einsum,
        (input1.reshape(rows, a.shape[-1]), weight, input2.reshape(rows, b.shape[-1])),
        {"equation": "bi,kij,bj->bk"},
    )
    result = flat.reshape(*a.shape[:-1], w.shape[0])
    return result if bias is None else result + bias


def _check_bilinear(a: Any, b: Any, w: Any, bias: Any) -> None:
    if len(a) != len(b):
        raise OperationError(f"bilinear(): input dimensions do not match: got {len(a)} and {len(b)}")
    for i, (n, m) in enumerate(zip(a[:-1], b[:-1], strict=True)):
        if n != m:
            raise OperationError(f"bilinear(): input batch dimensions do not match at dim {i}: got {n} and {m}")
    for name, size, expected in (("input1", a[-1], w[1]), ("input2", b[-1], w[2])):
        if size != expected:
            raise OperationError(
                f"bilinear(): {name} size does not match weight size: got {size} but expected {expected}"
            )
    if bias is not None and bias[0] != w[0]:
        raise OperationError(f"bilinear(): bias size does not match weight size: got {bias[0]} but expected {w[0]}")


def _check_dtypes(**tensors: Any) -> None:
    kinds = {name: tensor._array.dtype for name, tensor in tensors.items() if tensor is not None}
    if len(set(kinds.values())) > 1:
        got = ", ".join(f"{name}: {c_name(kind)}" for name, kind in kinds.items())
        raise DtypeError(f"All tensors must have the same dtype, got {got}", remedy="Convert them with .to(dtype).")
