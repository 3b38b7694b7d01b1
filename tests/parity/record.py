"""Record what PyTorch answers to every case: python -m tests.parity.record [AREA ...]."""

from __future__ import annotations

import sys
from types import ModuleType

from tests.parity import store
from tests.parity.harness import Case, Entries, live_torch, load_cases


def record(torch: ModuleType, area: str, cases: dict[str, Case]) -> bool:
    """Run an area's cases under PyTorch and write what came out; return whether the file changed."""
    return store.write(area, {name: _run(torch, case) for name, case in cases.items()})


def _run(torch: ModuleType, case: Case) -> Entries:
    try:
        return case.run(torch)
    except Exception as error:
        raise SystemExit(f"{case} does not run under torch: {type(error).__name__}: {error}") from error


def main(areas: list[str]) -> None:
    """Record the named areas, or all of them, and drop files whose area is gone."""
    known = load_cases()
    unknown = [area for area in areas if area not in known]
    if unknown:
        raise SystemExit(f"no such area: {', '.join(unknown)}; there are {', '.join(known)}")
    torch = live_torch()
    for area in areas or known:
        if known[area]:
            changed = record(torch, area, known[area])
            print(f"{area}: {len(known[area])} cases, {'written' if changed else 'unchanged'}")
    for path in [] if areas else sorted(store.FOLDER.glob("*.npz")):
        if not known.get(path.stem):
            path.unlink()
            print(f"{path.stem}: removed")


if __name__ == "__main__":
    main(sys.argv[1:])
