"""A figure as SVG text that can stand in a page beside others."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable
from typing import ParamSpec
from xml.etree import ElementTree

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Colours that stand for the page's own: each is drawn as one that occurs nowhere else, and then named.
INK, QUIET, LINE, ACCENT, OTHER = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
NAMES = {INK: "ink", QUIET: "quiet", LINE: "line", ACCENT: "accent", OTHER: "other"}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
NAMESPACE = "http://www.w3.org/2000/svg"

Arguments = ParamSpec("Arguments")


def picture(draw: Callable[Arguments, str]) -> Callable[Arguments, str]:
    """Let a function draw with matplotlib's own settings, whatever those of the program are, and leave these alone."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # the page's font has them
            matplotlib.rcdefaults()
            matplotlib.rc("svg", hashsalt="fanin", fonttype="none")
            matplotlib.rc("font", size=9.0)
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, which has no part in the state of matplotlib.pyplot."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def as_svg(figure: Figure, key: str, label: str) -> str:
    """Return a figure as an `svg` element, the same text for the same figure.

    Args:
        figure: what is drawn.
        key: begins the ids in it, so that those of two pictures differ.
        label: says what the picture shows, for those who do not see it.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=NO_METADATA, transparent=True)
    text = file.getvalue()
    drawn = ElementTree.fromstring(text[text.index("<svg") :])
    width = float(drawn.attrib["viewBox"].split()[2])
    root = ElementTree.Element("svg", xmlns=NAMESPACE, viewBox=drawn.attrib["viewBox"], role="img")
    style = f"max-width: {width * 4 / 3:.0f}px; stroke-linejoin: round"
    root.attrib |= {"aria-label": printable(label), "style": style}
    ElementTree.SubElement(root, "title").text = printable(label)
    root.extend(each for each in drawn if not each.tag.endswith("metadata"))
    _clean(root, key)
    return ElementTree.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Return a text with a mark in place of characters that XML cannot hold, or that no one sees.

    >>> printable("a" + chr(7) + "b")
    'a\ufffdb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _clean(root: ElementTree.Element, key: str) -> None:
    """Make it a part of a page: ids of its own and only where they are used, the page's colours and font."""
    for parent in [*root.iter()]:
        parent.tag = parent.tag.rpartition("}")[2]
        parent.text, parent.tail = parent.text if parent.tag in ("text", "tspan", "title") else None, None
        for style in [each for each in parent if each.tag.endswith("}style")]:
            parent.remove(style)  # it would be the whole page's
    used = {name for each in root.iter() for value in each.attrib.values() for name in _referred(value)}
    for each in root.iter():
        each.attrib = {
            name.rpartition("}")[2]: _value(name, value, key)
            for name, value in each.attrib.items()
            if name != "id" or value in used
        }


def _referred(value: str) -> list[str]:
    return [plain or named for plain, named in re.findall(r"^#(.*)$|url\(#([^)]*)\)", value)]


def _value(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name == "aria-label":
        return value
    if name == "style":
        value = "; ".join(_styles(value))
    if name.endswith("href"):
        return re.sub("^#", f"#{key}-", value)
    return re.sub(r"url\(#", f"url(#{key}-", value)


def _styles(value: str) -> list[str]:
    """Return the parts of a style in the page's colours and without a font."""
    kept = []
    for part in value.split(";"):
        name, _, said = part.strip().partition(": ")
        if name == "font":
            size = re.search(r"[\d.]+px", said)
            name, said = "font-size", size[0] if size else "10px"
        if name and name != "font-family":
            kept.append(f"{name}: " + (f"var(--{NAMES[said]})" if said in NAMES else said))
    return kept
