"""What `explain_plan` says of a step: its kernels, its bytes, and what goes back to NumPy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.graph import Graph
from fanin.compiler.native.executable import WORK_OF_A_TEAM, Executable
from fanin.compiler.native.explain import WIDTH, explain, memory
from fanin.compiler.native.memory import Layout
from fanin.compiler.native.planned import planned as planned_for
from fanin.compiler.native.planned import prepared
from fanin.compiler.native.target import named
from fanin.compiler.passes.plan import Plan
from fanin.compiler.passes.tiling import work_of
from fanin.nn import functional as F

AVX2 = named("avx2")


def training(rows: int = 32, widths: tuple[int, ...] = (8, 16, 1), extra: Callable[..., Any] | None = None) -> Any:
    """Return a step of an MLP under SGD, called twice; the engine is NumPy, as the tests compile it themselves."""
    torch.manual_seed(0)
    layers: list[Any] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @torch.compile(engine="numpy")
    def step(x: Any, y: Any) -> Any:
        loss = F.mse_loss(model(x), y)
        if extra is not None:
            loss = loss + extra(model(x))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    for _ in range(2):  # the first one makes the momentum
        step(torch.randn(rows, widths[0]), torch.randn(rows, widths[-1]))
    return step


def planned(graph: Graph) -> tuple[Plan, Layout]:
    """Return the plan for one instruction set, whatever this machine has."""
    made = planned_for(graph, AVX2)
    return made.plan, made.layout


def explained(graph: Graph) -> str:
    plan, layout = planned(graph)
    return explain(plan, layout, AVX2, work_of(plan.graph), WORK_OF_A_TEAM)


def kernels(text: str) -> list[list[str]]:
    """Return the table's lines as cells; a line that goes on is joined."""
    lines = text[text.index("level") :].split("\n\n")[0].splitlines()[1:]
    joined: list[str] = []
    for line in lines:
        if line.startswith(" " * 20):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.strip())
    return [re.split(r" {2,}", line) for line in joined]


def number(text: str, name: str) -> int:
    found = re.search(rf"^ *{name} +(-?[\d,]+)$", text, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


# Kernels --------------------------------------------------------------------------------------------------------------


def test_a_layer_with_its_bias_and_its_activation_is_one_kernel() -> None:
    level, kind, on, extent, parts, read, written, operations = kernels(explained(training().graph))[1]
    assert (level, kind, on, extent, parts) == ("0", "product", "rows", "32 x 16", "1")
    assert re.match(r"matmul \+ add \+ maximum -> %\d+", operations)
    assert read == f"{4 * (32 * 8 + 8 * 16 + 16):,}"  # x, W in panels, b
    # The activations, and a byte for each of the mask where that is stored, too.
    assert written == f"{32 * 16 * (4 + operations.count('le ->')):,}"


def test_a_layer_is_updated_where_its_gradient_is_made() -> None:
    operations = [row[-1] for row in kernels(explained(training().graph))]
    assert "matmul + mul + add -> s4, mul + sub -> s0" in operations


def check_names(text: str, graph: Graph) -> None:
    """Check that what a kernel stores as %n is what the simplified graph has under this name."""
    made = dict(re.findall(r"(%\d+): .*? = (\w+)\(", str(prepared(graph))))
    seen = 0
    for row in kernels(text):
        for chain in row[-1].split(", "):
            operation, _, name = chain.partition(" -> ")
            if name in made and row[1] != "pack":
                assert operation.split()[-1] == made[name], chain
                seen += 1
    assert seen > 4


@pytest.mark.parametrize(("rows", "widths"), [(32, (8, 16, 1)), (64, (5, 16, 16, 3)), (4096, (10, 64, 64, 1))])
def test_names_are_those_of_the_simplified_graph(rows: int, widths: tuple[int, ...]) -> None:
    graph = training(rows, widths).graph
    check_names(explained(graph), graph)


def test_a_wrong_name_is_seen() -> None:
    graph = training().graph
    with pytest.raises(AssertionError):
        check_names(explained(graph).replace("-> %3", "-> %4"), graph)


def test_every_operation_with_memory_is_in_one_kernel() -> None:
    plan, _ = planned(training().graph)
    for row, group in zip(kernels(explained(training().graph)), plan.groups, strict=True):
        counted = re.findall(r"(\d*) ?([a-z_]+)(?= \+| ->|$)", row[-1])
        assert sum(int(count or 1) for count, _ in counted) == len(group.members), row


def test_streamed_batches_have_sums_for_each_lane() -> None:
    rows = 4096
    text = explained(training(rows, (10, 64, 64, 1)).graph)
    found = re.search(r"batch +streamed: 4,096 rows, (\d+) lanes of (\d+), in blocks of (\d+)\n", text)
    assert found is not None
    lanes, each, block = map(int, found.groups())
    assert lanes * each == rows
    assert f"up to {lanes}, one for each lane" in text
    table = kernels(text)
    (sums,) = [row for row in table if row[1:4] == ["product", "sums", "64 x 10"]]
    assert (sums[0], sums[4]) == ("0", str(rows // block))
    assert int(sums[6].replace(",", "")) == lanes * 64 * 10 * 4
    assert any("total + " in row[-1] for row in table)


def test_lines_are_not_too_long() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)

    @torch.compile(engine="numpy")
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    step(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))
    lines = explained(step.graph).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert len(kernels(explained(step.graph))) < len(lines)  # some lines go on


# Bytes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "widths"), [(32, (8, 16, 1)), (4096, (10, 64, 64, 1)), (64, (784, 32, 10))])
def test_bytes_add_up(rows: int, widths: tuple[int, ...]) -> None:
    graph = training(rows, widths).graph
    plan, layout = planned(graph)
    text, bytes_ = explained(graph), memory(plan, layout)
    weights = sum(a * b + b for a, b in pairwise(widths))
    assert number(text, "state") == 2 * 4 * weights  # with the momentum
    assert number(text, "data of a step") == 4 * rows * (widths[0] + widths[-1])
    assert number(text, "outputs of a step") == 4
    assert number(text, "bytes in the arena") == layout.arena == bytes_.arena
    inside = "factors in panels", "results with rows", "sums of the lanes", "other results", "less places shared"
    assert sum(number(text, name) for name in inside) == layout.arena
    outside = "data of a step", "state", "outputs of a step", "constants"
    assert sum(number(text, name) for name in outside) == number(text, "bytes outside")
    assert replace(bytes_, shared=bytes_.shared + 64).arena != layout.arena


def test_an_update_reads_and_writes_what_one_counts_by_hand() -> None:
    rows = kernels(explained(training().graph))
    (update,) = [row for row in rows if row[-1] == "mul + add -> s5, mul + sub -> s1"]
    assert update[5:7] == [str(3 * 16 * 4), str(2 * 16 * 4)]  # b, its momentum and gradient; b and its momentum


# State ----------------------------------------------------------------------------------------------------------------


def test_state_is_written_in_place() -> None:
    text = explained(training().graph)
    assert "state written in place   s0, s1, s2, s3, s4, s5, s6, s7\n" in text
    assert "copied at the end        nothing\n" in text


def test_what_others_still_read_is_copied() -> None:
    a, b = torch.ones(3), torch.zeros(3)

    @torch.compile(engine="numpy")
    def swap() -> Any:
        old = a.clone()
        a.copy_(b)
        b.copy_(old)
        return a.sum()

    swap()
    text = explained(swap.graph)
    assert re.search(r"^copied at the end +s\d, s\d", text, re.MULTILINE)
    assert re.search(r"^state written in place +nothing", text, re.MULTILINE)


# The host, and the ways in --------------------------------------------------------------------------------------------


def test_operations_without_code_are_named() -> None:
    text = explained(training(extra=lambda out: torch.cumsum(out, 0).sum()).graph)
    hosted = [row for row in kernels(text) if row[1] == "host"]
    assert [row[-1].split()[0] for row in hosted] == ["cumsum", "cumsum"]  # forward, and backward
    assert "2 operations of a step without native code, evaluated by NumPy while the program waits" in text
    assert "without native code" not in explained(training().graph)


def test_a_program_explains_itself() -> None:
    graph = training().graph
    program = Executable(graph)
    text = program.explain()
    assert text.startswith(f"code for  {program.isa.name}: ")
    assert f"{program.layout.arena:,} bytes" in text


def test_compiled_functions_explain_what_was_called_last() -> None:
    @torch.compile
    def double(x: Any) -> Any:
        return x * 2

    assert double.explain_plan() == "Nothing was called yet."
    double(torch.ones(2, 3))
    assert [row[1:] for row in kernels(double.explain_plan())] == [
        ["loops", "rows", "2 x 3", "1", "24", "24", "mul -> out0"]
    ]


def test_the_numpy_engine_has_no_plan() -> None:
    said = training().explain_plan()
    assert "one operation after the other" in said
    assert "\n" not in said


def test_a_program_that_does_nothing_is_explained() -> None:
    text = explained(Graph())
    assert number(text, "bytes in the arena") == 0
    assert kernels(text) == []
