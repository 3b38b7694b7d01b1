"""The comparison rejects every kind of wrong answer: each is planted here."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.parity import store
from tests.parity.harness import TORCH_VERSION, Array, Case, Registry, case, differences, flatten, raises

RULES = Case("area", "name", lambda torch: None)
EXACT = Case("area", "name", lambda torch: None, exact=True)


def entries(**changed: Any) -> dict[str, Any]:
    """Return a good answer, with some entries replaced."""
    single, double = np.array([[1.0, -2.0], [3.0, 1e-3]], np.float32), np.array([1.0, 2.0])
    good = {"single": Array("float32", single), "double": Array("float64", double), "count": 3, "rate": 0.1}
    good |= {"text": "Linear(3, 2)", "whole": Array("int64", np.array([1, 2])), "flag": True, "none": None}
    return good | changed


def scaled(by: float, dtype: type = np.float32) -> Array:
    """Return the good answer's tensor with its last entry multiplied."""
    values = entries()["single" if dtype is np.float32 else "double"].values.copy()
    values.flat[-2] *= by
    return Array(np.dtype(dtype).name, values.astype(dtype))


def test_the_right_answer_is_accepted() -> None:
    assert differences(RULES, entries(), entries()) == []
    assert differences(EXACT, entries(), entries()) == []


WRONG = {
    "value": {"single": scaled(1 + 1e-5)},
    "double value": {"double": scaled(1 + 1e-10, np.float64)},
    "dtype": {"single": Array("float64", entries()["single"].values.astype(np.float64))},
    "name of the dtype": {"single": Array("bfloat16", entries()["single"].values)},
    "shape": {"double": Array("float64", np.array([[1.0, 2.0]]))},
    "empty shape": {"double": Array("float64", np.zeros((0,)))},
    "integer": {"whole": Array("int64", np.array([1, 3]))},
    "text": {"text": "Linear(3,2)"},
    "count": {"count": 4},
    "count as float": {"count": 3.0},
    "flag as count": {"flag": 1},
    "rate": {"rate": 0.1 * (1 + 1e-5)},
    "none": {"none": 0},
    "number for a tensor": {"double": 1.0},
    "nan": {"single": scaled(math.nan)},
    "inf": {"single": scaled(math.inf)},
    "additional entry": {"more": 1},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_planted_wrong_answer_is_rejected(wrong: str) -> None:
    (sentence,) = differences(RULES, entries(), entries(**WRONG[wrong]))
    assert next(iter(WRONG[wrong])) in sentence


def test_a_missing_entry_is_rejected() -> None:
    short = entries()
    del short["text"]
    assert differences(RULES, entries(), short) == ["area.name: no entry 'text'"]


def test_exact_means_every_bit() -> None:
    one = entries()["single"].values
    next_up = Array("float32", np.nextafter(one, np.float32(10)))
    assert differences(RULES, entries(), entries(single=next_up)) == []
    assert len(differences(EXACT, entries(), entries(single=next_up))) == 1
    zero, negative = entries(double=Array("float64", np.zeros(2))), entries(double=Array("float64", -np.zeros(2)))
    assert differences(RULES, zero, negative) == []
    assert len(differences(EXACT, zero, negative)) == 1


def test_nan_and_infinity_stand_where_they_are_expected() -> None:
    odd = Array("float32", np.array([np.nan, np.inf, -np.inf], np.float32))
    swapped = Array("float32", np.array([np.nan, -np.inf, np.inf], np.float32))
    assert differences(RULES, {"x": odd}, {"x": odd}) == []
    assert len(differences(RULES, {"x": odd}, {"x": swapped})) == 1


def test_tolerances_are_taken_by_dtype() -> None:
    loose = Case("area", "name", lambda torch: None, rtol={"float32": 1e-4})
    assert differences(loose, entries(), entries(single=scaled(1 + 1e-5))) == []
    assert len(differences(loose, entries(), entries(double=scaled(1 + 1e-5, np.float64)))) == 1


def test_a_failure_says_where_and_how_much() -> None:
    (sentence,) = differences(RULES, entries(), entries(single=scaled(1.5)))
    for part in ("area.name", "'single'", "(1, 0)", "3.0", "4.5", "ratio 1.5", "1 of 4"):
        assert part in sentence


def test_results_are_flattened_by_path() -> None:
    result = {"a": [1, (2.0, "x")], "b": {}, "c": None}
    assert flatten(result) == {"a[0]": 1, "a[1][0]": 2.0, "a[1][1]": "x", "b": "(empty)", "c": None}
    assert flatten(3) == {"": 3}
    with pytest.raises(TypeError, match="a: a case returns"):
        flatten({"a": object()})


def test_raises_names_the_built_in_exception() -> None:
    class House(Exception):
        pass

    class ShapeError(House, ValueError):
        pass

    def fail() -> None:
        raise ShapeError

    assert raises(fail) == "ValueError"
    assert raises(lambda: None) == "nothing raised"


def test_a_case_has_one_name_and_takes_parameters() -> None:
    registry = Registry()

    @case(params=[("float32", 2)], registry=registry)
    def double(torch: Any, dtype: str, n: int) -> Any:
        return {dtype: 2 * n}

    torch = SimpleNamespace(
        __name__="fake", get_default_dtype=lambda: None, set_default_dtype=lambda d: None, manual_seed=lambda s: None
    )
    assert registry.cases["test_harness"]["double[float32-2]"].run(torch) == {"float32": 4}  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two cases"):
        case(double, params=[("float32", 2)], registry=registry)


def test_a_record_comes_back_as_it_was() -> None:
    results = {"one": entries(odd=math.inf), "two": {"x": Array("float32", np.zeros((0, 3), np.float32))}}
    content = store.encode(results)
    assert store.encode(results) == content
    back = store.decode(content)
    assert set(back) == set(results)
    for name in results:
        assert differences(EXACT, results[name], back[name]) == []


def test_a_record_of_another_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = store.encode({"one": entries()})
    monkeypatch.setattr(store, "TORCH_VERSION", "9.9.9")
    with pytest.raises(ValueError, match=f"recorded with torch {TORCH_VERSION}.*run make record"):
        store.decode(content)


def test_recording_twice_changes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    assert store.write("area", {"one": entries()})
    assert not store.write("area", {"one": entries()})
    assert store.write("area", {"one": entries(count=4)})
    assert store.read("area")["one"]["count"] == 4
