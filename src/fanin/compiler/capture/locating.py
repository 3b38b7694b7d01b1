"""Errors of a capture with the place in the user's program that they come from."""

from __future__ import annotations

import linecache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError

# Where code lies that is not the user's: fanin and NumPy.
_LIBRARIES = tuple(str(folder) for folder in (Path(__file__).resolve().parents[2], Path(np.__file__).resolve().parent))


def explained(error: Exception) -> Exception:
    """Return the error to raise: a CaptureError with file and line, or the error itself where it is the user's."""
    if isinstance(error, CaptureError):
        return _placed(error, str(error))
    if _is_ours(error):
        name = _entered(error)
        found = CaptureError(f"{name} cannot be captured")
        found.add_note("Call it outside of the compiled function, and pass what it returns as an argument.")
        found.add_note(f"It failed with {type(error).__name__}: {error}")
        return _placed(found, str(found), error)
    return error


def _is_ours(error: Exception) -> bool:
    """Say whether an error is that of code of fanin which cannot work with a value."""
    text = str(error)
    return isinstance(error, (AttributeError, TypeError, ValueError)) and ("Value" in text or "ufunc" in text)


def _placed(error: CaptureError, message: str, origin: Exception | None = None) -> CaptureError:
    source = error if origin is None else origin
    place = _place(source)
    if place is None:
        return error if origin is None else error.with_traceback(origin.__traceback__)
    path, line = place
    located = CaptureError(f"{path}:{line}: {message}")
    for note in getattr(error, "__notes__", ()):
        located.add_note(note)
    text = linecache.getline(path, line).strip()
    if text:
        located.add_note(f"The line is: {text}")
    located.__suppress_context__ = True
    return located


def _frames(error: Exception) -> list[tuple[FrameType, int]]:
    import traceback  # of use in failures alone

    return list(traceback.walk_tb(error.__traceback__))


def _within(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith((*_LIBRARIES, "<frozen"))


def _place(error: Exception) -> tuple[str, int] | None:
    """Return file and line of the innermost frame outside of fanin."""
    # The caller of the compiled function stands outside of the capture, and so is no frame of the error.
    for frame, line in reversed(_frames(error)):
        if not _within(frame):
            return frame.f_code.co_filename, line
    return None


def _entered(error: Exception) -> Any:
    """Return the name of the function of fanin that the user's code called."""
    frames = _frames(error)
    outside = [i for i, (frame, _) in enumerate(frames) if not _within(frame)]
    at = outside[-1] + 1 if outside else len(frames) - 1
    frame = frames[min(at, len(frames) - 1)][0]
    return f"{frame.f_code.co_name}()"
