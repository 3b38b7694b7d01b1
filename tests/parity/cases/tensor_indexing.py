"""Reading and writing by position: square brackets, gather and scatter, masks."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, message, raises, sample, with_gradients

INDICES = {
    "int": lambda t, x: 1,
    "negative": lambda t, x: -1,
    "slice": lambda t, x: slice(1, 3),
    "open slice": lambda t, x: slice(None, None, 2),
    "far slice": lambda t, x: slice(2, 99),
    "negative slice": lambda t, x: slice(-2, None),
    "empty slice": lambda t, x: slice(3, 1),
    "ellipsis": lambda t, x: Ellipsis,
    "none": lambda t, x: None,
    "nothing": lambda t, x: (),
    "two ints": lambda t, x: (1, 2),
    "int and slice": lambda t, x: (0, slice(1, None)),
    "slice and int": lambda t, x: (slice(None), 1),
    "ellipsis and int": lambda t, x: (Ellipsis, 1),
    "int and ellipsis": lambda t, x: (1, Ellipsis, slice(0, 2)),
    "nones": lambda t, x: (None, slice(None), None, 0),
    "list": lambda t, x: [0, 2],
    "repeated list": lambda t, x: [0, 2, 0, 0],
    "negative list": lambda t, x: [-1, -3],
    "empty list": lambda t, x: [],
    "bool list": lambda t, x: [True, False, True, False],
    "list and slice": lambda t, x: ([0, 2], slice(1, 3)),
    "slice and list": lambda t, x: (slice(None), [0, 2]),
    "two lists": lambda t, x: ([0, 1, 3], [2, 0, 1]),
    "lists apart": lambda t, x: ([0, 1], slice(None), [2, 0]),
    "int and list": lambda t, x: (1, [0, 2]),
    "list and int": lambda t, x: ([0, 2], 1),
    "int, slice, list": lambda t, x: (1, slice(None), [0, 4]),
    "list, slice, int": lambda t, x: ([0, 2], slice(None), 1),
    "slice, int, list": lambda t, x: (slice(None), 1, [0, 4]),
    "list, none, int": lambda t, x: ([0, 2], None, 1),
    "ellipsis and list": lambda t, x: (Ellipsis, [0, 3]),
    "list and ellipsis": lambda t, x: ([1, 1], Ellipsis, 0),
    "tensor": lambda t, x: t.tensor([2, 0]),
    "int32 tensor": lambda t, x: t.tensor([2, 0], dtype=t.int32),
    "matrix of indices": lambda t, x: t.tensor([[0, 1], [2, 3]]),
    "zero-dim tensor": lambda t, x: t.tensor(2),
    "zero-dim among slices": lambda t, x: (slice(None), t.tensor(1)),
    "broadcast tensors": lambda t, x: (t.tensor([[0], [2]]), t.tensor([0, 1, 2])),
    "tensors apart": lambda t, x: (t.tensor([0, 2]), slice(None), t.tensor([1, 1])),
    "mask": lambda t, x: x > 0,
    "row mask": lambda t, x: t.tensor([True, False, False, True]),
    "mask and int": lambda t, x: (t.tensor([True, False, False, True]), 1),
    "mask in the middle": lambda t, x: (slice(None), t.tensor([True, False, True])),
    "mask over two": lambda t, x: x[:, :, 0] > 0,
    "byte mask": lambda t, x: (x[:, 0, 0] > 0).to(t.uint8),
    "true": lambda t, x: True,
    "false": lambda t, x: False,
    "range": lambda t, x: list(range(2)),
    "slice of tensors": lambda t, x: slice(t.tensor(1), t.tensor(3)),
}


@case(params=[(name, dtype) for name in INDICES for (dtype,) in DTYPES])
def getitem(torch: Any, name: str, dtype: str) -> Any:
    x = sample(torch, 4, 3, 5, dtype=dtype, requires_grad=True)
    index = INDICES[name](torch, x)
    part = x.detach()[index]
    return {
        "value": with_gradients(torch, lambda a: a[index], x),
        "turned": x.detach().permute(1, 2, 0).permute(2, 0, 1)[index],
        "contiguous": part.is_contiguous(),
    }


@case(params=[(name,) for name in INDICES if name not in ("byte mask", "false")])
def setitem(torch: Any, name: str) -> Any:
    x = sample(torch, 4, 3, 5)
    index = INDICES[name](torch, x)
    number, tensor, base = x.clone(), x.clone(), x.clone()
    number[index] = 7
    part = x[index]
    tensor[index] = sample(torch, *part.shape, seed=3)
    view = base.transpose(0, 2).transpose(0, 2)
    view[index] = 2.5
    weight, leaf = sample(torch, *part.shape, seed=4, requires_grad=True), x.clone().requires_grad_()

    def changed(a: Any, w: Any) -> Any:
        b = a * 1
        b[index] = w * 2
        return b * b

    unique = name not in ("repeated list", "list and ellipsis")
    return {
        "number": number,
        "tensor": tensor if unique else None,
        "through a view": base,
        "gradient": with_gradients(torch, changed, leaf, weight) if unique else None,
    }


@case
def setitem_broadcasts_and_casts(torch: Any) -> Any:
    x = torch.zeros(3, 4)
    x[1] = torch.arange(4)
    x[:, 0] = torch.tensor([1.5, 2.5, 3.5], dtype=torch.float64)
    x[2] = 1
    x[0, 1:3] = torch.tensor([[9.0, 8.0]])
    whole = torch.zeros(3, dtype=torch.int64)
    whole[0] = 2.7
    whole[1:] = torch.tensor([1.9, -1.9])
    mask = torch.zeros(2, 3)
    mask[torch.tensor([[True, False, True], [False, True, False]])] = torch.tensor([1.0, 2.0, 3.0])
    several = torch.zeros(4)
    several[[0, 2]] += 1
    doubled = torch.zeros(4)
    doubled[[1, 1]] += 1
    lists = torch.zeros(2, 2)
    lists[0] = torch.tensor([1.0, 2.0])
    bools = torch.zeros(3, dtype=torch.bool)
    bools[1] = True
    return x, whole, mask, several, doubled, lists, bools


@case
def setitem_history(torch: Any) -> Any:
    w = sample(torch, 3, requires_grad=True)

    def filled(a: Any) -> Any:
        table = torch.zeros(2, 3)
        table[0] = a
        table[1, 1:] = a[:2] * 3
        return table

    def through_row(a: Any) -> Any:
        table = torch.ones(2, 3)
        row = table[1]
        row[0] = a[2]
        return table * table

    def in_a_loop(a: Any) -> Any:
        out = torch.zeros(3)
        for i in range(3):
            out[i] = a[i] * (out[i - 1] + 1 if i else 1)
        return out

    return {
        "filled": with_gradients(torch, filled, w),
        "through a row": with_gradients(torch, through_row, w),
        "loop": raises(lambda: with_gradients(torch, in_a_loop, w)),
        "leaf": raises(lambda: w.__setitem__(0, 1.0)),
        "view of leaf": raises(lambda: w[:2].__setitem__(0, 1.0)),
    }


@case
def index_errors(torch: Any) -> Any:
    x = torch.zeros(4, 3)
    calls = {
        "range": lambda: x[4],
        "negative range": lambda: x[-5],
        "second": lambda: x[0, 3],
        "too many": lambda: x[0, 0, 0],
        "list range": lambda: x[[0, 9]],
        "tensor range": lambda: x[torch.tensor([4])],
        "float": lambda: x[1.5],
        "float tensor": lambda: x[torch.tensor([1.0])],
        "text": lambda: x["a"],
        "step": lambda: x[::-1],
        "zero step": lambda: x[::0],
        "mask shape": lambda: x[torch.ones(3, dtype=torch.bool)],
        "mask shape 2": lambda: x[torch.ones(4, 2, dtype=torch.bool)],
        "broadcast": lambda: x[torch.tensor([0, 1]), torch.tensor([0, 1, 2])],
        "scalar": lambda: torch.tensor(1.0)[0],
        "set shape": lambda: x.__setitem__(0, torch.ones(2)),
        "set mask": lambda: x.__setitem__(x == 0, torch.ones(5)),
        "set range": lambda: x.__setitem__(9, 0),
        "set text": lambda: x.__setitem__(0, "a"),
        "set list": lambda: x.__setitem__(0, [1, 2]),
    }
    return {name: raises(call) for name, call in calls.items()}


@case(params=DTYPES)
def selecting(torch: Any, dtype: str) -> Any:
    x = sample(torch, 4, 3, dtype=dtype, requires_grad=True)
    deep = sample(torch, 2, 3, 4, dtype=dtype, requires_grad=True)
    rows = torch.tensor([2, 0, 2])
    return {
        "index_select": with_gradients(torch, lambda a: torch.index_select(a, 0, rows), x),
        "index_select columns": with_gradients(torch, lambda a: a.index_select(1, torch.tensor([1])), x),
        "index_select int32": x.detach().index_select(0, rows.int()),
        "index_select number": x.detach().index_select(0, torch.tensor(1)),
        "gather 0": with_gradients(torch, lambda a: a.gather(0, torch.tensor([[0, 1, 2], [3, 3, 0]])), x),
        "gather 1": with_gradients(torch, lambda a: torch.gather(a, 1, torch.tensor([[0, 0], [2, 1]])), x),
        "gather deep": with_gradients(torch, lambda a: a.gather(-1, torch.tensor([[[3], [0]], [[1], [1]]])), deep),
        "gather scalar": torch.tensor(3.0).gather(0, torch.tensor([0, 0])),
        "gather empty": x.detach().gather(0, torch.empty(0, 3, dtype=torch.int64)),
        "take": with_gradients(torch, lambda a: torch.take(a, torch.tensor([[0, 5], [-1, 5]])), x),
        "take_along_dim": with_gradients(torch, lambda a: a.take_along_dim(torch.tensor([[0], [1], [2], [0]]), 1), x),
        "take_along_dim wide": torch.take_along_dim(x.detach(), torch.tensor([[0, 1]]), dim=1),
        "take_along_dim flat": torch.take_along_dim(x.detach(), torch.tensor([3, 4])),
        "masked_select": with_gradients(torch, lambda a: a.masked_select(x.detach() > 0), x),
        "masked_select row": with_gradients(
            torch, lambda a: torch.masked_select(a, torch.tensor([True, False, True])), x
        ),
        "nonzero": torch.nonzero((x > 0).detach()),
        "nonzero tuple": torch.nonzero((x > 0).detach(), as_tuple=True),
        "nonzero scalar": [
            torch.tensor(1.0).nonzero(),
            torch.tensor(0.0).nonzero(),
            torch.tensor(3).nonzero(as_tuple=True),
        ],
        "nonzero deep": (deep > 1).nonzero(),
        "nonzero empty": torch.zeros(3).nonzero(),
        "argwhere": torch.argwhere((x > 0).detach()),
    }


@case(params=DTYPES)
def scattering(torch: Any, dtype: str) -> Any:
    x = sample(torch, 4, 3, dtype=dtype, requires_grad=True)
    src = sample(torch, 2, 3, dtype=dtype, seed=1, requires_grad=True)
    wide = sample(torch, 4, 5, dtype=dtype, seed=1, requires_grad=True)
    index = torch.tensor([[0, 1, 2], [3, 3, 0]])
    narrow = torch.tensor([[2], [0], [1], [1]])
    return {
        "scatter": with_gradients(torch, lambda a, b: a.scatter(0, index, b), x, src),
        "scatter value": with_gradients(torch, lambda a: torch.scatter(a, 1, narrow, 5.0), x),
        "scatter wide": x.detach().scatter(1, narrow, wide.detach()),
        "scatter keyword": torch.zeros(2, 3).scatter(dim=1, index=torch.tensor([[1], [2]]), value=1.0),
        "scatter reduce add": torch.ones(4, 3).scatter(1, narrow, torch.full((4, 1), 2.0), reduce="add"),
        "scatter reduce multiply": torch.ones(4, 3).scatter(1, narrow, torch.full((4, 1), 2.0), reduce="multiply"),
        "scatter_add": with_gradients(torch, lambda a, b: a.scatter_add(0, index, b), x, src),
        "scatter_add repeated": with_gradients(
            torch, lambda a, b: torch.scatter_add(a, 0, torch.tensor([[0, 0, 0], [0, 0, 0]]), b), x, src
        ),
        "in place": torch.zeros(4, 3).scatter_(1, narrow, 1),
        "in place add": torch.zeros(4, 3, dtype=x.dtype).scatter_add_(0, index, src.detach()),
        "one hot": torch.zeros(3, 4).scatter_(1, torch.tensor([[1], [3], [0]]), 1.0),
        "empty": torch.ones(2, 2).scatter(0, torch.empty(0, 2, dtype=torch.int64), 1.0),
        "integers": torch.zeros(3, dtype=torch.int64).scatter_add_(
            0, torch.tensor([1, 1, 2]), torch.ones(3, dtype=torch.int64)
        ),
    }


@case
def products_with_zeros(torch: Any) -> Any:
    """One factor of 0 at a place, two, none, and what is there already."""
    x = torch.tensor([[2.0, 0.0, 3.0, -1.0, 5.0]], requires_grad=True)
    src = torch.tensor([[0.0, 4.0, 7.0, 0.0, 0.0, 6.0, 0.0, -2.0]], requires_grad=True)
    index = torch.tensor([[0, 0, 1, 2, 2, 3, 1, 3]])
    return {
        "with self": with_gradients(torch, lambda a, b: a.scatter_reduce(1, index, b, "prod"), x, src),
        "without self": with_gradients(
            torch, lambda a, b: a.scatter_reduce(1, index, b, "prod", include_self=False), x, src
        ),
    }


@case(
    params=[(how, dtype) for how in ("sum", "prod", "mean", "amax", "amin") for (dtype,) in DTYPES],
    rtol={"float32": 4e-6},
)
def scatter_reduce(torch: Any, how: str, dtype: str) -> Any:
    x = sample(torch, 4, 3, dtype=dtype, requires_grad=True)
    src = sample(torch, 3, 3, dtype=dtype, seed=1, requires_grad=True)
    index = torch.tensor([[0, 1, 2], [3, 1, 0], [0, 1, 0]])
    return {
        "with self": with_gradients(torch, lambda a, b: a.scatter_reduce(0, index, b, how), x, src),
        "without self": with_gradients(
            torch, lambda a, b: torch.scatter_reduce(a, 0, index, b, reduce=how, include_self=False), x, src
        ),
        "in place": x.detach().clone().scatter_reduce_(0, index, src.detach(), how),
        "integers": torch.tensor([1, 2, 3]).scatter_reduce(0, torch.tensor([0, 0, 2]), torch.tensor([4, 5, 6]), how),
        "max": x.detach().scatter_reduce(0, index, src.detach(), "max"),
        "unknown": raises(lambda: x.scatter_reduce(0, index, src, "most")),
    }


@case(params=DTYPES)
def writing_slices(torch: Any, dtype: str) -> Any:
    x = sample(torch, 4, 3, dtype=dtype, requires_grad=True)
    rows = torch.tensor([2, 0])
    source = sample(torch, 2, 3, dtype=dtype, seed=1, requires_grad=True)
    return {
        "index_add": with_gradients(torch, lambda a, b: a.index_add(0, rows, b), x, source),
        "index_add alpha": with_gradients(torch, lambda a, b: torch.index_add(a, 0, rows, b, alpha=2), x, source),
        "index_add repeated": with_gradients(torch, lambda a, b: a.index_add(0, torch.tensor([1, 1]), b), x, source),
        "index_add columns": x.detach().index_add(1, torch.tensor([1]), torch.ones(4, 1, dtype=x.dtype)),
        "index_copy": with_gradients(torch, lambda a, b: a.index_copy(0, rows, b), x, source),
        "index_fill": with_gradients(torch, lambda a: a.index_fill(0, rows, 2.5), x),
        "index_fill tensor": x.detach().index_fill(1, torch.tensor([0, 2]), torch.tensor(1.5, dtype=x.dtype)),
        "index_put": with_gradients(torch, lambda a, b: a.index_put((rows, torch.tensor([1, 2])), b[0, :2]), x, source),
        "index_put accumulate": with_gradients(
            torch, lambda a, b: a.index_put((torch.tensor([1, 1]),), b, accumulate=True), x, source
        ),
        "index_put mask": x.detach().index_put((x.detach() > 0,), torch.tensor(0.0, dtype=x.dtype)),
        "put": with_gradients(torch, lambda a, b: a.put(torch.tensor([0, 5]), b[0, :2]), x, source),
        "put accumulate": x.detach().put(torch.tensor([1, 1]), torch.ones(2, dtype=x.dtype), accumulate=True),
        "in place": [
            torch.zeros(4, 3, dtype=x.dtype).index_add_(0, rows, source.detach()),
            torch.zeros(4, 3, dtype=x.dtype).index_copy_(0, rows, source.detach()),
            torch.zeros(4, 3, dtype=x.dtype).index_fill_(1, torch.tensor([-1]), 3),
            torch.zeros(4, 3, dtype=x.dtype).index_put_((rows,), source.detach()),
            torch.zeros(4, 3, dtype=x.dtype).put_(torch.tensor([3]), torch.ones(1, dtype=x.dtype)),
        ],
    }


@case(params=DTYPES)
def masks(torch: Any, dtype: str) -> Any:
    x = sample(torch, 4, 3, dtype=dtype, requires_grad=True)
    mask = x.detach() > 0
    source = sample(torch, 12, dtype=dtype, seed=1, requires_grad=True)
    return {
        "masked_fill": with_gradients(torch, lambda a: a.masked_fill(mask, -1.0), x),
        "masked_fill inf": x.detach().masked_fill(mask, float("-inf")),
        "masked_fill row": with_gradients(torch, lambda a: torch.masked_fill(a, mask[0], 2), x),
        "masked_fill wider": x.detach()[:1].masked_fill(mask, 0),
        "masked_fill tensor": with_gradients(
            torch, lambda a, b: a.masked_fill(mask, b), x, torch.tensor(3.0, dtype=x.dtype, requires_grad=True)
        ),
        "masked_scatter": with_gradients(torch, lambda a, b: a.masked_scatter(mask, b), x, source),
        "in place": [
            x.detach().clone().masked_fill_(mask, 9),
            x.detach().clone().masked_scatter_(mask, source.detach()),
        ],
        "integers": torch.tensor([1, 2, 3]).masked_fill(torch.tensor([True, False, True]), 0),
        "integers by float": torch.tensor([1, 2, 3]).masked_fill(torch.tensor([True, False, True]), 1.5),
        "integers by inf": raises(lambda: torch.tensor([1]).masked_fill(torch.tensor([True]), float("inf"))),
        "bytes by 300": raises(lambda: torch.tensor([1]).byte().masked_fill(torch.tensor([True]), 300)),
        "through a change": with_gradients(torch, lambda a: (a * 1).masked_fill_(mask, 0.0), x),
    }


@case
def writing_errors(torch: Any) -> Any:
    x = torch.zeros(4, 3)
    ok = torch.tensor([0, 1])
    calls = {
        "gather dtype": lambda: x.gather(0, torch.tensor([[0.0]])),
        "gather dims": lambda: x.gather(0, torch.tensor([0])),
        "gather range": lambda: x.gather(0, torch.tensor([[4]])),
        "gather negative": lambda: x.gather(0, torch.tensor([[-1]])),
        "gather size": lambda: x.gather(0, torch.zeros(2, 5, dtype=torch.int64)),
        "gather dim": lambda: x.gather(2, torch.tensor([[0]])),
        "scatter dtype": lambda: x.scatter(0, torch.tensor([[0.0]]), 1.0),
        "scatter src dtype": lambda: x.scatter(0, torch.tensor([[0]]), torch.ones(1, 1).double()),
        "scatter range": lambda: x.scatter(0, torch.tensor([[9]]), 1.0),
        "scatter src size": lambda: x.scatter(0, torch.zeros(2, 3, dtype=torch.int64), torch.ones(1, 3)),
        "scatter reduce": lambda: x.scatter(0, torch.tensor([[0]]), 1.0, reduce="max"),
        "index_select dtype": lambda: x.index_select(0, torch.tensor([0.0])),
        "index_select range": lambda: x.index_select(0, torch.tensor([4])),
        "index_select negative": lambda: x.index_select(0, torch.tensor([-1])),
        "index_select matrix": lambda: x.index_select(0, torch.tensor([[0]])),
        "index_select list": lambda: x.index_select(0, [0]),
        "index_add slices": lambda: x.index_add(0, ok, torch.ones(2, 2)),
        "index_put dtype": lambda: x.index_put((ok,), torch.tensor(1)),
        "put dtype": lambda: x.put(ok, torch.tensor([1, 2])),
        "scatter_add number": lambda: x.scatter_add(0, torch.tensor([[0]]), 1.0),
        "index_fill matrix": lambda: x.index_fill(0, torch.tensor([[0]]), 1.0),
        "isin list": lambda: torch.isin(x, [1]),
        "index_add size": lambda: x.index_add(0, ok, torch.ones(3, 3)),
        "index_add dtype": lambda: x.index_add(0, ok, torch.ones(2, 3).double()),
        "index_add range": lambda: x.index_add(0, torch.tensor([0, 9]), torch.ones(2, 3)),
        "index_copy size": lambda: x.index_copy(0, ok, torch.ones(1, 3)),
        "index_fill": lambda: x.index_fill(0, ok, torch.ones(2)),
        "index_fill range": lambda: x.index_fill(0, torch.tensor([9]), 1.0),
        "masked_fill dtype": lambda: x.masked_fill(torch.ones(3), 1.0),
        "masked_fill value": lambda: x.masked_fill(x > 0, torch.ones(2)),
        "masked_fill shape": lambda: x.masked_fill(torch.ones(5, dtype=torch.bool), 1.0),
        "masked_select dtype": lambda: x.masked_select(torch.ones(3)),
        "masked_scatter short": lambda: x.masked_scatter(x == 0, torch.ones(2)),
        "masked_scatter dtype": lambda: x.masked_scatter(x == 0, torch.ones(12).double()),
        "take range": lambda: x.take(torch.tensor([99])),
        "take dtype": lambda: x.take(torch.tensor([1.0])),
        "take empty": lambda: torch.empty(0).take(torch.tensor([0])),
    }
    return {name: raises(call) for name, call in calls.items()}


@case
def words_of_writing_errors(torch: Any) -> Any:
    x, ok = torch.zeros(4, 3), torch.tensor([0, 1])
    whole = torch.tensor([1, 2])

    def write(index: Any, value: Any) -> Any:
        return lambda: x.clone().__setitem__(index, value)

    calls = {
        "row": write(0, torch.ones(5)),
        "rows": write(slice(0, 2), torch.ones(2, 2)),
        "column": write((slice(None), 0), torch.ones(3)),
        "dimensions": write(0, torch.ones(2, 3)),
        "element": write((0, 0), torch.ones(2)),
        "by positions": write(ok, torch.ones(2, 2)),
        "by mask": write(x == 0, torch.ones(12, 1)),
        "text": write(0, "a"),
        "float": lambda: x[1.5],
        "backwards": lambda: x[::-1],
        "standing": lambda: x[::0],
        "scatter": lambda: x.scatter(0, torch.tensor([[0]]), torch.tensor([[1]])),
        "index_add": lambda: x[0].index_add(0, ok, whole),
        "index_copy": lambda: x[0].index_copy(0, ok, whole),
        "index_put": lambda: x[0].index_put((ok,), whole),
        "bits": lambda: x ^ x,
        "shift": lambda: x.double() << 1,
        "power": lambda: whole**-1,
        "number": lambda: torch.exp(2.0),
        "second number": lambda: torch.mm(x, 2.0),
        "list": lambda: torch.cat(x, x),
        "data": lambda: torch.tensor("a"),
        "whole leaf": lambda: torch.tensor([1], requires_grad=True),
        "whole mark": lambda: whole.clone().requires_grad_(),
        "order": lambda: torch.randperm(-1),
    }
    return {name: message(call, TypeError, ValueError, RuntimeError, IndexError) for name, call in calls.items()}


@case(params=[(how, alone) for how in ("prod", "mean", "amax", "amin") for alone in (True, False)])
def slices_combined(torch: Any, how: str, alone: bool) -> Any:
    x, source = sample(torch, 4, 3, requires_grad=True), sample(torch, 5, 3, seed=1, requires_grad=True)
    rows, columns = torch.tensor([0, 2, 2, 0, 2]), torch.tensor([1, 1])

    def combined(x, source):
        return x.index_reduce(0, rows, source, how, include_self=alone)

    return {
        "rows": with_gradients(torch, combined, x, source),
        "columns": torch.index_reduce(x.detach(), 1, columns, source.detach()[:4, :2], how, include_self=alone),
        "in place": x.detach().clone().index_reduce_(0, rows, source.detach(), how, include_self=alone),
        "unknown": raises(lambda: torch.index_reduce(x, 0, rows, source, "sum")),
        "size": raises(lambda: torch.index_reduce(x, 0, rows, source[:2], how)),
    }
