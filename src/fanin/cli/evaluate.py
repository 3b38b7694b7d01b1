"""`fanin evaluate DIR TABLE`: report how good a saved model is on a labelled table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin._core.errors import TableError
from fanin.cli._arguments import add_marks, reading, seed

if TYPE_CHECKING:
    from fanin.cli._judged import Rows

DESCRIPTION = """\
Report how good a model that `fanin train` saved is on a table that it was not trained on.

The table needs the columns that the model was trained with, and the target. Scores have 95% intervals; baselines
learn from the table given by --train, without it the only one is a constant. Rows without a target are left out, as
are those with a text where the model expects a number or a date: these are told.
"""
EPILOG = """\
examples:
  fanin evaluate diamonds.fanin new.csv
  fanin evaluate diamonds.fanin new.csv --train diamonds.csv.gz --report report.html
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="report how good a saved model is on a labelled table",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="DIR", help="folder that `fanin train` saved")
    parser.add_argument("table", metavar="TABLE", help="CSV (plain or gzipped) or Parquet file")
    parser.add_argument("--target", metavar="COLUMN", help="the target's name, where it is not that of training")
    parser.add_argument(
        "--weight", metavar="COLUMN", help="how much each row counts (default: the column of training, where it is)"
    )
    parser.add_argument("--train", metavar="TABLE", help="the table that baselines learn from")
    parser.add_argument("--report", metavar="FILE", help="write the report here, too: .html, .txt or .json")
    parser.add_argument("--no-importance", action="store_true", help="do without the importance of columns")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of all that is drawn (default 0)")
    add_marks(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from fanin.cli._judged import judged
    from fanin.cli._reports import check_report, write_report
    from fanin.cli._show import facts, show
    from fanin.tabular import load_model

    check_report(arguments.report)
    model = load_model(arguments.model)
    _check(model, arguments.model)
    target = _target(model, arguments)
    rows = _read(model, arguments.table, target, arguments)
    learned = None if arguments.train is None else _read(model, arguments.train, target, arguments)
    report = judged(model, rows, learned, arguments)
    show(report.text())
    if arguments.report is not None:
        write_report(report, Path(arguments.report))
        show(facts("Done", [("report", arguments.report)]))
    return 0


def _check(model: Any, folder: str) -> None:
    """Raise TableError for a model that cannot find its columns in a file, or has several targets."""
    if not hasattr(model, "feature_names_in_"):
        raise TableError(f"{folder} was trained with columns without names: it cannot find them in a table")
    if np.ndim(getattr(model, "_spread", 0.0)) and len(model._spread) > 1:
        raise TableError(f"{folder} predicts {len(model._spread)} targets: judge it by fanin.tabular.evaluate")


def _target(model: Any, arguments: argparse.Namespace) -> str:
    name = arguments.target or model.about_.get("target")
    if name is None:
        raise TableError(f"{arguments.model} does not say what its target was called: name it with --target")
    return str(name)


def _read(model: Any, path: str, target: str, arguments: argparse.Namespace) -> Rows:
    """Return the columns of the model, the target and the weights, of the rows that have a target and can be used."""
    from fanin.cli._judged import labelled
    from fanin.tabular.files.opening import opened

    table = opened(path, reading(arguments, model.about_))
    weight = arguments.weight
    table.need([target, *map(str, model.feature_names_in_), *([] if weight is None else [weight])])
    if weight is None and model.about_.get("weight") in table.names:
        weight = model.about_["weight"]
    return labelled(model, table.read(), target, path, weight)
