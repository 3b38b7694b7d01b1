"""Starting weights with a structure: orthogonal rows or columns, and columns with few entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin import random as draws
from fanin._core.errors import ArgumentError
from fanin.nn.init.filling import normal_, require_matrix
from fanin.random.generator import default_generator
from fanin.tensor.functions.sampling import stream_of
from fanin.tensor.in_place import bump


def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """Fill with a random matrix whose rows (or columns, if these are fewer) are orthonormal, and return the tensor.

    With Q^T Q = 1 all singular values are 1, so a product of any number of square layers keeps every length, forward
    and backward: |Q x| = |x|. Random entries of the right variance keep lengths on average only, and their products'
    singular values drift apart with depth.

    Q is the orthogonal factor of a matrix of normal draws, with the signs that make R's diagonal positive, which makes
    it uniform over all orthogonal matrices (Mezzadri 2006, arXiv math-ph/0609050, sec. 5).

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in, ...); those after the first count as one.
        gain: a factor for all entries.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions.

    >>> import fanin as torch
    >>> q = torch.nn.init.orthogonal_(torch.empty(3, 3))
    >>> torch.allclose(q @ q.T, torch.eye(3), atol=1e-6)
    True

    Reference: A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2013, arXiv 1312.6120.
    """
    if tensor.dim() < 2:
        raise ArgumentError(
            "Only tensors with 2 or more dimensions are supported", remedy=f"The shape is {tuple(tensor.shape)}."
        )
    array = tensor._array
    if array.size:
        source = stream_of(generator)
        rows = array.shape[0]
        flat = draws.normal(source, 0.0, 1.0, (rows, array.size // rows), array.dtype)
        array[...] = _orthogonal_factor(flat).reshape(array.shape)
        np.multiply(array, gain, out=array)
        bump(tensor)
    return tensor


def _orthogonal_factor(matrix: Any) -> Any:
    """Return Q of the taller of a matrix and its transpose, in the matrix's shape."""
    wide = matrix.shape[0] < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q = q * np.sign(np.diagonal(r))
    return q.T if wide else q


def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Fill with draws from N(0, std^2), of which a part of every column is set to 0, and return the tensor.

    Each unit starts with few inputs, so that its sum is not the larger the more units there are below.

    Args:
        tensor: a matrix (rows, columns).
        sparsity: the part of each column that is 0; ceil(sparsity * rows) entries.
        std: the standard deviation of the others.
        generator: the stream of the draws; the default one when left out. As in PyTorch the places of the zeros come
            from the default one in any case: a permutation of the rows for each column.

    Raises:
        ValueError: unless the tensor has two dimensions.

    >>> import fanin as torch
    >>> w = torch.nn.init.sparse_(torch.empty(10, 4), sparsity=0.7)
    >>> (w != 0).sum(0)
    tensor([3, 3, 3, 3])

    Reference: J. Martens, "Deep learning via Hessian-free optimization", 2010, sec. 5.
    """
    require_matrix(tensor)
    rows, columns = tensor._array.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    for column in range(columns):
        tensor._array[draws.randperm(default_generator, rows)[:zeros], column] = 0
    return tensor
