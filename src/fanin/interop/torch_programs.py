"""Running programs that were written for PyTorch: every `import torch...` is answered by fanin.

All torch-named modules of fanin are entered in `sys.modules` under torch's names, so the program, and what it imports,
get them whether or not PyTorch is installed. A module that fanin does not have is refused by name.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import pkgutil
import re
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fanin
from fanin._core.missing import explain

# Rooms that answer for a module of torch's, besides those that have the same name.
_ALIASES = {
    "nn.modules": "nn",
    "nn.modules.module": "nn",
    "utils.data.dataloader": "utils.data",
    "utils.data.dataset": "utils.data",
    "utils.data.sampler": "utils.data",
    "utils.data._utils.collate": "utils.data",
    "optim.optimizer": "optim",
    "autograd.variable": "autograd",
    "autograd.function": "autograd",
    "nn.utils.clip_grad": "nn.utils",
    "nn.utils.convert_parameters": "nn.utils",
}
_TORCH_ROOMS = (
    "nn", "optim", "utils", "autograd", "linalg", "special", "testing", "cuda", "backends", "random", "mps", "version",
)
_NEIGHBOURS = ("torchvision", "torchaudio", "torchtext", "pytorch_lightning", "lightning", "torchmetrics", "torchinfo")


def torch_modules() -> dict[str, types.ModuleType]:
    """Return what answers each name that a program may import, such as {"torch.nn": fanin.nn}."""
    found: dict[str, types.ModuleType] = {"torch": fanin}
    for room in _TORCH_ROOMS:
        for name in _submodules(room):
            found[f"torch.{name}"] = importlib.import_module(f"fanin.{name}")
    for name, room in _ALIASES.items():
        found[f"torch.{name}"] = importlib.import_module(f"fanin.{room}")
    return found


def _submodules(room: str) -> Iterator[str]:
    try:
        module = importlib.import_module(f"fanin.{room}")
    except ModuleNotFoundError:
        return
    yield room
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{room}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            yield found.name


class _Refusal:
    """An import hook that says plainly which modules fanin does not have."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Raise ModuleNotFoundError for a module of torch's, or of a package that needs torch."""
        root = name.partition(".")[0]
        if root == "torch":
            raise ModuleNotFoundError(explain(name), name=name)
        if root in _NEIGHBOURS:
            raise ModuleNotFoundError(
                f"{root} needs PyTorch itself, and `fanin run` answers `torch` alone. Load the data in another way "
                "(scikit-learn, pandas, NumPy arrays), or run the program under PyTorch.",
                name=name,
            )
        return None


def answer_torch() -> None:
    """Let every later import of torch in this process be answered by fanin."""
    modules = torch_modules()
    _take_torch_names(modules)
    sys.modules.update(modules)
    sys.meta_path.insert(0, _Refusal())


def _take_torch_names(modules: dict[str, types.ModuleType]) -> None:
    """Let classes give torch's module as theirs, so that `print(type(x))` prints what it prints under PyTorch."""
    for name, module in list(modules.items()):
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__.startswith("fanin."):
                home = _torch_home(value.__module__)
                modules.setdefault(home, module)
                value.__module__ = home


_HOMES = (
    (r"fanin\.(tensor|random|_core)\b.*", "torch"),
    (r"fanin\.nn\.(parameter|utils|init|functional)\b(.*)", r"torch.nn.\1\2"),
    (r"fanin\.nn\.(\w+)", r"torch.nn.modules.\1"),
    (r"fanin\.utils\.data\.loader", "torch.utils.data.dataloader"),
    (r"fanin\.(.+)", r"torch.\1"),
)


def _torch_home(module: str) -> str:
    for pattern, home in _HOMES:
        if re.fullmatch(pattern, module):
            return re.sub(pattern, home, module, count=1)
    return module


def run_program(path: Path, arguments: Sequence[str]) -> None:
    """Run a program as Python would run it, with torch answered by fanin; what it raises comes through.

    Raises OSError when the file cannot be read, SyntaxError when it is not Python.
    """
    source = path.read_bytes()
    code = compile(source, str(path), "exec")
    answer_torch()
    sys.argv = [str(path), *arguments]
    sys.path[0:1] = [str(path.resolve().parent)]
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    exec(code, main.__dict__)
