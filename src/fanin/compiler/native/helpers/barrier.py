"""The text of a barrier's function, which waits until all threads have called it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.barrier import ARRIVED, GENERATION, YIELD
from fanin.compiler.native.vector import I8, I32, I64, POINTER, Code, function

# A few microseconds; a thread that waits longer may stand in the way of the one that it waits for.
_SPINS = 256


def emit_barrier(code: Code, barrier: Any, threads: Any) -> None:
    """Wait until all threads have come here. What each wrote before, all read afterwards.

    Args:
        code: where the instructions are written.
        barrier: the address of a barrier's memory.
        threads: i64, how many threads there are; with one there is nothing to wait for.
    """
    code.b.call(_function(code), [barrier, threads])


def _function(code: Code) -> Any:
    """Return the module's function that waits, made when it is first asked for."""
    made = code.b.module.globals.get("fanin_barrier")
    if made is None:
        made, inner = function(code.b.module, "fanin_barrier", [POINTER, I64], code.isa)
        made.attributes.add("noinline")
        _write(inner, *made.args)
    return made


def _write(code: Code, barrier: Any, threads: Any) -> None:
    b = code.b
    with b.if_then(b.icmp_signed("<=", threads, I64(1))):
        b.ret_void()
    arrived, turn = (code.at(barrier, I64(offset), I8) for offset in (ARRIVED, GENERATION))
    generation = load_shared(code, turn, "monotonic")
    before = b.atomic_rmw("add", arrived, I32(1), "acq_rel")
    with b.if_then(b.icmp_signed("==", b.zext(before, I64), b.sub(threads, I64(1)))):
        b.store(I32(0), arrived)
        b.atomic_rmw("add", turn, I32(1), "release")
        b.ret_void()
    give_way = code.load(code.at(barrier, I64(YIELD), I8), I64)
    wait_until(code, lambda: b.icmp_signed("!=", load_shared(code, turn, "acquire"), generation), give_way)
    b.ret_void()


def wait_until(code: Code, is_over: Callable[[], Any], give_way: Any) -> None:
    """Spin until it is over, and after a while let other threads run in between.

    is_over: writes the look at what another thread changes.
    give_way: i64, the address of the system's function that lets others run, or 0.
    """
    b = code.b
    spins = code.variable(I32(0))
    look, over, again = (b.append_basic_block(name) for name in ("look", "over", "again"))
    b.branch(look)
    b.position_at_end(look)
    b.cbranch(is_over(), over, again)
    b.position_at_end(again)
    _pause(code)
    count = code.get(spins)
    patient = b.icmp_signed("<", count, I32(_SPINS))
    code.set(spins, b.select(patient, b.add(count, I32(1)), count))
    with b.if_then(b.not_(b.or_(patient, b.icmp_signed("==", give_way, I64(0))))):
        b.call(b.inttoptr(give_way, ir.FunctionType(I32, []).as_pointer()), [])
    b.branch(look)
    b.position_at_end(over)


def load_shared(code: Code, pointer: Any, ordering: str) -> Any:
    """Return an i32 that other threads write."""
    return code.b.load_atomic(pointer, ordering, 4, typ=I32)


def _pause(code: Code) -> None:
    """Tell the core that this is a loop that waits."""
    arm = code.isa.name == "neon"
    name, arguments = ("llvm.aarch64.hint", [I32(1)]) if arm else ("llvm.x86.sse2.pause", [])
    pause = code.b.module.globals.get(name)
    if pause is None:
        pause = ir.Function(code.b.module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    code.b.call(pause, arguments)
