"""Copies of a model's parameters and buffers, to go back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fanin.nn.module import Module
from fanin.nn.parameter import is_lazy
from fanin.tensor.in_place import store
from fanin.tensor.tape import wrap


def set_training(model: Any) -> None:
    """Set a model to training mode, where it is not: that counts as a change of all its modules."""
    for module in model.modules():
        if module.training is not True or type(module).train is not Module.train or "train" in module.__dict__:
            model.train()
            return


def tensors_of(model: Any) -> dict[str, Any]:
    """Return the model's parameters and buffers, also those that a state_dict leaves out, by name."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor for name, tensor in named.items() if not is_lazy(tensor)}


class Kept:
    """One copy of a model's parameters and buffers, in the same memory each time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._tensors: dict[str, Any] | None = None
        self.arrays: dict[str, Any] = {}
        self._later: Callable[[], None] | None = None

    def take(self, same: bool = False) -> None:
        """Copy the present values.

        same: whether the model has the parameters and buffers of the last time; looking for them costs more than
              copying small ones.
        """
        self._later = None
        if self._tensors is None or not same:
            self._tensors = tensors_of(self._model)
        for name, tensor in self._tensors.items():
            held = self.arrays.get(name)
            if held is None or held.shape != tensor._array.shape or held.dtype != tensor._array.dtype:
                self.arrays[name] = tensor._array.copy()
            else:
                np.copyto(held, tensor._array)

    def promise(self, take: Callable[[], None]) -> None:
        """Let `settle` call a function that takes the copy: one that may not be needed, and costs time to come by."""
        self._later = take

    def settle(self) -> None:
        """Take the copy that was promised last, unless another was taken since."""
        if self._later is not None:
            self._later()

    def put_back(self) -> None:
        """Write the copy into the model."""
        for name, tensor in tensors_of(self._model).items():
            if name in self.arrays:
                store(tensor, self.arrays[name])

    def to_tensors(self) -> dict[str, Any]:
        """Return the copy by name, as tensors that share its memory."""
        return {name: wrap(array) for name, array in self.arrays.items()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take over a copy that `to_tensors` returned."""
        self.arrays = {name: tensor._array.copy() for name, tensor in saved.items()}
