"""Products of matrices: the affine map of a layer, stacked and one-dimensional products, einsum."""

from __future__ import annotations

import math
from typing import Any

from fanin.compiler.passes.lower.common import all_dims, astype, total
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.arithmetic import expand
from fanin.ops.linalg import matmul
from fanin.ops.rules import broadcast_shape
from fanin.ops.shape import permute, reshape


@lowers("linear")
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Return x W^T + b, as one product of two matrices."""
    if weight.ndim == 1:
        out = summed(x * weight, (x.ndim - 1,))
    else:
        rows = reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        out = matmul(rows, permute(weight, dims=(1, 0)))
        out = out if bias is None or bias.ndim > 1 else out + bias
        out, bias = reshape(out, x.shape[:-1] + weight.shape[:1]), bias if bias is not None and bias.ndim > 1 else None
    return out if bias is None else out + bias


def summed(x: Any, dims: tuple[int, ...]) -> Any:
    """Return the sum over dims in the type of x, as products have it: sums of integers are wider."""
    return astype(total(x, dims), x.dtype)


def is_plain_product(a: Any, b: Any) -> bool:
    """Say whether two operands are matrices, or equally long stacks of them."""
    return bool(a.ndim == b.ndim >= 2 and a.shape[:-2] == b.shape[:-2])


@lowers("matmul")
def product(a: Any, b: Any) -> Any:
    """Bring the operands to two matrices, or to two stacks of them with the same leading dimensions."""
    if is_plain_product(a, b):
        return None
    if a.ndim == 1 or b.ndim == 1:
        return _with_vector(a, b)
    if b.ndim == 2:  # one product of matrices, not one for each leading index
        rows = reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return reshape(matmul(rows, b), (*a.shape[:-1], b.shape[-1]))
    lead = broadcast_shape(a.shape[:-2], b.shape[:-2])
    return matmul(expand(a, lead + a.shape[-2:]), expand(b, lead + b.shape[-2:]))


def _with_vector(a: Any, b: Any) -> Any:
    """Return a product in which one operand, or both, is a vector."""
    if b.ndim == 1:
        if a.ndim == 1:
            return summed(a * b, (0,))
        column = product_of(a, reshape(b, (b.size, 1)))
        return reshape(column, a.shape[:-1])
    row = product_of(reshape(a, (1, a.size)), b)
    return reshape(row, b.shape[:-2] + b.shape[-1:])


def product_of(a: Any, b: Any) -> Any:
    """Return the product in a form that the engine knows."""
    return matmul(a, b) if is_plain_product(a, b) else product(a, b)


# einsum: pairs from the left, each as one product of (batched) matrices -----------------------------------------------


@lowers("einsum")
def einsum(*xs: Any, equation: str) -> Any:
    """Return the sums of products that an equation names."""
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    if any(len(set(term)) < len(term) for term in terms):
        return None  # a diagonal
    sizes = {letter: n for term, x in zip(terms, xs, strict=True) for letter, n in zip(term, x.shape, strict=True)}
    for term, x in zip(terms, xs, strict=True):
        sizes.update((letter, n) for letter, n in zip(term, x.shape, strict=True) if n != 1)
    spread = [expand(x, tuple(sizes[letter] for letter in term)) for term, x in zip(terms, xs, strict=True)]
    term, x = terms[0], spread[0]
    for i in range(1, len(terms)):
        wanted = set(output).union(*terms[i + 1 :])
        term, x = _contracted(term, x, terms[i], spread[i], wanted)
    return _arranged(*_summed(term, x, set(output)), output)


def _summed(term: str, x: Any, wanted: set[str]) -> tuple[str, Any]:
    """Sum over the letters that nobody wants."""
    dims = tuple(i for i, letter in enumerate(term) if letter not in wanted)
    return "".join(letter for letter in term if letter in wanted), summed(x, dims)


def _arranged(term: str, x: Any, output: str) -> Any:
    dims = tuple(term.index(letter) for letter in output)
    return x if dims == all_dims(x) else permute(x, dims=dims)


def _contracted(a: str, x: Any, b: str, y: Any, wanted: set[str]) -> tuple[str, Any]:
    """Return the product of two operands, summed over the shared letters that are not wanted."""
    a, x = _summed(a, x, wanted | set(b))
    b, y = _summed(b, y, wanted | set(a))
    batch = "".join(letter for letter in a if letter in b and letter in wanted)
    inner = "".join(letter for letter in a if letter in b and letter not in wanted)
    left, right = ("".join(c for c in term if c not in batch + inner) for term in (a, b))
    x, y = _arranged(a, x, batch + left + inner), _arranged(b, y, batch + inner + right)
    k, n = len(batch), len(batch + left)
    lead, rows, columns = x.shape[:k], x.shape[k:n], y.shape[k + len(inner) :]
    depth = math.prod(x.shape[n:])
    stack = (math.prod(lead),) if batch else ()
    flat = matmul(
        reshape(x, (*stack, math.prod(rows), depth)),
        reshape(y, (*stack, depth, math.prod(columns))),
    )
    return batch + left + right, reshape(flat, lead + rows + columns)
