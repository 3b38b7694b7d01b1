"""One kernel for each group of a plan; one file for each kind of kernel."""

from __future__ import annotations

from fanin.compiler.native.frame import Frame
from fanin.compiler.native.kernels.elements import emit_loops
from fanin.compiler.native.kernels.place import emit_place
from fanin.compiler.native.kernels.product import emit_pack, emit_product, pack_shape, product_shape
from fanin.compiler.native.kernels.scatter import emit_scatter
from fanin.compiler.native.product import Products
from fanin.compiler.passes.plan import Group


def emit_group(frame: Frame, group: Group, products: Products, count: int | None) -> None:
    """Write the kernel of a group at the current place. `count`: the rows or elements in one call, None for all."""
    if group.kind == "loops":
        emit_loops(frame, group, count)
    elif group.kind == "product":
        emit_product(frame, group, products, count)
    elif group.kind == "pack":
        emit_pack(frame, group.members[0], products, count)
    elif group.kind == "place":
        emit_place(frame, group, count)
    else:
        emit_scatter(frame, group, count)
