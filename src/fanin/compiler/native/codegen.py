"""LLVM at work on several texts at a time, each in a thread with a compiler of its own.

`llvmlite` lets one thread at a time call LLVM, which itself asks only that threads share no module and no machine. The
two calls that take long are therefore made past its lock; where it has none to be found, the threads take turns.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import llvmlite.binding as llvm

from fanin._core.threads import cores


class Compiler:
    """A target machine and the passes of one thread: made once and used again, as new passes take 5 KB for good."""

    def __init__(self, machine: Any, passes: Sequence[str]) -> None:
        self.machine = machine
        self._builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        self._manager = llvm.create_new_module_pass_manager()
        for name in passes:
            getattr(self._manager, f"add_{name}_pass")()

    def optimised(self, text: str) -> Any:
        """Return LLVM's module of a text, verified and optimised."""
        # In a context of its own, which goes with it: names and types of texts stay in LLVM's common one.
        module = llvm.parse_assembly(text, llvm.create_context())
        module.verify()
        _unlocked("LLVMPY_RunNewModulePassManager")(self._manager, module, self._builder)
        return module

    def object_of(self, text: str) -> bytes:
        """Return the object code of a text."""
        module, lib = self.optimised(text), llvm.ffi.lib
        with llvm.ffi.OutputString() as error:
            memory = _unlocked("LLVMPY_TargetMachineEmitToMemory")(self.machine, module, 1, error)
            if not memory:
                raise RuntimeError(str(error))
        try:
            return ctypes.string_at(lib.LLVMPY_GetBufferStart(memory), lib.LLVMPY_GetBufferSize(memory))
        finally:
            lib.LLVMPY_DisposeMemoryBuffer(memory)


def _unlocked(name: str) -> Any:
    """Return one of LLVM's functions as it is, without the lock around it."""
    wrapped = getattr(llvm.ffi.lib, name)
    return getattr(wrapped, "_cfn", wrapped)


class Compilers:
    """Compilers of one kind, lent to one thread each."""

    def __init__(self, make: Callable[[], Compiler]) -> None:
        self._make = make
        self._idle: list[Compiler] = []

    def with_one(self, work: Callable[[Compiler], Any]) -> Any:
        """Return what some work with a compiler returns."""
        try:
            compiler = self._idle.pop()
        except IndexError:
            compiler = self._make()
        found = work(compiler)
        self._idle.append(compiler)
        return found

    def objects_of(self, texts: Sequence[str]) -> list[bytes]:
        """Return the object code of texts, compiled side by side where there are cores for it."""
        hands = min(len(texts), threads())
        if hands == 1:
            return [self._object_of(text) for text in texts]
        with ThreadPoolExecutor(hands) as pool:
            return list(pool.map(self._object_of, texts))

    def _object_of(self, text: str) -> bytes:
        code: bytes = self.with_one(lambda compiler: compiler.object_of(text))
        return code


def threads() -> int:
    """Return how many threads may compile: one for each core, as far as the environment leaves them to this process."""
    told = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")]
    return max(1, min([cores(), *(int(count) for count in told if count.isdigit())]))
