"""Silence about overflow and invalid values, for as long as NumPy evaluates an operation.

PyTorch gives inf and nan without a word, NumPy warns. `numpy.errstate` would do, but costs as much as a product of
small matrices (2 to 4 us here) and stands around every operation; setting its context variable directly costs 0.5 us.
The names are NumPy's own private ones, so when a release lacks them `errstate` serves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numpy._core._ufunc_config import _extobj_contextvar, _make_extobj  # type: ignore[attr-defined]

    SILENT = _make_extobj(all="ignore")
    begin_silence = _extobj_contextvar.set
    end_silence = _extobj_contextvar.reset
except (ImportError, TypeError):
    SILENT = None

    def begin_silence(_: Any) -> Any:
        """Enter `errstate`, and return what `end_silence` takes."""
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    def end_silence(state: Any) -> None:
        """Leave `errstate`."""
        state.__exit__()


class Quiet:
    """A silent block."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = begin_silence(SILENT)

    def __exit__(self, *_: object) -> None:
        end_silence(self._token)
