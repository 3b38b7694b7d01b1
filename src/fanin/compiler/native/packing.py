"""Several strings of bytes as one."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_MAGIC, _COUNT = b"fanin parts\n", struct.Struct("<Q")


def packed(parts: Sequence[bytes]) -> bytes:
    """Return strings of bytes as one: a single one as it is, else behind their number and their lengths.

    >>> unpacked(packed([b"one", b"other"]))
    [b'one', b'other']
    """
    if len(parts) == 1:
        return parts[0]
    lengths = [len(parts), *map(len, parts)]
    return b"".join([_MAGIC, *map(_COUNT.pack, lengths), *parts])


def unpacked(whole: bytes) -> list[bytes]:
    """Return the strings of bytes that `packed` put together."""
    if not whole.startswith(_MAGIC):
        return [whole]
    at, each = len(_MAGIC), _COUNT.size
    (count,) = _COUNT.unpack_from(whole, at)
    lengths = [_COUNT.unpack_from(whole, at + each * (i + 1))[0] for i in range(count)]
    at += each * (count + 1)
    found = []
    for length in lengths:
        found.append(whole[at : at + length])
        at += length
    return found
