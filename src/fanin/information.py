"""How much a distribution leaves open, and how far another is from it: Shannon's and Kullback and Leibler's measures.

A cross-entropy loss is `cross_entropy(P, Q)` of the true distribution P and the predicted one Q, in nats:

    H(P, Q) = H(P) + KL(P || Q)

so minimising it makes the divergence small, and cannot make the loss smaller than the entropy of the truth.

Everywhere 0 log 0 counts as 0, the limit of p log p.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from fanin.ops.arithmetic import where
from fanin.ops.elementwise import log, log2
from fanin.ops.reduce import sum_
from fanin.ops.rules import wrap_dim
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap

__all__ = ["cross_entropy", "entropy", "kl_divergence", "self_information"]

_LOGARITHMS = {"nats": log, "bits": log2}
# Probabilities in single precision, normalised over a few thousand values, are off by less.
TOLERANCE = 1e-4


def self_information(probability: Any, unit: str = "nats") -> Any:
    r"""Return the information of events, :math:`I(x) = -\log p(x)`: how surprising each is.

    Certain events tell nothing, impossible ones would tell infinitely much, and what independent events tell adds up.

    Args:
        probability: p, in [0, 1]: a number, a list, an array or a tensor, of any shape.
        unit: "nats" (natural logarithm) or "bits" (to the base of 2).

    Returns:
        as many values as came in: floats for numbers and lists, an array for an array, a tensor for a tensor, with a
        gradient.

    Raises:
        ValueError: for a probability outside [0, 1], or another unit.
        TypeError: for what is not made of numbers.

    >>> import fanin as torch
    >>> torch.information.self_information([0.5, 0.25, 1.0], unit="bits")
    [1.0, 2.0, 0.0]

    Reference: C. Shannon, "A mathematical theory of communication", 1948, sec. 6.
    """
    logarithm = _logarithm(unit)
    (p,) = _tensors("self_information", probability)
    _require_numbers_within("self_information", p._array, 1.0)
    return _like((probability,), 0.0 - logarithm(p))  # not -log p, which would be -0 for certain events


def entropy(p: Any, dim: int = -1, unit: str = "nats", tolerance: float = TOLERANCE) -> Any:
    r"""Return the entropy of distributions, :math:`H(P) = -\sum_x p(x) \log p(x)`: the information to expect.

    It lies between 0, for a certain outcome, and log n, for n equally likely ones.

    Args:
        p: probabilities that sum to 1 along `dim`: a list, an array or a tensor.
        dim: along which they sum to 1; the result lacks it.
        unit: "nats" or "bits".
        tolerance: how far from 1 a sum may be.

    Returns:
        one value a distribution: floats for a list, an array for an array, a tensor for a tensor, with a gradient. The
        gradient at p(x) = 0, truly infinite, is 0, so that what is impossible stays so.

    Raises:
        ValueError: for negative probabilities, a sum that is not 1, or another unit.
        IndexError: for a dimension that is not there.
        TypeError: for what is not made of numbers.

    >>> import fanin as torch
    >>> torch.information.entropy([0.5, 0.5], unit="bits")
    1.0
    >>> torch.information.entropy(torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    tensor([0.5623, 0.0000])

    Reference: C. Shannon, "A mathematical theory of communication", 1948, sec. 6.
    """
    logarithm = _logarithm(unit)
    (distribution,) = _distributions("entropy", dim, tolerance, p)
    return _like((p,), _expected(distribution, 0.0 - logarithm(_where_positive(distribution, distribution)), dim))


def cross_entropy(p: Any, q: Any, dim: int = -1, unit: str = "nats", tolerance: float = TOLERANCE) -> Any:
    r"""Return the cross-entropy of distributions, :math:`H(P, Q) = -\sum_x p(x) \log q(x)`.

    It is what events of P cost, on average, in a code made for Q: the entropy of P, and the divergence on top.

    Args:
        p: P's probabilities, which sum to 1 along `dim`: a list, an array or a tensor.
        q: Q's, of the same shape.
        dim: along which they sum to 1; the result lacks it.
        unit: "nats" or "bits".
        tolerance: how far from 1 a sum may be.

    Returns:
        one value a pair of distributions, infinite where q(x) = 0 < p(x): floats for lists, an array for arrays, a
        tensor where one of the two is, with gradients to both.

    Raises:
        ValueError: for negative probabilities, a sum that is not 1, shapes that differ, or another unit.
        IndexError: for a dimension that is not there.
        TypeError: for what is not made of numbers.

    >>> import fanin as torch
    >>> torch.information.cross_entropy([0.5, 0.5], [0.25, 0.75], unit="bits")
    1.207518749639422

    References: C. Shannon, "A mathematical theory of communication", 1948, sec. 9, for codes; S. Kullback, R. Leibler,
    "On information and sufficiency", 1951, eq. 2.4, for what is on top.
    """
    logarithm = _logarithm(unit)
    true, other = _distributions("cross_entropy", dim, tolerance, p, q)
    return _like((p, q), _expected(true, 0.0 - logarithm(_where_positive(true, other)), dim))


def kl_divergence(p: Any, q: Any, dim: int = -1, unit: str = "nats", tolerance: float = TOLERANCE) -> Any:
    r"""Return the divergence of Q from P, :math:`KL(P \| Q) = \sum_x p(x) \log \frac{p(x)}{q(x)}`.

    It is at least 0, and 0 only where both are equal (Gibbs' inequality); exchanging the two changes it.

    Args:
        p: P's probabilities, which sum to 1 along `dim`: a list, an array or a tensor.
        q: Q's, of the same shape.
        dim: along which they sum to 1; the result lacks it.
        unit: "nats" or "bits".
        tolerance: how far from 1 a sum may be.

    Returns:
        one value a pair of distributions, infinite where q(x) = 0 < p(x): floats for lists, an array for arrays, a
        tensor where one of the two is, with gradients to both.

    Raises:
        ValueError: for negative probabilities, a sum that is not 1, shapes that differ, or another unit.
        IndexError: for a dimension that is not there.
        TypeError: for what is not made of numbers.

    >>> import fanin as torch
    >>> torch.information.kl_divergence([0.5, 0.5], [0.25, 0.75], unit="bits")
    0.2075187496394219
    >>> torch.information.kl_divergence([0.5, 0.5], [1.0, 0.0])
    inf

    Reference: S. Kullback, R. Leibler, "On information and sufficiency", 1951, eq. 2.4.
    """
    logarithm = _logarithm(unit)
    true, other = _distributions("kl_divergence", dim, tolerance, p, q)
    ratio = logarithm(_where_positive(true, true)) - logarithm(_where_positive(true, other))
    return _like((p, q), _expected(true, ratio, dim))


def _logarithm(unit: str) -> Any:
    if unit not in _LOGARITHMS:
        raise ArgumentError(f"unit must be 'nats' or 'bits', got {unit!r}")
    return _LOGARITHMS[unit]


def _where_positive(p: Any, values: Any) -> Any:
    """Return values, and 1, whose logarithm is 0, where p is 0: nothing is looked at that cannot happen."""
    return where(p > 0, values, 1.0)


def _expected(p: Any, values: Any, dim: int) -> Any:
    """Return the sum of p(x) times a value."""
    return sum_(p * values, dim=(wrap_dim(dim, p._array.ndim),))


# What comes in, and what goes out -------------------------------------------------------------------------------------


def _tensors(function: str, *values: Any) -> tuple[Any, ...]:
    """Return values as floating tensors; lists in the dtype of a tensor or array beside them, else in float64."""
    given = [v for v in values if isinstance(v, (TensorBase, np.ndarray))]
    kinds = [(v._array if isinstance(v, TensorBase) else v).dtype for v in given]
    fallback = next((kind for kind in kinds if kind.kind == "f"), np.dtype(np.float64))
    return tuple(_tensor(function, v, fallback) for v in values)


def _tensor(function: str, value: Any, fallback: np.dtype[Any]) -> Any:
    if isinstance(value, TensorBase):
        return value if value._array.dtype.kind == "f" else wrap(value._array.astype(dtypes.default_numpy()))
    try:
        array = np.asarray(value, value.dtype if isinstance(value, np.ndarray) else None)
    except ValueError as error:
        raise ArgumentError(f"{function}: rows of different lengths: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"{function} takes probabilities, got {type(value).__name__} of {array.dtype}")
    keep = isinstance(value, np.ndarray) and array.dtype.kind == "f"
    return wrap(array if keep else array.astype(fallback))


def _distributions(function: str, dim: int, tolerance: float, *values: Any) -> tuple[Any, ...]:
    tensors = _tensors(function, *values)
    shapes = [tuple(t._array.shape) for t in tensors]
    if len(set(shapes)) > 1:
        raise ShapeError(f"{function} compares distributions of one shape, got {shapes[0]} and {shapes[1]}")
    for t in tensors:
        if not t._array.ndim:
            raise ShapeError(
                f"{function} takes the probabilities of a distribution, at least one dimension; got a number"
            )
        _check_distribution(function, t._array, wrap_dim(dim, t._array.ndim), tolerance)
    return tensors


def _check_distribution(function: str, p: Any, axis: int, tolerance: float) -> None:
    _require_numbers_within(function, p, np.inf)
    sums = p.astype(np.float64).sum(axis=axis)
    wrong = ~(np.abs(sums - 1) <= tolerance)
    if wrong.any():
        raise ArgumentError(
            f"{function}: the probabilities of a distribution must sum to 1 along dimension {axis}, but "
            f"{_first(sums, wrong)}; divide them by their sum, or use torch.softmax for scores"
        )


def _require_numbers_within(function: str, p: Any, largest: float) -> None:
    wrong = ~((p >= 0) & (p <= largest))
    if wrong.any():
        allowed = "not be negative" if largest == np.inf else "lie in [0, 1]"
        raise ArgumentError(f"{function}: probabilities must {allowed}, but {_first(p, wrong)}")


def _first(values: Any, wrong: Any) -> str:
    """Return the first wrong value, and where it is."""
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"got {values[position]:g}" + (f" at {list(position)}" if position else "")


def _like(given: tuple[Any, ...], result: Any) -> Any:
    """Return a result as a tensor, an array, or floats, whatever came in."""
    if any(isinstance(v, TensorBase) for v in given):
        return result
    if any(isinstance(v, np.ndarray) for v in given):
        return result._array[()]
    return result.tolist()
