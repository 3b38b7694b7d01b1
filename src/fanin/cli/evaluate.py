"""`fanin evaluate DIR TABLE`: report how good a saved model is on a labelled table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fanin._core.errors import TableError

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
    parser.add_argument("--train", metavar="TABLE", help="the table that baselines learn from")
    parser.add_argument("--report", metavar="FILE", help="write the report here, too: .html, .txt or .json")
    parser.add_argument("--no-importance", action="store_true", help="do without the importance of columns")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default 0)")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from fanin.cli._progress import Bar
    from fanin.cli._reports import check_report, write_report
    from fanin.cli._show import facts, show
    from fanin.tabular import load_model
    from fanin.tabular.evaluation import evaluate

    check_report(arguments.report)
    model = load_model(arguments.model)
    _check(model, arguments.model)
    target = _target(model, arguments)
    X, y = _labelled(model, arguments.table, target)
    train = None if arguments.train is None else _labelled(model, arguments.train, target)
    with Bar() as bar:
        report = evaluate(
            model, X, y, train=train, importance=not arguments.no_importance, seed=arguments.seed, progress=bar.say
        )
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


def _labelled(model: Any, path: str, target: str) -> tuple[Any, Any]:
    """Return the columns of the model, and the target, of the rows that have one and can be used."""
    import polars

    from fanin.cli._reports import warn
    from fanin.tabular.files import open_table
    from fanin.tabular.tasks import labels_as, numbers_as, usable

    table = open_table(path, missing=model.about_.get("missing", ()))
    names = [str(name) for name in model.feature_names_in_]
    table.need([target, *names])
    frame = table.read()
    frame = frame.filter(frame.get_column(target).is_not_null())
    if not frame.height:
        raise TableError(f'{path}: the target "{target}" is missing in all rows')
    X, kept, warnings = usable(frame.select(names), model, path)
    for each in warnings:
        warn(each)
    series = frame.get_column(target).filter(kept)
    classes = getattr(model, "classes_", None)
    values = numbers_as(series, path) if classes is None else labels_as(series, classes.dtype)
    return X, polars.Series(target, values)
