"""What a benchmark ran on, and how much of it was used by something else meanwhile."""

from __future__ import annotations

import os
import platform
import sys
from datetime import date
from pathlib import Path


def processor() -> str:
    """Return the processor's name, and how wide its registers are where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", "").split()
    widest = next((f" ({name})" for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return (told.get("model name") or platform.processor() or platform.machine()) + widest


def header(program: str, versions: dict[str, str], arguments: list[str] | None = None) -> str:
    """Return two lines: the machine and the versions; the date and the command."""
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    command = " ".join(["python", f"benchmarks/{program}", *(sys.argv[1:] if arguments is None else arguments)])
    return (
        f"{processor()}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {listed}\n"
        f"{date.today()}; `{command}`"
    )


def busy_seconds() -> float:
    """Return the seconds that all cores together have worked, or were taken by the host, since the system started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def table(rows: list[list[str]], *, markdown: bool) -> str:
    """Lay out rows, the first of which is the heading."""
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
