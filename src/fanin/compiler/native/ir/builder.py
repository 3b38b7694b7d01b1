"""Appends instructions to the blocks of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from fanin.compiler.native.ir.module import Block, Function, Module, Phi
from fanin.compiler.native.ir.types import (
    FunctionType,
    IntType,
    LiteralStructType,
    PointerType,
    Type,
    VectorType,
)
from fanin.compiler.native.ir.values import Constant, Value

_POINTER, _BIT = PointerType(), IntType(1)
_ORDER = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne", "ord": "ord", "uno": "uno"}
_HOLDS: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, c: a < c,
    "<=": lambda a, c: a <= c,
    ">": lambda a, c: a > c,
    ">=": lambda a, c: a >= c,
    "==": lambda a, c: a == c,
    "!=": lambda a, c: a != c,
}
_LIKELY, _UNLIKELY = "i32 99", "i32 1"


class Instruction(Value):
    """An access to memory, of which LLVM can be told more."""

    __slots__ = ("_at", "_lines")

    def __init__(self, kind: Type, ref: str, lines: list[str]) -> None:
        super().__init__(kind, ref)
        self._lines, self._at = lines, len(lines) - 1

    def set_metadata(self, name: str, node: str) -> None:
        """Tell LLVM something about it."""
        self._lines[self._at] += f", !{name} {node}"


class Jump:
    """The end of a block, of which LLVM can be told more."""

    __slots__ = ("_block",)

    def __init__(self, block: Block) -> None:
        self._block = block

    def set_metadata(self, name: str, node: str) -> None:
        """Tell LLVM something about it."""
        self._block.terminator = f"{self._block.terminator}, !{name} {node}"


class IRBuilder:
    """Writes at the end of a block, `block`."""

    def __init__(self, block: Block | None = None) -> None:
        if block is not None:
            self.block = block

    @property
    def function(self) -> Function:
        """The function that is written."""
        return self.block.function

    @property
    def module(self) -> Module:
        """The module that the function is in."""
        return self.block.function.module

    # Where --------------------------------------------------------------------------------------------------------

    def append_basic_block(self, name: str) -> Block:
        """Add an empty block at the end of the function."""
        return self.function.append_basic_block(name)

    def position_at_end(self, block: Block) -> None:
        """Go on at the end of a block."""
        self.block = block

    @contextmanager
    def goto_entry_block(self) -> Iterator[None]:
        """Write in the function's first block, before it is left."""
        before = self.block
        self.block = before.function.blocks[0]
        yield
        self.block = before

    @contextmanager
    def if_then(self, condition: Value, likely: bool | None = None) -> Iterator[Block]:
        """Write what happens only where a condition holds."""
        inside, after = (self.append_basic_block(name) for name in ("if", "endif"))
        jump = self.cbranch(condition, inside, after)
        if likely is not None:
            weights = (_LIKELY, _UNLIKELY) if likely else (_UNLIKELY, _LIKELY)
            jump.set_metadata("prof", self.module.metadata('!"branch_weights"', *weights))
        self.block = inside
        yield after
        self._go_on(after)
        self.block = after

    @contextmanager
    def if_else(self, condition: Value) -> Iterator[tuple[AbstractContextManager[None], AbstractContextManager[None]]]:
        """Write what happens where a condition holds, and what happens where it does not."""
        inside, other, after = (self.append_basic_block(name) for name in ("if", "else", "endif"))
        self.cbranch(condition, inside, other)
        yield self._branch_of(inside, after), self._branch_of(other, after)
        self.block = after

    @contextmanager
    def _branch_of(self, block: Block, after: Block) -> Iterator[None]:
        self.block = block
        yield
        self._go_on(after)

    def _go_on(self, after: Block) -> None:
        if self.block.terminator is None:
            self.branch(after)

    # The end of a block -------------------------------------------------------------------------------------------

    def branch(self, block: Block) -> Jump:
        """Go to a block."""
        return self._end(f"br label %{block.name}")

    def cbranch(self, condition: Value, block: Block, other: Block) -> Jump:
        """Go to a block where a condition holds, else to another."""
        return self._end(f"br i1 {condition.ref}, label %{block.name}, label %{other.name}")

    def ret(self, value: Value) -> Jump:
        """Return a value."""
        return self._end(f"ret {value}")

    def ret_void(self) -> Jump:
        """Return."""
        return self._end("ret void")

    def _end(self, text: str) -> Jump:
        self.block.terminator = f"  {text}"
        return Jump(self.block)

    # Operations ---------------------------------------------------------------------------------------------------

    def _pure(self, kind: Type, text: str) -> Value:
        """Return the result of an operation that depends on its operands alone."""
        block = self.block
        found = block.known.get(text) or block.function.blocks[0].known.get(text)
        if found is None:
            found = block.known[text] = self._new(kind, text)
        return found

    def _new(self, kind: Type, text: str) -> Value:
        ref = self.block.function.new_ref()
        self.block.lines.append(f"  {ref} = {text}")
        return Value(kind, ref)

    def _two(self, name: str, a: Value, c: Value) -> Value:
        return self._pure(a.type, f"{name} {a.type.text} {a.ref}, {c.ref}")

    def add(self, a: Value, c: Value) -> Value:
        """Return a + c."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return _wrapped(a.type, x + y)
        return c if x == 0 else a if y == 0 else self._two("add", a, c)

    def sub(self, a: Value, c: Value) -> Value:
        """Return a - c."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return _wrapped(a.type, x - y)
        return a if y == 0 else self._two("sub", a, c)

    def mul(self, a: Value, c: Value) -> Value:
        """Return a * c."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return _wrapped(a.type, x * y)
        if x == 0 or y == 1:
            return a
        return c if y == 0 or x == 1 else self._two("mul", a, c)

    def sdiv(self, a: Value, c: Value) -> Value:
        """Return a / c of signed numbers, rounded towards zero."""
        return a if _number(c) == 1 else self._two("sdiv", a, c)

    def udiv(self, a: Value, c: Value) -> Value:
        """Return a / c of unsigned numbers, rounded down."""
        return a if _number(c) == 1 else self._two("udiv", a, c)

    def srem(self, a: Value, c: Value) -> Value:
        """Return what a / c leaves, with the sign of a."""
        return self._two("srem", a, c)

    def and_(self, a: Value, c: Value) -> Value:
        """Return the bits that are set in both."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return _wrapped(a.type, x & y)
        if 0 in (x, y):
            return a if x == 0 else c
        if a.type.text == "i1" and (x, y) != (None, None):
            return c if y is None else a
        return self._two("and", a, c)

    def or_(self, a: Value, c: Value) -> Value:
        """Return the bits that are set in either."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return _wrapped(a.type, x | y)
        if a.type.text == "i1" and (x or y):
            return a if x else c
        return c if x == 0 else a if y == 0 else self._two("or", a, c)

    def xor(self, a: Value, c: Value) -> Value:
        """Return the bits that are set in one alone."""
        return self._two("xor", a, c)

    def shl(self, a: Value, c: Value) -> Value:
        """Return a shifted to the left."""
        return self._two("shl", a, c)

    def lshr(self, a: Value, c: Value) -> Value:
        """Return a shifted to the right, filled up with zeros."""
        return self._two("lshr", a, c)

    def ashr(self, a: Value, c: Value) -> Value:
        """Return a shifted to the right, filled up with its sign."""
        return self._two("ashr", a, c)

    def neg(self, a: Value) -> Value:
        """Return -a."""
        return self.sub(Constant(a.type, 0 if isinstance(a.type, IntType) else None), a)

    def not_(self, a: Value) -> Value:
        """Return the bits that are not set."""
        kind = a.type
        ones = Constant.everywhere(kind, -1) if isinstance(kind, VectorType) else Constant(kind, -1)
        return self._two("xor", a, ones)

    def fadd(self, a: Value, c: Value) -> Value:
        """Return a + c of floats."""
        return self._two("fadd", a, c)

    def fsub(self, a: Value, c: Value) -> Value:
        """Return a - c of floats."""
        return self._two("fsub", a, c)

    def fmul(self, a: Value, c: Value) -> Value:
        """Return a * c of floats."""
        return self._two("fmul", a, c)

    def fdiv(self, a: Value, c: Value) -> Value:
        """Return a / c of floats."""
        return self._two("fdiv", a, c)

    def fneg(self, a: Value) -> Value:
        """Return -a of floats."""
        return self._pure(a.type, f"fneg {a}")

    # Comparisons --------------------------------------------------------------------------------------------------

    def icmp_signed(self, sign: str, a: Value, c: Value) -> Value:
        """Return whether signed numbers compare so."""
        x, y = _number(a), _number(c)
        if x is not None and y is not None:
            return Constant(_BIT, int(_HOLDS[sign](x, y)))
        return self._compare(f"icmp {'' if sign in ('==', '!=') else 's'}{_ORDER[sign]}", a, c)

    def icmp_unsigned(self, sign: str, a: Value, c: Value) -> Value:
        """Return whether unsigned numbers compare so."""
        return self._compare(f"icmp {'' if sign in ('==', '!=') else 'u'}{_ORDER[sign]}", a, c)

    def fcmp_ordered(self, sign: str, a: Value, c: Value) -> Value:
        """Return whether floats compare so; not where one is NaN."""
        return self._compare(f"fcmp {_ORDER[sign] if sign in ('ord', 'uno') else 'o' + _ORDER[sign]}", a, c)

    def fcmp_unordered(self, sign: str, a: Value, c: Value) -> Value:
        """Return whether floats compare so, or one is NaN."""
        return self._compare(f"fcmp {_ORDER[sign] if sign in ('ord', 'uno') else 'u' + _ORDER[sign]}", a, c)

    def _compare(self, name: str, a: Value, c: Value) -> Value:
        kind = a.type
        bits = VectorType(_BIT, kind.count) if isinstance(kind, VectorType) else _BIT
        return self._pure(bits, f"{name} {kind.text} {a.ref}, {c.ref}")

    def select(self, condition: Value, a: Value, c: Value) -> Value:
        """Return a where a condition holds, else c."""
        known = _number(condition)
        if known is not None:
            return a if known else c
        return self._pure(a.type, f"select {condition}, {a}, {c}")

    # Conversions --------------------------------------------------------------------------------------------------

    def _cast(self, name: str, a: Value, kind: Type) -> Value:
        return a if a.type == kind else self._pure(kind, f"{name} {a} to {kind.text}")

    def trunc(self, a: Value, kind: Type) -> Value:
        """Return the low bits."""
        return self._cast("trunc", a, kind)

    def zext(self, a: Value, kind: Type) -> Value:
        """Return the bits with zeros before them."""
        return self._cast("zext", a, kind)

    def sext(self, a: Value, kind: Type) -> Value:
        """Return a signed number with more bits."""
        return self._cast("sext", a, kind)

    def fptrunc(self, a: Value, kind: Type) -> Value:
        """Return the nearest of the smaller floats."""
        return self._cast("fptrunc", a, kind)

    def fpext(self, a: Value, kind: Type) -> Value:
        """Return a number as a larger float."""
        return self._cast("fpext", a, kind)

    def fptosi(self, a: Value, kind: Type) -> Value:
        """Return the signed integer towards zero."""
        return self._cast("fptosi", a, kind)

    def sitofp(self, a: Value, kind: Type) -> Value:
        """Return a signed integer as a float."""
        return self._cast("sitofp", a, kind)

    def uitofp(self, a: Value, kind: Type) -> Value:
        """Return an unsigned integer as a float."""
        return self._cast("uitofp", a, kind)

    def bitcast(self, a: Value, kind: Type) -> Value:
        """Return the same bits as another type."""
        return self._cast("bitcast", a, kind)

    def inttoptr(self, a: Value, kind: Type) -> Value:
        """Return a number as an address."""
        found = self._pure(kind, f"inttoptr {a} to ptr")
        return found if found.type is kind else Value(kind, found.ref)

    # Parts of values ----------------------------------------------------------------------------------------------

    def extract_element(self, vector: Value, at: Value) -> Value:
        """Return an element of a vector."""
        assert isinstance(vector.type, VectorType)
        return self._pure(vector.type.element, f"extractelement {vector}, {at}")

    def insert_element(self, vector: Value, x: Value, at: Value) -> Value:
        """Return a vector with another element at a place."""
        return self._pure(vector.type, f"insertelement {vector}, {x}, {at}")

    def shuffle_vector(self, a: Value, c: Value, mask: Value) -> Value:
        """Return the elements of two vectors that a mask names."""
        assert isinstance(a.type, VectorType)
        assert isinstance(mask.type, VectorType)
        kind = VectorType(a.type.element, mask.type.count)
        return self._pure(kind, f"shufflevector {a}, {c}, {mask}")

    def extract_value(self, whole: Value, at: int) -> Value:
        """Return an entry of a struct."""
        assert isinstance(whole.type, LiteralStructType)
        return self._pure(whole.type.elements[at], f"extractvalue {whole}, {at}")

    def insert_value(self, whole: Value, x: Value, at: int) -> Value:
        """Return a struct with another entry at a place."""
        return self._pure(whole.type, f"insertvalue {whole}, {x}, {at}")

    # Memory -------------------------------------------------------------------------------------------------------

    def alloca(self, kind: Type, align: int = 0) -> Value:
        """Return the address of a place on the stack."""
        return self._new(_POINTER, f"alloca {kind.text}{_aligned(align)}")

    def gep(self, pointer: Value, indices: Sequence[Value], source_etype: Type) -> Value:
        """Return the address so many elements on."""
        (index,) = indices
        if _number(index) == 0:
            return pointer
        return self._pure(_POINTER, f"getelementptr {source_etype.text}, ptr {pointer.ref}, {index}")

    def load(self, pointer: Value, align: int = 0, typ: Type = _POINTER) -> Instruction:
        """Return what lies at an address."""
        text = f"load {typ.text}, ptr {pointer.ref}{_aligned(align)}"
        return Instruction(typ, self._new(typ, text).ref, self.block.lines)

    def store(self, value: Value, pointer: Value, align: int = 0) -> Instruction:
        """Write to an address."""
        self.block.lines.append(f"  store {value}, ptr {pointer.ref}{_aligned(align)}")
        return Instruction(value.type, "", self.block.lines)

    def load_atomic(self, pointer: Value, ordering: str, align: int, typ: Type) -> Value:
        """Return what lies at an address that other threads write to."""
        return self._new(typ, f"load atomic {typ.text}, ptr {pointer.ref} {ordering}, align {align}")

    def atomic_rmw(self, name: str, pointer: Value, value: Value, ordering: str) -> Value:
        """Change what lies at an address in one step, and return what lay there."""
        return self._new(value.type, f"atomicrmw {name} ptr {pointer.ref}, {value} {ordering}")

    # Others -------------------------------------------------------------------------------------------------------

    def phi(self, kind: Type, name: str = "") -> Phi:
        """Return a value that depends on the block that this one was entered from."""
        function = self.function
        made = Phi(kind, f"%{function.unique(name)}" if name else function.new_ref())
        self.block.phis.append(made)
        return made

    def call(self, function: Value, args: Sequence[Value]) -> Value:
        """Call a function, or an address whose type tells which function lies there."""
        kind = function.type.function if isinstance(function.type, PointerType) else None
        assert isinstance(kind, FunctionType)
        text = f"call {kind.result.text} {function.ref}({', '.join(map(str, args))})"
        if kind.result.text != "void":
            return self._new(kind.result, text)
        self.block.lines.append(f"  {text}")
        return Value(kind.result, "")


def _aligned(align: int) -> str:
    return f", align {align}" if align else ""


def _number(value: Value) -> int | None:
    """Return the number that an integer is known to be."""
    if isinstance(value, Constant) and isinstance(value.type, IntType) and isinstance(value.constant, int):
        return value.constant
    return None


def _wrapped(kind: Type, x: int) -> Constant:
    """Return a number modulo those that a type has."""
    assert isinstance(kind, IntType)
    half = 1 << (kind.width - 1)
    return Constant(kind, (x + half) % (2 * half) - half if kind.width > 1 else x % 2)
