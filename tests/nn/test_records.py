"""Every module and function of the room is compared with PyTorch somewhere; a new one without a case fails here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanin import nn
from tests.parity import torch_samples

CASES = Path(__file__).parents[1] / "parity" / "cases"
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(CASES.glob("*.py")))
SAMPLED = {json.loads(entries["plan"])["name"] for _, entries in torch_samples.stored("modules")}
MODULES = sorted(
    name for name in nn.__all__ if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)
)
FUNCTIONS = sorted(nn.functional.__all__)
# They are reached through the module of the same name.
SILENT = {"instance_norm": "InstanceNorm1d", "gaussian_nll_loss": "GaussianNLLLoss"}


@pytest.mark.parametrize("name", MODULES)
def test_module_has_a_case(name: str) -> None:
    assert name in SAMPLED or f".{name}(" in TEXT or f'"{name}"' in TEXT


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_a_case(name: str) -> None:
    camel = "".join(part.capitalize() for part in name.rstrip("_").split("_")).lower()
    tested = {module.lower() for module in MODULES} | {module.lower() + "loss" for module in MODULES}
    by_module = camel in tested or SILENT.get(name) in MODULES
    assert by_module or f".{name}" in TEXT or f'"{name}"' in TEXT


def test_a_name_without_a_case_would_be_found() -> None:
    with pytest.raises(AssertionError):
        test_module_has_a_case("NoSuchLayer")
    with pytest.raises(AssertionError):
        test_function_has_a_case("no_such_function")


@pytest.mark.parametrize("name", ["Conv2d", "LSTM", "MaxPool2d", "TransformerEncoder", "BatchNorm2d"])
def test_what_is_outside_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match=f"{name} is not part of fanin, which trains fully connected networks"):
        getattr(nn, name)
    assert not hasattr(nn, name)
