"""Reductions over all elements and along dimensions: values, gradients, dtypes, empty tensors, errors."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, message, raises, sample, with_gradients
from tests.parity.tensors import attempt, of_integers, over_shapes

ALONG = "sum mean prod nansum nanmean amax amin var std logsumexp".split()
POSITIONS = "argmax argmin".split()
QUESTIONS = "all any count_nonzero".split()
FUNCTIONS = [(name, dtype) for name in ALONG for (dtype,) in DTYPES]
LOOSE = {"float32": 4e-6, "float64": 1e-11}


@case(params=[(name, dtype) for name, dtype in FUNCTIONS if name != "logsumexp"], rtol=LOOSE)
def of_all(torch: Any, name: str, dtype: str) -> Any:
    return over_shapes(torch, getattr(torch, name), dtype)


@case(params=FUNCTIONS, rtol=LOOSE)
def along(torch: Any, name: str, dtype: str) -> Any:
    f = getattr(torch, name)
    x = sample(torch, 2, 3, 4, dtype=dtype, requires_grad=True)
    empty = sample(torch, 3, 0, dtype=dtype)
    found = {
        "first": with_gradients(torch, lambda a: f(a, 0), x),
        "last": with_gradients(torch, lambda a: f(a, dim=-1), x),
        "kept": with_gradients(torch, lambda a: f(a, dim=1, keepdim=True), x),
        "permuted": with_gradients(torch, lambda a: f(a.permute(2, 0, 1), 1), x),
        "scalar": with_gradients(torch, lambda a: f(a, 0), sample(torch, dtype=dtype, requires_grad=True)),
        "method": getattr(x, name)(dim=0).detach(),
        "empty": attempt(lambda: f(empty, 0)),
        "over nothing": attempt(lambda: f(empty, 1)),
        "no such dim": raises(lambda: f(x, 3)),
        "text": raises(lambda: f(x, "a")),
    }
    if name != "prod":
        found["two"] = with_gradients(torch, lambda a: f(a, dim=(0, 2)), x)
        found["two kept"] = with_gradients(torch, lambda a: f(a, (0, -1), keepdim=True), x)
        found["list"] = f(x, dim=[0, 1]).detach()
        found["twice"] = raises(lambda: f(x, dim=(0, 0)))
    if name not in ("nansum", "nanmean", "logsumexp"):
        found["axis"] = [f(x, axis=1).detach(), f(x, axis=1, keepdims=True).detach()]
    return found


@case(params=[(name,) for name in ALONG if name != "logsumexp"], rtol=LOOSE)
def of_integers_and_bools(torch: Any, name: str) -> Any:
    f = getattr(torch, name)
    return {
        "all": of_integers(torch, f),
        "along": of_integers(torch, lambda x: f(x, dim=1)),
        "large": attempt(lambda: f(torch.full((3,), 200, dtype=torch.uint8))),
    }


@case(params=[(name,) for name in "sum mean prod nansum nanmean".split()], rtol=LOOSE)
def dtype_argument(torch: Any, name: str) -> Any:
    f = getattr(torch, name)
    x = torch.tensor([[1.5, 2.5], [3.5, 4.0]], requires_grad=True)
    return {
        "double": with_gradients(torch, lambda a: f(a, dtype=torch.float64), x),
        "of integers": attempt(lambda: f(torch.tensor([1, 2, 3]), dtype=torch.float32)),
        "along": f(x, 1, dtype=torch.float64).detach(),
        "to integers": attempt(lambda: f(x.detach(), dtype=torch.int64)),
        "out": attempt(lambda: f(x.detach(), 0, out=torch.empty(0))),
    }


@case(params=[(name,) for name in POSITIONS])
def positions(torch: Any, name: str) -> Any:
    f = getattr(torch, name)
    x = torch.tensor([[3.0, 1.0, 3.0], [2.0, 2.0, 1.0]])
    nan = torch.tensor([[1.0, float("nan"), 5.0], [float("nan"), 0.0, float("nan")]])
    return {
        "all": f(x),
        "rows": f(x, dim=1),
        "columns": f(x, 0, keepdim=True),
        "all kept": f(x, keepdim=True),
        "method": getattr(x, name)(1),
        "nan": [f(nan), f(nan, 1)],
        "integers": of_integers(torch, f),
        "along integers": of_integers(torch, lambda a: f(a, dim=1)),
        "scalar": f(torch.tensor(3.0)),
        "turned": f(x.t(), 0),
        "empty": raises(lambda: f(torch.empty(0))),
        "empty dim": raises(lambda: f(torch.empty(0, 3), 0)),
        "other dim empty": f(torch.empty(0, 3), 1),
        "no such dim": raises(lambda: f(x, 2)),
        "gradient": f(x.clone().requires_grad_()).requires_grad,
    }


@case(params=[(name,) for name in QUESTIONS])
def questions(torch: Any, name: str) -> Any:
    f = getattr(torch, name)
    x = torch.tensor([[1.0, 0.0, float("nan")], [0.0, 0.0, 0.0]])
    return {
        "all": f(x),
        "rows": f(x, 1),
        "method": getattr(x, name)(0),
        "integers": of_integers(torch, f),
        "along integers": of_integers(torch, lambda a: f(a, dim=1)),
        "empty": [f(torch.empty(0, 3)), f(torch.empty(0, 3), 0)],
        "two": f(x, (0, 1)),
        "kept": name == "count_nonzero" or f(x, dim=1, keepdim=True),
    }


@case(params=[("max", "float32"), ("min", "float32"), ("max", "float64"), ("min", "float64")])
def extremes(torch: Any, name: str, dtype: str) -> Any:
    f = getattr(torch, name)
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    y = sample(torch, 7, dtype=dtype, seed=1, requires_grad=True)
    ties = torch.tensor([[2.0, 1.0, 2.0], [1.0, 1.0, 2.0]], dtype=getattr(torch, dtype), requires_grad=True)
    nan = torch.tensor([[1.0, float("nan"), 5.0], [0.0, 0.0, 1.0]], dtype=getattr(torch, dtype))
    values, indices = f(x, 1)
    named = f(x.detach(), dim=0)
    return {
        "all": with_gradients(torch, f, x),
        "all of ties": with_gradients(torch, f, ties),
        "rows": [values.detach(), indices],
        "rows gradient": with_gradients(torch, lambda a: f(a, 1).values, x),
        "kept": with_gradients(torch, lambda a: f(a, dim=0, keepdim=True)[0], x),
        "ties": with_gradients(torch, lambda a: f(a, 1)[0], ties),
        "indices of ties": f(ties, 1).indices,
        "pair": with_gradients(torch, f, x, y),
        "pair of ties": with_gradients(torch, f, ties, ties.detach().clone().requires_grad_()),
        "nan": [f(nan), list(f(nan, 1)), list(f(nan, 0))],
        "named": [named.values, named.indices],
        "text": str(f(torch.tensor([[1.0, 2.0]]), 1)),
        "scalar": list(f(torch.tensor(2.0), 0)),
        "amax ties": with_gradients(torch, getattr(torch, "a" + name), ties),
        "amax ties rows": with_gradients(torch, lambda a: getattr(torch, "a" + name)(a, 1), ties),
        "axis": list(f(x.detach(), axis=1)),
        "method": [getattr(x, name)().detach(), list(getattr(x.detach(), name)(0))],
        "out": list(f(x.detach(), 0, out=(torch.empty(0), torch.empty(0, dtype=torch.int64))))
        if dtype == "float32"
        else 0,
        "empty": raises(lambda: f(torch.empty(0))),
        "empty dim": raises(lambda: f(torch.empty(0, 3), 0)),
        "other dim empty": list(f(torch.empty(0, 3), 1)),
        "no such dim": raises(lambda: f(x, 2)),
        "two dims": raises(lambda: f(x, (0, 1))),
        "integers": of_integers(torch, f),
        "along integers": of_integers(torch, lambda a: list(f(a, dim=1))),
    }


@case
def aminmax(torch: Any) -> Any:
    x = sample(torch, 5, 7)
    both = torch.aminmax(x)
    return [
        both.min,
        both.max,
        list(torch.aminmax(x, dim=1, keepdim=True)),
        str(torch.aminmax(torch.tensor([1.0, 2.0]))),
    ]


@case(params=[(name, dtype) for name in ("var", "std") for (dtype,) in DTYPES], rtol=LOOSE)
def corrections(torch: Any, name: str, dtype: str) -> Any:
    f = getattr(torch, name)
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    same = torch.ones(3, dtype=getattr(torch, dtype), requires_grad=True)
    pair = getattr(torch, name + "_mean")
    return {
        "biased": f(x, unbiased=False).detach(),
        "biased positional": f(x, False).detach(),
        "along": f(x, 1, False).detach(),
        "along kept": f(x, 1, True, True).detach(),
        "zero": with_gradients(torch, lambda a: f(a, dim=0, correction=0), x),
        "two": with_gradients(torch, lambda a: f(a, dim=1, correction=2), x),
        "half": f(x, dim=1, correction=0.5).detach(),
        "none": f(x, dim=1, correction=None).detach(),
        "too many": f(x, dim=0, correction=5).detach(),
        "more than too many": f(x, dim=0, correction=9).detach(),
        "one": f(torch.ones(1)),
        "one biased": f(torch.ones(1), unbiased=False),
        "of equal": with_gradients(torch, f, same),
        "with mean": with_gradients(torch, lambda a: pair(a, 1), x),
        "with mean of all": [p.detach() for p in pair(x)],
        "with mean biased": [p.detach() for p in pair(x, dim=0, correction=0, keepdim=True)],
        "integers": raises(lambda: f(torch.tensor([1, 2]))),
    }


@case(params=DTYPES, rtol=LOOSE)
def products_with_zeros(torch: Any, dtype: str) -> Any:
    one = torch.tensor([[2.0, 0.0, 3.0], [1.0, 2.0, 3.0]], dtype=getattr(torch, dtype), requires_grad=True)
    two = torch.tensor([[0.0, 0.0, 3.0], [1.0, 0.0, 3.0]], dtype=getattr(torch, dtype), requires_grad=True)
    return {
        "one": with_gradients(torch, lambda a: torch.prod(a, 1), one),
        "two": with_gradients(torch, lambda a: torch.prod(a, 1), two),
        "all": with_gradients(torch, torch.prod, one),
        "columns": with_gradients(torch, lambda a: torch.prod(a, 0, keepdim=True), two),
        "running": with_gradients(torch, lambda a: torch.cumprod(a, 1), two),
        "running columns": with_gradients(torch, lambda a: torch.cumprod(a, 0), one),
    }


@case(
    params=[(name, dtype) for name in "cumsum cumprod logcumsumexp cummax cummin".split() for (dtype,) in DTYPES],
    rtol=LOOSE,
)
def running(torch: Any, name: str, dtype: str) -> Any:
    f = getattr(torch, name)
    x = sample(torch, 3, 4, dtype=dtype, requires_grad=True)
    ties = torch.tensor([1.0, 3.0, 3.0, 2.0, 3.0], dtype=getattr(torch, dtype))
    return {
        "rows": with_gradients(torch, lambda a: f(a, 1), x),
        "columns": with_gradients(torch, lambda a: f(a, dim=0), x),
        "turned": with_gradients(torch, lambda a: f(a.t(), -1), x),
        "scalar": with_gradients(torch, lambda a: f(a, 0), sample(torch, dtype=dtype, requires_grad=True)),
        "empty": f(sample(torch, 0, 3, dtype=dtype), 0),
        "ties": f(ties, 0),
        "method": getattr(x, name)(1),
        "integers": of_integers(torch, lambda a: f(a, 1)),
        "no such dim": raises(lambda: f(x, 2)),
        "no dim": raises(lambda: f(x)),
        "dtype": name in ("logcumsumexp", "cummax", "cummin") or f(x.detach(), 1, dtype=torch.float64),
        "in place": name not in ("cumsum", "cumprod") or getattr(x.detach().clone(), name + "_")(1),
    }


@case
def running_extremes_of_nan(torch: Any) -> Any:
    x = torch.tensor([1.0, float("nan"), 3.0, float("nan"), 0.0])
    return list(torch.cummax(x, 0)), list(torch.cummin(x, 0)), str(torch.cummax(torch.tensor([1.0, 2.0]), 0))


@case(params=DTYPES, rtol=LOOSE)
def differences_and_areas(torch: Any, dtype: str) -> Any:
    y = sample(torch, 3, 5, dtype=dtype, requires_grad=True)
    x = torch.cumsum(sample(torch, 5, dtype=dtype, low=0.1, high=1.0, seed=1), 0).requires_grad_()
    return {
        "diff": with_gradients(torch, torch.diff, y),
        "twice": with_gradients(torch, lambda a: torch.diff(a, n=2), y),
        "columns": with_gradients(torch, lambda a: torch.diff(a, dim=0), y),
        "longer": torch.diff(y.detach(), prepend=y.detach()[:, :1], append=y.detach()[:, -2:]),
        "too often": torch.diff(y.detach(), n=7),
        "bools": torch.diff(torch.tensor([True, False, False])),
        "zero times": torch.diff(y.detach(), n=0),
        "scalar": raises(lambda: torch.diff(torch.tensor(1.0))),
        "trapezoid": with_gradients(torch, torch.trapezoid, y),
        "trapezoid x": with_gradients(torch, torch.trapezoid, y, x),
        "trapezoid dx": with_gradients(torch, lambda a: torch.trapezoid(a, dx=0.5, dim=0), y),
        "trapz": torch.trapz(y.detach(), x.detach()),
        "running": with_gradients(torch, torch.cumulative_trapezoid, y, x),
    }


@case(params=[(name, dtype) for name in ("softmax", "log_softmax", "logsumexp") for (dtype,) in DTYPES], rtol=LOOSE)
def softmax_family(torch: Any, name: str, dtype: str) -> Any:
    f = getattr(torch, name)
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    inf = float("inf")
    hard = torch.tensor([[1e4, -1e4, 0.0], [-inf, 0.0, 1.0], [88.0, 89.0, 90.0]], dtype=getattr(torch, dtype))
    found = {
        "rows": with_gradients(torch, lambda a: f(a, dim=1), x),
        "columns": with_gradients(torch, lambda a: f(a, 0), x),
        "deep": with_gradients(torch, lambda a: f(a, -2), sample(torch, 2, 3, 4, dtype=dtype, requires_grad=True)),
        "method": getattr(x, name)(1).detach(),
        "hard": f(hard, 1),
        "all -inf": f(torch.full((2,), -inf, dtype=getattr(torch, dtype)), 0),
        "empty": f(sample(torch, 0, 3, dtype=dtype), 1),
        "scalar": f(torch.tensor(2.0), 0),
        "integers": attempt(lambda: f(torch.tensor([1, 2]), 0)),
        "no such dim": raises(lambda: f(x, 2)),
        "no dim": raises(lambda: f(x)),
    }
    if name == "logsumexp":
        found["two"] = with_gradients(torch, lambda a: f(a, (0, 1)), x)
        found["inf"] = f(torch.tensor([inf, 1.0]), 0)
    else:
        found["dtype"] = with_gradients(torch, lambda a: f(a, 1, dtype=torch.float64), x)
    return found


@case(params=DTYPES, rtol=LOOSE)
def norms(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    zero = torch.zeros(3, dtype=getattr(torch, dtype), requires_grad=True)
    inf = float("inf")
    found: dict[str, Any] = {
        f"p {p}": with_gradients(torch, lambda a, p=p: torch.norm(a, p), x) for p in (1, 2, 3, 0.5, inf, -inf, "fro")
    }
    found |= {f"rows {p}": with_gradients(torch, lambda a, p=p: torch.norm(a, p, dim=1), x) for p in (1, 2, 2.5, inf)}
    found |= {
        "count": torch.norm(x.detach(), 0, dim=1),
        "method": with_gradients(torch, lambda a: a.norm(), x),
        "kept": with_gradients(torch, lambda a: a.norm(p=2, dim=0, keepdim=True), x),
        "two dims": torch.norm(x, dim=(0, 1)).detach(),
        "nuclear": torch.norm(x, "nuc").detach(),
        "zero": with_gradients(torch, torch.norm, zero),
        "zero, p 1": with_gradients(torch, lambda a: torch.norm(a, 1), zero),
        "dtype": torch.norm(x, dtype=torch.float64).detach(),
        "integers": raises(lambda: torch.norm(torch.tensor([1, 2]))),
        "dist": with_gradients(
            torch, lambda a, b: torch.dist(a, b, 3), x, sample(torch, 7, dtype=dtype, seed=1, requires_grad=True)
        ),
        "renorm": with_gradients(torch, lambda a: torch.renorm(a, 2, 0, 2.0), x),
        "empty": torch.norm(torch.empty(0)),
        "empty inf": raises(lambda: torch.norm(torch.empty(0), inf)),
    }
    return found


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-11})
def distances(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 3, dtype=dtype, requires_grad=True)
    y = sample(torch, 4, 3, dtype=dtype, seed=1, requires_grad=True)
    return {
        "euclid": with_gradients(torch, torch.cdist, x, y),
        "p 1": with_gradients(torch, lambda a, b: torch.cdist(a, b, p=1), x, y),
        "p 3": with_gradients(torch, lambda a, b: torch.cdist(a, b, p=3), x, y),
        "inf": torch.cdist(x, y, p=float("inf")).detach(),
        "batch": torch.cdist(x.detach().expand(2, 5, 3), y.detach().expand(2, 4, 3)),
        "empty": torch.cdist(torch.empty(0, 3), torch.ones(2, 3)),
        "columns": raises(lambda: torch.cdist(torch.ones(2, 3), torch.ones(2, 4))),
        "vectors": raises(lambda: torch.cdist(torch.ones(3), torch.ones(3))),
    }


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-11})
def covariance(torch: Any, dtype: str) -> Any:
    x = sample(torch, 3, 6, dtype=dtype, requires_grad=True)
    counts = torch.tensor([1, 2, 1, 3, 1, 1])
    weights = sample(torch, 6, dtype=dtype, low=0.1, high=1.0, seed=2)
    return {
        "cov": with_gradients(torch, torch.cov, x),
        "biased": torch.cov(x, correction=0).detach(),
        "vector": torch.cov(x[0]).detach(),
        "counts": torch.cov(x, fweights=counts).detach(),
        "weights": torch.cov(x, aweights=weights).detach(),
        "both": torch.cov(x, fweights=counts, aweights=weights).detach(),
        "corrcoef": torch.corrcoef(x).detach(),
        "corrcoef vector": torch.corrcoef(x[0]).detach(),
        "integers": torch.cov(torch.tensor([[1, 2, 4], [3, 1, 2]])),
        "three dims": raises(lambda: torch.cov(torch.ones(2, 2, 2))),
    }


@case
def counts(torch: Any) -> Any:
    x = sample(torch, 50, low=-2, high=4)
    whole = torch.tensor([1, 3, 3, 0, 7])
    return {
        "bincount": torch.bincount(whole),
        "longer": torch.bincount(whole, minlength=10),
        "weights": torch.bincount(whole, torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0])),
        "double weights": torch.bincount(whole, torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0], dtype=torch.float64)),
        "empty": torch.bincount(torch.empty(0, dtype=torch.int64), minlength=2),
        "negative": raises(lambda: torch.bincount(torch.tensor([-1]))),
        "floats": raises(lambda: torch.bincount(torch.tensor([1.0]))),
        "matrix": raises(lambda: torch.bincount(torch.ones(2, 2, dtype=torch.int64))),
        "histc": torch.histc(x, bins=5),
        "histc range": torch.histc(x, bins=4, min=-1, max=2),
        "histc equal": torch.histc(torch.ones(3), bins=3),
        "histc bins": raises(lambda: torch.histc(x, bins=0)),
        "histogram": list(torch.histogram(x, 4)),
        "histogram alone": list(torch.histogram(x, density=True)),
        "histogram range": list(torch.histogram(x, bins=3, range=(-1.0, 2.0), density=True)),
        "histogram edges": list(torch.histogram(x, torch.tensor([-1.0, 0.0, 3.0]))),
    }


GRADIENTS: dict[str, Any] = {
    "plain": {},
    "wide": {"spacing": 0.5},
    "each": {"spacing": (2.0, 3.0)},
    "one": {"dim": 1, "spacing": 0.25},
    "order": {"dim": (-1, 0)},
    "second": {"edge_order": 2},
    "points": {"dim": 1, "spacing": [[0.0, 1.0, 3.0, 4.0]]},
    "points, second": {"edge_order": 2, "spacing": [[0.0, 0.5, 2.0], [-1.0, 1.0, 1.5, 4.0]]},
}


@case(params=[(name,) for name in GRADIENTS])
def gradients_by_differences(torch: Any, name: str) -> Any:
    given = dict(GRADIENTS[name])
    if "points" in name:
        given["spacing"] = [torch.tensor(points) for points in given["spacing"]]
    x = sample(torch, 3, 4, requires_grad=True)
    return with_gradients(torch, lambda x: torch.gradient(x, **given), x)


@case
def gradients_of_few(torch: Any) -> Any:
    x, kinds = sample(torch, 3, 4), RuntimeError
    return {
        "whole": torch.gradient(torch.tensor([1, 4, 9, 16])),
        "two": torch.gradient(torch.tensor([1.0, 5.0]), spacing=2.0),
        "none": len(torch.gradient(torch.tensor(1.0))),
        "one": message(lambda: torch.gradient(torch.ones(1)), kinds),
        "short": message(lambda: torch.gradient(torch.ones(2), edge_order=2), kinds),
        "order": message(lambda: torch.gradient(x, edge_order=3), kinds),
        "twice": message(lambda: torch.gradient(x, dim=(0, 0)), kinds),
        "points": raises(lambda: torch.gradient(x, dim=1, spacing=[torch.ones(2)])),
        "dim": raises(lambda: torch.gradient(x, dim=2)),
    }


@case(params=DTYPES)
def values_on_the_edges_of_intervals(torch: Any, dtype: str) -> Any:
    x = torch.arange(-10, 31).to(getattr(torch, dtype)) / 10
    ranges = {
        "tenths": (10, 0, 1),
        "eighths": (8, -1, 1),
        "thirds": (9, 0, 3),
        "odd": (13, -0.3, 0.7),
        "all": (40, 0, 0),
    }
    return {
        name: [
            torch.histc(x, bins, low, high),
            *torch.histogram(x, bins, range=None if low == high else (low, high)),
        ]
        for name, (bins, low, high) in ranges.items()
    }


@case(params=DTYPES)
def norms_at_zero(torch: Any, dtype: str) -> Any:
    rows = [[0.0, 0.0, 0.0], [0.0, 2.0, -2.0], [1.0, -3.0, 0.0]]
    found = {}
    for order in (1, 2, 3, float("inf"), float("-inf")):
        x = torch.tensor(rows, dtype=getattr(torch, dtype), requires_grad=True)
        found[str(order)] = with_gradients(torch, lambda x, p=order: torch.linalg.vector_norm(x, p, dim=1), x)
    return found


@case()
def mode_of_nothing_but_nan(torch: Any) -> Any:
    nan = float("nan")
    return [*torch.mode(torch.tensor([[nan, nan], [1.0, 1.0]])), *torch.mode(torch.tensor([nan, 1.0, 1.0]))]


@case(params=DTYPES)
def median_of_ties_and_nan(torch: Any, dtype: str) -> Any:
    nan, found = float("nan"), []
    for row in ([1.0, 2.0, 2.0, 2.0, 3.0], [nan, 1.0, 1.0, nan], [nan, nan]):
        x = torch.tensor(row, dtype=getattr(torch, dtype), requires_grad=True)
        found.append(with_gradients(torch, torch.median, x))
    return found
