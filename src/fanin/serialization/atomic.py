"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import BinaryIO

from fanin._core.errors import MissingDirectoryError


@contextlib.contextmanager
def atomic_file(path: str) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never half of it, and a crash or a full disk changes nothing.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise MissingDirectoryError(f"Parent directory {os.path.dirname(path) or directory} does not exist.")
    _refuse_what_cannot_be_replaced(target)
    temporary = os.path.join(directory, f".{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _refuse_what_cannot_be_replaced(target: str) -> None:
    """Raise Python's own error for a directory, and for a read-only file, which a rename would pass over."""
    if os.path.exists(target):
        with open(target, "r+b"):
            pass
