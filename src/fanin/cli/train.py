"""`fanin train TABLE --target COLUMN`: learn one column of a table from the others."""

from __future__ import annotations

import argparse
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.cli import INTERRUPTED
from fanin.cli._arguments import add_marks, positive, rate, reading, seconds, seed, share, widths

if TYPE_CHECKING:
    from fanin.cli._judged import Rows
    from fanin.tabular.files import TableFile
    from fanin.tabular.tasks import Options, Prepared, Target

Lines = list[tuple[str, str]]  # names and what is said of them
MOST_COLUMNS = 60

DESCRIPTION = """\
Learn one column of a table from the others, report how well, and save the model.

The table is CSV (plain or gzipped) or Parquet. Texts, true/false, two different values and few different whole
numbers (at most 20, each in 4 rows or more on average) are classes to tell apart; other numbers are a quantity to
predict. A fifth of the rows is held out, and the report says how good the model is on them, beside a constant, a
linear model and boosted trees. In CSV an empty field is the only missing value. The model is a folder of JSON and
safetensors; the report is printed, and lies in the folder as report.txt and report.html.
"""
EPILOG = """\
examples:
  fanin train diamonds.csv.gz --target price
  fanin train penguins.csv --target species --ignore year --out penguins.fanin
  fanin train sales.csv --target sold --missing NA --category shop_number --preset best --time-limit 10m

Ctrl-C ends training early and keeps the best epoch so far (status 130).
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="learn a column of a table, report how well, and save the model",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", metavar="TABLE", help="CSV (plain or gzipped) or Parquet file")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column to learn")
    parser.add_argument("--out", metavar="DIR", help="folder for the model (default: the table's name + .fanin, here)")
    parser.add_argument("--force", action="store_true", help="put the model in DIR even when it holds other things")
    _add_data_options(parser.add_argument_group("the data"))
    _add_training_options(parser.add_argument_group("training"))
    _add_report_options(parser.add_argument_group("the report"))
    parser.set_defaults(handler=run)


def _add_data_options(group: Any) -> None:
    columns: dict[str, Any] = {"action": "append", "default": [], "metavar": "COLUMN"}
    group.add_argument("--task", choices=("classes", "numbers"), help="instead of what the target tells")
    group.add_argument("--ignore", **columns, help="leave a column out (repeatable)")
    group.add_argument("--category", **columns, help="read a column as levels, not numbers (repeatable)")
    group.add_argument(
        "--missing", action="append", default=[], metavar="TEXT", help="a text that means missing, as NA (repeatable)"
    )
    add_marks(group)
    group.add_argument("--weight", metavar="COLUMN", help="how much each row counts in training and report")
    group.add_argument(
        "--held-out",
        type=share,
        default=0.2,
        metavar="SHARE",
        help="rows held out for the report (default 0.2; 0: none)",
    )
    group.add_argument("--seed", type=seed, default=0, metavar="N", help="of all that is drawn (default 0)")


def _add_training_options(group: Any) -> None:
    group.add_argument(
        "--preset",
        choices=("fast", "default", "best"),
        default="default",
        help="how much is trained (default: default)",
    )
    group.add_argument("--time-limit", type=seconds, metavar="TIME", help="that training may take: 90, 90s, 5m, 1.5h")
    group.add_argument(
        "--memory",
        metavar="SIZE",
        help="that training may use, as 2GB; a larger table is read in pieces (default: half)",
    )
    group.add_argument("--epochs", type=positive, metavar="N", help="passes over the training rows")
    group.add_argument("--batch-size", type=positive, metavar="N", help="rows per step")
    group.add_argument("--learning-rate", type=rate, metavar="X", help="highest learning rate")
    group.add_argument("--hidden", type=widths, metavar="N,N,...", help="widths of the hidden layers, as 128,128,128")


def _add_report_options(group: Any) -> None:
    group.add_argument("--report", metavar="FILE", help="write the report here, too: .html, .txt or .json")
    group.add_argument("--no-importance", action="store_true", help="do without the importance of columns")
    group.add_argument("--no-baselines", action="store_true", help="do without linear model and boosted trees")


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    # What is slow to load waits until it is needed, so that --help and mistakes are answered at once.
    from fanin.cli._pieces import is_larger, memory_for
    from fanin.cli._reports import check_report
    from fanin.tabular.files.opening import opened
    from fanin.tabular.saving import check_destination

    started = time.perf_counter()
    folder = Path(arguments.out or default_folder(arguments.table))
    check_destination(folder, arguments.force)
    check_report(arguments.report)
    table, memory = opened(arguments.table, reading(arguments)), memory_for(arguments)
    if is_larger(table, memory):
        found: tuple[Any, Lines | None] = _train_in_pieces(table, folder, arguments, memory)
    else:
        found = _train(table, folder, arguments)
    return _close(*found, folder, time.perf_counter() - started)


def _train(table: TableFile, folder: Path, arguments: argparse.Namespace) -> tuple[Any, Lines | None]:
    """Train from a table in memory and save the model; return it, and where its report is, None after Ctrl-C."""
    from fanin.cli._show import show
    from fanin.tabular.saving import save_model
    from fanin.tabular.streaming.fitting import about
    from fanin.tabular.tasks import figures, prepare

    prepared = prepare(table, arguments.target, _options(arguments))
    show(*_data(prepared))
    _note_stand_ins(prepared.stand_ins, prepared.source)
    _note_figures(figures(prepared.target.labels()), prepared.source)
    _note_figures(figures(prepared.X), prepared.source)
    model = _fitted(prepared, arguments)
    model.about_ = about(table, arguments.target, arguments.weight)
    save_model(model, folder, arguments.force)
    try:
        judged, learned = (_rows(prepared, which) for which in (prepared.judged, prepared.learned))
        return model, _reported(model, judged, learned, folder, arguments)
    except KeyboardInterrupt:  # the model is saved: whoever has no patience for its report still has it
        return model, None


def _train_in_pieces(
    table: TableFile, folder: Path, arguments: argparse.Namespace, memory: Any
) -> tuple[Any, Lines | None]:
    """Train from a table larger than memory and save the model; return it, and where its report is, or how good it is.

    As `_train` does, None stands for Ctrl-C in the report.
    """
    from fanin.cli._pieces import fit_in_pieces, set_aside, told_in_pieces, validation
    from fanin.cli._show import show
    from fanin.tabular.saving import save_model
    from fanin.tabular.tasks import figures, row_numbers, stand_ins, tell_target

    weight = [] if arguments.weight is None else [arguments.weight]
    table.need([arguments.target, *arguments.ignore, *weight])
    target = tell_target(table.read(columns=[arguments.target]).to_series(), table.source, arguments.task)
    first = table.read(1000)
    counting = [name for name in row_numbers(first) if name != arguments.target]
    left_out = list(dict.fromkeys([*arguments.ignore, *counting]))
    aside = set_aside(table, target, arguments, memory)
    show(*told_in_pieces(table, target, left_out, aside))
    _note_stand_ins(stand_ins(first.drop(arguments.ignore)), table.source)
    _note_figures(figures(target.labels()), table.source)
    _note_figures(figures(first.drop({arguments.target, *left_out, *arguments.category})), table.source)
    rows = int(target.known.sum()) - len(aside.judged)
    # The values of the target are those of the whole table, and as large as a column of it.
    target = replace(target, values=target.values[:0], known=target.known[:0])
    model = _new_model(target, arguments)
    fit_in_pieces(model, table, target, arguments, left_out, memory, aside)
    save_model(model, folder, arguments.force)
    try:
        judged, learned = (_kept(model, aside.frame(name), table, arguments) for name in ("judged", "learned"))
        return model, _reported(model, judged, learned, folder, arguments, rows) or [("score", validation(model))]
    except KeyboardInterrupt:
        return model, None


def _kept(model: Any, frame: Any, table: TableFile, arguments: argparse.Namespace) -> Rows | None:
    """Return rows that were set aside; None where there are none."""
    from fanin.cli._judged import labelled

    return None if frame is None else labelled(model, frame, arguments.target, table.source, arguments.weight)


def _close(model: Any, report: Lines | None, folder: Path, seconds: float) -> int:
    from fanin.cli._show import show
    from fanin.tabular.fitting.ensemble import is_interrupted

    interrupted = report is None or is_interrupted(model.history_)
    title = "Stopped by Ctrl-C; what was trained by then is saved" if interrupted else "Done"
    show(_closing(title, model, folder, report or [], seconds))
    return INTERRUPTED if interrupted else 0


def default_folder(table: str) -> str:
    """Name the folder for a table's model: the table's name without its endings, in the current folder.

    >>> default_folder("data/diamonds.csv.gz")
    'diamonds.fanin'
    """
    name = Path(table).name
    for ending in (".gz", ".csv", ".tsv", ".txt", ".parquet"):
        name = name.removesuffix(ending)
    return (name or "table") + ".fanin"


def _options(arguments: argparse.Namespace) -> Options:
    from fanin.tabular.tasks import Options

    return Options(
        task=arguments.task,
        categories=tuple(arguments.category),
        ignore=tuple(arguments.ignore),
        weight=arguments.weight,
        held_out=arguments.held_out,
        seed=arguments.seed,
    )


# What was read --------------------------------------------------------------------------------------------------------


def _data(prepared: Prepared) -> list[str]:
    from fanin.cli._show import count, facts, grid, one_line

    rows = [
        (one_line(each.name), each.kind, f"{each.missing:,}", f"{each.distinct:,}", each.becomes)
        for each in prepared.columns[:MOST_COLUMNS]
    ]
    if len(rows) < len(prepared.columns):
        rows.append((f"and {len(prepared.columns) - len(rows)} more", "", "", "", ""))
    headings = ("column", "kind", "missing", "different", "becomes")
    target = prepared.target
    used = sum(each.kind != "left out" for each in prepared.columns)
    left = f", {len(prepared.columns) - used} left out" if used < len(prepared.columns) else ""
    lines = [
        ("table", f"{prepared.source}: {count(len(target.known), 'row')}, {count(used, 'column')} to learn from{left}"),
        ("target", f'"{one_line(target.name)}"'),
        ("task", f"{_task(prepared)} ({target.reason})"),
    ]
    if prepared.dropped:
        lines.append(("left out", f"{count(prepared.dropped, 'row')} without a target"))
    lines.append(("rows", f"{len(prepared.learned):,} to train on, {len(prepared.judged):,} held out for the report"))
    return [grid("Columns", headings, rows, right=(2, 3)), facts("Task", lines)]


def _note_stand_ins(found: dict[str, list[str]], source: str) -> None:
    """Say which texts may stand for a missing value."""
    from fanin.cli._reports import note

    for text, columns in found.items():
        where = f'column "{columns[0]}"' + (f" and {len(columns) - 1:,} more" if len(columns) > 1 else "")
        option = f"--missing {shlex.quote(text)}"
        note(f'{source}, {where}: "{text}" is a text like any other; if it means that a value is missing: {option}')


def _note_figures(found: dict[str, str], source: str) -> None:
    """Say which columns of numbers are learned from as categories, by the way they are written."""
    from fanin.cli._reports import note

    if found:
        (column, text), *others = found.items()
        where = f'column "{column}"' + (f" and {len(others):,} more" if others else "")
        note(
            f'{source}, {where}: "{text}" is a category, not a number; for numbers, write digits and a point alone,'
            " as 1234.5, or say which marks they have: --decimal , --thousands ."
        )


def _task(prepared: Prepared) -> str:
    if prepared.target.task == "numbers":
        return "numbers to predict"
    return f"{len(set(prepared.target.values.tolist())):,} classes to tell apart"


# Training and its report ----------------------------------------------------------------------------------------------


def _fitted(prepared: Prepared, arguments: argparse.Namespace) -> Any:
    from fanin.cli._progress import Bar
    from fanin.tabular.fitting.watching import watched

    model = _new_model(prepared.target, arguments)
    X, y = prepared.part(prepared.learned)
    weights = None if prepared.weights is None else prepared.weights[prepared.learned]
    measure = "log-loss" if prepared.target.task == "classes" else "R2"
    with Bar(measure, arguments.time_limit) as bar, watched(model, bar):
        bar.say("starting")
        model.fit(X, y, weights)
    return model


def _new_model(target: Target, arguments: argparse.Namespace) -> Any:
    from fanin.tabular import TabularClassifier, TabularRegressor

    names = ("preset", "time_limit", "epochs", "batch_size", "learning_rate", "hidden")
    given = {name: getattr(arguments, name) for name in names}
    kind = TabularClassifier if target.task == "classes" else TabularRegressor
    return kind(**given, random_state=arguments.seed)


def _rows(prepared: Prepared, which: Any) -> Rows | None:
    """Return some rows of a table in memory; None where there are none."""
    import polars

    from fanin.cli._judged import Rows

    if not len(which):
        return None
    X, y = prepared.part(which)
    weights = None if prepared.weights is None else prepared.weights[which]
    return Rows(X, polars.Series(prepared.target.name, y), weights)


def _reported(
    model: Any, judged: Rows | None, learned: Rows | None, folder: Path, arguments: argparse.Namespace, rows: int = 0
) -> Lines:
    """Print and write the report, and return the lines that say where it is; without rows to judge by there is none.

    rows: that the model has learned from, where those of the baselines are a sample of them.
    """
    from fanin.cli._judged import judged as report_of
    from fanin.cli._judged import with_sample
    from fanin.cli._reports import write_beside, write_report
    from fanin.cli._show import show
    from fanin.tabular.fitting.ensemble import is_interrupted

    if judged is None:
        return []
    report = with_sample(report_of(model, judged, learned, arguments, is_interrupted(model.history_)), rows)
    show(report.text())
    places = write_beside(report, folder)
    if arguments.report is not None:
        places.append(Path(arguments.report))
        write_report(report, places[-1])
    return [("report", ", ".join(map(str, places)))]


def _closing(title: str, model: Any, folder: Path, lines: Lines, spent: float) -> str:
    from fanin.cli._show import facts

    every = [("networks", _networks(model)), ("time", f"{spent:.1f} s in all"), ("model", str(folder)), *lines]
    every.append(("use it", f"fanin predict {shlex.quote(str(folder))} TABLE --out predictions.csv"))
    return facts(title, every)


def _networks(model: Any) -> str:
    """Tell the networks, kind by kind, with the epochs that were best and how many there were."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for each in model.history_:
        kinds.setdefault(each["network"], []).append(each)
    return ", ".join(f"{len(told)} x {kind} (best epoch {_epochs(told)})" for kind, told in kinds.items())


def _epochs(told: list[dict[str, Any]]) -> str:
    pairs = [f"{each['best_epoch']} of {each['epochs']}" for each in told]
    return ", ".join(pairs[:5]) + (", ..." if len(pairs) > 5 else "")
