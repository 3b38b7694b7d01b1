"""Functions that look at the order, the positions or the factors of numbers, compiled: what eager code gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin._core.errors import CaptureError
from fanin.compiler.capture.captured import capture
from tests.compiler.test_out_of_range import ENGINES

F, L = torch.nn.functional, torch.linalg
NAN = float("nan")
Function = Callable[..., Any]


def arrays(result: Any) -> list[Any]:
    """Return the arrays of a tensor, or of tuples of tensors."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in arrays(part)]
    return [result.detach().numpy()]


def differences(actual: Any, expected: Any, rtol: float = 2e-5) -> list[str]:
    """Return in which of their arrays two results differ."""
    a, b = arrays(actual), arrays(expected)
    if [(x.shape, x.dtype) for x in a] != [(x.shape, x.dtype) for x in b]:
        return [f"{[(x.shape, x.dtype) for x in a]} instead of {[(x.shape, x.dtype) for x in b]}"]
    pairs = enumerate(zip(a, b, strict=True))
    return [f"number {i}: {x} not {y}" for i, (x, y) in pairs if not np.allclose(x, y, rtol, rtol, equal_nan=True)]


def test_a_planted_difference_is_found() -> None:
    x = torch.ones(3)
    assert not differences((x, [x]), (x, [x.clone()]))
    assert differences((x, x), (x, x + 1e-3))
    assert differences(x, x.double())
    assert differences(x, (x, x))


def grad(function: Function, *inputs: Any) -> tuple[Any, ...]:
    """Return a function's result and gradients, of all entries weighted differently."""
    result = function(*inputs)
    leaves = [x for x in inputs if x.requires_grad]
    weights = torch.arange(1.0, result.numel() + 1).reshape(result.shape).to(result.dtype)
    return (result.detach(), *torch.autograd.grad((result * weights).sum(), leaves))


def second(function: Function, *inputs: Any) -> Any:
    """Return the gradients of the squared gradients of a function's cubed result."""
    leaves = [x for x in inputs if x.requires_grad]
    first = torch.autograd.grad((function(*inputs) ** 3).sum(), leaves, create_graph=True)
    return torch.autograd.grad(sum((g * g).sum() for g in first), leaves)


def numbers(*shape: int, seed: int = 0, requires_grad: bool = False) -> Any:
    """Return a tensor of fixed numbers."""
    made = torch.tensor(np.random.RandomState(seed).uniform(-2, 2, shape).astype(np.float32))
    return made.requires_grad_() if requires_grad else made


X, MISSING = numbers(5, 7, requires_grad=True), numbers(5, 7)
MISSING[0, 2] = MISSING[3, 3] = MISSING[3, 4] = NAN
Q, EDGES, WHOLE = torch.tensor([0.0, 0.3, 1.0]), torch.tensor([-1.5, -0.5, 0.5, 1.0]), torch.tensor([2, 0, 1, 1])
WEIGHT = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25, 1.0, 1.5])

ORDER: dict[str, Function] = {
    "sort": lambda: (torch.sort(MISSING, 1, descending=True), grad(lambda x: x.sort(0).values, X), torch.argsort(X)),
    "topk": lambda: (torch.topk(MISSING, 3), grad(lambda x: x.topk(2, 0, largest=False).values, X)),
    "kthvalue": lambda: (torch.kthvalue(X, 2), grad(lambda x: x.kthvalue(3, 0, keepdim=True).values, X)),
    "median": lambda: (torch.median(MISSING, 1), MISSING.median(), WHOLE.median(), grad(torch.median, X)),
    "nanmedian": lambda: (torch.nanmedian(MISSING, 0), MISSING.nanmedian(), (MISSING * NAN).nanmedian(1)),
    "mode": lambda: (torch.mode(WHOLE), X.round().mode(0, keepdim=True), grad(lambda x: x.mode(1).values, X)),
    "quantile": lambda: (torch.quantile(MISSING, Q, 1), grad(lambda x: x.quantile(Q, 0), X), X.quantile(0.4)),
    "ways of quantiles": lambda: [
        X.quantile(Q, 1, interpolation=how) for how in ("lower", "higher", "midpoint", "nearest")
    ],
    "nanquantile": lambda: (torch.nanquantile(MISSING, Q, 1), torch.nanquantile(MISSING, 0.5)),
    "running extremes": lambda: (torch.cummax(MISSING, 1), X.cummin(0), grad(lambda x: x.cummax(0).values, X)),
    "search": lambda: (torch.searchsorted(EDGES, X), torch.bucketize(X, EDGES, right=True, out_int32=True)),
    "search with an order": lambda: torch.searchsorted(EDGES.flip(0), X[0], sorter=EDGES.flip(0).argsort()),
    "sets": lambda: (torch.isin(WHOLE, torch.tensor([1, 5])), torch.isin(WHOLE, 2, invert=True)),
    "counts": lambda: (torch.histc(X, 4), torch.histogram(X, EDGES), torch.histogram(X, 3, density=True)),
    "repeated": lambda: (torch.repeat_interleave(EDGES, WHOLE, output_size=4), WHOLE.repeat_interleave(2)),
    "covariance": lambda: torch.cov(X, aweights=WEIGHT, fweights=torch.tensor([1, 2, 1, 1, 3, 1, 1])),
    "parts of numbers": lambda: (torch.frexp(MISSING), grad(lambda x: torch.frexp(x).mantissa, X)),
    "closeness": lambda: (torch.isclose(X, MISSING), MISSING.isclose(MISSING, equal_nan=True, rtol=0.0, atol=0.0)),
    "out": lambda: (torch.add(X.detach(), 1, out=torch.empty(5, 7)), torch.sub(WHOLE, 1, out=torch.empty(0))),
}

A, BATCH = numbers(3, 3, seed=1, requires_grad=True), numbers(2, 5, 3, seed=2)
SQUARE = (A @ A.t() + torch.eye(3)).detach().requires_grad_()

MATRICES: dict[str, Function] = {
    "slogdet": lambda: (L.slogdet(A), grad(lambda x: torch.slogdet(x).logabsdet, A), grad(torch.logdet, SQUARE)),
    "logdet of a negative determinant": lambda: torch.logdet(-SQUARE),
    "qr": lambda: (L.qr(BATCH), L.qr(BATCH.mT, "complete"), L.qr(BATCH, "r")),
    "svd": lambda: (L.svd(BATCH), L.svd(BATCH.mT, full_matrices=False), grad(lambda x: L.svd(x).S, A)),
    "eigh": lambda: (L.eigh(SQUARE), L.eigh(A, "U"), grad(lambda x: L.eigh(x).eigenvalues, SQUARE)),
    "pseudoinverse": lambda: (L.pinv(BATCH), torch.pinverse(A), L.matrix_rank(BATCH, atol=2.5)),
    "least squares": lambda: (L.lstsq(BATCH[0], BATCH[1]), L.lstsq(BATCH[0].t(), BATCH[0, :3, 0], driver="gelsd")),
    "exponential": lambda: (grad(L.matrix_exp, A), L.matrix_exp(BATCH[:, :3] * 3), second(L.matrix_exp, A * 1)),
    "condition": lambda: (grad(L.cond, A), L.cond(SQUARE, 1)),
}

SOURCE, PLACES = numbers(2, 7, seed=3, requires_grad=True), torch.tensor([[0, 2, 1, 4, 0, 0, 3], [0, 0, 3, 4, 1, 1, 2]])
MASK, ROWS = numbers(5, 7, seed=4) > 0, torch.tensor([2, 0])

WRITING: dict[str, Function] = {
    **{
        f"scatter_reduce {how} {'with' if itself else 'without'} itself": lambda how=how, itself=itself: (
            grad(lambda x, s: x.scatter_reduce(0, PLACES, s, how, include_self=itself), X, SOURCE),
            WHOLE.scatter_reduce(0, ROWS, WHOLE[:2], how, include_self=itself),
        )
        for how in ("sum", "prod", "mean", "amax", "amin")
        for itself in (True, False)
    },
    "second derivatives": lambda: (
        second(lambda x, s: x.scatter_reduce(0, PLACES, s, "amax"), X, SOURCE),
        second(lambda x, s: x.scatter_reduce(0, PLACES, s, "prod"), X, SOURCE),
        second(lambda x, s: x.scatter_add(0, PLACES, s), X, SOURCE),
    ),
    "scatter": lambda: (
        grad(lambda x, s: x.scatter(0, PLACES[:, :3], s, reduce="multiply"), X, SOURCE),
        grad(lambda x, s: x.scatter(0, ROWS.reshape(2, 1).expand(2, 7), s), X, SOURCE),
    ),
    "rows": lambda: (
        grad(lambda x, s: x.index_add(0, ROWS, s, alpha=2), X, SOURCE),
        grad(lambda x: x.index_add(1, ROWS, x[:, :2]), X),
        grad(lambda x, s: x.index_copy(0, ROWS, s), X, SOURCE),
        grad(lambda x: x.index_fill(1, ROWS - 3, 7.0), X),
    ),
    "put": lambda: (
        grad(lambda x, s: x.put(ROWS - 30, s[0, :2]), X, SOURCE),
        X.detach().clone().put_(ROWS, WEIGHT[:2]),
    ),
    "masked_scatter": lambda: grad(lambda x, s: x.masked_scatter(MASK, torch.cat([s, s, s])), X, SOURCE),
    "unravel_index": lambda: torch.unravel_index(PLACES * 4, (2, 3, 4)),
}

TABLE, BAGS = numbers(6, 3, seed=5, requires_grad=True), torch.tensor([0, 2, 2, 5])
WORDS = torch.tensor([0, 4, 5, 1, 1, 2, 4, 0])


def limited(norm_type: float) -> Any:
    """Return rows of a table that is shortened on the way, the table, and its gradient."""
    table = (TABLE.detach() * 2).requires_grad_()
    rows = F.embedding(WORDS, table, max_norm=1.5, norm_type=norm_type)
    return rows.detach(), torch.autograd.grad((rows**2).sum(), table), table.detach()


def bags(how: str, **options: Any) -> Any:
    """Return what bags of words give, and the gradient of the table."""
    return grad(lambda table: F.embedding_bag(WORDS, table, BAGS, mode=how, **options), TABLE)


LAYERS: dict[str, Function] = {
    **{f"bags, {how}": lambda how=how: (bags(how), bags(how, padding_idx=4)) for how in ("sum", "mean", "max")},
    "bags with an end": lambda: bags("mean", include_last_offset=True),
    "bags of one length": lambda: F.embedding_bag(WORDS.reshape(2, 4), TABLE, mode="max"),
    "rows of limited length": lambda: (limited(2.0), limited(1.0)),
    "one_hot": lambda: F.one_hot(WORDS, 6),
    "margins": lambda: (
        grad(lambda x: F.multi_margin_loss(x, WORDS[:6] % 3), TABLE),
        F.multilabel_margin_loss(TABLE, torch.tensor([[0, -1, 2]]).expand(6, 3)),
    ),
}

FUNCTIONS = {**ORDER, **MATRICES, **WRITING, **LAYERS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_graph_gives_what_eager_code_gives(name: str) -> None:
    function = FUNCTIONS[name]
    expected = function()
    compiled = torch.compile(function, engine="numpy")
    for _ in range(2):
        assert not differences(compiled(), expected)
    assert compiled.captures == 1
    assert any(value.op is not None for value in capture(function, (), {}).graph.values())


@pytest.mark.parametrize("group", [ORDER, MATRICES, WRITING, LAYERS], ids=["order", "matrices", "writing", "layers"])
def test_native_code_gives_what_eager_code_gives(group: dict[str, Function]) -> None:
    expected = {name: function() for name, function in group.items()}
    compiled = torch.compile(lambda: {name: function() for name, function in group.items()}, engine="native")
    for _ in range(2):
        found = compiled()
        wrong = {name: problem for name in group if (problem := differences(found[name], expected[name], 1e-4))}
        assert not wrong


# Numbers that decide on a shape ---------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Function, str, str]] = {
    "unique": (lambda: torch.unique(WHOLE), "as many elements as there are different ones", "outside of the compiled"),
    "neighbours": (lambda: torch.unique_consecutive(WHOLE), "as many elements as there are different", "outside"),
    "nonzero": (lambda: torch.nonzero(X), "a row for each element that is not 0", r"torch\.where\(mask, x, 0\)"),
    "argwhere": (lambda: torch.argwhere(X), "a row for each element", r"torch\.where"),
    "bincount": (lambda: torch.bincount(WHOLE), "as many counts as the largest number says", "one_hot"),
    "repeats": (lambda: torch.repeat_interleave(EDGES, WHOLE), "as many elements as its repeats", "output_size=n"),
    "masked_select": (lambda: torch.masked_select(X, MASK), "a mask selects as many elements", r"torch\.where"),
    "residuals": (lambda: L.lstsq(BATCH[0], BATCH[1], driver="gels"), "residuals where A has its full", "driver="),
    "draws": (lambda: torch.bernoulli(torch.sigmoid(X)), "random numbers are drawn", "Draw them outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_decides_on_a_shape_is_refused_with_the_way_out(name: str) -> None:
    function, what, remedy = REFUSED[name]
    with pytest.raises(CaptureError, match=rf"test_captured_functions\.py:\d+: .*{what}") as raised:
        torch.compile(function)()
    with pytest.raises(AssertionError, match=remedy):
        raise AssertionError("\n".join(raised.value.__notes__))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda i: X.detach().scatter(0, i.reshape(1, 2), 1.0), "index 5 is out of bounds for dimension 0 with size 5"),
        (lambda i: X.detach().scatter_reduce(0, i.reshape(1, 2), SOURCE.detach(), "amax"), "index 5 is out of bounds"),
        (lambda i: X.detach().index_add(0, i, SOURCE.detach()), r"index_add\(\): index 5 is out of range"),
        (lambda i: F.one_hot(i, 5), "Class values must be smaller than num_classes"),
        (lambda i: F.multi_margin_loss(X.detach()[:2, :5], i), "target out of range"),
        (lambda i: WEIGHT.masked_scatter(i[1] - 6 < WEIGHT, EDGES), "Number of elements of source < number of ones"),
    ],
    ids=["scatter", "scatter_reduce", "index_add", "one_hot", "margin", "masked_scatter"],
)
def test_what_does_not_exist_is_a_runtime_error_as_in_eager_code(function: Function, message: str, engine: str) -> None:
    compiled = torch.compile(function, engine=engine)
    with pytest.raises(RuntimeError, match=message):
        compiled(torch.tensor([2, 5]))
    assert compiled.captures == 1


def written(x: Any, i: Any, values: Any) -> Any:
    x = x.clone()
    x[i] = values
    return x


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_written_at_positions_fits_or_is_told_as_in_eager_code(engine: str) -> None:
    x, i = torch.zeros(4), torch.tensor([3, 0])
    for shape in ((2,), (1,), (), (1, 2)):
        values = torch.arange(2.0).reshape(shape) if 2 in shape else torch.ones(shape)
        assert torch.equal(torch.compile(written, engine=engine)(x, i, values), written(x, i, values))
    for shape in ((3,), (2, 1), (2, 2)):
        for function in (written, torch.compile(written, engine=engine)):
            with pytest.raises(
                RuntimeError, match=rf"^shape mismatch: .*{re.escape(str(list(shape)))} .* shape \[2\]$"
            ):
                function(x, i, torch.ones(shape))
    for function in (written, torch.compile(written, engine=engine)):
        with pytest.raises(IndexError, match="index 9 is out of bounds for dimension 0 with size 4"):
            function(x, torch.tensor([0, 9]), torch.ones(2))


# Closures -------------------------------------------------------------------------------------------------------------


def trained(kind: Any, compiled: bool, **options: Any) -> list[float]:
    """Return the losses of a few steps with a closure."""
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 1)
    optimizer = kind(net.parameters(), **options)
    x, y = numbers(20, 3, seed=6), numbers(20, 1, seed=7)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        return loss

    if not compiled:
        step: Any = lambda: optimizer.step(closure)  # noqa: E731
    elif kind is torch.optim.LBFGS:
        quick = torch.compile(closure)
        step = lambda: optimizer.step(quick)  # noqa: E731
    else:
        step = torch.compile(lambda: optimizer.step(closure))
    return [float(step()) for _ in range(4)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        (torch.optim.Adam, {"lr": 0.1}),
        (torch.optim.LBFGS, {"lr": 0.5}),
        (torch.optim.LBFGS, {"line_search_fn": "strong_wolfe"}),
    ],
)
def test_steps_with_a_closure(kind: Any, options: Any) -> None:
    eager, compiled = trained(kind, False, **options), trained(kind, True, **options)
    assert eager[-1] < eager[0]
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)


def test_lbfgs_itself_is_refused_with_the_way_out() -> None:
    net = torch.nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(net.parameters())
    with pytest.raises(CaptureError, match="LBFGS evaluates its closure as often as its search needs") as raised:
        torch.compile(lambda: optimizer.step(lambda: net(numbers(2, 3)).sum()))()
    assert "closure = torch.compile(closure), then optimizer.step(closure)" in raised.value.__notes__[0]
