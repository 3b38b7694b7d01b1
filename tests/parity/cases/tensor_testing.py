"""torch.testing.assert_close: what passes, and the text of what does not."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, raises


def verdict(call: Any) -> str:
    """Return the built-in type and the text of what a call raises."""
    try:
        call()
    except Exception as error:
        return f"{raises(call)}: {error}"
    return "passes"


@case
def assert_close(torch: Any) -> Any:
    close, t, nan = torch.testing.assert_close, torch.tensor, float("nan")
    calls = {
        "equal": lambda: close(t([1.0, 2.0]), t([1.0, 2.0])),
        "nearly": lambda: close(t([1.0]), t([1.0 + 1e-6])),
        "small": lambda: close(torch.zeros(3) + 1e-6, torch.zeros(3)),
        "values": lambda: close(t([1.0, 2.0, 3.0]), t([1.0, 2.25, 3.5])),
        "matrix": lambda: close(t([[1.0, 2.0], [3.0, 4.0]]), t([[1.0, 2.0], [3.0, 8.0]])),
        "scalar": lambda: close(t(1.0), t(2.0)),
        "integers": lambda: close(t([1, 2]), t([1, 4])),
        "bools": lambda: close(t([True]), t([False])),
        "shape": lambda: close(t([1.0]), t([1.0, 2.0])),
        "dtype": lambda: close(t([1.0]), t([1.0], dtype=torch.float64)),
        "dtype unchecked": lambda: close(t([1.0]), t([1.0], dtype=torch.float64), check_dtype=False),
        "numbers": lambda: close(1.0, 1.25),
        "types of numbers": lambda: close(1, 1.0),
        "whole numbers": lambda: close(1, 2),
        "truth": lambda: close(True, False),
        "list": lambda: close([1.0, torch.ones(2)], [1.0, torch.zeros(2)]),
        "tuple and list": lambda: close((1.0, 2.0), [1.0, 2.0]),
        "lengths": lambda: close([1], [1, 2]),
        "keys": lambda: close({"a": 1.0}, {"b": 1.0}),
        "mapping": lambda: close({"a": torch.ones(1)}, {"a": torch.zeros(1)}),
        "nan": lambda: close(t([nan]), t([nan])),
        "nan equal": lambda: close(t([nan]), t([nan]), equal_nan=True),
        "inf": lambda: close(t([float("inf")]), t([1.0])),
        "none": lambda: close(None, None),
        "none and number": lambda: close(None, 1),
        "tolerance": lambda: close(torch.ones(2), torch.ones(2) * 1.0625, rtol=0.1, atol=0),
        "wider": lambda: close(torch.ones(2), torch.ones(2) * 1.5, rtol=0.25, atol=0.0),
        "one tolerance": lambda: close(torch.ones(2), torch.zeros(2), rtol=0.1),
        "message": lambda: close(torch.ones(2), torch.zeros(2), msg="hello"),
        "message of a function": lambda: close(torch.ones(2), torch.zeros(2), msg=lambda text: "so: " + text),
        "stride": lambda: close(torch.ones(2, 3).t(), torch.ones(3, 2), check_stride=True),
        "empty": lambda: close(torch.empty(0), torch.empty(0)),
    }
    return {name: verdict(call) for name, call in calls.items()}


@case
def not_comparable(torch: Any) -> Any:
    close = torch.testing.assert_close
    return [
        raises(lambda: close("a", "a")),
        raises(lambda: close(1.0, torch.tensor(1.0))),
        raises(lambda: close(torch.ones(1), [1.0])),
    ]
