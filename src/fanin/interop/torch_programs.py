"""Running programs that were written for PyTorch: every `import torch...` is answered by fanin.

All torch-named modules of fanin are entered in `sys.modules` under torch's names, so the program, and what it imports,
get them whether or not PyTorch is installed. A module that fanin does not have is refused by name.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from fanin.interop.torch_names import answer_torch


def run_file(path: Path, arguments: Sequence[str]) -> None:
    """Run a program as `python PATH` would, with torch answered by fanin; what it raises comes through.

    Raises OSError when the file cannot be read, SyntaxError when it is not Python.
    """
    file = str(path.absolute())
    code = _compiled(path.read_bytes(), file)
    answer_torch()
    _run(code, [str(path), *arguments], str(path.resolve().parent), __file__=file)


def run_source(source: bytes, arguments: Sequence[str]) -> None:
    """Run a program that was read from the standard input, as `python -` would."""
    code = _compiled(source, "<stdin>")
    answer_torch()
    _run(code, ["-", *arguments], "")


def _compiled(source: bytes, file: str) -> types.CodeType:
    # Without dont_inherit, this file's own future statement would turn the program's annotations into texts.
    return compile(source, file, "exec", dont_inherit=True)


def run_module(name: str, arguments: Sequence[str]) -> None:
    """Run a module as `python -m NAME` would.

    Raises ModuleNotFoundError when there is no such module.
    """
    answer_torch()
    sys.path[0:1] = [str(Path.cwd())]
    spec = _runnable(name)
    code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
    _run(
        code, [str(spec.origin), *arguments], sys.path[0], __file__=spec.origin, __spec__=spec, __package__=spec.parent
    )


def _runnable(name: str) -> ModuleSpec:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        return _runnable(f"{name}.__main__")
    if spec is None or not hasattr(spec.loader, "get_code"):
        raise ModuleNotFoundError(f"No module named {name}", name=name)
    return spec


def _run(code: types.CodeType, argv: list[str], folder: str, **names: Any) -> None:
    sys.argv = argv
    if not sys.flags.safe_path:
        sys.path[0:1] = [folder]
    main = types.ModuleType("__main__")
    main.__dict__.update(names)
    sys.modules["__main__"] = main  # where pickle looks for the program's own classes
    exec(code, main.__dict__)
