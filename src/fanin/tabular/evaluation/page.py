"""A report as one page of HTML: styles and pictures are inside, nothing is fetched, and no program runs in it.

Every text is escaped where it is put into the page, as names of columns and labels may be anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

from fanin._core.errors import MissingExtraError

try:
    import jinja2
    from markupsafe import Markup
except ImportError as error:
    raise MissingExtraError('the page needs jinja2, which is not installed: pip install "fanin[tabular]"') from error

from fanin.tabular.evaluation.drawing import drawn
from fanin.tabular.evaluation.grids import Grid, grids
from fanin.tabular.evaluation.records import MODEL
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.text import heading, notes
from fanin.tabular.evaluation.words import count, measured, shortened, span

TITLES = {
    "scores": "Scores",
    "leads": "How much better than the baselines",
    "classes": "Classes",
    "residuals": "Errors",
    "importance": "Importance of columns",
    "calibration": "Calibration",
}
SECTION_OF = {"confusion": "classes", "mistakes": "classes", "worst": "residuals"}
TILES = {
    "classes": ("accuracy", "log-loss", "ROC AUC", "ROC AUC, one vs rest", "calibration error"),
    "numbers": ("RMSE", "MAE", "R2", "coverage of the 90% interval"),
}


@dataclass
class Section:
    """A part of the page."""

    title: str
    grids: list[Grid] = field(default_factory=list)
    pictures: list[Markup] = field(default_factory=list)


@dataclass(frozen=True)
class Tile:
    """A score that is shown large."""

    name: str
    value: str
    span: str


@dataclass(frozen=True)
class Look:
    """The classes and the style of a cell."""

    names: str = ""
    style: str = ""


def page(report: Evaluation) -> str:
    """Return the page."""
    folder = files("fanin.tabular.evaluation")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["looks"] = _look
    of_table = environment.from_string(folder.joinpath("table.html").read_text(encoding="utf-8"))
    whole = environment.from_string(folder.joinpath("page.html").read_text(encoding="utf-8"))

    def table(grid: Grid, captioned: bool) -> Markup:
        return Markup(of_table.render(grid=grid, captioned=captioned))  # escaped by its own template

    shown = whole.render(
        report=report,
        heading=heading(report),
        about=_about(report),
        tiles=_tiles(report),
        sections=_sections(report),
        notes=notes(report),
        table=table,
    )
    return "\n".join(line for line in shown.splitlines() if line.strip()) + "\n"


def _sections(report: Evaluation) -> list[Section]:
    """Return tables and pictures by what they are about, in the order of the tables."""
    found: dict[str, Section] = {}
    for grid in grids(report):
        key = SECTION_OF.get(grid.key, grid.key)
        found.setdefault(key, Section(TITLES[key])).grids.append(grid)
    for key, svg in drawn(report):
        found[key].pictures.append(Markup(svg))  # its texts are escaped by the writer of XML
    return list(found.values())


def _about(report: Evaluation) -> str:
    names = ", ".join(shortened(each, 40) for each in report.targets[:5]) + (", ..." if len(report.targets) > 5 else "")
    task = count(len(report.labels), "class").replace("classs", "classes") if report.task == "classes" else "numbers"
    learned = f"; baselines learned from {count(report.trained_on, 'row')}" if report.trained_on else ""
    return f"Target: {names} ({task}){learned}. Intervals are 95%."


def _tiles(report: Evaluation) -> list[Tile]:
    """Return the scores of the model on its first target."""
    own = [each for each in report.scores if each.method == MODEL and each.target == report.targets[0]]
    by = {each.name: each for each in own}
    where = f" of {shortened(report.targets[0], 20)}" if len(report.targets) > 1 else ""
    return [
        Tile(f"{by[name].name}{where}", measured(name, by[name].value), span(name, by[name].low, by[name].high))
        for name in TILES[report.task]
        if name in by
    ]


def _look(grid: Grid, place: int, cell: str, row: tuple[str, ...]) -> Look:
    """Return how a cell looks: numbers flush right, a confusion the darker the more of its row is there."""
    names = ["right"] if place in grid.right else []
    if grid.key == "scores" and place == 1:
        names.append("own")
    if grid.key == "leads" and cell in ("better", "worse"):
        names.append(cell)
    if grid.key != "confusion":
        return Look(" ".join(names))
    rows = [int(each.replace(",", "")) for each in row[1:]]
    right = grid.rows.index(row) == place - 1
    share = rows[place - 1] / max(1, sum(rows))
    return Look(" ".join([*names, "heat" if right else "heat wrong"]), f"--share: {share:.3f}")
