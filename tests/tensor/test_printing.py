"""Printed text is PyTorch's, to the digit and the line break."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fanin._core import dtypes
from fanin.tensor import printing
from tests.tensor import record_printing as recorder

RECORD = json.loads(recorder.RECORDED.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _default_options() -> Iterator[None]:
    yield
    printing.set_printoptions(profile="default")
    dtypes.set_default_dtype(dtypes.float32)


def text_of(case: dict[str, Any]) -> str:
    printing.set_printoptions(profile="default")
    printing.set_printoptions(**case.get("options", {}))
    dtypes.set_default_dtype(dtypes.by_name(case.get("default_dtype", "float32")))
    return printing.format_tensor(
        recorder.unpack(case),
        requires_grad=case.get("requires_grad", False),
        grad_fn_name=case.get("grad_fn_name"),
    )


def test_every_recorded_text() -> None:
    assert len(RECORD["cases"]) >= 300
    for number, case in enumerate(RECORD["cases"]):
        assert text_of(case) == case["text"], f"case {number}: {case['dtype']}{case['shape']} {case.get('options')}"


@pytest.mark.parity
def test_record_is_what_live_pytorch_prints() -> None:
    for case in RECORD["cases"]:
        assert recorder.live_text(case) == case["text"]


@pytest.mark.parity
def test_random_arrays_against_live_pytorch() -> None:
    for case in recorder.random_cases(np.random.default_rng(11)):
        assert text_of(case) == recorder.live_text(case)


def f32(*values: float) -> Any:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (f32(1, 2), "tensor([1., 2.])"),
        (f32(1, 2.5), "tensor([1.0000, 2.5000])"),
        (f32(1, 1e9), "tensor([1.0000e+00, 1.0000e+09])"),
        (f32(1, np.nan, -np.inf), "tensor([1., nan, -inf])"),
        (f32(-0.0, 0.0), "tensor([-0., 0.])"),
        (np.array(7), "tensor(7)"),
        (np.array([True, False]), "tensor([ True, False])"),
        (np.array([1], dtype=np.int32), "tensor([1], dtype=torch.int32)"),
        (np.zeros((0, 3), dtype=np.float32), "tensor([], size=(0, 3))"),
        (np.zeros(0, dtype=np.int64), "tensor([], dtype=torch.int64)"),
    ],
)
def test_worked_by_hand(array: Any, text: str) -> None:
    assert printing.format_tensor(array) == text


def test_parameter_is_the_tensor_below_its_title() -> None:
    text = printing.format_parameter(f32(1, 2))
    assert text == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"


def test_subclass_name_moves_the_indent() -> None:
    text = printing.format_tensor(np.eye(2, dtype=np.float32), class_name="Mask")
    assert text == "Mask([[1., 0.],\n      [0., 1.]])"


def test_options_can_be_read_back_and_last_for_a_block() -> None:
    before = printing.get_printoptions()
    with printing.printoptions(precision=1, sci_mode=True):
        assert printing.format_tensor(f32(1.25)) == "tensor([1.2e+00])"
    assert printing.get_printoptions() == before


def test_unknown_profile_is_named() -> None:
    with pytest.raises(ValueError, match="profile must be one of default, short, full; got 'tiny'"):
        printing.set_printoptions(profile="tiny")


def test_a_ratio_beyond_float64_is_no_warning() -> None:
    assert printing.format_tensor(np.array([1e300, 1e-300])).startswith("tensor([1.0000e+300, 1.0000e-300]")


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-1e6, 1e6)))
def test_text_reads_back_as_the_values(array: Any) -> None:
    text = (
        printing.format_tensor(array)
        .removesuffix(", dtype=torch.float64)")
        .removesuffix(",\n       dtype=torch.float64)")
    )
    numbers = np.array([float(number) for number in re.findall(r"-?\d[\d.e+-]*", text)])
    np.testing.assert_allclose(numbers, array.ravel(), rtol=1e-4, atol=6e-5)
