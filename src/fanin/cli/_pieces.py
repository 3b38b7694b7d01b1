"""Training from a table that is larger than the memory for it."""

from __future__ import annotations

import argparse
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError

if TYPE_CHECKING:
    from fanin.tabular.files import TableFile
    from fanin.tabular.streaming.aside import Aside
    from fanin.tabular.tasks import Target

MOST_ROWS = 20_000  # that a model is judged by: enough to know a share within 0.7%, few enough to shuffle
LEAST = 1 << 30  # bytes, which `fit_file` takes where nobody says otherwise


def memory_for(arguments: argparse.Namespace) -> int | str | None:
    """Return what training may use: what was asked for, else half of what the machine has left; None for 1 GB."""
    if arguments.memory is not None:
        return str(arguments.memory)
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(line for line in lines if line.startswith("MemAvailable:"))
        half = int(free.split()[1]) * 1024 // 2
        return half if half > LEAST else None
    return None


def is_larger(table: TableFile, memory: int | str | None) -> bool:
    """Say whether a table has to be learned from in pieces."""
    from fanin.tabular.streaming.budget import budget_of

    return table.bytes_in_memory > budget_of(memory).whole


def set_aside(table: TableFile, target: Target, arguments: argparse.Namespace, memory: Any) -> Aside:
    """Draw rows to judge by, no more than fit into memory beside the training, and as many for baselines."""
    import numpy as np

    from fanin.tabular.files.table_file import bytes_of
    from fanin.tabular.streaming.aside import Aside
    from fanin.tabular.streaming.budget import budget_of

    sample, rows = table.read(1000), int(np.count_nonzero(target.known))
    most = min(MOST_ROWS, budget_of(memory).sample * sample.height // (2 * max(1, bytes_of(sample))))
    judged = min(round(arguments.held_out * rows), most)
    learned = min(rows - judged, most) if judged and not arguments.no_baselines else 0
    return Aside.drawn(target.known, judged, learned, arguments.seed)


def fit_in_pieces(
    model: Any,
    table: TableFile,
    target: Target,
    arguments: argparse.Namespace,
    left_out: list[str],
    memory: Any,
    aside: Aside,
) -> None:
    """Let a model learn from the file, and print what it warns of."""
    from fanin.cli._progress import Bar
    from fanin.cli._reports import warn
    from fanin.tabular.streaming.fitting import fit_file

    if arguments.category:
        raise ArgumentError("--category is for tables that fit into memory, and this one does not")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with Bar(limit=arguments.time_limit) as bar:
            fit_file(
                model,
                table,
                target.name,
                ignore=left_out,
                sample_weight=arguments.weight,
                memory=memory,
                progress=bar.part,
                aside=aside,
            )
    for each in found:
        warn(each.message)


def told_in_pieces(table: TableFile, target: Target, left_out: list[str], aside: Aside) -> list[str]:
    """Tell the columns, as far as the first rows show them, and the task."""
    from fanin.cli._show import facts, grid, one_line

    rows = [
        (one_line(each.name), "left out" if each.name in left_out else each.kind)
        for each in table.columns
        if each.name != target.name
    ]
    classes = f"{len(set(target.values.tolist())):,} classes to tell apart"
    lines = [
        ("table", f"{table.source}: {len(target.known):,} rows, read in pieces"),
        ("target", f'"{one_line(target.name)}"'),
        ("task", f"{classes if target.task == 'classes' else 'numbers to predict'} ({target.reason})"),
    ]
    if len(aside.judged):
        baselines = f"; baselines learn from {len(aside.learned):,} of the others" if len(aside.learned) else ""
        lines.append(("rows", f"{len(aside.judged):,} held out for the report{baselines}"))
    return [grid("Columns, as their first rows are", ("column", "kind"), rows[:60]), facts("Task", lines)]


def validation(model: Any) -> str:
    """Tell how good a model is on the rows that chose its best epoch."""
    if hasattr(model, "classes_"):
        score = f"log-loss {min(each['criterion'] for each in model.history_):.4f}"
    else:
        from fanin.tabular.fitting.criteria import explained

        # Not from the criterion, which holds down the rows that are unlike all others.
        actual, errors = model._judged_numbers[:, None], model._errors[:, None]
        score = f"R2 {explained(actual - errors, actual, model._error_weights):.4f}"
    return f"{score} on the rows that chose the best epoch; fanin evaluate tells more, on rows of another table"
