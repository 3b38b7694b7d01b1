"""LLVM's types. Two are equal when they are written alike; called with a number, a type is a constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Type:
    """What LLVM's text calls a type.

    text: as it is written.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Type) and self.text == other.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __call__(self, x: Any) -> Any:
        """Return a constant of the type."""
        from fanin.compiler.native.ir.values import Constant

        return Constant(self, x)


class IntType(Type):
    """An integer of so many bits."""

    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        super().__init__(f"i{width}")
        self.width = width


class FloatType(Type):
    """32 bits."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("float")


class DoubleType(Type):
    """64 bits."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("double")


class VoidType(Type):
    """What a function returns that returns nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("void")


class PointerType(Type):
    """An address; of a function, where its type is told."""

    __slots__ = ("function",)

    def __init__(self, function: FunctionType | None = None) -> None:
        super().__init__("ptr")
        self.function = function


class VectorType(Type):
    """So many elements in a register."""

    __slots__ = ("count", "element")

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"<{count} x {element.text}>")
        self.element, self.count = element, count


class ArrayType(Type):
    """So many elements in memory."""

    __slots__ = ("count", "element")

    def __init__(self, element: Type, count: int) -> None:
        super().__init__(f"[{count} x {element.text}]")
        self.element, self.count = element, count


class LiteralStructType(Type):
    """Several values together."""

    __slots__ = ("elements",)

    def __init__(self, elements: Sequence[Type]) -> None:
        super().__init__("{" + ", ".join(x.text for x in elements) + "}")
        self.elements = tuple(elements)


class FunctionType(Type):
    """What a function takes and returns."""

    __slots__ = ("args", "result")

    def __init__(self, result: Type, args: Sequence[Type]) -> None:
        super().__init__(f"{result.text} ({', '.join(x.text for x in args)})")
        self.result, self.args = result, tuple(args)

    def as_pointer(self) -> PointerType:
        """Return the type of the address of such a function."""
        return PointerType(self)
