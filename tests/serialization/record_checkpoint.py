"""Write checkpoint_recorded.pt, a small file from live PyTorch, and what it holds as JSON.

Run from the repository's root, with PyTorch installed: python tests/serialization/record_checkpoint.py
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "checkpoint_recorded.pt"
CONTENT = FILE.with_suffix(".json")
DTYPES = ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")


def checkpoint(torch: Any) -> dict[str, Any]:
    """Return a training checkpoint as people save it, and one of everything else that a file may hold."""
    torch.manual_seed(0)
    model = network(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(torch.randn(5, 3)).pow(2).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, **pieces(torch)}


def network(torch: Any) -> Any:
    """Return an untrained network with parameters and buffers."""
    nn = torch.nn
    # No bias stands before the batch norm: its gradient would be rounding noise, which Adam blows up.
    return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def pieces(torch: Any) -> dict[str, Any]:
    """Return tensors of every dtype and layout that fanin has, and the plain values that stand beside them."""
    base = torch.arange(12.0).reshape(3, 4)
    return {
        "dtypes": [torch.tensor([0, 1, 1]).to(getattr(torch, name)) for name in DTYPES],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "shared": {"base": base, "row": base[1], "column": base[:, 2], "transposed": base.t()},
        "expanded": torch.ones(3).expand(2, 3),
        "leaf": torch.ones(2, requires_grad=True),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "frozen": torch.nn.Parameter(torch.ones(2), requires_grad=False),
        "size": torch.Size([2, 3]),
        "dtype": torch.float64,
        "plain": [None, True, -1, 2**70, 0.1, float("inf"), "text \u00e9", (1, (2,)), b"bytes", {1, 2}, 1 + 2j],
        "ordered": OrderedDict([("b", 1), ("a", 2)]),
    }


def describe(value: Any) -> Any:
    """Return JSON that tells two values apart: type, dtype, shape, strides, numbers."""
    if hasattr(value, "requires_grad"):
        kind = "Parameter" if type(value).__name__ == "Parameter" else "Tensor"
        numbers = [repr(number) for number in value.detach().reshape(-1).tolist()]
        strides = list(value.stride()) if value.numel() else None
        return [kind, str(value.dtype), list(value.shape), strides, bool(value.requires_grad), numbers]
    if isinstance(value, dict):
        return [type(value).__name__, [[describe(key), describe(item)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [describe(item) for item in value]]
    return [type(value).__name__, repr(value)]


def main() -> None:
    """Record both files."""
    import torch

    state = checkpoint(torch)
    torch.save(state, FILE)
    version = torch.__version__.split("+")[0]
    CONTENT.write_text(json.dumps({"torch": version, "content": describe(state)}) + "\n", encoding="utf-8")
    print(f"{FILE.name} of PyTorch {version}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
