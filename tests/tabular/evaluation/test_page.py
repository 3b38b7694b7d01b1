"""The page: well-formed, self-contained, the same for the same report, and safe from what columns are called."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas
import pytest

from fanin.tabular.evaluation import Evaluation, evaluate
from tests.tabular.evaluation.fakes import Classifier, WithIntervals, two

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script>", 'a" onload="alert(2)', "</style></svg>\x00\x1b[31m\u202e", "{{ 7*7 }} $x^{ &amp;"


class Page(HTMLParser):
    """Collects what a page holds, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += [f"{tag} is not closed" for tag in self.open]
        self.wrong += [f"id {name} is there {count} times" for name, count in self.ids.items() if count > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.elements.append((tag, dict(attrs)))
        self.ids.update(value or "" for name, value in attrs if name == "id")
        if len(dict(attrs)) < len(attrs):
            self.wrong.append(f"{tag} has an attribute twice")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def external(text: str) -> list[str]:
    """Return what a page would fetch, or leads out of it, but for the name of SVG."""
    text = text.replace("http://www.w3.org/2000/svg", "")
    return re.findall(r"https?:|//\w+\.|@import|url\((?!#)|src=|<link|<script|<iframe|javascript:", text)


def test_the_checks_see_what_is_wrong() -> None:
    assert Page("<p><b>x</p></b>").wrong
    assert Page("<p id='a'></p><p id='a'></p>").wrong
    assert Page("<div>").wrong
    assert not Page("<p id='a'>x<br></p>").wrong
    assert external('<a href="https://example.org">')
    assert external("background: url(x.png)")
    assert not external('<use href="#a"/><g clip-path="url(#b)"/>')


def classes(rows: int = 90) -> Evaluation:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({name: rng.normal(size=rows) for name in HOSTILE})
    y = np.where(rng.random(rows) < 0.5, HOSTILE[0], HOSTILE[2])
    score = np.where(y == HOSTILE[2], 0.7, 0.2)
    frame[HOSTILE[1]] = score
    model = Classifier([HOSTILE[0], HOSTILE[2]], lambda X: two(X[HOSTILE[1]].to_numpy()))
    return evaluate(model, frame, pandas.Series(y, name=HOSTILE[0]), train=(frame, y))


def numbers() -> Evaluation:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = pandas.DataFrame({HOSTILE[0]: X[:, 0] + rng.normal(size=90)})
    return evaluate(WithIntervals(lambda X: X[:, 0], 1.0), X, y, train=(X, y))


def several() -> Evaluation:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    Y = pandas.DataFrame({HOSTILE[0]: X[:, 0], HOSTILE[2]: X[:, 1] + rng.normal(size=60)})
    return evaluate(_Both(), X, Y, importance=False)


class _Both:
    def predict(self, X: Any) -> Any:
        return X


@pytest.fixture(scope="module", params=[classes, numbers, several], ids=lambda make: make.__name__)
def report(request: Any) -> Evaluation:
    found: Evaluation = request.param()
    return found


@pytest.fixture(scope="module")
def html(report: Evaluation) -> str:
    return report.html()


def test_the_page_is_well_formed(html: str) -> None:
    page = Page(html)
    assert not page.wrong
    assert page.tags["svg"] >= 2
    assert page.tags["html"] == page.tags["main"] == page.tags["h1"] == 1


def test_the_page_fetches_nothing(html: str) -> None:
    assert not external(html)


def test_names_are_texts_and_nothing_else(html: str) -> None:
    page = Page(html)
    assert not page.tags["script"]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert "\x00" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert any("<script>alert(1)</script>" in text for text in page.words)
    assert "49" not in [text.strip() for text in page.words]


def test_ids_that_are_referred_to_are_there(html: str) -> None:
    referred = set(re.findall(r'url\(#([^)]+)\)|(?:href|labelledby)="#?([^"]+)"', html))
    ids = set(Page(html).ids)
    assert {one or two for one, two in referred} <= ids
    assert referred


def test_tables_and_pictures_say_what_they_are(html: str) -> None:
    page = Page(html)
    heads = [attrs for tag, attrs in page.elements if tag == "th"]
    assert heads
    assert all(attrs.get("scope") in ("col", "row") for attrs in heads)
    pictures = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in pictures)
    assert page.elements[1][0] == "head"
    assert dict(page.elements)["html"] == {"lang": "en"}


def test_the_page_follows_the_reader(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_colours_of_pictures_are_those_of_the_page(html: str) -> None:
    body = html.partition("<body>")[2]
    assert not re.findall(r"#[0-9a-f]{6}\b", body)
    assert set(re.findall(r"var\(--(\w+)\)", body)) <= {"ink", "quiet", "line", "accent", "other"}


def test_the_page_is_the_same_again_whatever_the_settings_of_matplotlib() -> None:
    import matplotlib

    report = numbers()
    html = report.html()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True, "svg.fonttype": "path"}):
        assert report.html() == html
        assert matplotlib.rcParams["font.size"] == 30


def test_findings_stand_before_tables(report: Evaluation, html: str) -> None:
    words = " ".join(Page(html).words)
    for each in report.findings:
        assert words.index(each.text) < words.index("Scores")


def fresh(program: str) -> str:
    """Run a program in a Python of its own, and return what it prints."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def test_a_report_loads_what_it_uses_and_names_a_missing_extra() -> None:
    program = """
import sys
import numpy as np
from tests.tabular.evaluation.fakes import judged, two
report = judged(two(np.full(20, 0.5)), np.arange(20) % 2)
print(len(report.text()) > 100, {"matplotlib", "jinja2"} & {*sys.modules})
for missing in ("jinja2", "matplotlib"):
    sys.modules[missing] = None
    try:
        report.html()
    except ImportError as error:
        print(type(error).__name__, error)
    del sys.modules[missing]
"""
    remedy = 'which is not installed: pip install "fanin[tabular]"'
    assert fresh(program).splitlines() == [
        "True set()",
        f"MissingExtraError the page needs jinja2, {remedy}",
        f"MissingExtraError pictures need matplotlib, {remedy}",
    ]


def test_without_scikit_learn_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["sklearn"] = None
try:
    import fanin.tabular.evaluation
except ImportError as error:
    print(error)
"""
    assert fresh(program) == 'the report needs scikit-learn, which is not installed: pip install "fanin[tabular]"'
