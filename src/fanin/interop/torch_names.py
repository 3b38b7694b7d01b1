"""What answers for torch's modules and classes when a program that was written for PyTorch runs on fanin."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from pickle import UnpicklingError
from typing import Any

import fanin
from fanin._core import errors
from fanin._core.missing import explain, refuse

# The version of PyTorch whose names and numbers these are: programs compare it, and print it.
VERSION = "2.13.0+cpu"

# Rooms that answer for a module of torch's, besides those that have the same name.
_ALIASES = {
    "utils.data.dataloader": "utils.data",
    "utils.data._utils.collate": "utils.data",
    "autograd.grad_mode": "autograd",
    "storage": "tensor.storage",
    "autograd.anomaly_mode": "autograd",
    "serialization": "serialization",
    "utils.hooks": "tensor.hooks",
    "nn.utils.stateless": "func",
}
_ROOMS = (
    "nn", "optim", "utils", "autograd", "linalg", "special", "testing", "cuda", "backends", "random", "mps", "amp",
    "version", "accelerator", "types", "distributions", "func",
)  # fmt: skip

# Packages that are of use only with PyTorch itself. Others that import torch get fanin, and may work.
_NEIGHBOURS = frozenset(
    "accelerate botorch fastai functorch gpytorch kornia lightning monai pyro pytorch_lightning tensorboardX timm "
    "torch_geometric torchaudio torchdata torchinfo torchmetrics torchtext torchtune torchvision torchviz "
    "transformers".split()
)


def answer_torch() -> None:
    """Let every later import of torch in this process be answered by fanin."""
    modules = _modules()
    for error in list(_errors(errors.FaninError)):
        _take_builtin_name(error)
    _take_names(modules)
    fanin.__version__ = modules["torch.version"].__version__ = VERSION
    for name, module in modules.items():
        vars(module).setdefault("__path__", [])  # without it, an import below would not get as far as the refusal
        if isinstance(module, types.ModuleType):
            vars(module).setdefault("__getattr__", refuse(name))
    sys.modules.update(modules)
    sys.meta_path.insert(0, _Refusal())


def _modules() -> dict[str, Any]:
    """Return what answers each name that a program may import, such as {"torch.nn": fanin.nn}."""
    found: dict[str, Any] = {"torch": fanin}
    for room in _ROOMS:
        for name in _submodules(room):
            found[f"torch.{name}"] = importlib.import_module(f"fanin.{name}")
    for name, room in _ALIASES.items():
        found.setdefault(f"torch.{name}", importlib.import_module(f"fanin.{room}"))
    found["torch.cuda.amp"] = importlib.import_module("fanin.amp")
    for name, backend in vars(importlib.import_module("fanin.backends")).items():
        if isinstance(backend, types.SimpleNamespace):
            found[f"torch.backends.{name}"] = backend
    return found


def _submodules(room: str) -> Iterator[str]:
    try:
        module = importlib.import_module(f"fanin.{room}")
    except ModuleNotFoundError as error:
        if error.name != f"fanin.{room}":
            raise
        return
    yield room
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            yield found.name.partition(".")[2]


class _Loaded(importlib.abc.Loader):
    """A loader whose module is one of fanin's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: Any) -> Any:
        """Return the module."""
        return importlib.import_module(self.name)

    def exec_module(self, module: Any) -> None:
        """Do nothing: the module is there."""


class _Refusal:
    """An import hook that says plainly which modules fanin does not have."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Raise ModuleNotFoundError for a module of torch's, or of a package that needs torch."""
        root = name.partition(".")[0]
        if name == "torch.compiler":
            return importlib.machinery.ModuleSpec(name, _Loaded("fanin.compiler"))  # loaded for those who ask
        if name == "safetensors.torch":
            return importlib.machinery.ModuleSpec(name, _Loaded("fanin.interop.safetensors_torch"))
        if root == "torch":
            raise errors.MissingModuleError(explain(name), name=name)
        if root in _NEIGHBOURS:
            raise errors.MissingModuleError(
                f"{root} needs PyTorch itself, and `fanin run` answers `torch` alone. Load the data in another way "
                "(scikit-learn, pandas, NumPy arrays), or run the program under PyTorch.",
                name=name,
            )
        return None


# Classes --------------------------------------------------------------------------------------------------------------

# Where a class of fanin's is at home in torch, for those that no module of the same name shows.
_HOMES = (
    (r"fanin\.tensor\.grad_mode", "torch.autograd.grad_mode"),
    (r"fanin\.tensor\.storage", "torch.storage"),
    (r"fanin\.tensor\.hooks", "torch.utils.hooks"),
    (r"fanin\.autograd\.anomaly", "torch.autograd.anomaly_mode"),
    (r"fanin\.(random\.generator|tensor\.functions\.sampling|ops\.singular)", "torch._C"),
    (r"fanin\.(tensor|random|_core)\b.*", "torch"),
    (r"fanin\.nn\.(parameter|utils|init|functional)\b(.*)", r"torch.nn.\1\2"),
    (r"fanin\.nn\.(\w+)", r"torch.nn.modules.\1"),
    (r"fanin\.optim\.lr_scheduler\..*", "torch.optim.lr_scheduler"),
    (r"fanin\.utils\.data\.loader", "torch.utils.data.dataloader"),
    (r"fanin\.(.+)", r"torch.\1"),
)


def _take_names(modules: dict[str, Any]) -> None:
    """Let classes give torch's module as theirs, so that `print(type(x))` prints what it prints under PyTorch.

    The module must be found under that name, too, for classes are pickled by it.
    """
    layers_first = sorted(modules, key=lambda name: not name.startswith("torch.nn.modules."))
    for name in layers_first:
        for value in vars(modules[name]).values():
            if isinstance(value, type) and value.__module__.startswith("fanin."):
                is_layer = name.startswith("torch.nn.modules.") and value.__module__.startswith("fanin.nn.")
                home = name if is_layer else _home(value.__module__)
                modules.setdefault(home, modules[name])
                value.__module__ = home


def _home(module: str) -> str:
    return next(re.sub(pattern, home, module, count=1) for pattern, home in _HOMES if re.fullmatch(pattern, module))


def _errors(error: type[errors.FaninError]) -> Iterator[type[errors.FaninError]]:
    """Iterate over the errors that PyTorch has built-in exceptions for; one with a name of its own there keeps it."""
    for each in error.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
        yield from _errors(each)


def _take_builtin_name(error: type[errors.FaninError]) -> None:
    """Let an error bear the name of what PyTorch raises in its place, which programs print."""
    first = next(base for base in error.__mro__ if base.__module__ == "builtins")
    # Of a file that cannot be loaded: what it says of itself comes before what it is in general.
    shown = next((base for base in (EOFError, UnpicklingError) if issubclass(error, base)), first)
    error.__name__ = error.__qualname__ = shown.__name__
    error.__module__ = shown.__module__
