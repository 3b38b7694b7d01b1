"""The two fields of a tensor that a capture must see being read and written: its array and its gradient.

While a capture is on, `TensorBase._array` and `TensorBase._grad` are descriptors. So no code can read the numbers of a
tensor from outside behind the capture's back: whoever asks for the array is given a `Value`. Without a capture the
class has no descriptors, and eager work costs what it costs.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from fanin.random.generator import Generator, default_generator
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode

LIFTED = "_lifted"  # key of a tensor's dictionary: the record of a tensor from outside
MADE = "_made"  # key of a tensor's dictionary: the number of the capture in which it was made


class _ArrayField:
    def __get__(self, tensor: Any, cls: Any = None) -> Any:
        if tensor is None:
            raise AttributeError("_array")
        capture = mode.capture
        if capture is not None:
            return capture.read(tensor)
        record = tensor.__dict__.get(LIFTED)
        try:
            return tensor.__dict__["_array"] if record is None else record.array
        except KeyError:
            raise AttributeError("_array") from None

    def __set__(self, tensor: Any, array: Any) -> None:
        capture = mode.capture
        if capture is not None:
            capture.rebind(tensor, array)
            return
        record = tensor.__dict__.get(LIFTED)
        if record is None:
            tensor.__dict__["_array"] = array
        else:
            record.array = array


class _GradField:
    def __get__(self, tensor: Any, cls: Any = None) -> Any:
        if tensor is None:
            return None
        capture = mode.capture
        if capture is not None:
            return capture.read_grad(tensor)
        record = tensor.__dict__.get(LIFTED)
        return (tensor.__dict__ if record is None else record.fields).get("_grad")

    def __set__(self, tensor: Any, grad: Any) -> None:
        capture = mode.capture
        if capture is not None:
            capture.write_grad(tensor, grad)
            return
        record = tensor.__dict__.get(LIFTED)
        (tensor.__dict__ if record is None else record.fields)["_grad"] = grad


class _Draws:
    """The words of a generator, which a captured step cannot take: they would be the same at every call."""

    def __get__(self, generator: Any, cls: Any = None) -> Any:
        if mode.capture is not None:
            mode.capture.refuse_draw()
        return generator.__dict__["_raw"]

    def __set__(self, generator: Any, raw: Any) -> None:
        generator.__dict__["_raw"] = raw


def _refusing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the generator that is refused for the default one."""

    @functools.wraps(method)
    def checked(self: Any, *args: Any) -> Any:
        if mode.capture is not None and self is default_generator:
            mode.capture.refuse_draw()
        return method(self, *args)

    return checked


_METHODS = {name: Generator.__dict__[name] for name in ("_set_seed", "set_state")}
_lock = threading.RLock()
_watching = 0


def watch() -> None:
    """Let captures see the fields of all tensors; counted, so that several threads may capture."""
    global _watching
    with _lock:
        if not _watching:
            TensorBase._array = _ArrayField()  # type: ignore[assignment]
            TensorBase._grad = _GradField()
            Generator._raw = _Draws()  # type: ignore[assignment]
            for name, method in _METHODS.items():
                setattr(Generator, name, _refusing(method))
        _watching += 1


def unwatch() -> None:
    """End one `watch`."""
    global _watching
    with _lock:
        _watching -= 1
        if not _watching:
            del TensorBase._array
            TensorBase._grad = None
            del Generator._raw  # type: ignore[misc]
            for name, method in _METHODS.items():
                setattr(Generator, name, method)
