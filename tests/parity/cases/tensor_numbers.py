"""Python numbers that meet integers: what these do not hold is refused."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case

INF, NAN = float("inf"), float("nan")
# Python numbers that integers are filled with; -1 and -255 wrap around in bytes, nothing else does.
FILLS = [300, -1, -255, -256, 255.5, -0.5, 1.5, 1e30, INF, NAN, True]


def outcome(fill: Any, value: Any) -> Any:
    try:
        return fill(value)
    except RuntimeError:
        return "RuntimeError"


@case(params=[(kind,) for kind in ("uint8", "int8", "int64")])
def numbers_that_integers_do_not_hold(torch: Any, kind: str) -> Any:
    def written(index: Any, value: Any) -> Any:
        x = torch.tensor([1, 2, 100], dtype=dtype)
        x[index] = value
        return x

    dtype, zeros = getattr(torch, kind), torch.zeros(3, dtype=getattr(torch, kind))
    first, mask = torch.tensor([0]), torch.tensor([True, False, True])
    fills = {
        "tensor": lambda v: torch.tensor([v], dtype=dtype) if isinstance(v, float) and not v < 0 else None,
        "full": lambda v: torch.full((2,), v, dtype=dtype),
        "full_like": lambda v: torch.full_like(zeros, v),
        "new_full": lambda v: zeros.new_full((2,), v),
        "fill_": lambda v: zeros.clone().fill_(v),
        "x[0] = v": lambda v: written(0, v),
        "x[mask] = v": lambda v: written(mask, v),
        "masked_fill": lambda v: zeros.masked_fill(mask, v),
        "index_fill": lambda v: zeros.index_fill(0, first, v),
        "scatter": lambda v: zeros.scatter(0, first, v),
        "**": lambda v: written(0, 3) ** v if type(v) is int and v > 0 else None,
    }

    return {name: [outcome(fill, value) for value in FILLS] for name, fill in fills.items()}


@case(params=[(kind,) for kind in ("uint8", "int8", "int64")])
def tensors_that_integers_do_not_hold(torch: Any, kind: str) -> Any:
    zeros, mask = torch.zeros(3, dtype=getattr(torch, kind)), torch.tensor([True, False, True])
    return [outcome(lambda v: zeros.masked_fill(mask, torch.tensor(v)), value) for value in FILLS]
