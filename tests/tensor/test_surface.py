"""What `import fanin as torch` offers: every function is documented, and every name of the table is a method."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator
from typing import Any

import pytest

import fanin as torch
from fanin.tensor import functions
from fanin.tensor.methods import Methods
from fanin.tensor.methods_in_place import InPlaceMethods

MODULES = [importlib.import_module(f"{functions.__name__}.{m.name}") for m in pkgutil.iter_modules(functions.__path__)]


def public() -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the functions that the modules define, by name."""
    for module in MODULES:
        for name, value in vars(module).items():
            if (
                isinstance(value, types.FunctionType)
                and not name.startswith("_")
                and value.__module__ == module.__name__
            ):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value


@pytest.mark.parametrize(("name", "function"), [pytest.param(n, f, id=n) for n, f in public()])
def test_function_has_a_docstring(name: str, function: Any) -> None:
    first = (function.__doc__ or "").strip().split("\n")[0]
    assert first.endswith("."), f"{name} says {first!r}"


@pytest.mark.parametrize("table", [Methods, InPlaceMethods])
def test_every_method_is_documented(table: Any) -> None:
    bare = [n for n, m in vars(table).items() if callable(m) and not n.startswith("__") and not inspect.getdoc(m)]
    assert not bare


def test_in_place_methods_end_in_an_underscore() -> None:
    odd = [name for name in vars(InPlaceMethods) if not name.startswith("_") and not name.endswith("_")]
    assert not odd


def test_changes_in_place_are_functions_of_torch_as_well() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.relu_(x) is x
    assert x.tolist() == [0.0, 2.0]


def test_what_torch_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match=r"torch\.conv2d is not part of fanin"):
        torch.conv2d  # noqa: B018
    with pytest.raises(AttributeError):
        torch.no_such_name_  # noqa: B018


def test_streams_are_the_same_by_every_name() -> None:
    torch.random.manual_seed(3)
    first = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(2))
    assert torch.random.default_generator is torch.default_generator


def test_settings_answer_as_they_were_made() -> None:
    torch.use_deterministic_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="precision must be one of"):
        torch.set_float32_matmul_precision("low")
    assert str(torch.get_default_device()) == "cpu"
    assert repr(torch.ones(1).layout) == "torch.strided"
    assert repr(torch.preserve_format) == "torch.preserve_format"


def test_sets_of_tensors_and_dictionaries_go_by_identity() -> None:
    a, b = torch.ones(2), torch.ones(2)
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1
