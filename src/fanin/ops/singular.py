"""What PyTorch says of matrices that cannot be inverted or factored: which of a batch, and where it went wrong.

NumPy says no more than that a matrix is singular, so this is found out afterwards, by elimination in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import OperationError


class _LinAlgError(OperationError):
    """A matrix that an algorithm of linear algebra cannot work on; torch.linalg.LinAlgError, with PyTorch's name."""


LinAlgError = _LinAlgError

Fault = Callable[[Any], int]

INVERSE = "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
SOLUTION = "The solver failed because the input matrix is singular."
FACTOR = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor of order "
    "{} is not positive-definite)."
)


def zero_pivot(a: Any) -> int:
    """Return at which step, from 1, elimination with row exchanges meets a pivot of zero; 0 where it meets none."""
    u = np.array(a, np.float64)
    for k in range(len(u)):
        best = k + int(np.argmax(np.abs(u[k:, k])))
        if u[best, k] == 0:
            return k + 1
        u[[k, best]] = u[[best, k]]
        u[k + 1 :, k:] -= np.outer(u[k + 1 :, k] / u[k, k], u[k, k:])
    return 0


def bad_minor(a: Any) -> int:
    """Return the order of the first leading minor that is not positive-definite; 0 where all are."""
    for k in range(1, len(a) + 1):
        try:
            np.linalg.cholesky(a[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


def fails_with(function: Any, name: str, sentence: str, fault: Fault) -> Any:
    """Return a function of NumPy that raises LinAlgError, with a sentence, where a matrix does not allow it.

    name:  of PyTorch's function.
    fault: where the trouble is in a matrix, from 1: what {} in the sentence becomes.
    """

    def evaluate(a: Any, *xs: Any) -> Any:
        try:
            return function(a, *xs)
        except np.linalg.LinAlgError:
            which, place = _first_fault(a, fault)
            batch = f"(Batch element {which}): " if a.ndim > 2 else ""
            raise LinAlgError(f"{name}: {batch}{sentence.format(place)}") from None

    return evaluate


def _first_fault(a: Any, fault: Fault) -> tuple[int, int]:
    matrices = a.reshape(-1, *a.shape[-2:])
    return next(((i, place) for i, place in enumerate(map(fault, matrices)) if place), (0, len(matrices[0])))
