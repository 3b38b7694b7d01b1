"""Pictures: numbers and texts in, SVG text out. The only place that imports matplotlib.

Pictures are made to stand in a page: their colours are variables of its styles (`--ink`, `--quiet`, `--line`,
`--accent`, `--other`), so that they follow it into the dark; their texts are texts, in its font.
"""

from __future__ import annotations

from fanin._core.errors import MissingExtraError

try:
    import matplotlib
except ImportError as error:
    raise MissingExtraError('pictures need matplotlib, which is not installed: pip install "fanin[tabular]"') from error

from fanin.plots.pictures import bars, coverage, histogram, leads, reliability, scatter

__all__ = ["bars", "coverage", "histogram", "leads", "reliability", "scatter"]
