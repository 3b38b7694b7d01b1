"""Compiled code kept on disk, so that a program's second run need not wait for the compiler.

The cache is a help and never a trouble: whatever is wrong with its folder (full, read-only, missing, damaged, not
ours), a program runs as it would without one. What went wrong is logged to "fanin.cache".

FANIN_CACHE=0 turns it off, FANIN_CACHE_DIR names another folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import sys
import time
from functools import lru_cache
from pathlib import Path

LIMIT = 256 * 2**20
_MAGIC = b"fanin object\n"
_FORMAT = 1
# What precedes the data: magic, format, length of the data, digest of the key, digest of the data.
_HEAD = struct.Struct(f"<{len(_MAGIC)}sIQ32s32s")
_OURS = ".object"
_UNFINISHED = ".part"
# A file that no writer has touched for so long (seconds) was left behind by a process that ended in the middle.
_ABANDONED = 3600.0


def default_folder() -> Path | None:
    """Return the folder that the environment or the platform's habits name; None when there is no home."""
    named = os.environ.get("FANIN_CACHE_DIR")
    if named:
        return Path(named)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) / "fanin" / "cache" if local else None
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg) and sys.platform != "darwin":  # the XDG specification: a relative path is ignored
        return Path(xdg) / "fanin"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "fanin" if home.is_absolute() else None


def default_cache() -> Cache:
    """Return the cache that the environment asks for."""
    off = os.environ.get("FANIN_CACHE", "").lower() in ("0", "off", "no", "false")
    return _cache_in(None if off else default_folder())


@lru_cache(maxsize=8)
def _cache_in(folder: Path | None) -> Cache:
    """Return the process's cache in a folder: one, so that it warns once and counts what it has written."""
    return Cache(folder)


class Cache:
    """Bytes under keys in a folder, one file each.

    Args:
        folder: where the files lie; made when it is first written to. None makes a cache that holds nothing.
        limit: how many bytes may lie there; the entries that were not used for longest go first.

    Neither method raises an exception for anything that the file system does. Any number of processes and threads may
    use one folder: an entry appears whole or not at all. Code is loaded only from a folder, and from files, that
    belong to the user and that nobody else can write to.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, limit: int = LIMIT) -> None:
        self.folder = None if folder is None else Path(folder)
        self.limit = limit
        # So many bytes may be written before the folder is looked through again: at once in a new process.
        self._until_tidy = 0
        self._refused = False

    def get(self, key: str) -> bytes | None:
        """Return the bytes under a key; None when there are none, or when they are damaged."""
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            if not self._is_safe():
                return None
            with open(path, "rb") as file:
                content = file.read() if _is_private(os.fstat(file.fileno())) else b""
        except FileNotFoundError:
            return None
        except OSError as error:
            _log("info", "cannot read %s: %s", path, error)
            return None
        data = _unpacked(key, content)
        self._discard(path) if data is None else _mark_as_used(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key, in place of those that were there."""
        if self.folder is None or len(data) > self.limit:
            return
        try:
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            if self._is_safe():
                _write(self._path(key), _packed(key, data))
                self._tidy(len(data))
        except OSError as error:
            _log("info", "cannot write to %s: %s", self.folder, error)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / (hashlib.sha256(key.encode()).hexdigest() + _OURS)

    def _is_safe(self) -> bool:
        assert self.folder is not None
        safe = _is_private(os.stat(self.folder))
        if not safe and not self._refused:
            self._refused = True
            _log("warning", "compiled code is not kept in %s, which others can write to or own", self.folder)
        return safe

    def _discard(self, path: Path) -> None:
        _log("info", "%s is damaged and is left out", path)
        _remove(path)

    def _tidy(self, written: int) -> None:
        """Remove the entries not used for longest when there are too many; look only every now and then."""
        self._until_tidy -= written
        if self._until_tidy <= 0:
            self._until_tidy = self.limit // 16
            assert self.folder is not None
            _shrink(self.folder, self.limit)


def _log(level: str, message: str, *what: object) -> None:
    """Say what went wrong. Most programs have nothing to say, and need not load what it takes."""
    import logging

    getattr(logging.getLogger("fanin.cache"), level)(message, *what)


def _is_private(status: os.stat_result) -> bool:
    """Say whether only the user, or nobody, can write there. Windows keeps its own watch over a user's folders."""
    if sys.platform == "win32":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _packed(key: str, data: bytes) -> bytes:
    key_digest, digest = hashlib.sha256(key.encode()).digest(), hashlib.sha256(data).digest()
    return _HEAD.pack(_MAGIC, _FORMAT, len(data), key_digest, digest) + data


def _unpacked(key: str, content: bytes) -> bytes | None:
    data = content[_HEAD.size :]
    return data if content == _packed(key, data) else None


def _write(path: Path, content: bytes) -> None:
    """Write beside the place and move there, which is one step for whoever reads."""
    import tempfile

    descriptor, beside = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        _remove(beside)
        raise


def _mark_as_used(path: Path) -> None:
    with contextlib.suppress(OSError):  # it only goes earlier than it should
        os.utime(path)


def _remove(path: str | Path) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        _log("info", "cannot remove %s: %s", path, error)


def _shrink(folder: Path, limit: int) -> None:
    """Remove what was abandoned, and the oldest entries until four fifths of the limit are kept."""
    entries, now = [], time.time()
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith((_OURS, _UNFINISHED)):
                status = entry.stat(follow_symlinks=False)
                entries.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    goal = limit * 4 // 5 if total > limit else total
    for used, size, path in sorted(entries):
        abandoned = path.endswith(_UNFINISHED) and used < now - _ABANDONED
        if abandoned or total > goal:
            _remove(path)
            total -= size
