"""A graph on its way to code: simplified, planned, laid out in memory, written.

Nothing of it is needed, or imported, where the code is kept: what a program has to know then stands in its `Manifest`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fanin.compiler import positions
from fanin.compiler.graph import Graph
from fanin.compiler.native import elementwise, target
from fanin.compiler.native.leaving import Exit, exit_of
from fanin.compiler.native.lookahead import STEPS
from fanin.compiler.native.machine import NativeMachine
from fanin.compiler.native.manifest import Manifest
from fanin.compiler.native.memory import Layout, lay_out
from fanin.compiler.native.module import Builder
from fanin.compiler.passes.linear_batch import LinearBatch, linear_batch
from fanin.compiler.passes.lookahead import LinearRow, linear_row
from fanin.compiler.passes.lower import lower
from fanin.compiler.passes.narrow import without_narrow_products
from fanin.compiler.passes.plan import Plan
from fanin.compiler.passes.reciprocal import with_reciprocals
from fanin.compiler.passes.schedule import schedule
from fanin.compiler.passes.simplify import simplify
from fanin.compiler.passes.tiling import work_of
from fanin.compiler.passes.tiny import without_tiny_products


def prepared(graph: Graph) -> Graph:
    """Return the graph in primitives, simplified."""
    return without_narrow_products(without_tiny_products(with_reciprocals(simplify(lower(graph)))))


@dataclass(frozen=True)
class Planned:
    """What is computed when (plan), where it lies (layout), where a step may be left, and on what machine (isa).

    model: of steps of one row that are taken together, or of one that takes its batch in one walk.
    """

    plan: Plan
    layout: Layout
    way_out: Exit | None
    isa: target.Isa
    model: LinearRow | LinearBatch | None = None

    @property
    def text(self) -> str:
        """The LLVM text of the program."""
        return self._builder().build()

    @property
    def together(self) -> str:
        """What is not taken kernel by kernel, in words."""
        if self.model is None:
            return ""
        ahead = isinstance(self.model, LinearRow)
        return f"{STEPS} steps, where all of it is finite" if ahead else "all of a step, where its loss is finite"

    def compiled(self) -> bytes:
        """Return the object code of the program."""
        return target.compiled(self._builder().parts(), self.isa)

    def _builder(self) -> Builder:
        return Builder(self.plan, self.layout, self.isa, self.way_out, self.model)

    def manifest(self) -> Manifest:
        """Return what has to be known of the code to run it."""
        graph, layout = self.plan.graph, self.layout
        return Manifest(
            arena=layout.arena,
            sources=layout.sources,
            lanes=len(self.plan.tiling.lanes),
            work=work_of(graph),
            calls_back=sum(group.kind == "host" for group in self.plan.groups),
            looks_at_indices=positions.any_in(graph),
            stops=self.way_out is not None and self.way_out.loss is not None,
            together=STEPS if isinstance(self.model, LinearRow) else 1,
        )


def planned(graph: Graph, isa: target.Isa, watched: int | None = None) -> Planned:
    """Return how a graph is carried out on a machine; `watched` is the number of an output that has to be finite."""
    ready = prepared(graph)
    plan = schedule(ready, NativeMachine(isa))
    return Planned(plan, lay_out(plan), exit_of(plan, watched), isa, _model(ready, plan))


def _model(ready: Graph, plan: Plan) -> LinearRow | LinearBatch | None:
    if len(plan.tiling.lanes) > 1:
        return None
    return linear_row(ready, elementwise.has_code) or linear_batch(ready, elementwise.has_code)
