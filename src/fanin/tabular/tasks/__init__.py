"""From a table in a file to a task: which column is learned, as what, from which columns, by which rows."""

from __future__ import annotations

from fanin.tabular.tasks.columns import ColumnTold, row_numbers
from fanin.tabular.tasks.figures import figures
from fanin.tabular.tasks.missing import stand_ins
from fanin.tabular.tasks.prepared import Options, Prepared, prepare, weights_as
from fanin.tabular.tasks.target import Target, labels_as, labels_like, numbers_as, tell_target
from fanin.tabular.tasks.usable import usable

__all__ = [
    "ColumnTold",
    "Options",
    "Prepared",
    "Target",
    "figures",
    "labels_as",
    "labels_like",
    "numbers_as",
    "prepare",
    "row_numbers",
    "stand_ins",
    "tell_target",
    "usable",
    "weights_as",
]
