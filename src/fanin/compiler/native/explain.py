"""A plan as text: which kernels a step is made of, in which order they run, and where the bytes lie."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

from fanin.compiler.graph import CONSTANT, Graph, Value, rebuilt
from fanin.compiler.native.memory import Layout
from fanin.compiler.native.module import Builder
from fanin.compiler.native.target import Isa
from fanin.compiler.passes.common import Merger
from fanin.compiler.passes.plan import COPY, GATHERS, PACK, ROWS, SUM, TOTAL, Group, Plan
from fanin.compiler.passes.views import is_number
from fanin.compiler.printing import named

WIDTH = 120
_GLUE = "\N{NO-BREAK SPACE}"
_MANY = 8
_ON = {ROWS: "rows", SUM: "sums"}
_HEAD = ("level", "kind", "works on", "extent", "parts", "bytes read", "written", "operations -> what is stored")


def explain(plan: Plan, layout: Layout, isa: Isa, work: int, worth: int, together: str = "") -> str:
    """Return a plan as text.

    Names of values are those in the text of the simplified graph; bytes are of values, counted once each, however often
    a kernel comes back to them.

    Args:
        plan, layout: of the program.
        isa: that it has code for.
        work: the floating-point operations of a step.
        worth: so many of them in a run are worth a second thread.
        together: what is not taken kernel by kernel.
    """
    names = Names(plan)
    parts = Builder(plan, layout, isa)
    rows = [_row(group, plan, layout, names, parts) for group in plan.groups]
    blocks = [_header(plan, layout, isa, work, worth, together), _table(rows), _hosted(plan), _state(plan, names)]
    return "\n\n".join([*(block for block in blocks if block), _memory(plan, layout)])


# Names ----------------------------------------------------------------------------------------------------------------


class Names:
    """What values are called: as in the simplified graph, before the plan put panels, totals and copies in."""

    def __init__(self, plan: Plan) -> None:
        graph = plan.graph
        plain = without_internals(plan)
        outputs = tuple(plain[v] for v in graph.outputs)
        names = named(replace(graph, outputs=outputs, updates=tuple((i, plain[v]) for i, v in graph.updates)))
        self._names = {value: names[simple] for value, simple in plain.items()}
        self._names.update({leaf: names[leaf] for leaf in (*graph.data, *graph.state, *graph.scalars)})
        self._homes = {("state", i): names[leaf] for i, leaf in enumerate(graph.state)}
        self._homes.update({("output", k): f"out{k}" for k in range(len(graph.outputs))})
        self._at = {value: self._homes[home] for value, home in plan.homes.items()}

    def __getitem__(self, value: Value) -> str:
        """Return the name of a leaf or a result."""
        if value.op in (PACK, TOTAL):
            return f"{'panels' if value.op is PACK else 'total'}({self[value.inputs[0]]})"
        return self[value.inputs[0]] if value.op is COPY else self._names[value]

    def home(self, kind: str, number: int) -> str:
        """Return the name of a state or an output."""
        return self._homes[kind, number]

    def stored(self, value: Value) -> str:
        """Return the name of the memory that a result goes to: a state, an output, or its own."""
        return self._at.get(value) or self[value]


def without_internals(plan: Plan) -> dict[Value, Value]:
    """Return for each value the one that the simplified graph has in its place."""
    plain: dict[Value, Value] = {}
    merge = Merger()  # what is computed again for another reader is one value there
    for value in plan.graph.values():
        if value.op is TOTAL or value.op is PACK:
            plain[value] = plain[value.inputs[0]]
            continue
        simple = value
        if value.op is not None and value.op.name == "matmul":  # of which a third input would be the panels
            simple = Value(value.shape, value.dtype, op=value.op, inputs=value.inputs[:2], attrs=value.attrs)
        plain[value] = merge(rebuilt(simple, plain))
    return plain


# The header -----------------------------------------------------------------------------------------------------------


def _header(plan: Plan, layout: Layout, isa: Isa, work: int, worth: int, together: str) -> str:
    cut = plan.tiling
    fma = ", fused multiply-add" if isa.fma else ""
    how = "streamed" if cut.streamed else "whole"
    each, last = cut.lanes[0][1], cut.lanes[-1][1]
    lanes = f"{_of(len(cut.lanes), 'lane')} of {each}" + (f", the last of {last}" if last != each else "")
    lines = (
        ("code for", f"{isa.name}: {isa.registers} registers of {isa.vector_bytes} bytes{fma}"),
        ("batch", f"{how}: {_of(cut.rows, 'row')}, {lanes}, in blocks of {min(cut.block, each)}"),
        ("threads", _threads(len(cut.lanes), work, worth)),
        ("a step", f"{work:,} floating-point operations in products, {_of(len(plan.groups), 'kernel')}"),
        *([("together", f"{together}; the kernels below take what remains")] if together else []),
        ("arena", f"{layout.arena:,} bytes"),
    )
    return "\n".join(f"{name:<10}{text}" for name, text in lines)


def _threads(lanes: int, work: int, worth: int) -> str:
    if lanes == 1:
        return "1: there is one lane"
    steps = -(-worth // max(work, 1))
    return f"up to {lanes}, one for each lane" + (f", in runs of {steps} steps and more" if steps > 1 else "")


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# Kernels --------------------------------------------------------------------------------------------------------------


def _row(group: Group, plan: Plan, layout: Layout, names: Names, builder: Builder) -> tuple[str, ...]:
    extent = group.members[0].inputs[0].shape if group.kind == "pack" else group.extent
    return (
        str(group.level),
        group.kind,
        _ON.get(group.on, "whole"),
        " x ".join(map(str, extent)) or "1",
        str(_parts(group, plan, builder)),
        f"{read(group, plan, layout):,}",
        f"{written(group, layout):,}",
        operations(group, names),
    )


def _parts(group: Group, plan: Plan, builder: Builder) -> int:
    """Return how many calls of the kernel a step has."""
    if group.kind == "host":
        return 1
    if group.level % 2 == 0:
        return sum(len(plan.tiling.blocks(lane)) for lane in range(len(plan.tiling.lanes)))
    return len(list(builder._parts(group)))


def operations(group: Group, names: Names) -> str:
    """Return the operations of a kernel in order, "matmul + add -> %3, sum -> %4": stored are %3 and %4."""
    chains: list[str] = []
    chain: list[str] = []
    for value in group.members:
        assert value.op is not None
        chain.append(value.op.name)
        if value in group.stored:
            chains.append(f"{_chained(chain)} -> {names.stored(value)}")
            chain = []
    return ", ".join([*chains, _chained(chain)] if chain else chains)


def _chained(operations: Iterable[str]) -> str:
    """Return a + 2 b for a, b, b."""
    runs = [(name, len(list(run))) for name, run in groupby(operations)]
    return " + ".join(f"{count} {name}" if count > 1 else name for name, count in runs)


def read(group: Group, plan: Plan, layout: Layout) -> int:
    """Return the bytes that a kernel reads of what it has not made itself, each counted once."""
    found: dict[object, int] = {}
    members = set(group.members)
    for value in group.members:
        for x in _operands(value):
            ref = plan.refs[x]
            if ref.base in members or (ref.base.size == 1 and ref.base.role == CONSTANT):
                continue  # it stands in registers, or in the code
            apart = [n for n, step in zip(ref.shape, ref.strides, strict=True) if step]
            copies = layout.places[ref.base].lanes if value.op is TOTAL else 1
            found[id(ref.base), ref.offset, ref.shape, ref.strides] = prod(apart) * x.itemsize * copies
        if value.op is not None and value.op.name in GATHERS:
            found[id(value)] = value.nbytes  # the rows that the index names
    return sum(found.values())


def _operands(value: Value) -> Iterator[Value]:
    """Yield what an operation reads from memory, whole."""
    assert value.op is not None
    for i, x in enumerate(value.inputs):
        in_panels = value.op.name == "matmul" and len(value.inputs) == 3 and i == 1
        if isinstance(x, Value) and not is_number(x) and not in_panels and not (value.op.name in GATHERS and i == 0):
            yield x


def written(group: Group, layout: Layout) -> int:
    """Return the bytes that a kernel stores, by all lanes."""
    return sum(value.nbytes * (layout.places[value].lanes if group.on == SUM else 1) for value in group.stored)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    right = {0, 4, 5, 6}
    widths = [max(len(row[i]) for row in (_HEAD, *rows)) for i in range(len(_HEAD) - 1)]
    lines = []
    for row in (_HEAD, *rows):
        cells = [x.rjust(n) if i in right else x.ljust(n) for i, (x, n) in enumerate(zip(row, widths, strict=False))]
        before = "  ".join(cells) + "  "
        room = max(WIDTH - len(before), 40)
        first, *more = _wrapped(row[-1], room)
        lines += [before + first, *(" " * len(before) + line for line in more)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, room: int) -> list[str]:
    """Break a list of operations after commas where that is possible."""
    chains = [chain.replace(" ", _GLUE) if len(chain) < room else chain for chain in text.split(", ")]
    lines = textwrap.wrap(", ".join(chains), room, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_GLUE, " ") for line in lines]


def _hosted(plan: Plan) -> str:
    """Return what goes back to NumPy."""
    hosted = [g.members[0].op.name for g in plan.groups if g.kind == "host" and g.members[0].op is not None]
    if not hosted:
        return ""
    return (
        f"{_of(len(hosted), 'operation')} of a step without native code, evaluated by NumPy while the program waits, "
        f"which is slow: {', '.join(dict.fromkeys(hosted))}"
    )


# State and memory -----------------------------------------------------------------------------------------------------


def _state(plan: Plan, names: Names) -> str:
    """Return which state is written where it lies, and which new values are copied."""
    if not plan.graph.updates and not plan.copies:
        return ""
    in_place = [names.home(*home) for value, home in plan.homes.items() if home[0] == "state" and value.op is not COPY]
    copied = [names.home(*home) for _, home in plan.copies]
    lines = (
        f"state written in place   {_listed(in_place)}",
        f"copied at the end        {_listed(copied)}",
    )
    return "\n".join(lines)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    if len(names) <= _MANY:
        return ", ".join(names) or "nothing"
    return f"{', '.join(names[:3])}, ... {names[-1]} ({len(names)})"


@dataclass(frozen=True)
class Memory:
    """Bytes by purpose. shared: what the values in the arena save by taking each other's places."""

    panels: int
    rows: int
    sums: int
    whole: int
    shared: int
    data: int
    state: int
    outputs: int
    constants: int

    @property
    def arena(self) -> int:
        """Bytes of the arena."""
        return self.panels + self.rows + self.sums + self.whole - self.shared


def memory(plan: Plan, layout: Layout) -> Memory:
    """Return where the bytes of a plan go."""
    inside = {"panels": 0, "rows": 0, "sums": 0, "whole": 0}
    for value, place in layout.places.items():
        if layout.sources[place.source][0] == "arena":
            inside[_purpose(value, plan)] += place.size * place.lanes
    graph: Graph = plan.graph
    return Memory(
        **inside,
        shared=sum(inside.values()) - layout.arena,
        data=sum(leaf.nbytes for leaf in graph.data),
        state=sum(leaf.nbytes for leaf in graph.state),
        outputs=sum(value.nbytes for value in graph.outputs),
        constants=sum(what.nbytes for kind, what in layout.sources if kind == "constant"),
    )


def _purpose(value: Value, plan: Plan) -> str:
    return "panels" if value.op is PACK else _ON.get(plan.on[value], "whole")


def _memory(plan: Plan, layout: Layout) -> str:
    m = memory(plan, layout)
    lines = (
        ("bytes in the arena", m.arena),
        ("  factors in panels", m.panels),
        ("  results with rows", m.rows),
        ("  sums of the lanes", m.sums),
        ("  other results", m.whole),
        ("  less places shared", -m.shared),
        ("bytes outside", m.data + m.state + m.outputs + m.constants),
        ("  data of a step", m.data),
        ("  state", m.state),
        ("  outputs of a step", m.outputs),
        ("  constants", m.constants),
    )
    width = max(len(f"{count:,}") for _, count in lines)
    return "\n".join(f"{name:<22}{count:>{width},}" for name, count in lines if count or not name.startswith(" "))
