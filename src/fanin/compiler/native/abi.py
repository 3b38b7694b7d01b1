"""What Python and native code have agreed on: what a program's function is called, and what it is told."""

from __future__ import annotations

# void run(context, thread, threads). The context: the array of pointers, the numbers of all steps, how many numbers a
# step has, the first step, and how many steps.
ENTRY = "run"
# What stands behind the sources in the array of pointers: where indices out of range are noted, the threads' barrier,
# the function that calls back to the host, and how many rows the arrays of the state have.
EXTRA = ("notes", "barrier", "host", "rows")
# What may be noted about the data of a run: nothing, an index that does not exist, a loss that is not finite.
FINE, OUT_OF_RANGE, NOT_FINITE = 0, 1, 2
# Where: by what comes before the way out, and by what comes after it. Last the step that was left is noted.
EARLY, LATE, STEP = 0, 1, 2
