"""Write printing_recorded.json: arrays, print options and the text that live PyTorch gives for them.

Run from the repository's root, with PyTorch installed: python tests/tensor/record_printing.py
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).parent / "printing_recorded.json"
RANDOM_CASES = 240
INTEGERS = ("int8", "uint8", "int16", "int32", "int64")
FLOATS = ("float16", "float32", "float64")

Case = dict[str, Any]


def pack(array: Any, **rest: Any) -> Case:
    """Return a case in JSON's types; the values travel as bytes, so that not a bit is lost."""
    array = np.asarray(array)
    data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data, **rest}


def unpack(case: Case) -> Any:
    """Return the array of a case."""
    flat = np.frombuffer(base64.b64decode(case["data"]), dtype=np.dtype(case["dtype"]).newbyteorder("<"))
    return flat.astype(case["dtype"]).reshape(case["shape"])


def chosen_cases() -> Iterator[Case]:
    """Give one case for each rule of the notation, the line breaks and the suffixes."""
    inf, nan = float("inf"), float("nan")
    rows: list[list[float]] = [
        [1.0], [0.0], [-0.0], [nan], [inf, -inf], [1.0, nan, -inf], [0.5, nan, inf], [1.0, 2.0, 30.0], [1.0, -0.5],
        [1000.0, 1.0], [1001.0, 1.0], [1000.5, 1.0], [1e8], [1.1e8], [1e-4], [9.9e-5], [0.0, 0.1, -0.0], [0.1, 99.9],
        [0.1, 100.1], [1e-45], [3e38, 1.0], [1.00005, 2.0], [0.99999], [123456.0], [-1e-10, 0.0], [2.5, -2.5],
    ]  # fmt: skip
    for row in rows:
        yield pack(np.array(row, dtype=np.float32))
    for name in FLOATS:
        for value in (0.0, 1.0, 3.14159, -1e-5, 65504.0):
            yield pack(np.array(value, dtype=name))
        yield pack(np.zeros((0,), dtype=name))
        yield pack(np.zeros((0, 3), dtype=name), requires_grad=True)
    for name in ("int64", "int32", "bool"):
        yield pack(np.array(1, dtype=name))
        yield pack(np.zeros((0,), dtype=name))
        yield pack(np.zeros((2, 0), dtype=name))
        yield pack(np.arange(40).reshape(2, 20).astype(name))
    yield from _long_cases()


def _long_cases() -> Iterator[Case]:
    for size in (24, 25, 26, 1000, 1001):
        yield pack(np.zeros(size, dtype=np.float32))
        yield pack(np.arange(size))
    yield pack(np.arange(1200).reshape(2, 3, 200).astype(np.int16))
    yield pack(np.arange(40 * 40).reshape(40, 40).astype(np.float32) / 7, grad_fn_name="ViewBackward0")
    # The suffix moves to a line of its own at one exact length of the last row.
    for size in range(1, 12):
        yield pack(np.full(size, 0.25, dtype=np.float32), requires_grad=True)
        yield pack(np.full(size, 0.25, dtype=np.float64), grad_fn_name="ViewBackward0")


def random_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Give arrays of every dtype, at every magnitude, under many print options."""
    for _ in range(RANDOM_CASES):
        name = str(rng.choice((*FLOATS, *FLOATS, *INTEGERS, "bool")))
        case = pack(_random_array(rng, name, _random_shape(rng)), options=_random_options(rng))
        if rng.random() < 0.15:
            case["default_dtype"] = "float64"
        if name in FLOATS:
            case.update([{}, {"requires_grad": True}, {"grad_fn_name": "ViewBackward0"}][int(rng.integers(3))])
        yield case


def _random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    ndim = int(rng.integers(0, 5))
    return tuple(int(size) for size in rng.integers(0, (1, 40, 14, 6, 4)[ndim], ndim, endpoint=True))


def _random_options(rng: np.random.Generator) -> dict[str, Any]:
    choices: dict[str, tuple[Any, ...]] = {
        "precision": (0, 2, 8),
        "threshold": (5, 20),
        "edgeitems": (0, 1, 2),
        "linewidth": (30, 120),
        "profile": ("default", "short", "full"),
        "sci_mode": (True, False),
    }
    return {name: values[int(rng.integers(len(values)))] for name, values in choices.items() if rng.random() < 0.25}


def _random_array(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Any:
    if name == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if name in INTEGERS:
        limits = np.iinfo(name)
        most = min(int(limits.max), 10 ** int(rng.integers(0, 19)))
        return np.asarray(rng.integers(max(int(limits.min), -most), most, shape), dtype=name)
    spread = rng.uniform(-5, 5, shape) if rng.random() < 0.2 else float(rng.integers(-6, 9))
    values = np.asarray(rng.standard_normal(shape) * 10.0**spread)
    if rng.random() < 0.3:
        values = np.round(values)
    if rng.random() < 0.3:
        special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape)
        values = np.where(rng.random(shape) < 0.3, special, values)
    with np.errstate(over="ignore"):
        return values.astype(name)


def live_text(case: Case) -> str:
    """Return PyTorch's text for a case."""
    import torch

    torch.set_printoptions(profile="default")
    torch.set_printoptions(**case.get("options", {}))
    torch.set_default_dtype(getattr(torch, case.get("default_dtype", "float32")))
    try:
        tensor = torch.from_numpy(unpack(case).copy())
        if "grad_fn_name" in case or case.get("requires_grad"):
            tensor.requires_grad_()
        return repr(tensor.view(tensor.shape) if "grad_fn_name" in case else tensor)
    finally:
        torch.set_printoptions(profile="default")
        torch.set_default_dtype(torch.float32)


def main() -> None:
    """Record all cases."""
    import torch

    cases = [*chosen_cases(), *random_cases(np.random.default_rng(7))]
    for case in cases:
        case["text"] = live_text(case)
    lines = ",\n".join(json.dumps(case) for case in cases)
    version = torch.__version__.split("+")[0]
    RECORDED.write_text(f'{{"torch": "{version}", "cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(cases)} cases of PyTorch {version} in {RECORDED.name}, {RECORDED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
