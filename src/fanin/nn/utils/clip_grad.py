"""Limiting gradients, so that one bad batch does not throw the parameters far away.

Reference: R. Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, section 3.2.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from fanin._core.dtypes import default_numpy, promote
from fanin._core.errors import CaptureError, OperationError
from fanin.ops.arithmetic import add, minimum
from fanin.ops.elementwise import cast, clamp, sqrt
from fanin.ops.linalg import norm
from fanin.ops.reduce import sum_
from fanin.ops.shape import cat, reshape
from fanin.tensor.base import TensorBase, known
from fanin.tensor.in_place import bump, store
from fanin.tensor.tape import wrap


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Scale the gradients, in place, so that their common norm is at most max_norm: g *= min(1, max_norm / |g|).

    Args:
        parameters: a tensor or an iterable of tensors; those without a gradient are left out.
        max_norm: the limit.
        norm_type: p of the norm over all elements of all gradients; infinity is the largest of them.
        error_if_nonfinite: whether a norm that is infinite or NaN is an error.
        foreach: accepted.

    Returns the norm before scaling. Raises RuntimeError for a norm that is not finite, if so asked.

    >>> import fanin as torch
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([3.0, 4.0])
    >>> torch.nn.utils.clip_grad_norm_(w, 1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    tensors = _listed(parameters)
    grads = _gradients(tensors)
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(tensors, max_norm, total_norm)
    return total_norm


def clip_grad_norm(*args: Any, **kwargs: Any) -> Any:
    """Do what `clip_grad_norm_` does, which is the name to use."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """Return the norm of all elements of some tensors together.

    Args:
        tensors: a tensor or an iterable of tensors.
        norm_type: p of the norm.
        error_if_nonfinite: whether a norm that is infinite or NaN is an error.
        foreach: accepted.

    >>> import fanin as torch
    >>> torch.nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])])
    tensor(5.)
    """
    arrays = [tensor._array for tensor in _listed(tensors)]
    if not arrays:
        return wrap(np.zeros((), default_numpy()))
    dtype = arrays[0].dtype
    for array in arrays[1:]:
        dtype = promote(dtype, array.dtype)
    with np.errstate(all="ignore"):
        total = _norm(arrays, float(norm_type)).astype(dtype)
    if error_if_nonfinite and not known(total):
        raise CaptureError(
            "clip_grad_norm_ with error_if_nonfinite=True reads the norm, which cannot be captured",
            remedy="Leave it at False, and look at the norm that the compiled function returns.",
        )
    if error_if_nonfinite and not np.isfinite(total):
        raise OperationError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return wrap(total)


def _norm(arrays: list[Any], p: float) -> Any:
    if not all(map(known, arrays)):
        return _captured_norm(arrays, p)
    if p == 2.0:
        # The inner product of a vector with itself is one call, and needs no memory for the squares.
        squares = [np.vdot(array, array) for array in arrays]
        return np.sqrt(np.sum(np.asarray(squares, np.float64)))
    norms = [np.linalg.norm(array.reshape(-1), p) if array.size else 0.0 for array in arrays]
    return np.linalg.norm(np.asarray(norms, np.float64), p)


def _captured_norm(arrays: list[Any], p: float) -> Any:
    """Return the norm in operations; it is added up in double precision, as that of arrays is."""
    if p == 2.0:
        squares = [sum_(array * array, dim=tuple(range(array.ndim)), keepdim=False) for array in arrays]
        return sqrt(functools.reduce(add, [cast(square, dtype=np.dtype(np.float64)) for square in squares]))
    norms = [norm(reshape(a, (a.size,)), p=p, dim=(0,), keepdim=True) for a in arrays if a.size]
    return norm(cast(cat(*norms, dim=0), dtype=np.dtype(np.float64)), p=p, dim=(0,), keepdim=False)


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None) -> None:
    """Multiply the gradients, in place, by min(1, max_norm / (total_norm + 1e-6)).

    Args:
        parameters: a tensor or an iterable of tensors; those without a gradient are left out.
        max_norm: the limit.
        total_norm: the norm that the gradients have, as `get_total_norm` returned it.
        foreach: accepted.

    >>> import fanin as torch
    >>> x = torch.ones(4, requires_grad=True)
    >>> x.sum().backward()
    >>> norm = torch.nn.utils.get_total_norm([x.grad])
    >>> torch.nn.utils.clip_grads_with_norm_([x], max_norm=1.0, total_norm=norm)
    >>> x.grad
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    total = total_norm._array
    with np.errstate(all="ignore"):
        factor = minimum(total.dtype.type(max_norm) / (total + total.dtype.type(1e-6)), total.dtype.type(1))
        for gradient in _gradients(_listed(parameters)):
            array = gradient._array
            if not (known(factor) and known(array)):
                store(gradient, array * factor.astype(array.dtype))
                continue
            np.multiply(array, factor.astype(array.dtype), out=array)
            bump(gradient)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of the gradients, in place, to [-clip_value, clip_value].

    Args:
        parameters: a tensor or an iterable of tensors; those without a gradient are left out.
        clip_value: the limit.
        foreach: accepted.

    >>> import fanin as torch
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([3.0, -0.5])
    >>> torch.nn.utils.clip_grad_value_(w, 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])
    """
    limit = float(clip_value)
    for gradient in _gradients(_listed(parameters)):
        array = gradient._array
        if not known(array):
            store(gradient, clamp(array, -limit, limit))
            continue
        np.clip(array, -limit, limit, out=array)
        bump(gradient)


def _listed(tensors: Any) -> list[Any]:
    if isinstance(tensors, TensorBase):
        return [tensors]
    listed = list(tensors)
    if not listed and inspect.isgenerator(tensors):
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", UserWarning, stacklevel=3)
    return listed


def _gradients(tensors: Iterable[Any]) -> list[Any]:
    return [tensor._grad for tensor in tensors if tensor._grad is not None]
