"""How a search shares out its time."""

from __future__ import annotations

from typing import Any

import pytest

from fanin.tabular.search import run


class Kind:
    """Remembers what it was made with."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def fit(self, *rows: Any, **weights: Any) -> Kind:
        return self

    def set_params(self, time_limit: Any) -> Kind:
        self.after = time_limit
        return self


@pytest.mark.parametrize(("spent", "left"), [(6.0, 4.0), (9.5, 1.0), (30.0, 1.0)])
def test_the_fit_at_the_end_has_the_time_that_is_left_or_a_tenth(
    spent: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.time, "monotonic", lambda: 100.0 + spent)
    options = run.Options(None, 4, 10.0, 3, 0.2, None, (), True, False, 0, {"cv": 5})
    found = run._refitted(Kind, (1, 2), {}, options, {"dropout": 0.1}, 7, 100.0)
    assert found.given.pop("time_limit") == pytest.approx(left)
    assert found.given == {"cv": 5, "validation_fraction": 0.2, "random_state": 7, "settings": {"dropout": 0.1}}
    assert found.after is None
