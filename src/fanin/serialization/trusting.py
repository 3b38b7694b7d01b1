"""Python's own unpickler, for files that the caller trusts: whole modules, and anything else that was pickled."""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Callable
from typing import Any

from fanin._core.errors import CheckpointError
from fanin.serialization.names import functions, refuse_foreign_storage, values

# Where PyTorch's public classes stand in fanin, whatever private module of PyTorch's a file names.
_PUBLIC = ("fanin.nn", "fanin", "fanin.optim", "fanin.optim.lr_scheduler", "fanin.utils.data")


def read_trusting(data: bytes, persistent_load: Callable[[Any], Any], where: str, **options: Any) -> Any:
    """Return the object that a pickle describes; this runs whatever code the pickle names."""
    try:
        return _Unpickler(data, persistent_load, **options).load()
    except (EOFError, IndexError, ValueError) as problem:
        raise CheckpointError(f"load: {where} is damaged: {problem}") from problem


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, persistent_load: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(io.BytesIO(data), **options)
        self._storage = persistent_load

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage that the pickle names."""
        return self._storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        """Return fanin's own object for a name of PyTorch's, and what Python finds for any other."""
        for known in (functions(), values()):
            if (module, name) in known:
                return known[module, name]
        if module == "torch" or module.startswith("torch."):
            refuse_foreign_storage(module, name)
            return _fanins(module, name)
        return super().find_class(module, name)


def _fanins(module: str, name: str) -> Any:
    for room in ("fanin" + module.removeprefix("torch"), *_PUBLIC):
        try:
            found = importlib.import_module(room)
        except ModuleNotFoundError:
            continue
        if hasattr(found, name):
            return getattr(found, name)
    raise CheckpointError(f"load: the file holds a {module}.{name}, which is not part of fanin")
