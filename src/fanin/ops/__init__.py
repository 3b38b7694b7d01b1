"""The table: every computation is a graph of the operations recorded here."""

# Each module enters its records as it is imported.
from fanin.ops import (
    activation,
    arithmetic,
    class_loss,
    counter_random,
    decomposition,
    elementwise,
    index,
    intervals,
    linalg,
    loss,
    normalise,
    order,
    power,
    probability,
    reduce,
    shape,
)
from fanin.ops.op import Op, Spec, define, get, table

__all__ = [
    "Op",
    "Spec",
    "activation",
    "arithmetic",
    "class_loss",
    "counter_random",
    "decomposition",
    "define",
    "elementwise",
    "get",
    "index",
    "intervals",
    "linalg",
    "loss",
    "normalise",
    "order",
    "power",
    "probability",
    "reduce",
    "shape",
    "table",
]
