"""Sorting, the largest few, medians, quantiles, sets of values and search."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.tensors import attempt, of_integers

NAN = float("nan")


@case(params=DTYPES)
def sorting(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    ties = torch.tensor([2.0, 1.0, 2.0, 1.0, 2.0], dtype=x.dtype)
    nan = torch.tensor([2.0, NAN, -1.0, NAN, 5.0], dtype=x.dtype)
    return {
        "rows": with_gradients(torch, lambda a: torch.sort(a).values, x),
        "columns": with_gradients(torch, lambda a: a.sort(dim=0, descending=True)[0], x),
        "indices": x.sort(1, True).indices,
        "turned": with_gradients(torch, lambda a: a.t().sort(0).values, x),
        "ties": list(torch.sort(ties, stable=True)),
        "ties down": list(torch.sort(ties, descending=True, stable=True)),
        "nan": list(nan.sort(stable=True)),
        "nan down": list(nan.sort(descending=True, stable=True)),
        "scalar": list(torch.tensor(3.0).sort()),
        "empty": list(torch.empty(0, 3).sort(0)),
        "argsort": [torch.argsort(x), x.argsort(0, descending=True), torch.argsort(ties, stable=True)],
        "msort": with_gradients(torch, torch.msort, x),
        "integers": of_integers(torch, lambda a: list(torch.sort(a, stable=True))),
        "text": str(torch.sort(torch.tensor([2.0, 1.0]))),
        "no such dim": raises(lambda: x.sort(2)),
    }


@case(params=DTYPES)
def largest(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    return {
        "topk": with_gradients(torch, lambda a: torch.topk(a, 3).values, x),
        "indices": x.topk(3).indices,
        "smallest": with_gradients(torch, lambda a: a.topk(2, dim=0, largest=False)[0], x),
        "none": list(x.detach().topk(0)),
        "all": list(x.detach().topk(7)),
        "scalar": list(torch.tensor(3.0).topk(1)),
        "nan": list(torch.tensor([1.0, NAN, 3.0]).topk(2)),
        "integers": list(torch.tensor([3, 1, 2]).topk(2)),
        "kthvalue": with_gradients(torch, lambda a: torch.kthvalue(a, 2).values, x),
        "kthvalue kept": list(x.detach().kthvalue(5, 0, keepdim=True)),
        "kthvalue scalar": list(torch.tensor(3.0).kthvalue(1)),
        "text": str(torch.tensor([1.0, 2.0]).topk(1)),
        "too many": raises(lambda: x.topk(8)),
        "negative": raises(lambda: x.topk(-1)),
        "kth too large": raises(lambda: x.kthvalue(8)),
        "kth zero": raises(lambda: x.kthvalue(0)),
    }


@case(params=DTYPES)
def middles(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 6, dtype=dtype, requires_grad=True)
    nan = torch.tensor([[1.0, NAN, 3.0, 0.5], [4.0, 2.0, 1.0, 7.0], [NAN, NAN, NAN, NAN]], dtype=x.dtype)
    found: dict[str, Any] = {}
    for name in ("median", "nanmedian"):
        f = getattr(torch, name)
        found[name] = {
            "all": with_gradients(torch, f, x),
            "rows": with_gradients(torch, lambda a, f=f: f(a, 1).values, x),
            "indices": f(x, 0).indices,
            "kept": list(f(x.detach(), dim=1, keepdim=True)),
            "nan": f(nan),
            "nan rows": list(f(nan, 1))[0],
            "nan index": f(nan[:2], 1).indices,
            "integers": of_integers(torch, f),
            "scalar": [f(torch.tensor(2.0)), list(f(torch.tensor(2.0), 0))],
            "empty": f(torch.empty(0)),
            "empty dim": raises(lambda f=f: f(torch.empty(0, 3), 0)),
            "text": str(f(torch.tensor([1.0, 2.0]), 0)),
        }
    return found


@case
def modes(torch: Any) -> Any:
    x = torch.tensor(
        [[1.0, 2.0, 2.0, 3.0, 3.0], [5.0, 5.0, 1.0, 1.0, 0.0], [4.0, 3.0, 2.0, 1.0, 0.0]], requires_grad=True
    )
    return {
        "rows": list(torch.mode(x.detach())),
        "columns": list(x.detach().mode(0, keepdim=True)),
        "gradient": with_gradients(torch, lambda a: a.mode(1)[0], x),
        "scalar": list(torch.tensor(2.0).mode()),
        "integers": list(torch.tensor([1, 2, 2]).mode()),
        "empty": raises(lambda: torch.empty(0, 3).mode(0)),
    }


@case(params=DTYPES, rtol={"float32": 4e-6, "float64": 1e-11})
def quantiles(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 6, dtype=dtype, requires_grad=True)
    q = torch.tensor([0.0, 0.25, 0.5, 0.9, 1.0], dtype=x.dtype)
    nan = torch.tensor([[1.0, NAN, 3.0], [4.0, 2.0, 1.0]], dtype=x.dtype)
    return {
        "median": with_gradients(torch, lambda a: torch.quantile(a, 0.5), x),
        "several": with_gradients(torch, lambda a: torch.quantile(a, q, dim=1), x),
        "kept": with_gradients(torch, lambda a: a.quantile(q, 0, keepdim=True), x),
        "kept all": x.detach().quantile(0.3, keepdim=True),
        "one": x.detach().quantile(0.3, dim=-1),
        "interpolation": [
            x.detach().quantile(q, dim=1, interpolation=how)
            for how in ("linear", "lower", "higher", "midpoint", "nearest")
        ],
        "nan": [torch.quantile(nan, 0.5), torch.quantile(nan, 0.5, dim=1), torch.nanquantile(nan, 0.5)],
        "nanquantile": torch.nanquantile(nan, q, dim=1),
        "all nan": torch.nanquantile(torch.tensor([NAN, NAN], dtype=x.dtype), 0.5),
        "range": raises(lambda: x.quantile(1.5)),
        "integers": raises(lambda: torch.tensor([1, 2]).quantile(0.5)),
        "empty": raises(lambda: torch.empty(0).quantile(0.5)),
        "method": raises(lambda: x.quantile(0.5, interpolation="middle")),
        "q dtype": raises(lambda: x.quantile(torch.tensor([1]))),
    }


@case
def sets(torch: Any) -> Any:
    x = torch.tensor([3, 1, 3, 2, 1])
    matrix = torch.tensor([[2.0, 1.0], [2.0, 1.0], [1.0, 5.0]])
    return {
        "unique": torch.unique(x),
        "inverse": list(torch.unique(x, return_inverse=True)),
        "counts": list(x.unique(return_counts=True)),
        "both": list(torch.unique(matrix, return_inverse=True, return_counts=True)),
        "rows": list(torch.unique(matrix, dim=0, return_inverse=True, return_counts=True)),
        "columns": torch.unique(matrix, dim=1),
        "bools": torch.unique(torch.tensor([True, False, True])),
        "nan": torch.unique(torch.tensor([NAN, 1.0, NAN])),
        "empty": torch.unique(torch.empty(0)),
        "scalar": torch.unique(torch.tensor(3)),
        "consecutive": torch.unique_consecutive(torch.tensor([1, 1, 2, 2, 1])),
        "consecutive all": list(
            torch.unique_consecutive(torch.tensor([[1, 1, 2], [2, 1, 1]]), return_inverse=True, return_counts=True)
        ),
        "consecutive rows": list(torch.unique_consecutive(matrix, dim=0, return_inverse=True, return_counts=True)),
        "isin": torch.isin(x, torch.tensor([1, 2])),
        "isin invert": torch.isin(x, torch.tensor([1, 2]), invert=True),
        "isin number": [torch.isin(x, 3), torch.isin(3, x)],
        "isin floats": torch.isin(torch.tensor([1.0, 2.5]), torch.tensor([2.5])),
    }


@case
def search(torch: Any) -> Any:
    keys = torch.tensor([1.0, 3.0, 5.0, 7.0])
    values = torch.tensor([[0.0, 3.0], [6.0, 9.0]])
    rows = torch.tensor([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
    return {
        "left": torch.searchsorted(keys, values),
        "right": torch.searchsorted(keys, values, right=True),
        "side": torch.searchsorted(keys, values, side="right"),
        "rows": torch.searchsorted(rows, torch.tensor([[3.0, 6.0], [3.0, 6.0]])),
        "number": torch.searchsorted(keys, 4.0),
        "int32": torch.searchsorted(keys, values, out_int32=True),
        "sorter": torch.searchsorted(
            torch.tensor([3.0, 1.0, 2.0]), torch.tensor([2.5]), sorter=torch.tensor([1, 2, 0])
        ),
        "bucketize": torch.bucketize(values, keys),
        "bucketize right": torch.bucketize(values, keys, right=True),
        "bucketize number": torch.bucketize(3.0, keys),
        "side error": raises(lambda: torch.searchsorted(keys, values, side="middle")),
        "opposites": raises(lambda: torch.searchsorted(keys, values, side="left", right=True)),
        "shapes": raises(lambda: torch.searchsorted(rows, torch.ones(3, 2))),
        "boundaries": raises(lambda: torch.bucketize(values, rows)),
        "integers": attempt(lambda: torch.searchsorted(torch.tensor([1, 3]), torch.tensor([2, 3]))),
    }


@case
def median_of_equal_elements(torch: Any) -> Any:
    def leaf(*values: Any) -> Any:
        return torch.tensor(values, requires_grad=True)

    inf, nan = float("inf"), float("nan")
    return {
        "matrix": with_gradients(torch, lambda a: a.median(), leaf([1.0, 2.0, 2.0], [2.0, 3.0, 0.0])),
        "squared": with_gradients(torch, lambda a: a.median() ** 2, leaf(3.0, 3.0, 1.0, 5.0)),
        "infinite": with_gradients(torch, lambda a: a.median(), leaf(1.0, inf, inf)),
        "without nan": with_gradients(torch, lambda a: a.nanmedian(), leaf(1.0, nan, 1.0, 2.0)),
        "name": str(leaf(1.0, 1.0).median()),
    }
