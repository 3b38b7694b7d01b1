"""The most multiply-adds that the host's vector units do in a second: a loop of independent chains, by llvmlite."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from peers.cases import Case, Data, Job

VERSION = llvmlite.__version__
# Two units of four or five cycles' latency are kept busy by ten; twelve and two operands fill 14 of 16 registers.
CHAINS = 12
ROUNDS = 1_000_000  # of all chains, in a unit


def start(threads: int) -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def variants(case: Case) -> list[str]:
    return ["chains"]


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    """Return a job whose unit is a billion operations or so; `steps` says how many."""
    width = vector_width()
    engine = engine_of(source(width))
    address = engine.get_function_address("chains")
    chains = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address)  # lets go of the interpreter's lock
    memory = [np.ones(CHAINS * width, np.float32) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run(times: int, engine: Any = engine) -> None:
        list(pool.map(lambda array: chains(times * ROUNDS, array.ctypes.data), memory))

    return Job(run, 2 * CHAINS * width * ROUNDS * threads)


def vector_width() -> int:
    """Return how many floats a register of the host holds."""
    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


def source(width: int) -> str:
    """Return the loop: x[i] = x[i] * a + b for all chains, with a and b read from memory so that nothing folds."""
    vector = f"<{width} x float>"
    each = range(CHAINS)
    fma = f"@llvm.fma.v{width}f32"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        "define void @chains(i64 %n, ptr %memory) {",
        "entry:",
    ]
    lines += [f"  %p{i} = getelementptr {vector}, ptr %memory, i64 {i}" for i in each]
    lines += [f"  %s{i} = load {vector}, ptr %p{i}, align 4" for i in each]
    lines += [f"  %a = load volatile {vector}, ptr %p0, align 4", f"  %b = load volatile {vector}, ptr %p1, align 4"]
    lines += ["  br label %loop", "loop:", "  %k = phi i64 [0, %entry], [%k1, %loop]"]
    lines += [f"  %x{i} = phi {vector} [%s{i}, %entry], [%y{i}, %loop]" for i in each]
    lines += [f"  %y{i} = call {vector} {fma}({vector} %x{i}, {vector} %a, {vector} %b)" for i in each]
    lines += [
        "  %k1 = add i64 %k, 1",
        "  %more = icmp slt i64 %k1, %n",
        "  br i1 %more, label %loop, label %end",
        "end:",
    ]
    lines += [f"  store {vector} %y{i}, ptr %p{i}, align 4" for i in each]
    return "\n".join([*lines, "  ret void", "}"])


def engine_of(text: str) -> Any:
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)
    module = llvm.parse_assembly(text)
    module.verify()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
