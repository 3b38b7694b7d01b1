"""How a network is made and trained, and the named presets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from fanin._core.errors import ArgumentError


@dataclass(frozen=True)
class Settings:
    """How one kind of network is made and trained.

    network:      "realmlp" or "tabm".
    hidden:       the widths of the hidden layers.
    activation:   of RealMLP.
    rate:         the largest learning rate.
    rates:        its schedule, "waves" or "steady".
    smoothing:    of labels, for classes.
    members:      that share weights, for TabM.
    patience:     epochs without a better one after which training ends; None for all epochs.
    clip:         the largest norm of the gradients together.
    """

    network: str = "realmlp"
    hidden: tuple[int, ...] = (256, 256, 256)
    activation: str = "selu"
    dropout: float = 0.15
    periodic: bool = True
    rate: float = 0.04
    rates: str = "waves"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.02
    smoothing: float = 0.0
    epochs: int = 256
    batch_size: int = 256
    members: int = 1
    patience: int | None = None
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.network not in ("realmlp", "tabm"):
            raise ArgumentError(f"no network {self.network!r}; there are realmlp, tabm")
        # Searches of other libraries draw NumPy's numbers, and engines take Python's.
        for name in ("epochs", "batch_size", "members"):
            object.__setattr__(self, name, _count(name, getattr(self, name)))
        if self.patience is not None:
            object.__setattr__(self, "patience", _count("patience", self.patience))
        for width in self.hidden:
            _count("the width of a hidden layer", width)
        if not (isinstance(self.rate, Real) and 0 < self.rate < math.inf):
            raise ArgumentError(f"the learning rate must be above 0, not {self.rate!r}")
        if not (isinstance(self.weight_decay, Real) and 0 <= self.weight_decay < math.inf):
            raise ArgumentError(f"weight_decay must be 0 or more, not {self.weight_decay!r}")
        if not (isinstance(self.dropout, Real) and 0 <= self.dropout < 1):
            raise ArgumentError(f"dropout must be a share from 0 to below 1, not {self.dropout!r}")


def widths_of(hidden: Any) -> tuple[int, ...]:
    """Return the widths of hidden layers; a number is that of the only one.

    Raises ValueError for what are no whole numbers of 1 and more.

    >>> widths_of([64, 32]), widths_of(64)
    ((64, 32), (64,))
    """
    widths = list(hidden) if isinstance(hidden, Iterable) and not isinstance(hidden, str) else [hidden]
    return tuple(_count("the width of a hidden layer", width) for width in widths)


def _count(name: str, value: Any) -> int:
    """Return a whole number of 1 or more as Python's; raise ValueError for anything else."""
    is_whole = isinstance(value, Real) and not isinstance(value, bool) and float(value).is_integer()
    if not is_whole or value < 1:
        raise ArgumentError(f"{name} must be a whole number of 1 or more, not {value!r}")
    return int(value)


REALMLP = {
    # arXiv 2407.04491, table A.1 (RealMLP-TD).
    "classes": Settings(),
    "numbers": Settings(activation="mish", rate=0.2),
}


def realmlp(task: str, **changes: Any) -> Settings:
    """Return RealMLP-TD's settings for "classes" or "numbers", with changes.

    >>> realmlp("numbers", epochs=10).activation
    'mish'
    """
    return replace(REALMLP[task], **changes)


def tabm(**changes: Any) -> Settings:
    """Return TabM's settings (arXiv 2410.24210, section 5), with changes.

    >>> tabm(members=8).rates
    'steady'
    """
    defaults = Settings(
        "tabm",
        (512, 512, 512),
        dropout=0.1,
        rate=2e-3,
        rates="steady",
        betas=(0.9, 0.999),
        weight_decay=3e-4,
        members=32,
        patience=16,
        clip=1.0,
    )
    return replace(defaults, **changes)
