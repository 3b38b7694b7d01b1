"""The pages of `docs`: their programs run, and print what the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanin.compiler.native.target import named, runs_here
from tests.pages import mistakes, rewritten

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def test_there_are_pages() -> None:
    assert {page.stem for page in PAGES} >= {"engine", "training"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_programs_print_what_the_page_says(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if runs_here(named("avx2")):
        monkeypatch.setenv("FANIN_ISA", "avx2")
    monkeypatch.setenv("FANIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    found = mistakes(page.read_text(encoding="utf-8"))
    assert not found, "\n\n".join(found)


# The check itself -----------------------------------------------------------------------------------------------------


def page_of(*blocks: tuple[str, str]) -> str:
    return "\n\nSome text.\n\n".join(f"```{language}\n{text}\n```" for language, text in blocks)


SUM = ("python", "print(1 + 1)")


@pytest.mark.parametrize(
    "page",
    [
        page_of(SUM, ("text", "2")),
        page_of(("python", "x = 3"), ("python", "print('a', x, 'b')"), ("text", "a ... b")),
        page_of(("python", "1 / 0"), ("text", "ZeroDivisionError: division by zero")),
        page_of(SUM, ("text", "2")).replace("```text", "<!-- only llvm 1 -->\n```text").replace("2", "another"),
    ],
)
def test_a_page_that_is_right(page: str) -> None:
    assert mistakes(page) == []


@pytest.mark.parametrize(
    "page",
    [
        page_of(SUM, ("text", "3")),
        page_of(SUM),
        page_of(("python", "x = 1"), ("text", "1")),
        page_of(("python", "1 / 0")),
        page_of(("python", "1 / 0"), ("python", "x = 1")),
        page_of(("python", "print('a')"), ("text", "a ... b")),
    ],
)
def test_a_page_that_is_wrong(page: str) -> None:
    assert len(mistakes(page)) == 1


def test_output_is_written_anew() -> None:
    page = page_of(SUM, ("text", "3"), ("python", "print('a b')"), ("text", "a ..."))
    assert rewritten(page) == page.replace("\n3\n", "\n2\n")
