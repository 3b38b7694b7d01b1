"""What is recorded of a draw, and how a draw is held against it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from fanin.random import Generator

from .cases import Case

# Draws that may differ in the last bit are recorded whole up to this length; of the others, the first entries.
WHOLE = 80
SHOWN = 4
# Where the state holds the second normal of a pair, a float64 by way of the platform's functions.
KEPT_NORMAL = slice(5024, 5032)
# Units in the last place by which the float64 functions of two platforms may differ, after a product and a sum.
LIBM_ULPS = 16


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:24]


def description(case: Case, values: Any, state: Any) -> dict[str, Any]:
    """Return what is recorded of a draw: a digest of its bytes, some of them, and the generator's state afterwards."""
    flat = np.ascontiguousarray(values).reshape(-1)
    loose = may_differ(case, flat.dtype)
    kept = flat if loose and flat.size <= WHOLE else flat[:SHOWN]
    if case.libm:
        state = state.copy()
        state[KEPT_NORMAL] = 0
    return {
        "dtype": str(flat.dtype),
        "shape": list(np.shape(values)),
        "digest": digest(flat),
        "hex": kept.tobytes().hex(),
        "state": digest(state),
    }


def may_differ(case: Case, dtype: Any) -> bool:
    """Tell whether the last bits may differ between platforms: float64 numbers by way of the platform's functions."""
    return case.libm and str(dtype) == "float64"


def mismatch(case: Case, record: dict[str, Any]) -> str | None:
    """Draw again and return what differs from the record, or None."""
    generator = Generator().manual_seed(case.seed)
    found = description(case, case.ours(generator), generator.get_state())
    different = [key for key in record if found[key] != record[key]]
    if may_differ(case, record["dtype"]) and different in (["digest"], ["digest", "hex"]) and _close(found, record):
        different = []
    if not different:
        return None
    return f"{case.name}: {different} differ\n  recorded {_values(record)}\n  found    {_values(found)}"


def _close(found: dict[str, Any], record: dict[str, Any]) -> bool:
    a, b = _values(found), _values(record)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= LIBM_ULPS * np.spacing(np.maximum(np.abs(b), 1.0))))


def _values(record: dict[str, Any]) -> Any:
    return np.frombuffer(bytes.fromhex(record["hex"]), record["dtype"])
