"""Copies of the parameters and buffers that a run trains, to go back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fanin.nn.module import Module
from fanin.nn.parameter import is_lazy
from fanin.tensor.base import Changes
from fanin.tensor.in_place import store
from fanin.tensor.tape import wrap


@dataclass(frozen=True)
class Members:
    """What a model is made of, each once: its modules, and its parameters and buffers by name.

    seen: how many changes of modules there had been when somebody looked.
    """

    modules: list[Any]
    parameters: dict[str, Any]
    buffers: dict[str, Any]
    seen: int = field(default_factory=lambda: Changes.count)

    @classmethod
    def of(cls, model: Any) -> Members:
        """Look at a model, in one walk where it has no walks of its own."""
        modules, kind = list(model.named_modules()), type(model)
        members = [module for _, module in modules]
        if kind.named_parameters is not Module.named_parameters or kind.named_buffers is not Module.named_buffers:
            return cls(members, dict(model.named_parameters()), dict(model.named_buffers()))
        return cls(members, _named(modules, "_parameters"), _named(modules, "_buffers"))

    def now(self, model: Any) -> Members:
        """Return what the same model is made of now; it need not be looked at while nothing has changed."""
        return self if self.seen == Changes.count else Members.of(model)

    @property
    def unfinished(self) -> bool:
        """Whether there are parameters that the first batch gives their shape."""
        return any(map(is_lazy, self.parameters.values()))

    @property
    def tensors(self) -> dict[str, Any]:
        """The parameters and buffers that have a shape."""
        return {name: tensor for name, tensor in (self.parameters | self.buffers).items() if not is_lazy(tensor)}

    def set_training(self, model: Any) -> None:
        """Set the model to training mode, unless it is: to set it counts as a change of all its modules."""
        for module in self.modules:
            own = type(module).train is not Module.train or "train" in module.__dict__
            if own or module.training is not True:
                model.train()
                return


def _named(modules: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    seen: set[int] = set()
    named = {}
    for owner, module in modules:
        for name, tensor in module.__dict__[where].items():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                named[f"{owner}.{name}" if owner else name] = tensor
    return named


def tensors_of(model: Any) -> dict[str, Any]:
    """Return the model's parameters and buffers, also those that a state_dict leaves out, by name."""
    return Members.of(model).tensors


def tensors_beside(own: Mapping[str, Any], loss: Any, optimizer: Any) -> dict[str, Any]:
    """Return what is trained besides a model: tensors of the loss, and what else an optimiser holds, by name.

    own: those of the model. Names have a space, so that they are not those of a model.
    """
    seen, found = set(map(id, own.values())), {}
    if isinstance(loss, Module) and (loss._parameters or loss._buffers or loss._modules):
        found = {f"loss {name}": tensor for name, tensor in tensors_of(loss).items() if id(tensor) not in seen}
        seen.update(map(id, found.values()))
    for number, group in enumerate(() if optimizer is None else optimizer.param_groups):
        for i, parameter in enumerate(group["params"]):
            if id(parameter) not in seen and not is_lazy(parameter):
                found[f"optimizer {number}.{i}"] = parameter
    return found


class Kept:
    """One copy of the parameters and buffers that are trained, in the same memory each time.

    model: their owner. loss, optimizer: which may have parameters of their own.
    """

    def __init__(self, model: Any, loss: Any = None, optimizer: Any = None) -> None:
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._tensors: dict[str, Any] | None = None
        self.arrays: dict[str, Any] = {}
        self._later: Callable[[], None] | None = None

    def tensors(self, members: Members | None = None) -> dict[str, Any]:
        """Return all that is trained, by name; `members` are those of the model, where somebody has just looked."""
        own = (members or Members.of(self._model)).tensors
        return {**own, **tensors_beside(own, self._loss, self._optimizer)}

    def take(self, same: bool = False, members: Members | None = None) -> None:
        """Copy the present values.

        same: whether the model has the parameters and buffers of the last time; looking for them costs more than
              copying small ones.
        members: those of the model, where somebody has just looked.
        """
        self._later = None
        if self._tensors is None or not same:
            self._tensors = self.tensors(members)
        for name, tensor in self._tensors.items():
            held = self.arrays.get(name)
            if held is None or held.shape != tensor._array.shape or held.dtype != tensor._array.dtype:
                self.arrays[name] = tensor._array.copy()
            else:
                np.copyto(held, tensor._array)

    def promise(self, take: Callable[[], None]) -> None:
        """Let `settle` call a function that takes the copy: one that may not be needed, and costs time to come by."""
        self._later = take

    def forget(self) -> None:
        """Take back what was promised."""
        self._later = None

    def settle(self) -> None:
        """Take the copy that was promised last, unless another was taken since."""
        if self._later is not None:
            self._later()

    def put_back(self) -> None:
        """Write the copy back."""
        for name, tensor in self.tensors().items():
            if name in self.arrays:
                store(tensor, self.arrays[name])

    def to_tensors(self) -> dict[str, Any]:
        """Return the copy by name, as tensors that share its memory."""
        return {name: wrap(array) for name, array in self.arrays.items()}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take over a copy that `to_tensors` returned."""
        self.arrays = {name: tensor._array.copy() for name, tensor in saved.items()}
