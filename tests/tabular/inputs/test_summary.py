"""Summaries of columns against NumPy's quantiles, one column at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fanin.tabular.inputs import summary
from fanin.tabular.inputs.summary import Floats, Summary, summarise, summarise_counts

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf]))


def by_column(values: Floats) -> Summary:
    """Summarise without sorting blocks: the oracle."""
    found = []
    for column in values.T:
        known = column[~np.isnan(column)]
        finite = known[np.isfinite(known)]
        quartiles = np.quantile(finite, [0, 0.25, 0.5, 0.75, 1]) if finite.size else np.zeros(5)
        different = len(set(known.tolist()))
        two = different == 2 and finite.size == known.size
        reach = 3 * (quartiles[3] - quartiles[1])
        far = sum(abs(value - quartiles[2]) > reach for value in finite.tolist())
        heavy = len(set(finite.tolist())) > 30 and far > 0.01 * finite.size
        found.append((column.size - known.size, different > 1, two, heavy, quartiles, np.empty(0)))
    return Summary(*(np.array(part).T for part in zip(*found, strict=True)))


def agree(one: Summary, other: Summary) -> bool:
    same = all((getattr(one, name) == getattr(other, name)).all() for name in ("missing", "differs", "two", "heavy"))
    return same and np.allclose(one.quartiles, other.quartiles, rtol=1e-12, atol=1e-9)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=NUMBERS))
def test_summaries_are_those_of_single_columns(values: Floats) -> None:
    assert agree(summarise(values), by_column(values))


def test_a_wrong_oracle_is_found_out() -> None:
    values = np.array([[1.0, 2.0], [2.0, 2.0], [5.0, np.nan]])
    right = by_column(values)
    for wrong in (
        replace(right, missing=right.missing + 1),
        replace(right, differs=~right.differs),
        replace(right, two=~right.two),
        replace(right, heavy=~right.heavy),
        replace(right, quartiles=right.quartiles * 1.001),
    ):
        assert not agree(summarise(values), wrong)


def test_heavy_tails() -> None:
    rng = np.random.default_rng(0)
    bell = rng.normal(size=1000)
    columns = {
        "bell": (bell, False),
        "log-normal": (np.exp(2 * bell), True),
        "with gaps": (np.where(bell < -0.5, np.nan, np.exp(2 * bell)), True),
        "one far out": (np.where(bell == bell.max(), 1e9, bell), False),
        "few values": (np.exp(2 * bell).round().clip(0, 25), False),
        "mostly 0": (np.where(bell > 1, bell, 0.0), True),
        "endless": (np.where(bell > 1, np.inf, bell), False),
    }
    values = np.stack([column for column, _ in columns.values()], axis=1)
    assert summarise(values).heavy.tolist() == [heavy for _, heavy in columns.values()]
    assert agree(summarise(values), by_column(values))


def test_blocks_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(50, 7)).round(1)
    whole = summarise(values, quantiles=11)
    monkeypatch.setattr(summary, "BLOCK", 100)
    parts = summarise(values, quantiles=11)
    assert agree(whole, parts)
    assert (whole.quantiles == parts.quantiles).all()


def test_evenly_spaced_quantiles_are_numpys() -> None:
    values = np.random.default_rng(1).normal(size=(101, 3))
    found = summarise(values, quantiles=10).quantiles
    np.testing.assert_allclose(found, np.quantile(values, np.linspace(0, 1, 10), axis=0), rtol=1e-12)


def test_the_given_array_is_left_as_it_is() -> None:
    values = np.array([[3.0], [np.inf], [np.nan], [1.0]])
    before = values.copy()
    summarise(values)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64, np.bool_, np.float16])
def test_any_real_dtype(dtype: type) -> None:
    values = np.array([[0, 1], [1, 1], [1, 1]], dtype)
    found = summarise(values)
    assert found.differs.tolist() == found.two.tolist() == [True, False]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4).filter(sum), st.integers(0, 3))
def test_counted_values_are_summarised_as_if_written_out(counts: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).integers(-1, 2, (len(counts), 3)).astype(float)
    written = np.repeat(values, counts, axis=0)
    np.testing.assert_allclose(
        summarise_counts(values, np.array(counts)).quartiles, np.quantile(written, [0, 0.25, 0.5, 0.75, 1], axis=0)
    )
