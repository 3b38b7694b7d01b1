"""`fanin predict DIR TABLE`: predict with a model that `fanin train` saved."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin._core.errors import TableError

if TYPE_CHECKING:
    from fanin.tabular import Predictions
    from fanin.tabular.columns import Unknown

DESCRIPTION = """\
Predict every row of a table with a model that `fanin train` saved.

Writes CSV, one line per row of the table and in its order: the column "prediction", and for classes the probability
of each. The table needs the columns that the model was trained with; others, the target too, are ignored. A level
that training did not see counts as unknown, with a warning.
"""
EPILOG = """\
examples:
  fanin predict diamonds.fanin new.csv --out predictions.csv
  fanin predict penguins.fanin penguins.parquet | head
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
    parser.add_argument("--out", metavar="FILE", help="CSV file to write (default: standard output)")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from fanin.tabular import load_model, read_table

    model = load_model(arguments.model)
    table = read_table(arguments.table, model.missing)
    if arguments.out is not None:
        _check_file(Path(arguments.out), Path(arguments.table))
    predictions = model.predict(table)
    _warn(predictions.unknown)
    text = as_csv(predictions)
    if arguments.out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(Path(arguments.out), text)
    return 0


def as_csv(predictions: Predictions) -> str:
    """Predictions as CSV; numbers are written so that reading them gives the same float64 again."""
    import polars

    columns: dict[str, Any] = {"prediction": predictions.labels()}
    if predictions.probabilities is not None:
        for place, name in enumerate(predictions.target.classes):  # type: ignore[union-attr]
            columns[f"probability_{name}"] = predictions.probabilities[:, place]
    return str(polars.DataFrame(columns).write_csv())


def _warn(unknown: Sequence[Unknown]) -> None:
    for each in unknown:
        levels = ", ".join(f'"{level}"' for level in each.levels[:5]) + (", ..." if len(each.levels) > 5 else "")
        rows = "1 row has a level" if each.rows == 1 else f"{each.rows:,} rows have levels"
        line = f'fanin: warning: column "{each.name}": {rows} that training did not see ({levels}), taken as unknown'
        print(" ".join(line.split()), file=sys.stderr)


def _check_file(path: Path, table: Path) -> None:
    if path.is_dir():
        raise TableError(f"{path} is a folder; --out needs a file")
    if not path.absolute().parent.is_dir():
        raise TableError(f"no such folder: {path.parent}")
    if path.exists() and path.samefile(table):
        raise TableError(f"{path} is the table itself; choose another file with --out")


def _write(path: Path, text: str) -> None:
    """Write beside its place and rename, so that the file is never half there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # a temporary file is private; one that was asked for is like any other
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
