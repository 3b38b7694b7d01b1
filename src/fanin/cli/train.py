"""`fanin train TABLE --target COLUMN`: learn one column of a table from the others."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.cli import INTERRUPTED

if TYPE_CHECKING:
    from fanin.tabular import Options, Result

DESCRIPTION = """\
Learn one column of a table from the others, and save the model.

The table is CSV (plain or gzipped) or Parquet. Texts, true/false, two different values and few different whole
numbers (at most 20, each in 4 rows or more on average) are classes to tell apart; other numbers are a quantity to
predict (regression). A fifth of the rows is held out, and the report shows the score on them beside what a constant
and a linear model reach. In CSV an empty field is the only missing value.
"""
EPILOG = """\
examples:
  fanin train diamonds.csv.gz --target price
  fanin train penguins.csv --target species --ignore year --out penguins.fanin
  fanin train sales.csv --target sold --missing NA --category shop_number

Ctrl-C ends training early and keeps the best epoch so far (status 130).
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="learn a column of a table, and save the model",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", metavar="TABLE", help="CSV (plain or gzipped) or Parquet file")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column to learn")
    parser.add_argument("--out", metavar="DIR", help="folder for the model (default: the table's name + .fanin, here)")
    parser.add_argument("--force", action="store_true", help="put the model in DIR even when it holds other things")
    _add_data_options(parser.add_argument_group("the data"))
    _add_network_options(parser.add_argument_group("the network (defaults depend on the number of rows)"))
    parser.set_defaults(handler=run)


def _add_data_options(group: Any) -> None:
    group.add_argument("--task", choices=("classes", "regression"), help="instead of what the target tells")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="leave a column out (repeatable)"
    )
    group.add_argument(
        "--category",
        action="append",
        default=[],
        metavar="COLUMN",
        help="read a column as levels, not numbers (repeatable)",
    )
    group.add_argument(
        "--missing", action="append", default=[], metavar="TEXT", help="a text that means missing, as NA (repeatable)"
    )
    group.add_argument(
        "--held-out",
        type=_share,
        default=0.2,
        metavar="SHARE",
        help="share of rows held out for the score (default 0.2)",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the split, the weights and the order (default 0)"
    )


def _add_network_options(group: Any) -> None:
    group.add_argument("--epochs", type=_positive, metavar="N", help="passes over the training rows")
    group.add_argument("--batch-size", type=_positive, metavar="N", help="rows per step")
    group.add_argument("--rate", type=float, metavar="X", help="highest learning rate")
    group.add_argument("--hidden", type=_widths, metavar="N,N,...", help="widths of the hidden layers, as 128,128,128")
    group.add_argument(
        "--activation", choices=("relu", "selu", "silu", "mish", "gelu", "tanh"), help="of the hidden layers"
    )
    group.add_argument("--dropout", type=float, metavar="P", help="share of hidden units left out in each step")
    group.add_argument(
        "--weight-decay", type=float, metavar="X", help="how fast weights that the loss does not need shrink"
    )
    group.add_argument("--threads", type=_positive, metavar="N", help="threads of matrix products (default 1)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    # What is slow to load waits until it is needed, so that --help and mistakes are answered at once.
    from fanin.cli._progress import Bar
    from fanin.cli._show import show
    from fanin.tabular import prepare, read_table, save_model, train
    from fanin.tabular.report import describe_data, describe_result
    from fanin.tabular.store import check_destination

    started = time.perf_counter()
    folder = Path(arguments.out or default_folder(arguments.table))
    table = read_table(arguments.table, arguments.missing)
    check_destination(folder, arguments.force)
    prepared = prepare(table, arguments.target, _options(arguments))
    show(describe_data(prepared))
    with Bar() as bar:
        result = train(prepared, bar)
    save_model(result.model, folder, arguments.force)
    show(describe_result(result))
    show([_closing(result, folder, time.perf_counter() - started)])
    return INTERRUPTED if result.interrupted else 0


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
    from fanin.tabular import Options

    names = ("epochs", "batch_size", "rate", "hidden", "activation", "dropout", "weight_decay", "threads")
    settings = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    return Options(
        task=arguments.task,
        held_out=arguments.held_out,
        seed=arguments.seed,
        categories=tuple(arguments.category),
        ignore=tuple(arguments.ignore),
        missing=tuple(arguments.missing),
        settings=settings,
    )


def _closing(result: Result, folder: Path, seconds: float) -> Any:
    from fanin.tabular.report import Facts

    lines = (
        ("time", f"{result.fitted.seconds:.1f} s to train, {seconds:.1f} s in all"),
        ("model", str(folder)),
        ("use it", f"fanin predict {_quoted(folder)} TABLE --out predictions.csv"),
    )
    return Facts("Done" if not result.interrupted else "Stopped by Ctrl-C; the best epoch so far is saved", lines)


def _quoted(folder: Path) -> str:
    import shlex

    return shlex.quote(str(folder))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(_positive(width) for width in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths like 128,128,128") from None
