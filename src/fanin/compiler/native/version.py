"""What compiled code is kept under besides the graph, or the name, that it was made for: the state of the compiler."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import lru_cache

import llvmlite.binding as llvm
import numpy as np

import fanin

# What says which code there is for a graph: the compiler, and the operations' records, by which it infers and folds.
_ROOMS = ("compiler", "ops")


@lru_cache(maxsize=1)
def compiler_version() -> str:
    """Return a digest of the compiler's files, by sizes and times, and of what it is built on.

    NumPy folds constants; code reads NumPy's arrays, which lie behind what Python's objects begin with.
    """
    stamps = [_stamps(room) for room in _ROOMS]
    built_on = llvm.llvm_version_info, np.__version__, sys.version_info[:2], object.__basicsize__
    return hashlib.sha256(f"{built_on}{stamps}".encode()).hexdigest()


def _stamps(room: str) -> list[tuple[str, int, int]]:
    """Return the place, the size and the time of each file of a folder of fanin."""
    root, found = os.path.dirname(fanin.__file__), []
    for folder, _, names in os.walk(os.path.join(root, room)):
        within = os.path.relpath(folder, root)
        for name in names:
            if name.endswith(".py"):
                status = os.stat(os.path.join(folder, name))
                found.append((f"{within}/{name}", status.st_size, status.st_mtime_ns))
    return sorted(found)
