"""The table: every computation is a graph of the operations recorded here."""

from fanin.ops import activation, arithmetic, elementwise, index, linalg, loss, normalise, power, reduce, shape
from fanin.ops.op import Op, Spec, define, get, table

__all__ = ["Op", "Spec", "activation", "arithmetic", "define", "elementwise", "get", "index", "linalg", "loss", "normalise", "power", "reduce", "shape", "table"]
