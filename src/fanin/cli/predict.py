"""`fanin predict DIR TABLE`: predict with a model that `fanin train` saved."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.cli._arguments import add_marks, share

if TYPE_CHECKING:
    from fanin.tabular.files import PredictedFile

TOLD = 20  # rows without a prediction that are told one by one
ENDINGS = (".csv", ".csv.gz", ".parquet")

DESCRIPTION = """\
Predict every row of a table with a model that `fanin train` saved.

Writes one row for each of the table's, in its order: the column "prediction", and for classes the probability of
each. The table needs the columns that the model was trained with; others, the target too, are ignored. It may be
larger than memory. A row that cannot be used (a line with too few fields, a text where the model expects a number) has
no prediction, and the standard error says why. It tells, too, of categories that training did not see, which count
as missing, and of numbers far outside of the range of training.
"""
EPILOG = """\
examples:
  fanin predict diamonds.fanin new.csv --out predictions.csv
  fanin predict diamonds.fanin new.parquet --keep id --interval 0.9 --out predictions.parquet
  fanin predict penguins.fanin penguins.csv.gz | head
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "predict",
        help="predict the rows of a table with a saved model",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="DIR", help="folder that `fanin train` saved")
    parser.add_argument("table", metavar="TABLE", help="CSV (plain or gzipped) or Parquet file")
    parser.add_argument(
        "--out", metavar="FILE", help=f"file to write: {', '.join(ENDINGS)} (default: CSV on the standard output)"
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="COLUMN", help="write a column of the table, too (repeatable)"
    )
    parser.add_argument(
        "--interval", type=share, metavar="COVERAGE", help="for numbers, the interval that covers so many, as 0.9"
    )
    parser.add_argument("--no-probabilities", action="store_true", help="for classes, write the prediction alone")
    parser.add_argument(
        "--missing", action="append", metavar="TEXT", help="a text that means missing, in place of those of training"
    )
    add_marks(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from fanin.cli._reports import check_file
    from fanin.tabular import load_model

    model = load_model(arguments.model)
    if arguments.out is None:
        return _to_output(model, arguments)
    check_file(Path(arguments.out), "--out")
    _warn(_predicted(model, arguments, Path(arguments.out)), arguments.table)
    return 0


def _to_output(model: Any, arguments: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")  # as CSV in files is
    # Through a file: what is printed is whole, and a reader that stops early does not cut the work short.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        done = _predicted(model, arguments, path)
        with path.open(encoding="utf-8") as file:
            shutil.copyfileobj(file, sys.stdout)
        sys.stdout.flush()
    _warn(done, arguments.table)
    return 0


def _predicted(model: Any, arguments: argparse.Namespace, path: Path) -> PredictedFile:
    from fanin.cli._progress import Bar
    from fanin.tabular.files import predict_file

    with Bar() as bar:
        return predict_file(
            model,
            arguments.table,
            path,
            probabilities=not arguments.no_probabilities,
            interval=arguments.interval,
            keep=arguments.keep,
            missing=arguments.missing,
            separator=arguments.separator,
            decimal=arguments.decimal,
            thousands=arguments.thousands,
            progress=bar.rows,
        )


def _warn(done: PredictedFile, table: str) -> None:
    from fanin.cli._reports import note, warn
    from fanin.cli._show import count

    for strange in done.unfamiliar[:TOLD]:
        note(f"{table}, {strange}")
    if len(done.unfamiliar) > TOLD:
        note(f"{table}: {len(done.unfamiliar) - TOLD:,} more columns have values unlike those that were learned from")

    for each in done.unusable[:TOLD]:
        warn(f"{table}, {each}")
    if done.left:
        told = "" if len(done.unusable) <= TOLD else f", the first {TOLD} reasons are above"
        warn(f"{table}: {done.left:,} of {count(done.rows, 'row')} could not be used and have no prediction{told}")
