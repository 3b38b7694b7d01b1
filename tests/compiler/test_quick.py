"""The entry of predictions that take microseconds: a builtin function that is given NumPy's own objects."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.compiler.native import quick
from fanin.compiler.native.executable import Executable

pytest.importorskip("llvmlite")


@pytest.fixture(name="predict")
def fixture_predict() -> Callable[[Any], Any]:
    """From (3, 2) to (3, 4), with a compiled network's code; None for what it leaves to others."""
    torch.manual_seed(0)
    compiled = torch.compile(torch.nn.Linear(2, 4))
    with torch.no_grad():
        compiled(torch.zeros(3, 2))
    program = compiled._calls.last
    code = program.execute.code
    assert isinstance(code, Executable)
    return code.single(program.arrays)


X = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_python_takes_the_code_for_a_builtin(predict: Callable[[Any], Any]) -> None:
    held = dict(zip(predict.__code__.co_freevars, (cell.cell_contents for cell in predict.__closure__), strict=True))
    assert type(held["quick"]) is type(len)
    assert held["quick"].__name__ == "quick"


def test_each_result_is_an_array_of_its_own(predict: Callable[[Any], Any]) -> None:
    one, other = predict(X), predict(2 * X)
    assert one.shape == other.shape == (3, 4)
    np.testing.assert_array_equal(predict(X), one)
    assert not np.shares_memory(one, other)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "array",
    [X[:2], X.T, X[None], X[0], np.float32(1)[...], np.zeros((3, 2, 1), np.float32), np.repeat(X, 2, 1)[:, ::2]],
    ids=["fewer rows", "turned", "one more dimension", "one less", "none", "one behind", "not in a row"],
)
def test_what_has_another_shape_or_order_is_left_to_others(predict: Callable[[Any], Any], array: Any) -> None:
    before = sys.getrefcount(array)
    for _ in range(20):
        assert predict(array) is None
    assert sys.getrefcount(array) == before


def test_no_reference_is_lost_or_left(predict: Callable[[Any], Any]) -> None:
    x, out = X.copy(), predict(X)
    before = sys.getrefcount(x), sys.getrefcount(out)
    results = [predict(x) for _ in range(100)]
    assert (sys.getrefcount(x), sys.getrefcount(out)) == before
    assert {sys.getrefcount(result) for result in results} == {sys.getrefcount(out) + 1}  # the list, the loop


def test_the_network_still_takes_what_the_quick_way_does_not() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh())
    compiled = torch.compile(model)
    x = torch.randn(5, 2)
    with torch.no_grad():
        for given in (x, x, x.T.contiguous().T, x[::2], x[::2], x[0], x):
            torch.testing.assert_close(compiled(given), model(given), rtol=1e-6, atol=1e-6)


def test_an_interpreter_with_other_objects_gets_no_builtin(
    predict: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.objects_are_known.cache_clear()
    monkeypatch.setattr(quick, "FLAGS", quick.FLAGS - 4)
    try:
        assert not quick.objects_are_known()
        monkeypatch.undo()
        quick.objects_are_known.cache_clear()
        assert quick.objects_are_known()
    finally:
        quick.objects_are_known.cache_clear()
