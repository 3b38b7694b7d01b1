"""Tables as they come: one file per library, none of which is imported here but NumPy."""

from __future__ import annotations

from fanin.tabular.inputs.tables.base import InputTable, Levels, Storage
from fanin.tabular.inputs.tables.read import read_table

__all__ = ["InputTable", "Levels", "Storage", "read_table"]
