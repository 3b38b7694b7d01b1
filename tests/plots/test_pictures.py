"""Pictures are SVG that can stand in a page: parts of it show what they should."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from fanin import plots

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ["<b>&", 'quo"te', "$x_{", "\x00\x1b", "n" * 99]
PICTURES: dict[str, Callable[[str], str]] = {
    "bars": lambda key: plots.bars(NAMES, [5.0, 4, 3, 2, -1], [0.1] * 5, key, "rise of $"),
    "leads": lambda key: plots.leads(NAMES[:2], [1.0, -1], [0.5, -2], [1.5, 0], key, "better by <RMSE>"),
    "reliability": lambda key: plots.reliability([0.2, 0.7], [0.1, 0.8], [0, 0.7], [0.3, 0.9], [5, 9], key, "a & b"),
    "coverage": lambda key: plots.coverage([0.5, 0.9], [0.4, 0.8], [0.3, 0.7], [0.5, 0.9], key, "coverage"),
    "scatter": lambda key: plots.scatter([1.0, 2, 3], [0.1, 0, -0.1], key, "predicted $", "error", "errors"),
    "histogram": lambda key: plots.histogram([1.0, 2, 2, 3], key, "error", "errors"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_xml_with_ids_of_its_own(name: str) -> None:
    text = PICTURES[name]("key")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == root.findtext(f"{SVG}title")
    ids = [each.attrib["id"] for each in root.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids))
    assert all(each.startswith("key-") for each in ids)
    referred = {one or two for one, two in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)}
    assert referred == set(ids)
    assert text.count("http") == 1
    assert "style type" not in text
    assert "font-family" not in text


def test_a_picture_is_the_same_again_and_differs_by_its_key() -> None:
    assert PICTURES["coverage"]("key") == PICTURES["coverage"]("key")
    assert PICTURES["coverage"]("key").replace("key-", "other-") == PICTURES["coverage"]("other")


def test_names_are_shown_as_they_are_or_shortened() -> None:
    root = ElementTree.fromstring(PICTURES["bars"]("key"))
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert {"<b>&", 'quo"te', "$x_{", "\ufffd\ufffd", "n" * 25 + "..."} <= set(texts)
    assert "rise of $" in texts


def test_bars_are_as_long_as_their_values() -> None:
    root = ElementTree.fromstring(plots.bars(["a", "b"], [4.0, 1.0], [0.0, 0.0], "key", "rise"))
    filled = [each.attrib["d"] for each in root.iter(f"{SVG}path") if "var(--accent)" in each.attrib.get("style", "")]
    spans = [[float(x) for x in re.findall(r"[ML] ([\d.]+) ", path)] for path in filled]
    lengths = [max(xs) - min(xs) for xs in spans if len(xs) > 2]
    assert lengths[0] / lengths[1] == pytest.approx(4, rel=1e-3)


def test_errors_that_are_all_the_same_make_a_picture() -> None:
    assert plots.histogram([0.0] * 5, "key", "error", "errors").startswith("<svg")
    assert plots.scatter([1.0, 1.0], [0.0, 0.0], "key", "x", "y", "errors").startswith("<svg")
