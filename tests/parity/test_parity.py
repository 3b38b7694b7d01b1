"""Every case gives under fanin what it gives under PyTorch: as recorded, or live with `pytest --live`."""

from __future__ import annotations

from functools import cache

import pytest

import fanin
from tests.parity import store
from tests.parity.harness import Case, Entries, differences, live_torch, load_cases

CASES = load_cases()
ALL = [case for area in CASES.values() for case in area.values()]
# The tests of a case follow one another, by the scope: so both are done by the same worker, which asks PyTorch once.
EACH = pytest.mark.parametrize("case", ALL, ids=str, scope="module")


@cache
def _recorded(area: str) -> dict[str, Entries]:
    return store.read(area)


_LIVE: dict[str, Entries] = {}


def _live(case: Case) -> Entries:
    """Return what PyTorch answers; asked once, for the comparison with fanin and for that with the record."""
    if str(case) not in _LIVE:
        _LIVE[str(case)] = case.run(live_torch())
    return _LIVE[str(case)]


def _expected(case: Case, live: bool) -> Entries:
    if live:
        return _live(case)
    entries = _recorded(case.area).get(case.name)
    if entries is None:
        pytest.fail(f"{case} is not recorded: run make record")
    return entries


def _agree(case: Case, expected: Entries, actual: Entries) -> None:
    found = differences(case, expected, actual)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@EACH
def test_fanin_agrees_with_torch(case: Case, live: bool) -> None:
    _agree(case, _expected(case, live), case.run(fanin))


@pytest.mark.parametrize("area", CASES)
def test_recorded_file_holds_exactly_the_cases(area: str) -> None:
    recorded, declared = set(_recorded(area)), set(CASES[area])
    assert recorded == declared, f"{area}: {sorted(recorded ^ declared)[:5]} differ: run make record"


def test_no_file_is_left_of_an_area_that_is_gone() -> None:
    areas = {path.stem for path in store.FOLDER.glob("*.npz")}
    gone = sorted(areas - {area for area, cases in CASES.items() if cases})
    assert not gone, f"{gone} have no cases: run make record"


@pytest.mark.parity
@EACH
def test_recording_is_what_torch_says_today(case: Case) -> None:
    _agree(case, _expected(case, live=False), _live(case))
