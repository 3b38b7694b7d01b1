"""`safetensors.torch` under `fanin run`: the library's own bytes, and files that both sides read."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import numpy as library

import fanin as torch
from fanin.interop import safetensors_torch as ours
from tests.cli.conftest import python


def tensors() -> dict[str, Any]:
    return {
        "b": torch.arange(3),
        "a": torch.ones(2, 2),
        "z": torch.tensor(True),
        "d": torch.ones(1, dtype=torch.float64),
        "h": torch.full((3,), 1.5, dtype=torch.float16),
        "i": torch.tensor([-1, 2], dtype=torch.int8),
        "empty": torch.ones(0, 2),
    }


def arrays(named: dict[str, Any]) -> dict[str, Any]:
    return {name: x.numpy() for name, x in named.items()}


def test_the_bytes_are_the_librarys() -> None:
    mine, notes = ours.save(tensors(), {"k": "v"}), {"k": "v"}
    assert mine == library.save(arrays(tensors()), notes)
    assert mine != library.save(arrays(tensors()) | {"a": np.zeros((2, 2), np.float32)}, notes)


def test_the_bytes_are_the_librarys_whatever_the_names() -> None:
    """In the order of names among those of one dtype, behind a header of any length."""
    numbers = {name: torch.ones(1) for name in ("w2", "w10", "W", "a")}
    for length in range(8):
        notes = {"note": "x" * length}
        assert ours.save(numbers, notes) == library.save(arrays(numbers), notes)


def test_tensors_without_elements_share_nothing() -> None:
    whole = torch.ones(4)
    found = ours.load(ours.save({"first": whole[:0], "last": whole[4:]}))
    assert {name: tuple(x.shape) for name, x in found.items()} == {"first": (0,), "last": (0,)}


def test_shared_weights_that_are_missing_are_missed(tmp_path: Path) -> None:
    path, net = tmp_path / "net.safetensors", torch.nn.Sequential(*[torch.nn.Linear(2, 2)] * 2)
    ours.save_file({"other": torch.ones(1)}, path)
    with pytest.raises(RuntimeError, match=r"Missing key.*0\.bias"):
        ours.load_model(net, path)
    missing, unexpected = ours.load_model(net, path, strict=False)
    assert (len(missing), unexpected) == (4, ["other"])


def test_each_reads_what_the_other_wrote(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    library.save_file(arrays(tensors()), path)
    found = ours.load_file(path)
    assert {n: (x.dtype, x.shape) for n, x in found.items()} == {n: (x.dtype, x.shape) for n, x in tensors().items()}
    assert all(torch.equal(x, tensors()[name]) for name, x in found.items())
    found["a"].add_(1)  # memory of its own, which can be written
    ours.save_file(tensors(), path)
    assert all((library.load_file(path)[name] == array).all() for name, array in arrays(tensors()).items())


def test_modules_with_shared_weights(tmp_path: Path) -> None:
    path, net, other = tmp_path / "net.safetensors", *(torch.nn.Sequential(*[torch.nn.Linear(2, 2)] * 2) for _ in "ab")
    with pytest.raises(RuntimeError, match="share memory"):
        ours.save_file(net.state_dict(), path)
    ours.save_model(net, str(path))
    assert ours.load_model(other, path) == (set(), [])
    assert torch.equal(other[1].weight, net[0].weight)
    with pytest.raises(RuntimeError, match="Missing key"):
        ours.load_model(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)), path)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ours.save([1]), ValueError, "Expected a dict"),
        (
            lambda: ours.save({"a": 1}),
            ValueError,
            "Key `a` is invalid, expected torch.Tensor but received <class 'int'>",
        ),
        (lambda: ours.save({"a": torch.ones(2, 3).t()}), ValueError, "non contiguous tensor: `a`"),
        (lambda: ours.load(b"abc"), RuntimeError, "not a file of the format"),
        (lambda: ours.load(ours.save(tensors())[:-1]), RuntimeError, "not a file of the format"),
        (lambda: ours.load_file("nowhere"), FileNotFoundError, "No such file or directory: nowhere"),
        (lambda: ours.load(library.save({"a": np.ones(1, np.uint32)})), TypeError, "fanin has no dtype U32"),
    ],
)
def test_mistakes(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_a_program_imports_it(tmp_path: Path) -> None:
    source = """
        import torch
        from safetensors.torch import load_file, save_file
        net = torch.nn.Linear(2, 1)
        save_file(net.state_dict(), "w.safetensors")
        print(sorted(load_file("w.safetensors")), net.load_state_dict(load_file("w.safetensors")))
    """
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(source).replace('"w.safe', f'r"{tmp_path}/w.safe'), encoding="utf-8")
    done = python("-m", "fanin", "run", str(program))
    assert (done.stdout, done.stderr) == ("['bias', 'weight'] <All keys matched successfully>\n", "")
