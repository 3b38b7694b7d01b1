"""Record what PyTorch answers to every case: python -m tests.parity.record [AREA ...]."""

from __future__ import annotations

import sys
from types import ModuleType

from tests.parity import store
from tests.parity.harness import Case, Entries, live_torch, load_cases


def record(torch: ModuleType, area: str, cases: dict[str, Case]) -> str:
    """Run an area's cases under PyTorch, write what came out and say what happened; raise where a case does not run."""
    results = {name: _run(torch, case) for name, case in cases.items()}
    changed = store.write(area, results)
    return f"{area}: {len(cases)} cases, {'written' if changed else 'unchanged'}"


def _run(torch: ModuleType, case: Case) -> Entries:
    try:
        return case.run(torch)
    except Exception as error:
        raise RuntimeError(f"{case} does not run under torch: {type(error).__name__}: {error}") from error


def main(areas: list[str]) -> int:
    """Record the named areas, or all of them, and drop files whose area is gone; return how many failed."""
    known = load_cases()
    unknown = [area for area in areas if area not in known]
    if unknown:
        raise SystemExit(f"no such area: {', '.join(unknown)}; there are {', '.join(known)}")
    torch, failures = live_torch(), 0
    for area in areas or known:
        try:
            print(record(torch, area, known[area]) if known[area] else f"{area}: no cases")
        except RuntimeError as error:
            failures += 1
            print(error, file=sys.stderr)
    for path in [] if areas else sorted(store.FOLDER.glob("*.npz")):
        if not known.get(path.stem):
            path.unlink()
            print(f"{path.stem}: removed")
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
