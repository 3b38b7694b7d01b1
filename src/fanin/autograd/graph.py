"""torch.autograd.graph: the nodes of the tape, and where PyTorch keeps what backward passes read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fanin._core.missing import refuse
from fanin.tensor.tape import Node

__all__ = ["Node", "disable_saved_tensors_hooks", "save_on_cpu"]


@contextlib.contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """Do nothing for the time of a block: tensors are on the CPU."""
    yield


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Do nothing for the time of a block: fanin has no hooks on saved tensors."""
    yield


__getattr__ = refuse("torch.autograd.graph")
