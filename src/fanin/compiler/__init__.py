"""Computations as graphs: captured from Python, simplified, and carried out by an engine."""

from __future__ import annotations

from fanin.compiler.compile import compile as compile
