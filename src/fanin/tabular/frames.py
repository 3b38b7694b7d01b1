"""polars, or an error that says how to install it: imported here once, so that every module may take it for granted."""

from __future__ import annotations

from fanin._core.errors import MissingExtraError

try:
    import polars
except ImportError as error:
    raise MissingExtraError(
        'reading a table needs polars, which is not installed: pip install "fanin[tabular]"'
    ) from error

__all__ = ["polars"]
