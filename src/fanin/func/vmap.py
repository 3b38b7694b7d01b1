"""A function of one example as a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, OperationError
from fanin.func.trees import flatten
from fanin.random.generator import default_generator
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.joining import stack
from fanin.tensor.functions.selecting import select
from fanin.tensor.functions.shaping import movedim


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return func for batches: called for every example, its results stacked.

    in_dims:    which dimension of each input counts the examples: a number for all, a tuple for each argument, nested
                as the arguments are; None for an input that all examples share, as they share those given by keyword.
    out_dims:   where the examples are counted in each result.
    randomness: "error" refuses random draws; with "different" every example draws its own, one after the other.

    PyTorch computes all examples in one operation, fanin one after the other: the numbers are the same, and a large
    batch takes its time.

    Raises ValueError where nothing is to be mapped over, or sizes differ.

    >>> import fanin as torch
    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if randomness not in ("error", "different", "same"):
        raise OperationError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = flatten(args)
        dims = _dims(in_dims, args, len(leaves))
        size = _size(leaves, dims)
        results = []
        for i in range(size):
            one = rebuild([_example(x, dim, i) for x, dim in zip(leaves, dims, strict=True)])
            results.append(_drawn_alike(func, one, kwargs, randomness, i == size - 1))
        return _joined(results, out_dims)

    return mapped


def _dims(in_dims: Any, args: tuple[Any, ...], count: int) -> list[int | None]:
    if isinstance(in_dims, int):
        return [in_dims] * count
    given = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,)
    if len(given) != len(args):
        raise ArgumentError(
            f"vmap: in_dims is not compatible with the structure of inputs: it has {len(given)} entries for "
            f"{len(args)} inputs"
        )
    found: list[int | None] = []
    for dims, argument in zip(given, args, strict=True):
        found += _spread(dims, argument)
    return found


def _spread(dims: Any, argument: Any) -> list[int | None]:
    """Return a dimension for every leaf of an argument: one for all, or nested as the argument is."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(flatten(argument)[0])
    parts, inner = (argument.values(), dims.values()) if isinstance(argument, dict) else (argument, dims)
    return [dim for each, part in zip(inner, parts, strict=True) for dim in _spread(each, part)]


def _size(leaves: list[Any], dims: list[int | None]) -> int:
    sizes = []
    for x, dim in zip(leaves, dims, strict=True):
        if dim is None:
            continue
        if not isinstance(x, TensorBase):
            raise ArgumentError(
                f"vmap: Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -x._array.ndim <= dim < x._array.ndim:
            raise ArgumentError(
                f"vmap: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
                f"{x._array.ndim} so expected in_dim to satisfy -{x._array.ndim} <= in_dim < {x._array.ndim}."
            )
        sizes.append(x._array.shape[dim])
    if not sizes:
        raise ArgumentError("vmap: at least one input must be mapped over: in_dims is None for all of them")
    if len(set(sizes)) > 1:
        raise ArgumentError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
            "mapped dimension"
        )
    return int(sizes[0])


def _example(x: Any, dim: int | None, i: int) -> Any:
    return x if dim is None else select(x, dim, i)


def _drawn_alike(func: Callable[..., Any], args: Any, kwargs: Any, randomness: str, is_last: bool) -> Any:
    if randomness == "different":
        return func(*args, **kwargs)
    before = default_generator.get_state()
    result = func(*args, **kwargs)
    if not np.array_equal(before, default_generator.get_state()):
        if randomness == "error":
            default_generator.set_state(before)
            raise OperationError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
        if not is_last:
            default_generator.set_state(before)  # so the next example draws the same
    return result


def _joined(results: list[Any], out_dims: Any) -> Any:
    if not results:
        raise OperationError("vmap: the mapped dimension has size 0: there is no example to call the function for")
    leaves = [flatten(result)[0] for result in results]
    rebuild = flatten(results[0])[1]
    for x in leaves[0]:
        if not isinstance(x, TensorBase):
            raise ArgumentError(
                f"vmap(f): `f` must only return Tensors, got type {type(x)}. Did you mean to set out_dims= to None?"
            )
    one_for_all = out_dims is None or isinstance(out_dims, int)
    dims = [out_dims] * len(leaves[0]) if one_for_all else flatten(out_dims)[0]
    columns = zip(*leaves, strict=True)
    return rebuild([_stacked(list(column), dim) for column, dim in zip(columns, dims, strict=True)])


def _stacked(column: list[Any], dim: int | None) -> Any:
    if dim is None:
        return column[0]
    whole = stack(column)
    return whole if dim == 0 else movedim(whole, 0, dim)
