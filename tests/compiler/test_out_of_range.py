"""Class numbers and indices that do not exist: a compiled function raises what eager code raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler import positions
from fanin.compiler.capture.captured import capture
from fanin.compiler.passes.lower import lower
from fanin.compiler.positions import named
from fanin.training import loop

ENGINES = ["native", "numpy"]
F = nn.functional
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.0])
LOSSES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "plain": (F.cross_entropy, {}),
    "weights of classes": (F.cross_entropy, {"weight": WEIGHT}),
    "an ignored class that exists": (F.cross_entropy, {"ignore_index": 2}),
    "an ignored class that does not exist": (F.cross_entropy, {"ignore_index": 7}),
    "smoothed": (F.cross_entropy, {"label_smoothing": 0.1}),
    "all": (F.cross_entropy, {"label_smoothing": 0.1, "weight": WEIGHT, "ignore_index": 7, "reduction": "sum"}),
    "each row": (F.cross_entropy, {"reduction": "none"}),
    "likelihood": (F.nll_loss, {}),
    "weighted likelihood": (F.nll_loss, {"weight": WEIGHT, "ignore_index": 1}),
    "each likelihood": (F.nll_loss, {"reduction": "none"}),
}


def outcome(function: Callable[[], Any]) -> Any:
    """Return an array, or the words of an error with its class and its note."""
    try:
        return function().numpy()
    except Exception as error:
        return type(error), str(error), error.__notes__


def same(actual: Any, expected: Any) -> bool:
    """Say whether two outcomes are the same."""
    if isinstance(expected, tuple) or isinstance(actual, tuple):
        return isinstance(actual, tuple) and isinstance(expected, tuple) and actual == expected
    return bool(np.allclose(actual, expected, rtol=1e-5, atol=1e-6, equal_nan=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "what", "shape"),
    [*((name, "slope", (6, 4)) for name in LOSSES), *((name, "value", (2, 4, 3)) for name in ("plain", "likelihood"))],
)
def test_a_class_that_does_not_exist_is_told_as_eager_code_tells_it(
    name: str, what: str, shape: Any, engine: str
) -> None:
    loss, options = LOSSES[name]
    x = torch.randn(*shape).requires_grad_()

    def value(target: Any) -> Any:
        return loss(x, target, **options).detach()

    def slope(target: Any) -> Any:
        return torch.autograd.grad(loss(x, target, **options).sum(), x)[0]

    function = value if what == "value" else slope
    compiled = torch.compile(function, engine=engine)
    for last in (1, 4, 7, -1, -100, 2**40):
        target = torch.tensor([0, 1, 2, 3, 1, last]).reshape(shape[0], *shape[2:])
        expected, actual = (outcome(lambda f=f, t=target: f(t)) for f in (function, compiled))
        assert same(actual, expected), f"with {last}: {actual}, in eager code {expected}"
    assert compiled.captures == 1


def test_a_difference_of_outcomes_is_seen() -> None:
    error = (IndexError, "Target 7 is out of bounds.", ["There are 4 classes, numbered from 0."])
    assert same(error, error)
    assert not same(np.array(np.inf), error)
    assert not same(error, np.array(1.0))
    assert not same((IndexError, "Target 5 is out of bounds.", error[2]), error)
    assert not same(np.array(1.0), np.array(1.1))


@pytest.mark.parametrize("engine", ENGINES)
def test_one_row_of_one_dimension(engine: str) -> None:
    x = torch.randn(4)
    compiled = torch.compile(lambda t: F.cross_entropy(x, t), engine=engine)
    assert abs(float(compiled(torch.tensor(3))) - float(F.cross_entropy(x, torch.tensor(3)))) < 1e-6
    with pytest.raises(IndexError, match=r"^Target 4 is out of bounds\."):
        compiled(torch.tensor(4))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("count", "ignored", "right", "wrong"), [(100, -100, 99, 156), (200, 7, 199, 200)])
def test_classes_as_bytes(engine: str, count: int, ignored: int, right: int, wrong: int) -> None:
    x = torch.randn(40, count)
    compiled = torch.compile(lambda t: F.cross_entropy(x, t, ignore_index=ignored), engine=engine)
    target = torch.full((40,), right, dtype=torch.uint8)
    expected = F.cross_entropy(x, target, ignore_index=ignored)
    assert abs(float(compiled(target)) - float(expected)) < 1e-5
    target[33] = wrong
    with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds"):
        compiled(target)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_training_step_goes_on_after_the_error(rows: int) -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    @torch.compile(engine="native")
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    x, y = torch.randn(rows, 3), torch.randint(0, 4, (rows,))
    step(x, y)
    wrong = y.clone()
    wrong[-1] = 4
    for _ in range(2):
        with pytest.raises(IndexError, match="Target 4 is out of bounds"):
            step(x, wrong)
    assert np.isfinite(float(step(x, y)))


INDEXED: dict[str, tuple[Callable[[Any, Any], Any], Any, Any]] = {
    "embedding": (lambda x, i: F.embedding(i, x), [0, 2], [0, -1]),
    "padded embedding": (lambda x, i: F.embedding(i, x, padding_idx=1), [0, 1], [3, 0]),
    "gather": (lambda x, i: x.gather(0, i.reshape(1, 2)), [0, 2], [0, 3]),
    "square brackets": (lambda x, i: x[i], [0, -3], [0, -4]),
    "two indices": (lambda x, i: x[i, i], [0, -1], [1, 2]),  # row 1 and column 2 are within 3 * 2 elements
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", INDEXED)
def test_an_index_that_does_not_exist_is_an_error(name: str, engine: str) -> None:
    function, right, wrong = INDEXED[name]
    x = torch.randn(3, 2)
    compiled = torch.compile(lambda i: function(x, i), engine=engine)
    assert same(compiled(torch.tensor(right)).numpy(), function(x, torch.tensor(right)).numpy())
    with pytest.raises(IndexError, match=r"index -?\d is out of (bounds|range) for (a )?dimension"):
        compiled(torch.tensor(wrong))


def test_a_quick_prediction_tells_the_index_too() -> None:
    table = nn.Embedding(5, 3)
    compiled = torch.compile(table, engine="native")
    right = torch.tensor([1, 4])
    for _ in range(3):
        compiled(right)
    with pytest.raises(IndexError, match="index 5 is out of bounds for dimension 0 with size 5"):
        compiled(torch.tensor([5, 1]))
    assert same(compiled(right).detach().numpy(), table(right).detach().numpy())


def test_an_index_that_the_step_changes_itself_is_told_without_a_number() -> None:
    x, place = torch.randn(3, 2), torch.tensor([2, 2])

    def function() -> Any:
        row = x[place]
        place.add_(1)
        return row

    found = capture(function, (), {})
    error = positions.IndexRangeError("an index is out of range")
    assert named(error, found.graph, (), [np.array([3, 3]), x.numpy()]) is error
    assert positions.any_in(lower(found.graph))


# Whole runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_fit_says_which_class_does_not_exist(engine: str, loader: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "PIECE", 16)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    x, y = torch.randn(40, 3), torch.randint(0, 4, (40,))
    y[17] = 7
    data: Any = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)] if loader else (x, y)
    options: dict[str, Any] = {} if loader else {"batch_size": 8}
    with pytest.raises(IndexError, match=r"^Target 7 is out of bounds\.") as raised:
        torch.fit(
            net, data, nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1), epochs=3, engine=engine, **options
        )
    assert raised.value.__notes__ == ["There are 4 classes, numbered from 0."]
    assert net.training
