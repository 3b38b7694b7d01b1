"""A thin layer over LLVM's builder: typed vectors of any width, memory, and counted loops.

Every method works on scalars and on vectors alike; a "width" of 1 means a scalar. Kernels are written once, against the
width they are called with. Values are LLVM's own; their types tell what they hold. A bool is one bit in a register and
one byte in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.target import Isa

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()
POINTER = ir.PointerType()
# Where a pointer may show to: its attribute `home`, where that is known.
ARENA, OUTSIDE = "arena", "outside"
_ELEMENTS = {"f4": F32, "f8": F64, "i8": I64, "i4": I32, "u8": I64, "u4": I32, "b1": I1, "i1": I8, "u1": I8}


def element_type(dtype: Any) -> Any:
    """Return LLVM's type of a NumPy dtype's elements in a register."""
    return _ELEMENTS[np.dtype(dtype).str[1:]]


def has_type(dtype: Any) -> bool:
    """Say whether there is native code for a dtype."""
    return np.dtype(dtype).str[1:] in _ELEMENTS


def width_of(value: Any) -> int:
    """Return the number of lanes; 1 for a scalar."""
    return int(value.type.count) if isinstance(value.type, ir.VectorType) else 1


def scalar_type(value: Any) -> Any:
    """Return the type of the elements."""
    return value.type.element if isinstance(value.type, ir.VectorType) else value.type


def is_float(value: Any) -> bool:
    """Say whether the elements are floats."""
    return isinstance(scalar_type(value), (ir.FloatType, ir.DoubleType))


class Code:
    """Writes instructions at the end of a block."""

    def __init__(self, builder: ir.IRBuilder, isa: Isa) -> None:
        self.b = builder
        self.isa = isa

    # Types and constants ------------------------------------------------------------------------------------------

    def vector(self, element: Any, width: int) -> Any:
        """Return the type of `width` elements."""
        return element if width == 1 else ir.VectorType(element, width)

    def const(self, x: Any, element: Any, width: int = 1) -> Any:
        """Return the number x in every lane."""
        if isinstance(element, ir.FloatType):
            x = float(np.float32(x))
        elif isinstance(element, ir.DoubleType):
            x = float(x)
        else:
            x = int(x)
        return ir.Constant(element, x) if width == 1 else ir.Constant.everywhere(ir.VectorType(element, width), x)

    def like(self, x: Any, value: Any) -> Any:
        """Return the number x in the type of a value."""
        return self.const(x, scalar_type(value), width_of(value))

    def lanes(self, element: Any, numbers: Any) -> Any:
        """Return a constant vector of different numbers."""
        numbers = list(numbers)
        return ir.Constant(self.vector(element, len(numbers)), numbers if len(numbers) > 1 else numbers[0])

    def splat(self, value: Any, width: int) -> Any:
        """Return a scalar in every lane."""
        if width == 1:
            return value
        kind = ir.VectorType(value.type, width)
        single = self.b.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
        undefined = ir.Constant(kind, ir.Undefined)
        return self.b.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(I32, width), None))

    # Arithmetic ---------------------------------------------------------------------------------------------------

    def add(self, a: Any, c: Any) -> Any:
        """Return a + c."""
        return self.b.fadd(a, c) if is_float(a) else self.b.add(a, c)

    def sub(self, a: Any, c: Any) -> Any:
        """Return a - c."""
        return self.b.fsub(a, c) if is_float(a) else self.b.sub(a, c)

    def mul(self, a: Any, c: Any) -> Any:
        """Return a * c."""
        return self.b.fmul(a, c) if is_float(a) else self.b.mul(a, c)

    def div(self, a: Any, c: Any) -> Any:
        """Return a / c, of floats."""
        return self.b.fdiv(a, c)

    def neg(self, a: Any) -> Any:
        """Return -a."""
        return self.b.fneg(a) if is_float(a) else self.b.neg(a)

    def fma(self, a: Any, c: Any, d: Any) -> Any:
        """Return a * c + d, rounded once where the machine can, and twice where it would have to be emulated."""
        if not self.isa.fma:
            return self.b.fadd(self.b.fmul(a, c), d)
        return self.intrinsic("llvm.fma", a, c, d)

    def intrinsic(self, name: str, *args: Any) -> Any:
        """Call one of LLVM's intrinsics that are overloaded by the type of the first argument."""
        kind = args[0].type
        module = self.b.module
        full = f"{name}.{_mangled(kind)}"
        function = module.globals.get(full)
        if function is None:
            function = ir.Function(module, ir.FunctionType(kind, [a.type for a in args]), full)
        return self.b.call(function, args)

    def sqrt(self, a: Any) -> Any:
        """Return the square root."""
        return self.intrinsic("llvm.sqrt", a)

    def abs(self, a: Any) -> Any:
        """Return |a|."""
        if is_float(a):
            return self.intrinsic("llvm.fabs", a)
        return self.b.select(self.b.icmp_signed("<", a, self.like(0, a)), self.b.neg(a), a)

    def greater(self, a: Any, c: Any) -> Any:
        """Return the larger, c when one is NaN: one instruction on x86. Not NumPy's maximum; see `maximum`."""
        return self.b.select(self.compare(">", a, c), a, c)

    def lesser(self, a: Any, c: Any) -> Any:
        """Return the smaller, c when one is NaN."""
        return self.b.select(self.compare("<", a, c), a, c)

    def maximum(self, a: Any, c: Any) -> Any:
        """Return the larger, NaN when one is NaN."""
        out = self.greater(a, c)
        return self.b.select(self.is_nan(a), a, out) if is_float(a) else out

    def minimum(self, a: Any, c: Any) -> Any:
        """Return the smaller, NaN when one is NaN."""
        out = self.lesser(a, c)
        return self.b.select(self.is_nan(a), a, out) if is_float(a) else out

    def is_nan(self, a: Any) -> Any:
        """Return a mask of the lanes that are NaN."""
        return self.b.fcmp_unordered("uno", a, a)

    def compare(self, sign: str, a: Any, c: Any, unsigned: bool = False) -> Any:
        """Return a mask; comparisons with NaN are false, but != is true."""
        if is_float(a):
            return self.b.fcmp_unordered("!=", a, c) if sign == "!=" else self.b.fcmp_ordered(sign, a, c)
        if scalar_type(a) == I1 or unsigned:
            return self.b.icmp_unsigned(sign, a, c)
        return self.b.icmp_signed(sign, a, c)

    def select(self, mask: Any, a: Any, c: Any) -> Any:
        """Return a where the mask is set, else c."""
        return self.b.select(mask, a, c)

    def bits(self, a: Any, element: Any) -> Any:
        """Return the same bits as elements of another type of the same size."""
        return self.b.bitcast(a, self.vector(element, width_of(a)))

    def cast(self, a: Any, element: Any, unsigned: bool = False) -> Any:
        """Return the numbers in another type, as NumPy's astype has it."""
        source, target = scalar_type(a), self.vector(element, width_of(a))
        if source == element:
            return a
        if element == I1:
            return self.compare("!=", a, self.like(0, a))
        if isinstance(element, (ir.FloatType, ir.DoubleType)):
            if is_float(a):
                return self.b.fptrunc(a, target) if element == F32 else self.b.fpext(a, target)
            return self.b.uitofp(a, target) if source == I1 or unsigned else self.b.sitofp(a, target)
        if is_float(a):
            # What does not fit in a byte wraps around, as NumPy has it; LLVM leaves that open, and may saturate.
            whole = self.b.fptosi(a, target if element.width >= 32 else self.vector(I32, width_of(a)))
            return whole if element.width >= 32 else self.b.trunc(whole, target)
        if source.width > element.width:
            return self.b.trunc(a, target)
        return self.b.zext(a, target) if source == I1 or unsigned else self.b.sext(a, target)

    # Across lanes -------------------------------------------------------------------------------------------------

    def fold(self, a: Any, combine: Any) -> Any:
        """Return all lanes combined into one scalar, halves first: the order is fixed by the width."""
        width = width_of(a)
        while width > 1:
            width //= 2
            low = self.b.shuffle_vector(a, a, _numbers(range(width)))
            high = self.b.shuffle_vector(a, a, _numbers(range(width, 2 * width)))
            if width == 1:
                low, high = (self.b.extract_element(x, I32(0)) for x in (low, high))
            a = combine(low, high)
        return a

    # Memory -------------------------------------------------------------------------------------------------------

    def at(self, pointer: Any, index: Any, element: Any) -> Any:
        """Return the address of an element."""
        return like_home(self.b.gep(pointer, [index], source_etype=I8 if element == I1 else element), pointer)

    def load(self, pointer: Any, element: Any, width: int = 1) -> Any:
        """Return `width` neighbours."""
        if element == I1:
            raw = self.load(pointer, I8, width)
            return self.b.icmp_unsigned("!=", raw, self.like(0, raw))
        return self._apart(self.b.load(pointer, align=_bytes(element), typ=self.vector(element, width)), pointer)

    def store(self, value: Any, pointer: Any) -> None:
        """Write neighbours."""
        if scalar_type(value) == I1:
            value = self.b.zext(value, self.vector(I8, width_of(value)))
        self._apart(self.b.store(value, pointer, align=_bytes(scalar_type(value))), pointer)

    def invariant(self, load: Any) -> Any:
        """Mark the load of something that stays as it is during a run, and return it."""
        load.set_metadata("invariant.load", self.b.module.metadata())
        return load

    def _apart(self, access: Any, pointer: Any) -> Any:
        """Tell LLVM that what is in the arena and what comes from outside are not the same memory."""
        home = getattr(pointer, "home", None)
        if home is not None:
            access.set_metadata("alias.scope", self._scope(home))
            access.set_metadata("noalias", self._scope(OUTSIDE if home == ARENA else ARENA))
        return access

    def _scope(self, home: str) -> Any:
        module = self.b.module
        return module.metadata(module.metadata(f'!"{home}"', module.metadata('!"fanin"')))

    # Loops --------------------------------------------------------------------------------------------------------

    def index(self, n: int) -> Any:
        """Return a number of the type that counts."""
        return I64(n)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1, name: str = "i") -> Iterator[Any]:
        """Count from start to stop; the body may run no times. Yields the counter."""
        start = I64(start) if isinstance(start, int) else start
        stop = I64(stop) if isinstance(stop, int) else stop
        before = self.b.block
        head = self.b.append_basic_block(f"{name}.head")
        body = self.b.append_basic_block(f"{name}.body")
        after = self.b.append_basic_block(f"{name}.end")
        self.b.branch(head)
        self.b.position_at_end(head)
        counter = self.b.phi(I64, name)
        counter.add_incoming(start, before)
        self.b.cbranch(self.b.icmp_signed("<", counter, stop), body, after)
        self.b.position_at_end(body)
        yield counter
        counter.add_incoming(self.b.add(counter, I64(step)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)

    def variable(self, start: Any) -> Any:
        """Return a place for a value that a loop changes (LLVM keeps it in a register)."""
        with self.b.goto_entry_block():
            place = self.b.alloca(start.type)
        self.b.store(start, place)
        place.held = start.type
        return place

    def get(self, place: Any) -> Any:
        """Return what a variable holds."""
        return self.b.load(place, typ=place.held)

    def set(self, place: Any, value: Any) -> None:
        """Change what a variable holds."""
        self.b.store(value, place)


def like_home(pointer: Any, base: Any) -> Any:
    """Return a pointer that was derived from another one, and so shows the same memory."""
    pointer.home = getattr(base, "home", None)
    return pointer


def function(
    module: ir.Module, name: str, arguments: list[Any], isa: Isa, result: Any = None, internal: bool = True
) -> tuple[Any, Code]:
    """Begin a function; return it and where its code is written."""
    made = ir.Function(module, ir.FunctionType(result or ir.VoidType(), arguments), name)
    if internal:
        made.linkage = "internal"
    made.attributes.add("nounwind")
    return made, Code(ir.IRBuilder(made.append_basic_block("entry")), isa)


def _bytes(element: Any) -> int:
    return 4 if element == F32 else 8 if element == F64 else max(1, element.width // 8)


def _numbers(numbers: Any) -> Any:
    numbers = list(numbers)
    return ir.Constant(ir.VectorType(I32, len(numbers)), numbers)


def _mangled(kind: Any) -> str:
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_mangled(kind.element)}"
    return "f32" if kind == F32 else "f64" if kind == F64 else f"i{kind.width}"
