"""Write recorded.json from live PyTorch: `python -m tests.random.record`, in an environment that has PyTorch."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from .cases import CASES, Case
from .comparison import description, digest

PATH = Path(__file__).parent / "recorded.json"


def drawn(torch: Any, case: Case) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(case.seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(from|to - 1) is out of bounds")
        values = case.torch(torch, generator).numpy()
    return description(case, values, generator.get_state().numpy())


def midway(torch: Any) -> dict[str, Any]:
    """Return a state with a normal kept, and what PyTorch draws from it."""
    generator = torch.Generator().manual_seed(11)
    torch.randn(3, generator=generator)
    state = generator.get_state().numpy()
    return {"state": state.tobytes().hex(), "next": digest(torch.randn(1005, generator=generator).numpy())}


def record() -> None:
    import torch

    torch.set_num_threads(1)
    cases = {name: drawn(torch, case) for family in CASES.values() for name, case in family.items()}
    content = {
        "torch": torch.__version__.partition("+")[0],
        "capability": torch.backends.cpu.get_cpu_capability(),
        "midway": midway(torch),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    PATH.write_text(f'{json.dumps(content)[:-1]}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    record()
