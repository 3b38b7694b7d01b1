"""What instructions compute with: constants, and the results of others."""

from __future__ import annotations

import struct
from typing import Any

from fanin.compiler.native.ir.types import ArrayType, DoubleType, FloatType, IntType, Type, VectorType

Undefined = object()


class Value:
    """An operand.

    type: what it is.
    ref:  how an instruction refers to it.
    home: for whoever builds: the memory that an address shows to.
    held: for whoever builds: the type of what lies at an address.
    """

    __slots__ = ("held", "home", "ref", "type")

    home: Any
    held: Any

    def __init__(self, kind: Type, ref: str) -> None:
        self.type, self.ref = kind, ref

    def __str__(self) -> str:
        return f"{self.type.text} {self.ref}"


class Constant(Value):
    """A number, one for each element (a list), `Undefined`, or None for zeros.

    constant: as it was given.
    """

    __slots__ = ("constant",)

    def __init__(self, kind: Type, x: Any) -> None:
        super().__init__(kind, _written(kind, x))
        self.constant = x

    @classmethod
    def everywhere(cls, kind: VectorType, x: Any) -> Constant:
        """Return a vector of equal numbers."""
        made = cls.__new__(cls)
        made.type, made.constant = kind, [x] * kind.count
        made.ref = _alike(kind.element, _written(kind.element, x))
        return made


def _written(kind: Type, x: Any) -> str:
    if x is Undefined:
        return "undef"
    if isinstance(kind, IntType):
        return str(int(x or 0))
    if x is None and not isinstance(kind, (FloatType, DoubleType)):
        return "zeroinitializer"
    if isinstance(kind, VectorType):
        return _vector(kind, x)
    if isinstance(kind, ArrayType):
        return 'c"' + "".join(f"\\{byte:02x}" for byte in x) + '"'
    if x is None:
        return "0x0"
    if isinstance(kind, FloatType):
        x = struct.unpack("<f", struct.pack("<f", x))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:x}"


def _vector(kind: VectorType, numbers: Any) -> str:
    parts = [_written(kind.element, x) for x in numbers]
    if len(set(parts)) == 1:
        return _alike(kind.element, parts[0])
    element = kind.element.text
    return f"<{', '.join(f'{element} {part}' for part in parts)}>"


def _alike(element: Type, part: str) -> str:
    return "zeroinitializer" if part in ("0", "0x0") else f"splat ({element.text} {part})"
