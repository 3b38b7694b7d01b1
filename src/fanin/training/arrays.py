"""From what a user has (arrays, lists, tables, tensors) to tensors in the dtype that the model and the loss need.

Tensors keep their dtype, as in a loop written by hand: one that does not fit is an error. What has no dtype of
PyTorch's (NumPy's arrays, lists, data frames) is converted: NumPy makes float64 of everything, which is rarely meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import default_numpy
from fanin._core.errors import ArgumentTypeError, DtypeError, ShapeError
from fanin.nn import Embedding, EmbeddingBag
from fanin.nn import functional as F
from fanin.nn import loss as losses
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap

_CLASS_LOSSES = (
    losses.CrossEntropyLoss,
    losses.NLLLoss,
    losses.MultiMarginLoss,
    losses.MultiLabelMarginLoss,
)
_CLASS_FUNCTIONS = (F.cross_entropy, F.nll_loss, F.multi_margin_loss, F.multilabel_margin_loss)


def model_dtype(model: Any) -> np.dtype[Any]:
    """Return the dtype of the model's first floating parameter."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            kind: np.dtype[Any] = parameter.dtype.numpy
            return kind
    return default_numpy()


def takes_classes(loss: Any) -> bool | None:
    """Say whether a loss takes the numbers of classes as targets; None for a loss that is not known here."""
    if isinstance(loss, _CLASS_LOSSES) or loss in _CLASS_FUNCTIONS:
        return True
    known = isinstance(loss, losses._Loss) or getattr(loss, "__module__", "").startswith("fanin.nn.functional")
    return False if known else None


def input_tensor(values: Any, model: Any, name: str) -> Any:
    """Return an input as a tensor; what is no tensor gets the model's dtype.

    Whole numbers stay whole in a model with an `Embedding`, which looks rows up by them.
    """
    if isinstance(values, TensorBase):
        return _plain(values)
    array = _array(values, name)
    embeds = any(isinstance(module, (Embedding, EmbeddingBag)) for module in model.modules())
    if array.dtype.kind in "iub" and embeds:
        return wrap(_contiguous(array, np.dtype(np.int64)))
    return wrap(_contiguous(array, model_dtype(model)))


def target_tensor(values: Any, model: Any, loss: Any, name: str) -> Any:
    """Return a target as a tensor; what is no tensor gets int64 where the loss takes classes, else the model's dtype.

    For a loss of the user's own, whole numbers stay whole.
    """
    if isinstance(values, TensorBase):
        return _plain(values)
    array = _array(values, name)
    whole = array.dtype.kind in "iub" and takes_classes(loss) is not False
    return wrap(_contiguous(array, np.dtype(np.int64) if whole else model_dtype(model)))


def check_lengths(tensors: tuple[Any, ...], names: list[str]) -> None:
    """Raise ShapeError unless all tensors have the same number of rows, and at least one."""
    for tensor, name in zip(tensors, names, strict=True):
        if not tensor._array.ndim:
            raise ShapeError(f"fit: {name} is a single number; it needs one row for each example")
    counts = [len(tensor._array) for tensor in tensors]
    if len(set(counts)) > 1:
        told = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise ShapeError(f"fit: inputs and targets must have the same number of rows, but they have: {told}")
    if not counts[0]:
        raise ShapeError("fit: there are no rows to train on")


def _plain(tensor: Any) -> Any:
    """Return a tensor off the tape, in the same memory when that is contiguous."""
    plain = tensor.detach()
    return plain if plain._array.flags.c_contiguous else wrap(np.ascontiguousarray(plain._array))


def _array(values: Any, name: str) -> Any:
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()  # a data frame, or one of its columns
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ArgumentTypeError(f"fit: {name} cannot be read as an array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"fit: {name} must hold numbers, but it is an array of {array.dtype}",
            remedy="Turn texts and categories into numbers first, for example numpy.unique(column, "
            "return_inverse=True)[1] for the numbers of the classes.",
        )
    return array


def _contiguous(array: Any, dtype: np.dtype[Any]) -> Any:
    """Return the array itself when it has the dtype and lies in a row, otherwise a copy that does."""
    return np.ascontiguousarray(array, dtype) if array.ndim else array.astype(dtype)
