"""Functions that change the shape of a tensor, most of them without moving an element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.dtypes import dtype as dtype_class
from fanin._core.errors import ArgumentTypeError, OperationError, ShapeError
from fanin.ops import shape as ops
from fanin.ops.arithmetic import expand_op
from fanin.ops.rules import broadcast_shape, wrap_dim, wrap_dims
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.operands import is_dim, numpy_names, require_dim, require_tensor, require_tensors
from fanin.tensor.tape import apply, label, wrap


def sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the sizes given as `f(2, 3)`, `f((2, 3))` or `f([2, 3])`."""
    if len(shape) == 1 and shape[0].__class__ is not int and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    for n in shape:
        if n.__class__ is not int and not (is_dim(n) or isinstance(n, TensorBase)):
            raise ArgumentTypeError(f"a shape is made of ints, but found {type(n).__name__}")
    return tuple(int(n) for n in shape)


def reshape(input: Any, *shape: Any, **keywords: Any) -> Any:
    """Return the elements in another shape, without copying where the memory allows it; one size may be -1.

    Raises RuntimeError when the number of elements differs.

    >>> import fanin as torch
    >>> torch.reshape(torch.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    require_tensor("reshape", input)
    return _reshaped(input, sizes(_shape_argument("reshape", shape, keywords)))


def _shape_argument(function: str, shape: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    return named_or_rest(function, "shape" if "shape" in keywords else "size", shape, keywords)


def named_or_rest(function: str, name: str, rest: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """Return the ints given in a row, or by their name; raise TypeError for none, or for another name."""
    if keywords:
        if list(keywords) != [name] or rest:
            raise ArgumentTypeError(f"{function}() got an unexpected keyword argument {next(iter(keywords))!r}")
        return (keywords[name],)
    if not rest:
        raise ArgumentTypeError(f"{function}() missing '{name}'; give it as {function}(2, 3) or {function}((2, 3))")
    return rest


def _reshaped(input: Any, shape: tuple[int, ...]) -> Any:
    old = input._array.shape
    return apply(ops.reshape_op, (input,), {"shape": shape if shape == old else ops.resolve_shape(old, shape)})


def view(input: Any, *shape: Any, **keywords: Any) -> Any:
    """Return the same memory in another shape; with a dtype, the same bytes as other elements.

    Raises RuntimeError when the elements do not lie so that no copy is needed: use reshape.
    """
    if len(shape) == 1 and isinstance(shape[0], dtype_class):
        return wrap(input._array.view(shape[0].numpy))
    result = _reshaped(input, sizes(_shape_argument("view", shape, keywords)))
    if result._array.size and known(result._array) and not np.may_share_memory(result._array, input._array):
        raise OperationError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return result


def view_as(input: Any, other: Any) -> Any:
    """Return the same memory in the shape of another tensor."""
    return view(input, tuple(other._array.shape))


def reshape_as(input: Any, other: Any) -> Any:
    """Return the elements in the shape of another tensor."""
    return reshape(input, tuple(other._array.shape))


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Return the tensor with the dimensions from start_dim to end_dim made one.

    >>> import fanin as torch
    >>> torch.flatten(torch.zeros(2, 3, 4), start_dim=1).shape
    torch.Size([2, 12])
    """
    shape = require_tensor("flatten", input)._array.shape
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise OperationError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return _reshaped(input, (1,))
    if start == end:
        return input
    merged = math.prod(shape[start : end + 1])
    return _reshaped(input, (*shape[:start], merged, *shape[end + 1 :]))


def ravel(input: Any) -> Any:
    """Return the elements as one dimension.

    >>> import fanin as torch
    >>> torch.ravel(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return _reshaped(input, (-1,)) if input._array.size else _reshaped(input, (0,))


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """Return the tensor with one dimension made into several, of which one size may be -1.

    >>> import fanin as torch
    >>> torch.unflatten(torch.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])
    """
    shape = input._array.shape
    dim = wrap_dim(dim, len(shape))
    parts = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,)
    if not parts:
        raise OperationError("unflatten: sizes must be non-empty")
    known = math.prod(n for n in parts if n != -1)
    if (-1 not in parts and known != shape[dim]) or (-1 in parts and (not known or shape[dim] % known)):
        raise OperationError(
            f"unflatten: Provided sizes {list(parts)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the "
            "input tensor"
        )
    return _reshaped(input, (*shape[:dim], *(shape[dim] // known if n == -1 else n for n in parts), *shape[dim + 1 :]))


@numpy_names
def squeeze(input: Any, dim: Any = None) -> Any:
    """Return a view without the dimensions of size 1: all of them, or those named.

    >>> import fanin as torch
    >>> torch.squeeze(torch.zeros(1, 3, 1)).shape
    torch.Size([3])
    """
    shape = require_tensor("squeeze", input)._array.shape
    dims = range(len(shape)) if dim is None else wrap_dims(dim, len(shape)) if is_dim(dim) or len(dim) else ()
    kept = tuple(n for axis, n in enumerate(shape) if n != 1 or axis not in dims)
    return label(_reshaped(input, kept), "SqueezeBackward0" if dim is None else "SqueezeBackward1")


@numpy_names
def unsqueeze(input: Any, dim: int) -> Any:
    """Return a view with a dimension of size 1 put in at `dim`.

    >>> import fanin as torch
    >>> torch.unsqueeze(torch.zeros(2, 3), -1).shape
    torch.Size([2, 3, 1])
    """
    shape = require_tensor("unsqueeze", input)._array.shape
    dim = wrap_dim(require_dim("unsqueeze", dim), len(shape) + 1)
    return label(_reshaped(input, (*shape[:dim], 1, *shape[dim:])), "UnsqueezeBackward0")


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Return a view with two dimensions swapped.

    >>> import fanin as torch
    >>> torch.transpose(torch.zeros(2, 3, 5), 0, -1).shape
    torch.Size([5, 3, 2])
    """
    ndim = require_tensor("transpose", input)._array.ndim
    return apply(ops.transpose, (input,), {"dim0": wrap_dim(dim0, ndim), "dim1": wrap_dim(dim1, ndim)})


def t(input: Any) -> Any:
    """Return the transpose of a matrix; a vector or a scalar stays as it is.

    Raises RuntimeError for more than two dimensions.

    >>> import fanin as torch
    >>> torch.t(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    ndim = require_tensor("t", input)._array.ndim
    if ndim > 2:
        raise OperationError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    if ndim < 2:
        return label(_reshaped(input, input._array.shape), "TBackward0")
    return label(apply(ops.transpose, (input,), {"dim0": 0, "dim1": 1}), "TBackward0")


def permute(input: Any, *dims: Any, **keywords: Any) -> Any:
    """Return a view with the dimensions in another order.

    >>> import fanin as torch
    >>> torch.permute(torch.zeros(2, 3, 5), (2, 0, 1)).shape
    torch.Size([5, 2, 3])
    """
    ndim = require_tensor("permute", input)._array.ndim
    order = sizes(named_or_rest("permute", "dims", dims, keywords))
    if len(order) != ndim:
        raise OperationError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(order)}"
        )
    wrapped = tuple(wrap_dim(d, ndim) for d in order)
    if len(set(wrapped)) != ndim:
        raise OperationError("permute(): duplicate dims are not allowed.")
    return apply(ops.permute, (input,), {"dims": wrapped})


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Return a view with the source dimensions moved to the destinations; the others keep their order.

    >>> import fanin as torch
    >>> torch.movedim(torch.zeros(2, 3, 5), 0, -1).shape
    torch.Size([3, 5, 2])
    """
    ndim = input._array.ndim
    if is_dim(source) != is_dim(destination):
        raise ArgumentTypeError("movedim(): source and destination must both be an int, or both be tuples of ints")
    pairs = [(d,) if is_dim(d) else tuple(d) for d in (source, destination)]
    if len(pairs[0]) != len(pairs[1]):
        raise OperationError(
            f"movedim: Invalid source or destination dims: source ({list(pairs[0])} dims) should contain the same "
            f"number of dims as destination ({list(pairs[1])} dims)"
        )
    old, new = (tuple(wrap_dim(d, ndim) for d in dims) for dims in pairs)
    for name, dims in (("source", old), ("destination", new)):
        if len(set(dims)) != len(dims):
            raise OperationError(f"movedim: repeated dim in `{name}` ({list(dims)})")
    if not ndim:
        return _reshaped(input, ())
    order = [axis for axis in range(ndim) if axis not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
    return apply(ops.permute, (input,), {"dims": tuple(order)})


def adjoint(input: Any) -> Any:
    """Return the last two dimensions swapped.

    >>> import fanin as torch
    >>> torch.adjoint(torch.zeros(2, 3, 5)).shape
    torch.Size([2, 5, 3])
    """
    return transpose(input, -2, -1)


def expand(input: Any, *size: Any, **keywords: Any) -> Any:
    """Return a view with dimensions of size 1 repeated without copying; -1 keeps a size.

    Raises RuntimeError when a size that is not 1 differs.

    >>> import fanin as torch
    >>> torch.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    shape = input._array.shape
    wanted = sizes(_shape_argument("expand", size, keywords))
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise ShapeError(
            f"expand(torch.{input.type()[6:]}{{{list(shape)}}}, size={list(wanted)}): the number of sizes provided "
            f"({len(wanted)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    full = tuple(shape[axis - lead] if n == -1 and axis >= lead else n for axis, n in enumerate(wanted))
    for axis, n in enumerate(full):
        if n < 0 or (axis >= lead and n != shape[axis - lead] and shape[axis - lead] != 1):
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size "
                f"({shape[axis - lead] if axis >= lead else 'a new dimension'}) at non-singleton dimension {axis}.  "
                f"Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
    return apply(expand_op, (input,), {"shape": full})


def expand_as(input: Any, other: Any) -> Any:
    """Return a view of the shape of another tensor, dimensions of size 1 repeated."""
    return expand(input, tuple(other._array.shape))


def broadcast_to(input: Any, *size: Any, **keywords: Any) -> Any:
    """Return a view of the given shape, dimensions of size 1 repeated.

    >>> import fanin as torch
    >>> torch.broadcast_to(torch.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(require_tensor("broadcast_to", input), *size, **keywords)


def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that all the shapes broadcast to.

    >>> import fanin as torch
    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    from fanin.tensor.size import Size

    return Size(broadcast_shape(*((s,) if is_dim(s) else tuple(s) for s in shapes)))


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Return the tensors as views of their common broadcast shape.

    >>> import fanin as torch
    >>> [x.shape for x in torch.broadcast_tensors(torch.zeros(2, 1), torch.zeros(3))]
    [torch.Size([2, 3]), torch.Size([2, 3])]
    """
    given = require_tensors("broadcast_tensors", tensors[0] if len(tensors) == 1 and is_list(tensors[0]) else tensors)
    shape = broadcast_shape(*(x._array.shape for x in given))
    return tuple(expand(x, shape) for x in given)


def is_same_size(input: Any, other: Any) -> bool:
    """Say whether two tensors have the same shape.

    >>> import fanin as torch
    >>> torch.is_same_size(torch.zeros(2, 3), torch.zeros(3, 2))
    False
    """
    same: bool = input._array.shape == other._array.shape
    return same


def is_list(value: Any) -> bool:
    """Say whether an argument is a list or tuple (of tensors)."""
    return isinstance(value, (list, tuple))


def atleast_1d(*tensors: Any) -> Any:
    """Return the tensor, or each of them, with at least one dimension.

    >>> import fanin as torch
    >>> torch.atleast_1d(torch.tensor(3))
    tensor([3])
    """
    return _each(tensors, lambda x: _reshaped(x, (1,)) if not x._array.ndim else x)


def atleast_2d(*tensors: Any) -> Any:
    """Return the tensor, or each of them, with at least two dimensions, new ones in front.

    >>> import fanin as torch
    >>> torch.atleast_2d(torch.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _each(
        tensors, lambda x: _reshaped(x, (1,) * (2 - x._array.ndim) + x._array.shape) if x._array.ndim < 2 else x
    )


def atleast_3d(*tensors: Any) -> Any:
    """Return the tensor, or each of them, with at least three dimensions: (n,) becomes (1, n, 1), (n, m) (n, m, 1).

    >>> import fanin as torch
    >>> torch.atleast_3d(torch.zeros(4, 2)).shape
    torch.Size([4, 2, 1])
    """

    def raised(x: Any) -> Any:
        shape = atleast_2d(x)._array.shape
        return x if x._array.ndim > 2 else _reshaped(x, (*shape, 1))

    return _each(tensors, raised)


def _each(tensors: tuple[Any, ...], function: Any) -> Any:
    if len(tensors) == 1 and not is_list(tensors[0]):
        return function(require_tensor("atleast", tensors[0]))
    return tuple(function(x) for x in (tensors[0] if len(tensors) == 1 else tensors))


def mT(input: Any) -> Any:
    """Return the last two dimensions swapped.

    Raises RuntimeError for fewer than two dimensions.
    """
    if input._array.ndim < 2:
        raise OperationError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input._array.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def T(input: Any) -> Any:
    """Return the dimensions in reverse order."""
    if input._array.ndim == 2:
        return label(apply(ops.transpose, (input,), {"dim0": 0, "dim1": 1}), "PermuteBackward0")
    return apply(ops.permute, (input,), {"dims": tuple(range(input._array.ndim))[::-1]})


def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """Return a view with two dimensions swapped.

    >>> import fanin as torch
    >>> torch.swapaxes(torch.zeros(2, 3, 5), 1, 2).shape
    torch.Size([2, 5, 3])
    """
    return transpose(input, axis0, axis1)


swapdims = transpose
moveaxis = movedim
