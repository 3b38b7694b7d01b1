"""Save and load states, in the file format of PyTorch, which reads these files and whose files are read.

A file holds a pickle without tensors' contents, and the contents beside it as plain bytes. Loading does not trust it:
unless the caller says otherwise, only tensors, numbers, text and containers are built, and nothing from the file runs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from fanin._core.errors import ArgumentError, CheckpointError, FileArgumentError, OperationError

if TYPE_CHECKING:
    from fanin.serialization.archive import ArchiveReader

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]

File = str | os.PathLike[str] | IO[bytes]
DEFAULT_PROTOCOL = 2


def save(
    obj: Any,
    f: File,
    pickle_module: Any = None,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object, such as a model's `state_dict()`, to a file that `load` and PyTorch's own `load` read.

    Tensors that share memory still share it after loading. A file at a path appears whole or not at all: it is written
    beside its place and moved there when it is complete.

    Args:
        obj: tensors, parameters, numbers, text, containers of these; other objects are pickled, and need
            `weights_only=False` to be loaded.
        f: a path, or a file opened for writing bytes.
        pickle_module: accepted, not used.
        pickle_protocol: the version of pickle's instructions; PyTorch reads version 2 with `weights_only=True`.

    Raises:
        RuntimeError: the directory does not exist.

    >>> import io
    >>> import fanin as torch
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    from fanin.serialization.archive import write_archive
    from fanin.serialization.atomic import atomic_file
    from fanin.serialization.pickling import to_pickle

    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise FileArgumentError(
            "save: expected 'f' to be string, path, or a file-like object with a 'write' attribute; "
            f"got {type(f).__name__}"
        )
    records = _records(*to_pickle(obj, pickle_protocol))
    if isinstance(f, (str, os.PathLike)):
        with atomic_file(os.fspath(f)) as file:
            write_archive(file, records)
    else:
        # The archive's positions count from its own start, wherever the file stands.
        buffer = io.BytesIO()
        write_archive(buffer, records)
        f.write(buffer.getbuffer())


def _records(pickled: bytes, storages: list[memoryview]) -> Iterator[tuple[str, bytes | memoryview]]:
    yield "data.pkl", pickled
    yield ".format_version", b"1"
    yield ".storage_alignment", b"64"
    yield "byteorder", sys.byteorder.encode()
    for number, content in enumerate(storages):
        yield f"data/{number}", content
    yield "version", b"3\n"


def load(
    f: File,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = True,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save`, or PyTorch's own `save`, wrote.

    Args:
        f: a path, or a file opened for reading bytes.
        map_location: accepted when it leads to the CPU, where every tensor arrives.
        pickle_module: accepted with `weights_only=False`, not used.
        weights_only: build data and nothing else. False lets the file name any class and run any code: use it only for
            files that you trust.
        mmap: read tensors from the file when they are first touched, instead of now; needs a path.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: it is not a file of this format, or it is damaged; the error is a pickle.UnpicklingError as well.
        pickle.UnpicklingError: it holds a class that `weights_only=True` does not allow.

    >>> import io
    >>> import fanin as torch
    >>> file = io.BytesIO()
    >>> torch.save(torch.nn.Linear(2, 1).state_dict(), file)
    >>> _ = file.seek(0)
    >>> list(torch.load(file))
    ['weight', 'bias']
    """
    _check_map_location(map_location)
    trusting = weights_only is False
    if pickle_module is not None and not trusting:
        raise OperationError(
            "Can not safely load weights when explicit pickle_module is specified: pass weights_only=False as well, "
            "for a file that you trust, or leave pickle_module out"
        )
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _load(file, repr(os.fspath(f)), bool(mmap), trusting, pickle_load_args)
    if mmap:
        raise ArgumentError("load: f must be a file path in order to use the mmap argument")
    if not hasattr(f, "read"):
        raise FileArgumentError(f"load: expected a path or a file opened for reading bytes; got {type(f).__name__}")
    return _load(f, "the file", False, trusting, pickle_load_args)


def _load(file: Any, where: str, mapped: bool, trusting: bool, options: dict[str, Any]) -> Any:
    from fanin.serialization.archive import ArchiveReader, seekable

    archive = ArchiveReader(seekable(file), where, mapped)
    storages = _Storages(archive)
    if trusting:
        from fanin.serialization.trusting import read_trusting

        return read_trusting(archive.read("data.pkl"), storages.find, where, **options)
    from fanin.serialization.restricted import read_restricted

    return read_restricted(archive.read("data.pkl"), storages.find, where)


class _Storages:
    """The storages of one file, each read once, so that tensors that shared memory share it again."""

    def __init__(self, archive: ArchiveReader) -> None:
        self._archive = archive
        self._found: dict[str, Any] = {}
        other = "big" if sys.byteorder == "little" else "little"
        self._swapped = archive.has("byteorder") and archive.read("byteorder") == other.encode()

    def find(self, pid: Any) -> Any:
        """Return the array of a storage: ("storage", its type, its number, where it was, its number of elements)."""
        from fanin.serialization.names import StorageType

        where = self._archive.where
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[1], StorageType)):
            raise CheckpointError(f"load: {where} holds a storage of a kind that fanin does not have: {pid!r:.200}")
        _, kind, key, _, count = pid
        memory = self._memory(str(key), kind.dtype.numpy)
        if memory.size < count:
            raise CheckpointError(
                f"load: {where} is damaged: the record data/{key} has {memory.size} elements of {count}"
            )
        return memory

    def _memory(self, key: str, dtype: np.dtype[Any]) -> Any:
        if key not in self._found:
            content = self._archive.storage(f"data/{key}")
            memory = content[: content.size // dtype.itemsize * dtype.itemsize].view(dtype)
            aligned = memory if memory.flags.aligned else memory.copy()
            self._found[key] = aligned.byteswap(inplace=True) if self._swapped else aligned
        return self._found[key]


def _check_map_location(map_location: Any) -> None:
    """Accept every wish that ends on the CPU; a function or a dictionary can only choose among devices there are."""
    if map_location is None or callable(map_location) or isinstance(map_location, dict):
        return
    if not str(map_location).startswith("cpu"):
        raise OperationError(
            f"load: map_location is {str(map_location)!r}, but fanin computes on the CPU: torch.cuda.is_available() is "
            "False. Leave map_location out, or use torch.device('cpu')."
        )


def __getattr__(name: str) -> Any:
    """Import the list of trusted classes when somebody asks for it: reading needs it, `import fanin` does not."""
    if name in __all__:
        from fanin.serialization import restricted

        return getattr(restricted, name)
    raise AttributeError(f"module 'fanin.serialization' has no attribute {name!r}")
