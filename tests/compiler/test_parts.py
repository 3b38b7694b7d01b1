"""A program compiled in parts: the same bits as in one, whoever compiles them; nothing is left behind."""

from __future__ import annotations

import ctypes
import gc
import re
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.native import codegen, ir, target
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.ir import parts
from fanin.compiler.native.module import Builder
from fanin.compiler.native.packing import packed, unpacked
from fanin.compiler.native.vector import F64, I64, function
from tests.compiler.test_native_threads import in_use


def a_step() -> Any:
    """Return the graph of a step of a network with dropout and a sine, and its state and data."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(9, 33), nn.ReLU(), nn.Linear(33, 17), nn.Tanh(), nn.Linear(17, 3))
    rule = torch.optim.Adam(net.parameters())

    @torch.compile(engine="numpy")
    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.cross_entropy(net(x).sin(), y)
        loss.backward()
        rule.step()
        rule.zero_grad()
        return loss.detach()

    step(torch.randn(20, 9), torch.randint(0, 3, (20,)))
    return step.graph


def builder(graph: Any) -> Builder:
    made = Executable(graph)
    return Builder(made.plan, made.layout, made.isa)


def results(graph: Any) -> list[bytes]:
    generator = np.random.default_rng(0)
    made = [generator.standard_normal(v.shape).astype(v.dtype) * 0.1 for v in graph.state]
    state = [np.abs(array) for array in made]
    data = [generator.integers(0, 3, v.shape) if v.dtype.kind == "i" else generator.random(v.shape) for v in graph.data]
    data = [array.astype(v.dtype) for array, v in zip(data, graph.data, strict=True)]
    outputs = Executable(graph)(data, state, [0.01 + 0.1 * i for i in range(len(graph.scalars))])
    return [array.tobytes() for array in (*outputs, *state)]


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let every Executable be compiled."""
    monkeypatch.setenv("FANIN_CACHE", "0")
    monkeypatch.setattr("fanin.compiler.native.executable._PROGRAMS", {})
    return monkeypatch


def test_parts_compute_the_bits_of_the_whole(uncached: pytest.MonkeyPatch) -> None:
    graph = a_step()
    found, counts = [], []
    for lines, most in ((10**9, 1), (800, 4), (40, 30)):
        uncached.setattr("fanin.compiler.native.executable._PROGRAMS", {})
        uncached.setattr(parts, "LINES", lines)
        uncached.setattr(parts, "MOST", most)
        counts.append(len(builder(graph).parts()))
        found.append(results(graph))
    assert found[0] == found[1] == found[2]
    assert counts[0] == 1
    assert 1 < counts[1] <= 4
    assert counts[2] > 20


def test_the_cut_and_the_code_depend_on_nothing_but_the_program(uncached: pytest.MonkeyPatch) -> None:
    graph, codes = a_step(), []
    texts = builder(graph).parts()
    assert len(texts) > 1
    assert builder(graph).parts() == texts
    for hands in (1, 2, 3):
        uncached.setattr(codegen, "threads", lambda hands=hands: hands)
        codes.append(target.compiled(texts, target.chosen()))
    assert codes[0] == codes[1] == codes[2]
    assert len(unpacked(codes[0])) == len(texts)


def test_every_function_is_in_one_part_and_about_as_much_in_each(uncached: pytest.MonkeyPatch) -> None:
    made = builder(a_step())
    texts = made.parts()
    defined = [name for text in texts for name in re.findall(r'^define .*?(@"[^"]+")', text, re.MULTILINE)]
    assert sorted(defined) == sorted(f.ref for f in made.module.globals.values() if getattr(f, "blocks", None))
    sizes = [sum(len(part) for part in re.findall(r"^define .*?^}", t, re.MULTILINE | re.DOTALL)) for t in texts]
    assert max(sizes) < 1.5 * min(sizes)


def small_module(times: int) -> ir.Module:
    """Return a module of f(x) = x + times, in which f calls functions that are inlined and others that are not."""
    module = ir.Module("small")
    made, code = function(module, "f", [I64], target.host(), result=I64, internal=False)
    total = made.args[0]
    for number in range(times):
        other, inner = function(module, f"add.{number}", [I64], target.host(), result=I64)
        other.attributes.add("alwaysinline" if number % 2 else "noinline")
        inner.b.ret(inner.b.add(other.args[0], I64(1)))
        total = code.b.call(other, [total])
    code.b.ret(total)
    return module


def test_what_is_inlined_is_where_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LINES", 5)
    texts = parts.parts_of(small_module(8))
    (caller,) = (text for text in texts if 'i64 @"f"(i64 %a0) nounwind {' in text)
    assert len(texts) == 4
    assert all(f'define internal i64 @"add.{n}"' in caller for n in (1, 3, 5, 7))
    assert sum(f'declare hidden i64 @"add.{n}"' in caller for n in (0, 2, 4, 6)) >= 3
    library = target.Library(target.compiled(texts, target.host()))
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address("f"))(34) == 42


def test_a_small_module_stays_one() -> None:
    module = small_module(8)
    assert parts.parts_of(module) == [str(module)]


def test_a_variable_is_with_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LINES", 2)
    module = ir.Module("table")
    table = ir.GlobalVariable(module, ir.ArrayType(F64, 1), "number")
    table.linkage, table.initializer = "internal", ir.Constant(ir.ArrayType(F64, 1), None)
    for name in ("f", "g", "h"):
        made, code = function(module, name, [I64], target.host(), result=I64, internal=False)
        code.b.ret(code.load(table, I64) if name != "h" else made.args[0])
    texts = parts.parts_of(module)
    assert sorted(sum(f'@"{name}"' in text for name in ("f", "g")) for text in texts) == [0] * (len(texts) - 1) + [2]
    assert target.compiled(texts, target.host())


@pytest.mark.parametrize("objects", [[b"one"], [b"one", b""], [b"", b"two" * 99, b"three"]])
def test_objects_are_packed_and_unpacked(objects: list[bytes]) -> None:
    assert unpacked(packed(objects)) == objects


def test_one_thread_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(6), raising=False)
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert codegen.threads() == 6
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "3")
    assert codegen.threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert codegen.threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert codegen.threads() == 1


def test_compiling_in_parts_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LINES", 5)
    texts, isa = parts.parts_of(small_module(8)), target.host()

    def some(hands: int) -> int:
        monkeypatch.setattr(codegen, "threads", lambda: hands)
        gc.collect()
        before = in_use()
        for _ in range(25):
            target.Library(target.compiled(texts, isa)).address("f")
        gc.collect()
        return in_use() - before

    some(2)
    some(1)
    assert min(some(1) for _ in range(3)) < 25 * 400
    assert len(target._compilers(isa)._idle) <= 4


def test_a_text_that_is_wrong_is_an_error_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    right = str(small_module(1))
    for hands in (1, 2):
        monkeypatch.setattr(codegen, "threads", lambda hands=hands: hands)
        with pytest.raises(RuntimeError, match="parsing error"):
            target.compiled([right, right.replace("ret i64", "return i64")], target.host())
