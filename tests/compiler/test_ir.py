"""LLVM's text as fanin writes it: numbers, folding, what is not written twice; and LLVM reads all of it."""

from __future__ import annotations

import ctypes
import math
import struct

import numpy as np
import pytest

from fanin.compiler.native import ir
from fanin.compiler.native.target import Library, compiled, host
from fanin.compiler.native.vector import F32, F64, I1, I8, I64, POINTER, Code, function


def begun(*arguments: ir.Type) -> tuple[ir.Module, ir.Function, Code]:
    module = ir.Module("test")
    made, code = function(module, "f", list(arguments), host(), result=I64, internal=False)
    return module, made, code


def returned(module: ir.Module, *numbers: int) -> int:
    library = Library(compiled(str(module), host()))
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(numbers))
    return int(kind(library.address("f"))(*numbers))


@pytest.mark.parametrize("x", [0.0, -0.0, 1.5, 0.1, -1e-40, 3e38, math.inf, -math.inf, math.nan, 5e-324])
@pytest.mark.parametrize("kind", [F32, F64])
def test_floats_are_written_bit_by_bit(kind: ir.Type, x: float) -> None:
    module, made, code = begun(I64)
    place = code.b.inttoptr(made.args[0], POINTER)
    code.store(kind(x), place)
    code.store(ir.Constant.everywhere(ir.VectorType(kind, 2), x), code.at(place, I64(1), kind))
    code.b.ret(I64(0))
    dtype = np.float32 if kind == F32 else np.float64
    out = np.zeros(3, dtype)
    assert returned(module, out.ctypes.data) == 0
    assert out.tobytes() == np.full(3, x, dtype).tobytes()


def test_a_vector_is_short_only_where_all_its_numbers_are_the_same_bits() -> None:
    pair = ir.VectorType(F32, 2)
    assert ir.Constant(pair, [0.0, 0.0]).ref == ir.Constant(pair, None).ref == "zeroinitializer"
    assert ir.Constant(pair, [0.0, -0.0]).ref == "<float 0x0, float 0x8000000000000000>"
    assert (
        ir.Constant(pair, [2.0, 2.0]).ref == ir.Constant.everywhere(pair, 2.0).ref == "splat (float 0x4000000000000000)"
    )
    assert struct.pack("<d", 2.0).hex() == "0000000000000040"


NUMBERS = [(7, 3), (7, 1), (0, 5), (7, 0), (-1, 2), (1, 2**62), (2**63 - 1, 3), (-(2**63), -1)]
DIVISIONS = ["sdiv", "udiv", "srem"]
BINARY = [(name, x, y) for name in ("add", "sub", "mul", "and_", "or_", "xor") for x, y in NUMBERS]
BINARY += [(name, x, y) for name in DIVISIONS for x, y in NUMBERS if y > 0]


@pytest.mark.parametrize(("name", "x", "y"), BINARY)
def test_folding_is_what_the_machine_computes(name: str, x: int, y: int) -> None:
    results = []
    for known in ((False, False), (True, True), (True, False), (False, True)):
        module, made, code = begun(I64, I64)
        a, c = (I64(n) if is_known else arg for n, is_known, arg in zip((x, y), known, made.args, strict=True))
        code.b.ret(getattr(code.b, name)(a, c))
        results.append(returned(module, x, y))
    assert len(set(results)) == 1


def test_bits_are_folded() -> None:
    _, made, code = begun(I1)
    b, bit = code.b, made.args[0]
    assert b.and_(bit, I1(1)) is bit
    assert b.or_(I1(0), bit) is bit
    assert b.and_(bit, I1(0)).ref == "0"
    assert b.or_(bit, I1(1)).ref == "1"
    assert b.select(I1(1), I64(3), I64(4)).ref == "3"
    assert b.icmp_signed("<", I64(-1), I64(0)).ref == "1"
    assert b.icmp_unsigned("<", I64(-1), I64(0)).ref != "1"  # left to LLVM


def test_an_operation_is_written_once_where_it_is_known() -> None:
    _, made, code = begun(I64, I64)
    b, (x, y) = code.b, made.args
    first = b.add(x, y)
    assert b.add(x, y) is first
    assert b.add(y, x) is not first
    with b.if_then(b.icmp_signed("<", x, y)):
        assert b.add(x, y) is first
        inside = b.mul(x, y)
        assert b.mul(x, y) is inside
    assert b.mul(x, y) is not inside  # computed only where the condition held


def test_loads_are_not_taken_for_known() -> None:
    module, made, code = begun(I64)
    place = code.b.inttoptr(made.args[0], POINTER)
    before = code.load(place, I64)
    code.store(code.b.add(before, I64(1)), place)
    code.b.ret(code.b.sub(code.load(place, I64), before))
    memory = np.array([41])
    assert returned(module, memory.ctypes.data) == 1
    assert memory[0] == 42


def test_names_stay_apart() -> None:
    module, made, code = begun(I64)
    total = code.variable(I64(0))
    for _ in range(3):
        with code.loop(0, made.args[0], name="i") as i:
            code.set(total, code.b.add(code.get(total), i))
    code.b.ret(code.get(total))
    assert returned(module, 5) == 30
    assert module.get_unique_name("f") == "f.1"


def test_address_of_no_elements_on_is_the_address() -> None:
    _, made, code = begun(POINTER)
    assert code.b.gep(made.args[0], [I64(0)], source_etype=I8) is made.args[0]
