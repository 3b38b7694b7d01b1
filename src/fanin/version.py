"""torch.version: which libraries for GPUs there are. None."""

from __future__ import annotations

from fanin._core.missing import refuse

cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False

__getattr__ = refuse("torch.version")
