"""The machine that code is made for, and the way from LLVM's text to callable functions.

An `Isa` is one vector instruction set. The host's best one is taken unless `FANIN_ISA` or the caller names another, so
that the narrower paths can be tested on a wide machine; what the host cannot run can still be assembled.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numpy as np

from fanin._core.errors import ArgumentError
from fanin.compiler.native.packing import packed, unpacked

if TYPE_CHECKING:
    from fanin.compiler.native.codegen import Compilers


@dataclass(frozen=True)
class Isa:
    """A vector instruction set.

    name:         "avx512", "avx2", "sse", "neon".
    triple:       LLVM's name of the platform.
    cpu:          LLVM's name of the processor whose timings are assumed.
    features:     LLVM's list of what may be used.
    vector_bytes: width of a register.
    registers:    how many vector registers there are.
    fma:          whether there is a fused multiply-add.
    """

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool

    def lanes(self, dtype: Any) -> int:
        """Return how many elements a register holds."""
        return self.vector_bytes // int(np.dtype(dtype).itemsize)


_X86 = {
    "avx512": (64, 32, True, "skylake-avx512", "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx2,+fma,+bmi,+bmi2,+popcnt"),
    "avx2": (32, 16, True, "haswell", "+avx2,+fma,+bmi,+bmi2,+popcnt,-avx512f"),
    "sse": (16, 16, False, "x86-64", "+sse2,-avx,-fma"),
}
_NEON = (16, 32, True, "generic", "+neon")
NAMES = (*_X86, "neon")


@lru_cache(maxsize=1)
def _ready() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@lru_cache(maxsize=1)
def _everything_ready() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def _is_arm() -> bool:
    return platform.machine().lower() in ("aarch64", "arm64")


@lru_cache(maxsize=1)
def host() -> Isa:
    """Return the best instruction set of this machine that fanin has code for."""
    _ready()
    if _is_arm():
        return named("neon")
    features = llvm.get_host_cpu_features()
    for name, needed in (("avx512", ("avx512f", "avx512dq", "avx512vl", "avx512bw")), ("avx2", ("avx2", "fma"))):
        if all(features.get(feature) for feature in needed):
            return named(name, llvm.get_host_cpu_name())
    return named("sse")


def named(name: str, cpu: str = "") -> Isa:
    """Return an instruction set by name; raise ValueError for one that does not exist."""
    if name not in NAMES:
        raise ArgumentError(f"no instruction set is called {name!r}", remedy=f"There are {', '.join(NAMES)}.")
    if name == "neon":
        width, registers, fma, default, features = _NEON
        triple = llvm.get_process_triple() if _is_arm() else "aarch64-unknown-linux-gnu"
    else:
        width, registers, fma, default, features = _X86[name]
        triple = "x86_64-unknown-linux-gnu" if _is_arm() else llvm.get_process_triple()
    return Isa(name, triple, cpu or default, features, width, registers, fma)


def chosen(name: str | None = None) -> Isa:
    """Return the set with a name, the one that FANIN_ISA names, or the host's."""
    name = name or os.environ.get("FANIN_ISA")
    return host() if not name or name == host().name else named(name)


def runs_here(isa: Isa) -> bool:
    """Say whether this machine can execute code for a set."""
    order = ("sse", "avx2", "avx512")
    if host().name == "neon" or isa.name == "neon":
        return host().name == isa.name
    return order.index(isa.name) <= order.index(host().name)


def _machine(isa: Isa) -> Any:
    _ready()
    if not runs_here(isa):
        _everything_ready()
    target = llvm.Target.from_triple(isa.triple)
    # Level 2 takes a tenth longer, for instructions ordered once more: steps of 0.4 us to 1 ms were at most 0.5%
    # quicker so, and up to 3% slower.
    return target.create_target_machine(cpu=isa.cpu, features=isa.features, opt=1, reloc="pic", codemodel="small")


# Kernels come with explicit vectors, hoisted loads and small shared functions, so little is left to do. LLVM's own
# pipelines of levels 1 and 2 take 6 and 10 times as long for code that is not faster (steps of 0.05 us to 1 ms).
_PASSES = (
    "always_inliner",
    "sroa",
    "simplify_cfg",
    "loop_rotate",
    "instruction_combine",
    "new_gvn",
    "dead_code_elimination",
)


@lru_cache(maxsize=8)
def _compilers(isa: Isa) -> Compilers:
    from fanin.compiler.native.codegen import Compiler, Compilers

    return Compilers(lambda: Compiler(_machine(isa), _PASSES))


def optimised(text: str, isa: Isa) -> Any:
    """Return LLVM's module of a text, verified and optimised."""
    return _compilers(isa).with_one(lambda compiler: compiler.optimised(text))


def compiled(text: str | Sequence[str], isa: Isa) -> bytes:
    """Return the object code of an LLVM text, or of several that are one program: for a `Library`."""
    return packed(_compilers(isa).objects_of([text] if isinstance(text, str) else text))


def assembly(text: str, isa: Isa) -> str:
    """Return the assembly of an LLVM text, to be read."""
    listing: str = _compilers(isa).with_one(lambda c: c.machine.emit_assembly(c.optimised(text)))
    return listing


class Library:
    """Object code in memory, whose functions can be called. The memory is given back when it is collected."""

    def __init__(self, code: bytes) -> None:
        _ready()
        module = llvm.parse_assembly(f'target triple = "{host().triple}"')
        # Each engine owns a machine: it takes it over and frees it.
        target = llvm.Target.from_triple(host().triple)
        machine = target.create_target_machine(opt=2, reloc="pic", codemodel="small", jit=True)
        self._engine = llvm.create_mcjit_compiler(module, machine)
        for part in unpacked(code):
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(part))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of a function."""
        address: int = self._engine.get_function_address(name)
        if not address:
            raise ArgumentError(f"the code has no function {name!r}")
        return address
