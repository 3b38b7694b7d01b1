"""A dtype that can be named and that no tensor can have."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import fanin as torch


def test_bfloat16_can_be_named() -> None:
    kind = torch.bfloat16
    assert {"float16": torch.float16, "bfloat16": kind}["bfloat16"] is kind
    assert str(kind) == "torch.bfloat16"
    assert kind not in (torch.float16, torch.float32)
    assert (kind.is_floating_point, kind.is_complex, kind.is_signed, kind.itemsize) == (True, False, True, 2)
    assert pickle.loads(pickle.dumps(kind)) is copy.deepcopy(kind) is kind
    assert torch.get_autocast_dtype("cpu") is kind
    with torch.autocast("cuda", dtype=kind):  # off, without a GPU
        assert (torch.ones(2) * 2).dtype is torch.float32


@pytest.mark.parametrize(
    "use",
    [
        lambda kind: torch.ones(2, dtype=kind),
        lambda kind: torch.tensor([1.0], dtype=kind),
        lambda kind: torch.ones(2).to(kind),
        lambda kind: torch.softmax(torch.ones(2), 0, dtype=kind),
        lambda kind: torch.nn.Linear(1, 1).to(kind),
        lambda kind: torch.nn.Linear(1, 1, dtype=kind),
        lambda kind: torch.nn.Linear(1, 1).bfloat16(),
        lambda kind: torch.promote_types(kind, torch.float32),
        lambda kind: torch.finfo(kind),
        lambda kind: torch.set_default_dtype(kind),
    ],
)
def test_bfloat16_is_refused_where_it_is_used(use: Callable[[Any], Any]) -> None:
    with pytest.raises(RuntimeError, match=r"torch\.bfloat16 is not part of fanin but for its name") as raised:
        use(torch.bfloat16)
    assert raised.value.__notes__ == ["Use float32 or float16."]
    assert torch.get_default_dtype() is torch.float32


def test_modules_get_memory_without_values() -> None:
    net = torch.nn.Linear(2, 2)
    assert net.to_empty(device="cpu") is net
    assert not net.weight.any()
    assert net.weight.requires_grad
    with pytest.raises(AssertionError, match="CUDA"):
        net.to_empty(device="cuda")


def test_what_is_not_positive_definite_is_called_so() -> None:
    with pytest.raises(RuntimeError, match=r"linalg\.cholesky: .* not positive-definite"):
        torch.linalg.cholesky(-torch.eye(2))
    with pytest.raises(RuntimeError, match="singular"):
        torch.linalg.inv(torch.zeros(2, 2))
