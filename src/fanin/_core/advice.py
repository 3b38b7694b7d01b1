"""Warnings about mistakes at which PyTorch stays silent, each with its remedy.

A piece of advice is a class of warning, so Python's own means turn it off (`warnings.filterwarnings`), and so does
`fanin.advice.ignore`. They go to the standard error, so that a program's output stays what PyTorch would print.
"""

from __future__ import annotations

import warnings


def non_leaf_grad() -> None:
    """Warn, as PyTorch does, that the .grad of a result is asked for, which is never filled."""
    warnings.warn(
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
        "use .retain_grad() on the non-leaf Tensor.",
        UserWarning,
        stacklevel=3,
    )
