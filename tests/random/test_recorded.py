"""Every draw against PyTorch's: recorded, or live with --live."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import fanin.random.normals
import fanin.random.uniforms
from fanin import random

from .cases import CASES, Case
from .comparison import digest, mismatch
from .record import PATH, drawn

RECORDED: dict[str, Any] = json.loads(PATH.read_text())


@pytest.mark.parametrize("family", CASES)
def test_draws_are_pytorchs(family: str, live: bool) -> None:
    records = live_records(CASES[family]) if live else RECORDED["cases"]
    wrong = [text for name, case in CASES[family].items() if (text := mismatch(case, records[name]))]
    assert not wrong, f"{len(wrong)} of {len(CASES[family])} differ:\n" + "\n".join(wrong[:5])


def live_records(cases: dict[str, Case]) -> dict[str, Any]:
    import torch

    return {name: drawn(torch, case) for name, case in cases.items()}


def test_record_names_its_version_and_every_case() -> None:
    assert RECORDED["torch"] == "2.13.0"
    assert set(RECORDED["cases"]) == {name for family in CASES.values() for name in family}


def test_state_of_pytorch_continues_its_stream() -> None:
    state = np.frombuffer(bytes.fromhex(RECORDED["midway"]["state"]), np.uint8)
    generator = random.Generator()
    generator.set_state(state)
    assert np.array_equal(generator.get_state(), state)
    assert generator.initial_seed() == 11
    assert digest(random.normal(generator, 0.0, 1.0, (1005,))) == RECORDED["midway"]["next"]


def differing(family: str) -> list[str]:
    return [text for name, case in CASES[family].items() if (text := mismatch(case, RECORDED["cases"][name]))]


def unfused(a: Any, b: float, c: float) -> Any:
    """Round the product and then the sum: what a machine without the instruction does."""
    return np.asarray(a, np.float32) * np.float32(b) + np.float32(c)


def fused_by_way_of_float64(a: Any, b: float, c: float) -> Any:
    return (np.asarray(a, np.float64) * b + c).astype(np.float32)


@pytest.mark.parametrize(
    ("module", "wrong", "family", "case"),
    [
        (fanin.random.uniforms, unfused, "uniforms", "uniform (1003,) float32 2 5.5"),
        (fanin.random.uniforms, fused_by_way_of_float64, "uniforms", "uniform wide"),
        (fanin.random.normals, unfused, "normals", "normal (1003,) float32 -0.7 3.3"),
    ],
)
def test_wrong_multiply_add_is_rejected(
    monkeypatch: pytest.MonkeyPatch, module: Any, wrong: Any, family: str, case: str
) -> None:
    assert mismatch(CASES[family][case], RECORDED["cases"][case]) is None
    monkeypatch.setattr(module, "fma32", wrong)
    assert mismatch(CASES[family][case], RECORDED["cases"][case]) is not None


def test_numpys_own_logarithm_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanin.random.normals, "log32", lambda x: np.log(x.astype(np.float64)).astype(np.float32))
    assert mismatch(CASES["normals"]["normal million"], RECORDED["cases"]["normal million"]) is not None


def test_one_word_for_a_range_of_two_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanin.random.uniforms, "_WIDE_RANGE", 2**32)
    assert len(differing("whole_numbers")) >= 4
