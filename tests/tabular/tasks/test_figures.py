"""Numbers that only people read as numbers are found, and nothing else is taken for them."""

from __future__ import annotations

import polars
import pytest

from fanin.tabular.tasks import figures


def told(*forms: str) -> dict[str, str]:
    """Return what is told of a column with ten texts of each form."""
    return figures(polars.DataFrame({"x": [form.replace("#", str(n)) for n in range(10) for form in forms]}))


@pytest.mark.parametrize(
    "form",
    "#,5|-#,25|1.#00,5|1,#00.50|1\u00a0#00|1 #00|1'#00|\u20ac #.50|$#|#,50 \u20ac|#%|# %|USD #|1,#00.5 EUR".split("|"),
)
def test_found(form: str) -> None:
    assert told(form) == {"x": form.replace("#", "0")}
    assert told(form, "3") == {"x": form.replace("#", "0")}  # beside others that are read as numbers


@pytest.mark.parametrize(
    "form",
    ["#.5", "0#12", "1.2.3.#", "1,2,#", "1#.12.2020", "1#:30", "A#", "ABC#", "ABC #", "0#1 555 1234", "#-5", "# rooms"],
)
def test_not_found(form: str) -> None:
    assert told(form) == {}


def test_few_texts_and_other_types_are_left_alone() -> None:
    nine = [f"{n},5" for n in range(9)] * 3
    assert figures(polars.DataFrame({"x": nine, "y": range(27), "z": [None] * 27})) == {}
    assert figures(polars.DataFrame({"x": [*nine, "9,5", None]})) == {"x": "0,5"}
    assert figures(polars.DataFrame({"x": [*nine, "9,5", "low"]})) == {}
