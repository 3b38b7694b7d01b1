"""torch.mps on a library that computes on the CPU."""

from __future__ import annotations

from fanin._core.missing import refuse


def is_available() -> bool:
    """Return False: there is no GPU for fanin."""
    return False


def manual_seed(seed: int) -> None:
    """Do nothing: the CPU's stream is seeded by torch.manual_seed."""


def device_count() -> int:
    """Return 0."""
    return 0


__getattr__ = refuse("torch.mps")
