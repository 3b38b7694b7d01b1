"""Show blocks of a report: tables on a terminal, aligned plain text in a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fanin.tabular.report import Block, Facts, Grid, as_text


def show(blocks: Sequence[Block]) -> None:
    """Print the blocks on the standard output, at once, so that they are read while training goes on."""
    if not (sys.stdout.isatty() and _show_rich(blocks)):
        print(as_text(blocks), flush=True)


def _show_rich(blocks: Sequence[Block]) -> bool:
    """Draw tables; False where rich is not installed."""
    try:
        from rich.console import Console
    except ImportError:
        return False
    console = Console(highlight=False)
    for block in blocks:
        console.print(f"[bold]{block.title}[/bold]")
        console.print(_facts(block) if isinstance(block, Facts) else _grid(block))
    return True


def _facts(block: Facts) -> object:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in block.lines:
        table.add_row(Text(name), Text(text))  # Text: a column named "[red]" is a name, not a colour
    return Padding(table, (0, 0, 1, 2))


def _grid(block: Grid) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for place, heading in enumerate(block.headings):
        table.add_column(heading, justify="right" if place in block.right else "left", overflow="fold")
    for place, row in enumerate(block.rows):
        table.add_row(*(Text(cell) for cell in row), style="bold" if place == block.stressed else None)
    return table
