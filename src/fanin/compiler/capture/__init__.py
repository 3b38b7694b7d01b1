"""A function or module, run once on values: what it computes as a graph."""

from __future__ import annotations

from fanin.compiler.capture.captured import Captured, capture
from fanin.compiler.capture.scalars import HostScalars

__all__ = ["Captured", "HostScalars", "capture"]
