"""What `import fanin` costs over `import numpy`: the median over interleaved fresh processes."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

LIMIT = 0.1
# A package that pip installs is compiled once and for all; one that is run from its sources must be allowed to be.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def seconds(statement: str) -> float:
    """Return the wall time of a fresh Python that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=ENVIRONMENT)
    return time.perf_counter() - start


def measure(runs: int) -> tuple[float, float]:
    """Return the median times of importing NumPy, and NumPy with fanin; in turns, so that both meet the same load."""
    statements = ("import numpy", "import numpy, fanin")
    for statement in statements:
        seconds(statement)
    times = [tuple(seconds(statement) for statement in statements) for _ in range(runs)]
    alone, both = (statistics.median(column) for column in zip(*times, strict=True))
    return alone, both


def main() -> int:
    """Print the two medians and their difference; fail where it is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--smoke", action="store_true", help="three runs, and no limit")
    options = parser.parse_args()
    alone, both = measure(3 if options.smoke else options.runs)
    print(f"import numpy {alone:.3f} s, with fanin {both:.3f} s: fanin costs {both - alone:.3f} s (at most {LIMIT} s)")
    return int(not options.smoke and both - alone > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
