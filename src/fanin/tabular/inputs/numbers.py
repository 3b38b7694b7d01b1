"""Raw numbers become numbers and flags: they are scaled, those of two values are flags, and what is missing is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.scales import QuantileScale, RobustScale, Scale, scale_from_dict
from fanin.tabular.inputs.summary import Flags, Summary

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class NumberBlock:
    """How raw numbers (rows, R) are encoded.

    many:       (P,) the columns that become numbers, and `scale` theirs.
    two:        (T,) the columns of two values, which become flags, and `two_scale` theirs.
    gaps:       (M,) the columns whose missing values are told by a flag.
    gap_values: (2, M) what that flag is where a value is known, and where it is missing.
    """

    many: Indices
    scale: Scale
    two: Indices
    two_scale: RobustScale
    gaps: Indices
    gap_values: NDArray[np.float32]

    @classmethod
    def fit(cls, found: Summary, rows: int, gaps: Flags, quantiles: bool) -> NumberBlock:
        """Learn from a summary of the raw numbers in `rows` training rows; `gaps` are those to be told."""
        many, two = np.flatnonzero(found.differs & ~found.two), np.flatnonzero(found.two)
        told = np.flatnonzero(gaps)
        scale = QuantileScale.fit(found[many]) if quantiles else RobustScale.fit(found[many])
        return cls(many, scale, two, RobustScale.fit(found[two]), told, _gap_values(found.missing[told], rows))

    def __call__(self, raw: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return numbers (rows, P) and flags (rows, T + M)."""
        missing = np.isnan(_some(raw, self.gaps))
        told = np.where(missing, self.gap_values[1], self.gap_values[0])
        flags = np.concatenate([self.two_scale(_some(raw, self.two)), told], axis=1)
        return self.scale(_some(raw, self.many)), flags

    def to_dict(self) -> dict[str, Any]:
        """Return lists and dictionaries, as JSON takes them."""
        lists = {name: getattr(self, name).tolist() for name in ("many", "two", "gaps", "gap_values")}
        return lists | {"scale": self.scale.to_dict(), "two_scale": self.two_scale.to_dict()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> NumberBlock:
        """Return the block whose `to_dict` gave `state`."""
        many, two, gaps = (np.array(state[name], np.int64) for name in ("many", "two", "gaps"))
        two_scale = scale_from_dict(state["two_scale"])
        assert isinstance(two_scale, RobustScale)
        gap_values = np.array(state["gap_values"], np.float32).reshape(2, len(gaps))
        return cls(many, scale_from_dict(state["scale"]), two, two_scale, gaps, gap_values)


def _some(raw: NDArray[np.generic], columns: Indices) -> NDArray[np.generic]:
    """Return some columns, without a copy when they are all."""
    return raw if len(columns) == raw.shape[1] else raw[:, columns]


def _gap_values(missing: Indices, rows: int) -> NDArray[np.float32]:
    """Scale columns of 0 (known) and 1 (missing), of which `missing` rows have 1; return both values (2, M)."""
    at = np.array([0, 0.25, 0.5, 0.75, 1])[:, None] * (rows - 1)
    # In order, a column is rows - missing zeros and then ones.
    below, above = (np.floor(at) >= rows - missing, np.ceil(at) >= rows - missing)
    quartiles = below + (above * 1.0 - below) * (at - np.floor(at))
    differs = quartiles[0] < quartiles[4]
    found = Summary(missing, differs, differs, quartiles, np.empty((0, len(missing))))
    return RobustScale.fit(found)(np.repeat([[0.0], [1.0]], len(missing), axis=1))
