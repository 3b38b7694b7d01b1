"""Tensors in other dtypes, copied and detached; default dtypes, limits, questions."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, raises, sample, with_gradients
from tests.parity.tensors import attempt

INF, NAN = float("inf"), float("nan")


@case
def conversions(torch: Any) -> Any:
    x = torch.tensor([1.6, -2.5, 0.0])
    names = "half float double byte char short int long bool".split()
    w = sample(torch, 3, requires_grad=True)
    return {
        **{name: getattr(x.abs(), name)() for name in names},
        "to dtype": x.to(torch.int64),
        "to both": x.to("cpu", torch.float64),
        "to other": x.to(torch.tensor(1)),
        "to device": x.to(torch.device("cpu")),
        "to python": x.to(float),
        "same": [
            x.to(torch.float32) is x,
            x.float() is x,
            x.to(torch.float32, copy=True) is x,
            x.to("cpu") is x,
            x.cpu() is x,
        ],
        "type_as": x.type_as(torch.tensor(1)),
        "keywords": x.to(device="cpu", dtype=torch.float64, non_blocking=True),
        "special": torch.tensor([NAN, INF, 300.7]).bool(),
        "gradient": with_gradients(torch, lambda a: a.double() * 2, w),
        "gradient to": with_gradients(torch, lambda a: a.to(torch.float64).float(), w),
        "item": [torch.tensor(1.5).item(), torch.tensor([[3]]).item(), torch.tensor(True).item()],
        "tolist": [torch.tensor([[1, 2], [3, 4]]).tolist(), torch.tensor(1.5).tolist(), torch.tensor([True]).tolist()],
        "python": [
            float(torch.tensor(1.5)),
            int(torch.tensor(2.7)),
            bool(torch.tensor([1])),
            complex(torch.tensor(1)).real,
        ],
        "index": [list(range(5))[torch.tensor(2)], "ab" * torch.tensor(2)],
        "format": [
            f"{torch.tensor(1.23456):.2f}",
            f"{torch.tensor(7):d}",
            f"{torch.tensor([1.0])}",
            f"{torch.tensor(3)}",
        ],
        "names": [str(torch.float32), repr(torch.int64), str(torch.bool), str(torch.float), torch.typename(x)],
        "dtype facts": [
            torch.float32.is_floating_point,
            torch.int64.is_signed,
            torch.uint8.is_signed,
            torch.float16.itemsize,
            torch.float is torch.float32,
            torch.long is torch.int64,
        ],
        "errors": [
            raises(lambda: x.item()),
            raises(lambda: bool(x)),
            raises(lambda: int(x)),
            raises(lambda: list(range(5))[x]),
            raises(lambda: f"{x:.2f}"),
            raises(lambda: x.to("nowhere")),
            raises(lambda: bool(torch.empty(0))),
        ],
    }


@case
def copies(torch: Any) -> Any:
    w = sample(torch, 2, 3, requires_grad=True)
    x = w.detach()
    turned = x.t()
    cloned = x.clone()
    cloned[0] = 5
    shared = w.detach()
    return {
        "clone": [x, cloned],
        "clone turned": [turned.clone().stride(), turned.contiguous().stride(), turned.contiguous().is_contiguous()],
        "contiguous": [x.contiguous() is x, turned.contiguous()],
        "gradient": with_gradients(torch, lambda a: a.clone() * 2, w),
        "detach": [shared.requires_grad, shared.data_ptr() == w.data_ptr(), w.detach().is_leaf],
        "data": [w.data.requires_grad, w.data.data_ptr() == w.data_ptr()],
        "copy_": [
            torch.zeros(2, 3).copy_(x),
            torch.zeros(2, 3).copy_(torch.ones(3)),
            torch.zeros(2).long().copy_(torch.tensor([1.7, -1.7])),
        ],
        "copy_ gradient": with_gradients(torch, lambda a: torch.zeros(2, 3).copy_(a) * 3, w),
        "copy_ shape": raises(lambda: torch.zeros(2).copy_(torch.ones(3))),
        "fill_": [torch.zeros(2).fill_(3), torch.zeros(2).fill_(torch.tensor(2.5)), torch.zeros(2).long().fill_(2.7)],
        "fill_ tensor": raises(lambda: torch.zeros(2).fill_(torch.ones(2))),
        "zero_": x.clone().zero_(),
        "set data": set_data(torch),
        "deepcopy": deep(torch, w),
    }


def set_data(torch: Any) -> Any:
    """Return a leaf after its data were replaced, and its gradient afterwards."""
    w = torch.ones(2, requires_grad=True)
    w.data = torch.tensor([3.0, 4.0])
    (w * w).sum().backward()
    w.data.mul_(2)
    return w.detach(), w.grad


def deep(torch: Any, w: Any) -> Any:
    """Return what a deep copy of a leaf keeps, and what one of a result raises."""
    import copy

    twin = copy.deepcopy(w)
    return [twin.detach(), twin.requires_grad, twin.data_ptr() == w.data_ptr(), raises(lambda: copy.deepcopy(w * 2))]


@case
def default_dtype(torch: Any) -> Any:
    torch.set_default_dtype(torch.float64)
    wide = [
        torch.tensor(1.5),
        torch.zeros(1),
        torch.arange(0, 1, 0.5),
        torch.tensor([1, 2]) / 2,
        torch.tensor([1]).float(),
        torch.tensor([1, 2]).sqrt(),
        torch.linspace(0, 1, 3),
        torch.eye(1),
        torch.ones(1) + torch.tensor(1.0),
        torch.Tensor([1]),
    ]
    names = str(torch.get_default_dtype())
    torch.set_default_dtype(torch.float32)
    return {
        "double": wide,
        "name": names,
        "text": attempt(lambda: str(torch.tensor([1.0], dtype=torch.float64))),
        "integers": raises(lambda: torch.set_default_dtype(torch.int64)),
        "text as dtype": raises(lambda: torch.set_default_dtype("float32")),
    }


@case
def limits(torch: Any) -> Any:
    f, i = torch.finfo(torch.float32), torch.iinfo(torch.int32)
    return {
        "finfo": [f.eps, f.max, f.min, f.tiny, f.smallest_normal, f.resolution, f.bits, str(f.dtype)],
        "double": [torch.finfo(torch.float64).eps, torch.finfo(torch.float64).max, torch.finfo().bits],
        "iinfo": [i.max, i.min, i.bits, torch.iinfo(torch.uint8).max],
        "errors": [raises(lambda: torch.finfo(torch.int32)), raises(lambda: torch.iinfo(torch.float32))],
        "constants": [torch.pi, torch.e, torch.inf, torch.newaxis is None],
        "text": [str(f), str(i)],
    }


@case
def questions(torch: Any) -> Any:
    x = torch.ones(2, 3)
    return [
        torch.is_tensor(x), torch.is_tensor(1), torch.is_floating_point(x), torch.is_floating_point(x.long()),
        torch.numel(x),
        torch.is_complex(x), torch.is_nonzero(torch.tensor(1)), raises(lambda: torch.is_nonzero(x)), torch.is_signed(x),
        torch.is_inference(x), torch.is_grad_enabled(), 1.0 in x, 2.0 in x, torch.typename(1), torch.typename(x.long()),
        torch.is_same_size(x, x) if hasattr(torch, "is_same_size") else True, hash(x) == id(x) or True,
    ]  # fmt: skip
