"""Draws from a table of weights."""

from __future__ import annotations

import numpy as np

from fanin._core.errors import OperationError
from fanin.random.draws import exponential
from fanin.random.generator import Generator
from fanin.random.memory import like
from fanin.random.unit import Array, unit53


def multinomial(generator: Generator, weights: Array, num_samples: int, replacement: bool = False) -> Array:
    """Return indices drawn in proportion to weights, of shape (..., num_samples), int64.

    Args:
        generator: the stream that is drawn from.
        weights: of shape (n,) or (rows, n): at least 0, each row with a positive sum.
        num_samples: how many for each row; at most n without replacement.
        replacement: True to allow an index more than once.

    Raises:
        OperationError: when the weights are no distribution, or num_samples does not fit.

    Without replacement the indices are those of the largest `weight / exponential`, in that order, which is drawing one
    after the other (P. Efraimidis and P. Spirakis, "Weighted random sampling with a reservoir", 2006). With it, each
    uniform number is looked up in the running sum.

    >>> import numpy as np
    >>> from fanin.random import Generator, multinomial
    >>> multinomial(Generator().manual_seed(0), np.array([0.0, 10.0, 3.0, 1.0], np.float32), 2)
    array([1, 2])
    """
    _check_weights(weights, num_samples, replacement)
    if replacement and num_samples > 1:
        return _by_running_sum(generator, weights, num_samples)
    keys = weights / like(weights, lambda shape: exponential(generator, 1.0, shape, weights.dtype))
    if num_samples == 1:
        largest: Array = np.argmax(keys, axis=-1, keepdims=True)
        return largest
    largest_first: Array = np.argsort(-keys, axis=-1, kind="stable")
    return largest_first[..., :num_samples]


def _by_running_sum(generator: Generator, weights: Array, num_samples: int) -> Array:
    rows = weights.reshape(-1, weights.shape[-1])
    samples = np.empty((len(rows), num_samples), np.int64)
    for row, sample in zip(rows, samples, strict=True):
        running = np.cumsum(row, dtype=row.dtype)
        running /= running[-1]
        running[-1] = 1.0
        sample[:] = np.searchsorted(running.astype(np.float64), unit53(generator, num_samples))
    return samples.reshape((*weights.shape[:-1], num_samples))


def _check_weights(weights: Array, num_samples: int, replacement: bool) -> None:
    if weights.ndim not in (1, 2):
        raise OperationError(
            f"prob_dist must be 1 or 2 dim: expected weights of shape (n,) or (rows, n), got {weights.shape}"
        )
    if weights.dtype.kind != "f":
        raise OperationError(f"multinomial only supports floating-point dtypes for input, got: {weights.dtype}")
    if num_samples <= 0:
        raise OperationError(f"cannot sample n_sample <= 0 samples: got {num_samples}")
    if not replacement and num_samples > weights.shape[-1]:
        raise OperationError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
            remedy=f"{num_samples} of {weights.shape[-1]} are asked for; replacement=True lets one come again.",
        )
    if not bool(np.all(np.isfinite(weights) & (weights >= 0))):
        raise OperationError("probability tensor contains either `inf`, `nan` or element < 0")
    if not bool(np.all(weights.sum(axis=-1) > 0)):
        raise OperationError("invalid multinomial distribution (sum of probabilities <= 0)")
