"""What a plan asks about native code."""

from __future__ import annotations

from fanin.compiler.graph import Value
from fanin.compiler.native import elementwise, ir
from fanin.compiler.native.kernels.product import product_shape
from fanin.compiler.native.product import Products
from fanin.compiler.native.product.plan import inner_blocks
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import has_type
from fanin.compiler.passes.plan import GATHERS, PLACES, SCATTERS
from fanin.compiler.passes.rows import REDUCTIONS
from fanin.compiler.passes.views import Ref


class NativeMachine:
    """Answers the plan's questions about the code."""

    def __init__(self, isa: Isa) -> None:
        self.products = Products(ir.Module(), isa)

    def packed_size(self, product: Value, a: Ref, b: Ref, rows: int) -> int:
        """Return the elements that a product's packed right factor takes."""
        if product.dtype.kind != "f" or not has_type(product.dtype) or not product.size or not a.shape[-1]:
            return 0
        return self.products.packed_size(product_shape(product, a, b, rows))

    def needs_partial_sums(self, product: Value) -> bool:
        """Say whether sums over a part of the inner dimension go to memory."""
        return product.ndim == 2 and bool(inner_blocks(self.products.isa, product.inputs[0].shape[-1])[0] > 1)

    def has_code(self, value: Value) -> bool:
        """Say whether there is native code for an operation of these types."""
        assert value.op is not None
        arrays = [value, *(x for x in value.inputs if isinstance(x, Value))]
        if not all(has_type(x.dtype) for x in arrays):
            return False
        name = value.op.name
        if name == "matmul":
            a, b = value.inputs[:2]
            return bool(value.dtype.kind == "f" and min(a.ndim, b.ndim) > 1 and a.shape[-1] > 0)
        if name in REDUCTIONS:
            return bool(value.inputs[0].size > 0 and value.inputs[0].dtype == value.dtype)
        if name in ("embedding", "add_rows"):
            return value.attrs.get("padding_idx") is None and not value.attrs.get("by_frequency")
        if name == "getitem":  # one that is no view
            return False
        if name == "cat":
            return all(isinstance(x, Value) and x.dtype == value.dtype for x in value.inputs)
        if name == "put_zeros":
            return all(isinstance(i, (slice, int, type(None), type(Ellipsis))) for i in value.attrs["index"])
        return name in (*GATHERS, *SCATTERS, *PLACES, "random_keep", "copy", "total") or elementwise.has_code(value)
