"""What the cases of tensor functions share: inputs of many shapes and kinds, and results that may be errors."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import raises, sample, with_gradients

SHAPES = {"odd": (5, 7), "scalar": (), "empty": (0, 3), "one": (1,), "deep": (2, 3, 4)}
INTEGERS = [[3, -1, 0], [7, 2, -5]]


def attempt(call: Any) -> Any:
    """Return what a call returns, or the name of the built-in exception that it raises."""
    kept = []
    name = raises(lambda: kept.append(call()))
    return kept[0] if kept else name


def inputs(torch: Any, dtype: str, low: float = -2.0, high: float = 2.0, seed: int = 0) -> dict[str, Any]:
    """Return leaves of several shapes, and results that do not lie in row-major order."""
    return {
        name: sample(torch, *shape, dtype=dtype, low=low, high=high, seed=seed, requires_grad=True)
        for name, shape in SHAPES.items()
    }


def over_shapes(torch: Any, function: Any, dtype: str, low: float = -2.0, high: float = 2.0) -> dict[str, Any]:
    """Return a function's values and gradients over all shapes, and on transposed and sliced memory."""
    leaves = inputs(torch, dtype, low, high)
    found = {name: attempt(lambda x=x: with_gradients(torch, function, x)) for name, x in leaves.items()}
    odd, deep = leaves["odd"], leaves["deep"]
    found["transposed"] = attempt(lambda: with_gradients(torch, lambda x: function(x.t()), odd))
    found["sliced"] = attempt(lambda: with_gradients(torch, lambda x: function(x[::2, 1::3]), odd))
    found["permuted"] = attempt(lambda: with_gradients(torch, lambda x: function(x.permute(2, 0, 1)), deep))
    return found


def of_integers(torch: Any, function: Any) -> dict[str, Any]:
    """Return what a function does with integers, bytes and bools."""
    plain = torch.tensor(INTEGERS)
    kinds = {
        "int64": plain,
        "int32": plain.to(torch.int32),
        "uint8": plain.abs().to(torch.uint8),
        "bool": plain > 0,
    }
    return {name: attempt(lambda x=x: function(x)) for name, x in kinds.items()}


def special(torch: Any, dtype: str) -> Any:
    """Return the numbers at which functions are special."""
    values = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 0.5, -0.5, 1e-30, 100.0]
    return torch.tensor(values, dtype=getattr(torch, dtype))
