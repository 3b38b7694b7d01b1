"""Making tensors: from data, of a size, ranges, of what other libraries hold."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tests.parity.harness import case, message, raises

INF, NAN = float("inf"), float("nan")


@case
def from_data(torch: Any) -> Any:
    t = torch.tensor
    return {
        "numbers": [t(1), t(1.5), t(True), t(NAN)],
        "lists": [t([1, 2]), t([1.0, 2]), t([True, False]), t([True, 2]), t([1, 2, 3.5]), t((1, 2.0))],
        "nested": [t([[1, 2], [3, 4]]), t([[[1.0]], [[2.0]]]), t([(1, 2), [3, 4]])],
        "empty": [t([]), t([[]]), t([[], []]), t(())],
        "range": t(range(3)),
        "dtype": [
            t([1, 2], dtype=torch.float64),
            t(1.7, dtype=torch.int64),
            t([1.5], dtype=torch.bool),
            t(1, dtype=torch.int8),
        ],
        "python dtype": [t(1, dtype=float), t([1, 0], dtype=bool), t([1.0], dtype=int)],
        "numpy": [
            t(np.array([1, 2])),
            t(np.array([1.5], np.float32)),
            t(np.float64(1.5)),
            t(np.int32(3)),
            t(np.array(True)),
        ],
        "numpy in lists": [
            t([np.float32(1.5)]),
            t([np.float64(1.5), 2.0]),
            t([np.int32(1), 2]),
            t([np.array([1.0, 2.0])]),
        ],
        "tensors in lists": [t([t(1), t(2.0)]), t([t(1.0).double()]), t([torch.ones(1), torch.ones(1)])],
        "wrapped": t([-1], dtype=torch.uint8),
        "huge": [t([1e400]), t(1e300), t(2**53 + 1)],
        "gradient": t([1.0, 2.0], requires_grad=True).requires_grad,
        "of tensor": t(torch.ones(2)),
    }


@case
def from_data_errors(torch: Any) -> Any:
    t = torch.tensor
    calls = {
        "ragged": lambda: t([[1, 2], [3]]),
        "number and list": lambda: t([1, [2]]),
        "list and number": lambda: t([[1], 2]),
        "text": lambda: t("a"),
        "texts": lambda: t(["a"]),
        "none": lambda: t(None),
        "nones": lambda: t([None]),
        "dict": lambda: t({1: 2}),
        "object": lambda: t(object()),
        "large": lambda: t(2**63),
        "larger": lambda: t(2**70),
        "larger in lists": lambda: t([[1, 2**70]]),
        "large int32": lambda: t([2**40], dtype=torch.int32),
        "large uint8": lambda: t([300], dtype=torch.uint8),
        "tensors": lambda: t([torch.ones(2), torch.ones(2)]),
        "dtype": lambda: t(1, dtype="float"),
        "gradient of integers": lambda: t([1], requires_grad=True),
        "numpy text": lambda: t(np.array(["a"])),
        "nothing": lambda: t(),
    }
    return {name: raises(call) for name, call in calls.items()}


@case
def of_a_size(torch: Any) -> Any:
    found: dict[str, Any] = {}
    for name in ("zeros", "ones"):
        f = getattr(torch, name)
        found[name] = [
            f(2, 3),
            f((2, 3)),
            f([2]),
            f(()),
            f(0, 3),
            f(size=(2,)),
            f(2, dtype=torch.int64),
            f(torch.Size([1, 2])),
        ]
        found[name + " like"] = getattr(torch, name + "_like")(torch.zeros(2, 1, dtype=torch.int32))
        found[name + " like double"] = getattr(torch, name + "_like")(torch.zeros(2), dtype=torch.float64)
        found[name + " out"] = f(2, 3, out=torch.empty(0))
        found[name + " gradient"] = f(2, requires_grad=True).requires_grad
    found["empty"] = [
        list(torch.empty(2, 3).shape),
        str(torch.empty(2, dtype=torch.int8).dtype),
        list(torch.empty(0).shape),
    ]
    found["empty_like"] = [
        list(torch.empty_like(torch.ones(2, 3)).shape),
        str(torch.empty_like(torch.ones(1).long()).dtype),
    ]
    found["full"] = [
        torch.full((2,), 3),
        torch.full((2, 2), 1.5),
        torch.full((), True),
        torch.full([1], 2, dtype=torch.float64),
    ]
    found["full cut"] = torch.full((2,), 1.7, dtype=torch.int64)
    found["full tensor"] = torch.full((2,), torch.tensor(3.5))
    found["full_like"] = [
        torch.full_like(torch.ones(2).long(), 2.7),
        torch.full_like(torch.ones(2), 3, dtype=torch.int32),
    ]
    found["eye"] = [torch.eye(3), torch.eye(2, 3), torch.eye(3, 2, dtype=torch.int64), torch.eye(0)]
    found["scalar_tensor"] = [torch.scalar_tensor(3), torch.scalar_tensor(3, dtype=torch.int64)]
    found["triangles"] = [torch.tril_indices(3, 3), torch.triu_indices(3, 4, 1), torch.tril_indices(2, 3, -1)]
    found["device"] = [torch.zeros(2, device="cpu"), torch.ones(2, device=torch.device("cpu"))]
    return found


@case
def of_a_size_errors(torch: Any) -> Any:
    calls = {
        "float": lambda: torch.zeros(2.0),
        "text": lambda: torch.zeros("a"),
        "negative": lambda: torch.zeros(-1),
        "full int": lambda: torch.full(2, 1.0),
        "like list": lambda: torch.zeros_like([1]),
        "keyword": lambda: torch.zeros(2, foo=1),
        "eye negative": lambda: torch.eye(-1),
        "dtype": lambda: torch.zeros(2, dtype="float32"),
        "gradient of integers": lambda: torch.zeros(2, dtype=torch.int64, requires_grad=True),
        "device": lambda: torch.zeros(2, device="nowhere"),
    }
    return {name: raises(call) for name, call in calls.items()}


@case
def ranges(torch: Any) -> Any:
    a = torch.arange
    return {
        "whole": [a(5), a(1, 5), a(1, 10, 3), a(5, 0, -2), a(0), a(3, 3), a(end=3), a(start=1, end=4, step=2)],
        "floats": [a(5.0), a(0, 1, 0.1), a(0.5, 3), a(1, 0, -0.25), a(2.5), a(0, 10, 2.5), a(0, 1, 1 / 3)],
        "dtype": [
            a(5, dtype=torch.float32),
            a(0, 3, dtype=torch.int32),
            a(0, 2, 0.5, dtype=torch.float64),
            a(3, dtype=torch.uint8),
        ],
        "tensors": [a(torch.tensor(3)), a(torch.tensor(0.0), torch.tensor(1.0), 0.25)],
        "long": a(0, 100, 0.7),
        "range": torch.range(0, 3),
        "range step": torch.range(1, 2, 0.5),
        "out": a(3, out=torch.empty(0, dtype=torch.int64)),
    }


@case
def spaces(torch: Any) -> Any:
    s = torch.linspace
    return {
        "linspace": [
            s(0, 1, 5),
            s(-1, 1, 7),
            s(3, 10, 4),
            s(1, 0, 3),
            s(0, 1, 1),
            s(0, 1, 0),
            s(2, 2, 3),
            s(0, 1, steps=11),
        ],
        "double": s(0, 1, 7, dtype=torch.float64),
        "integers": s(0, 10, 5, dtype=torch.int64),
        "large": s(0, 1e6, 101),
        "tensors": s(torch.tensor(0.0), torch.tensor(2.0), 3),
        "logspace": [
            torch.logspace(0, 2, 3),
            torch.logspace(-3, 0, 4, dtype=torch.float64),
            torch.logspace(0, 4, 5, base=2),
        ],
        "errors": [
            raises(lambda: s(0, 1, -1)),
            raises(lambda: s(0, 1)),
            raises(lambda: torch.arange(0, 3, 0)),
            raises(lambda: torch.arange(1, 0)),
            raises(lambda: torch.arange(0, INF)),
            raises(lambda: torch.arange()),
        ],
    }


@case
def with_numpy(torch: Any) -> Any:
    array = np.array([1.0, 2.0, 3.0])
    shared = torch.from_numpy(array)
    array[0] = 9
    tensor = torch.ones(3)
    view = tensor.numpy()
    tensor.add_(1)
    copied = torch.tensor(array)
    array[1] = 7
    alias = torch.as_tensor(array)
    array[2] = 5
    return {
        "shared": shared,
        "numpy": view,
        "copied": copied,
        "as_tensor": alias,
        "asarray": torch.asarray([1, 2]),
        "as_tensor of list": [torch.as_tensor([1, 2]), torch.as_tensor(3), torch.as_tensor([1], dtype=torch.float32)],
        "as_tensor of tensor": torch.as_tensor(tensor) is tensor,
        "bool": torch.from_numpy(np.array([True, False])),
        "int16": torch.from_numpy(np.array([1, 2], np.int16)),
        "array of tensor": np.asarray(torch.tensor([1, 2])),
        "array to float64": np.asarray(torch.ones(2), dtype=np.float64),
        "frombuffer": torch.frombuffer(bytearray(b"\x01\x00\x02\x00"), dtype=torch.int16),
        "list": raises(lambda: torch.from_numpy([1.0])),
        "text": raises(lambda: torch.from_numpy(np.array(["a"]))),
        "negative strides": raises(lambda: torch.from_numpy(np.ones(3)[::-1])),
        "gradient": raises(lambda: torch.ones(2, requires_grad=True).numpy()),
        "force": torch.ones(2, requires_grad=True).numpy(force=True),
        "ufunc": np.exp(torch.zeros(2)),
    }


@case
def like_this_one(torch: Any) -> Any:
    x = torch.ones(2, dtype=torch.float64)
    return [
        x.new_tensor([1, 2]),
        x.new_zeros(3),
        x.new_zeros((2, 1)),
        x.long().new_ones(2, 2),
        x.new_full((2,), 3),
        x.new_full((2,), 3.5, dtype=torch.int64),
        list(x.new_empty(2, 3).shape),
        x.new([1, 2]),
        x.new_tensor([1.0], dtype=torch.float32),
        list(x.new(2, 3).shape),
        raises(lambda: x.new_full(2, 1.0)),
    ]


@case
def old_constructors(torch: Any) -> Any:
    names = (
        "FloatTensor DoubleTensor HalfTensor ByteTensor CharTensor ShortTensor IntTensor LongTensor BoolTensor".split()
    )
    return {
        **{
            name: [
                getattr(torch, name)([1, 0, 2]),
                list(getattr(torch, name)(2, 3).shape),
                list(getattr(torch, name)().shape),
            ]
            for name in names
        },
        "Tensor": [
            torch.Tensor([1, 2]),
            list(torch.Tensor(2, 3).shape),
            torch.Tensor(),
            torch.Tensor([[1.5]]),
            torch.Tensor((1, 2)),
        ],
        "of arrays": [torch.FloatTensor(np.array([1.0, 2.0])), torch.Tensor(np.array([1, 2]))],
        "of size": list(torch.Tensor(torch.Size([2])).shape),
        "isinstance": [
            isinstance(torch.ones(1), torch.FloatTensor),
            isinstance(torch.ones(1), torch.LongTensor),
            isinstance(torch.ones(1), torch.Tensor),
        ],
        "type": [torch.ones(1).type(), torch.ones(1).long().type(), torch.ones(1).bool().type()],
        "to type": [
            torch.ones(1).type("torch.LongTensor"),
            torch.ones(1).type(torch.DoubleTensor),
            torch.ones(1).type(torch.int8),
        ],
        "number": raises(lambda: torch.FloatTensor(1.5)),
        "other dtype": raises(lambda: torch.LongTensor(torch.ones(1))),
        "type text": raises(lambda: torch.ones(1).type("float")),
    }


# Bit for bit in float32. In float64 the last bit takes a wider type, which not every machine has.
POINTS = [(-1, 1, 7), (-1, 1, 11), (0, 1, 11), (-5, 5, 101), (0.0, 6.283185307179586, 50), (2.5, -1.7, 33)]
STEPS = [(-1, 1, 0.1), (0, 1, 0.01), (-5, 5, 0.3), (0.5, 0.6, 0.003), (3, -3, -0.07), (0, 1.5, 0.1), (-1, 0.4, 0.1)]


@case(exact=True)
def linspace_rounds_once(torch: Any) -> Any:
    return [torch.linspace(*span) for span in POINTS], str(torch.linspace(-1, 1, 7))


@case(exact=True)
def arange_rounds_as_vectors_do(torch: Any) -> Any:
    return [torch.arange(*span) for span in STEPS], torch.arange(0, 9, 2.0), str(torch.arange(-1, 1, 0.1))


@case(atol=1e-15)
def steps_in_float64(torch: Any) -> Any:
    points = [torch.linspace(*span, dtype=torch.float64) for span in POINTS]
    return points, [torch.arange(*span, dtype=torch.float64) for span in STEPS]


@case
def asarray_and_the_tape(torch: Any) -> Any:
    leaf = torch.ones(2, requires_grad=True)
    x = leaf + 2
    return {
        "same": torch.asarray(x) is x,
        "kept": [torch.asarray(x).requires_grad, torch.asarray(leaf).requires_grad],
        "dropped": torch.asarray(x, requires_grad=False).requires_grad,
        "asked": [torch.asarray(x, requires_grad=True).requires_grad, torch.asarray([1.0], requires_grad=True)],
        "copy": torch.asarray(leaf, copy=True),
        "dtype": torch.asarray(x, dtype=torch.float64),
        "gradient": torch.autograd.grad((torch.asarray(x, copy=True) * 3).sum(), leaf),
    }


class Column:
    """What a column of pandas is to others: a sequence that gives itself as an array."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, i: int) -> Any:
        return self.values[i]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values if dtype is None else self.values.astype(dtype)


@case
def columns_of_other_libraries(torch: Any) -> Any:
    kinds = ("float64", "float32", "int32", "int64", "bool")
    columns = [Column(np.array([1, 0, 2]).astype(kind)) for kind in kinds]
    return {
        "tensor": [torch.tensor(c) for c in columns],
        "as_tensor": [torch.as_tensor(c) for c in columns],
        "dtype": torch.tensor(columns[0], dtype=torch.float32),
        "float": torch.FloatTensor(columns[0]),
    }


@case
def shared_by_dlpack(torch: Any) -> Any:
    dlpack = importlib.import_module(f"{torch.__name__}.utils.dlpack")
    numbers, x = np.arange(3.0), torch.ones(2)
    taken, given = torch.from_dlpack(numbers), np.from_dlpack(x)
    numbers[0], x[1] = 7.0, 5.0
    again = dlpack.from_dlpack(dlpack.to_dlpack(x))
    again[0] = -1.0
    return [
        taken, given, x, torch.from_dlpack(x), list(map(int, x.__dlpack_device__())),
        message(lambda: np.from_dlpack(torch.ones(1, requires_grad=True)), BufferError),
    ]  # fmt: skip
