"""What has to be known of a program's code to run it, and is kept with the code, so that nothing is planned again."""

from __future__ import annotations

from ast import literal_eval
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin.compiler.native.packing import packed, unpacked


@dataclass(frozen=True, eq=False)
class Manifest:
    """What a program needs.

    arena:            bytes.
    sources:          what each outside pointer shows, by number, as in a `Layout`: ("data", 0), ("constant", array).
    lanes:            how many threads can share a step.
    work:             floating-point operations of a step.
    calls_back:       how many operations of a step have no code, and are evaluated with NumPy.
    looks_at_indices: whether a step may meet an index out of range.
    stops:            whether a step whose watched output is not finite leaves the state as it was.
    together:         how many steps are taken together, where nothing is wrong with them.
    """

    arena: int
    sources: tuple[tuple[str, Any], ...]
    lanes: int
    work: int
    calls_back: int
    looks_at_indices: bool
    stops: bool
    together: int

    def to_bytes(self) -> bytes:
        """Return the manifest as bytes, for `from_bytes`."""
        arrays = [what for kind, what in self.sources if kind == "constant"]
        sources = [(kind, None if kind == "constant" else what) for kind, what in self.sources]
        kinds = [(array.dtype.str, array.shape) for array in arrays]
        numbers = (self.lanes, self.work, self.calls_back, self.looks_at_indices, self.stops, self.together)
        told = repr((self.arena, sources, *numbers)), repr(kinds)
        return packed([*(text.encode() for text in told), *(array.tobytes() for array in arrays)])

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Return the manifest that `to_bytes` wrote."""
        told, kinds, *contents = unpacked(content)
        arena, sources, *rest = literal_eval(told.decode())
        arrays = iter(
            np.frombuffer(held, dtype).reshape(shape)
            for held, (dtype, shape) in zip(contents, literal_eval(kinds.decode()), strict=True)
        )
        return cls(arena, tuple((kind, next(arrays) if kind == "constant" else what) for kind, what in sources), *rest)
