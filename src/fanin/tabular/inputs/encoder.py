"""The encoder: what every column of a table becomes, learned from training rows, and any table's rows as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.tabular.inputs.encoded import Encoded
from fanin.tabular.inputs.scales import QuantileScale, RobustScale, Scale
from fanin.tabular.inputs.summary import summarise
from fanin.tabular.inputs.tables import read_table


class Encoder:
    """Turn tables into arrays for a network (for now: arrays of numbers)."""

    feature_names: tuple[str, ...] | None = None

    def __init__(self, one_hot_up_to: int = 9, max_levels: int = 1000, quantiles: bool = False) -> None:
        self.one_hot_up_to = one_hot_up_to
        self.max_levels = max_levels
        self.quantiles = quantiles

    def fit(self, X: Any, y: Any = None) -> Encoder:
        """Learn scales from X."""
        table = read_table(X)
        values = table.numbers(np.arange(table.columns))
        found = summarise(values, QuantileScale.count(table.rows) if self.quantiles else 0)
        self._numbers, self._two = np.flatnonzero(found.differs & ~found.two), np.flatnonzero(found.two)
        self._tells = np.flatnonzero(found.missing)
        kept = found[self._numbers]
        self._scale: Scale = QuantileScale.fit(kept) if self.quantiles else RobustScale.fit(kept)
        self._flag_scale = RobustScale.fit(found[self._two])
        return self

    def transform(self, X: Any) -> Encoded:
        """Encode X."""
        table = read_table(X)
        values = table.numbers(np.arange(table.columns))
        flags = [self._flag_scale(values[:, self._two]), np.isnan(values[:, self._tells]).astype(np.float32)]
        levels = np.zeros((table.rows, 0), np.int64)
        return Encoded(self._scale(values[:, self._numbers]), np.concatenate(flags, axis=1), levels, ())
