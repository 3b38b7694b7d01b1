"""What is saved is what is loaded, in fanin and between fanin and PyTorch."""

from __future__ import annotations

import io
import json
import pathlib
import zipfile
from collections import OrderedDict
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fanin as torch
from fanin.tensor.tape import wrap
from tests.serialization import record_checkpoint as recorder

CONTENT = json.loads(recorder.CONTENT.read_text(encoding="utf-8"))["content"]


def described(value: Any) -> Any:
    return json.loads(json.dumps(recorder.describe(value)))


def through_a_file(value: Any, write: Any = torch, read: Any = torch, **options: Any) -> Any:
    file = io.BytesIO()
    write.save(value, file)
    file.seek(0)
    return read.load(file, **options)


@pytest.fixture
def pytorch() -> ModuleType:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("options", [{}, {"mmap": True}, {"map_location": "cpu"}, {"weights_only": False}])
def test_a_file_of_pytorchs_is_read_whole(options: dict[str, Any]) -> None:
    assert described(torch.load(recorder.FILE, **options)) == CONTENT


def test_saving_and_loading_changes_nothing() -> None:
    assert described(through_a_file(torch.load(recorder.FILE))) == CONTENT


def test_a_difference_would_be_seen() -> None:
    state = torch.load(recorder.FILE)
    state["model"]["1.bias"][0] += 1e-6
    assert described(state) != CONTENT


@pytest.mark.parity
def test_pytorch_reads_our_files(pytorch: ModuleType, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(torch.load(recorder.FILE), path)
    for options in ({}, {"mmap": True}, {"weights_only": False}):
        assert described(pytorch.load(path, **options)) == CONTENT


@pytest.mark.parity
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pytorchs_is_read(pytorch: ModuleType, protocol: int) -> None:
    state, file = recorder.checkpoint(pytorch), io.BytesIO()
    pytorch.save(state, file, pickle_protocol=protocol)
    file.seek(0)
    assert described(torch.load(file)) == described(state)


def trained_on(namespace: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Load a checkpoint, take one more step, and return the new one."""
    model = recorder.network(namespace)
    optimizer = namespace.optim.Adam(model.parameters(), lr=0.5)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    optimizer.zero_grad()
    model(namespace.linspace(-1, 2, 15).reshape(5, 3)).pow(2).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


@pytest.mark.parity
def test_a_state_trained_in_one_goes_on_in_the_other(pytorch: ModuleType) -> None:
    start = recorder.checkpoint(pytorch)
    ours = trained_on(torch, through_a_file(start, write=pytorch))
    crossed = trained_on(pytorch, through_a_file(ours, read=pytorch))
    straight = trained_on(pytorch, trained_on(pytorch, start))
    assert list(crossed["model"]) == list(straight["model"])
    assert crossed["model"]._metadata == straight["model"]._metadata
    for name, expected in straight["model"].items():
        pytorch.testing.assert_close(crossed["model"][name], expected, rtol=1e-4, atol=1e-5)


def test_equal_states_give_equal_files_of_aligned_records(tmp_path: pathlib.Path) -> None:
    state = torch.load(recorder.FILE)
    for name in ("one.pt", "two.pt"):
        torch.save(state, tmp_path / name)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.pt") as archive:
        assert archive.testzip() is None
        starts = [info.header_offset + 30 + len(info.filename) + len(info.extra) for info in archive.infolist()]
    assert {start % 64 for start in starts} == {0}


def test_shared_memory_stays_shared() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    loaded = through_a_file({"base": base, "column": base[:, 1], "again": base})
    loaded["base"][1, 1] = 100.0
    assert loaded["column"].tolist() == [1.0, 100.0]
    assert loaded["again"] is loaded["base"]


def test_views_keep_strides_and_one_storage() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    file = io.BytesIO()
    torch.save([base, base.t(), base[1]], file)
    with zipfile.ZipFile(file) as archive:
        assert [name for name in archive.namelist() if "/data/" in name] == ["archive/data/0"]
    file.seek(0)
    assert [tensor.stride() for tensor in torch.load(file)] == [(3, 1), (1, 3), (1,)]


def test_only_the_memory_in_use_is_written() -> None:
    table = torch.arange(1000.0).reshape(100, 10)
    pieces = {"head": table[:2], "inside": table[1], "far": table[50]}
    file = io.BytesIO()
    torch.save(pieces, file)
    with zipfile.ZipFile(file) as archive:
        assert [archive.getinfo(f"archive/data/{n}").file_size for n in (0, 1)] == [80, 40]
    file.seek(0)
    loaded = torch.load(file)
    assert {name: tensor.tolist() for name, tensor in loaded.items()} == {n: t.tolist() for n, t in pieces.items()}
    loaded["head"][1, 0] = -1.0
    assert loaded["inside"][0].item() == -1.0


def test_memory_that_runs_backwards_is_copied() -> None:
    assert through_a_file(wrap(np.arange(6.0)[::-1])).tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    fields = np.array([(1, 2.0), (3, 4.0)], dtype=[("a", "i1"), ("b", "<f8")])
    assert through_a_file(wrap(fields["b"])).tolist() == [2.0, 4.0]


def test_loaded_tensors_can_be_written_and_trained() -> None:
    state = through_a_file({"w": torch.nn.Parameter(torch.ones(2)), "x": torch.ones(2)})
    state["x"] += 1
    (state["w"] * state["x"]).sum().backward()
    assert state["w"].grad.tolist() == [2.0, 2.0]
    assert state["w"].is_leaf


def test_mapped_tensors_do_not_write_to_the_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(torch.ones(3), path)
    torch.load(path, mmap=True).add_(1)
    assert torch.load(path).tolist() == [1.0, 1.0, 1.0]


def test_the_other_byte_order() -> None:
    file, swapped = io.BytesIO(), io.BytesIO()
    torch.save([torch.arange(3), torch.tensor([1.5])], file)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(swapped, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("byteorder"):
                content = b"big"
            elif "/data/" in name:
                content = np.frombuffer(content, "<i8" if name.endswith("0") else "<f4").byteswap().tobytes()
            new.writestr(name, content)
    swapped.seek(0)
    assert [tensor.tolist() for tensor in torch.load(swapped)] == [[0, 1, 2], [1.5]]


def test_metadata_of_a_state_is_kept() -> None:
    state = torch.nn.Sequential(torch.nn.BatchNorm1d(2)).state_dict()
    assert through_a_file(state)._metadata == state._metadata


def test_whole_modules_need_the_callers_trust() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    with pytest.raises(RuntimeError, match="weights_only=False"):
        through_a_file(model)
    loaded = through_a_file(model, weights_only=False)
    assert str(loaded) == str(model)
    x = torch.ones(1, 2)
    assert loaded(x).tolist() == model(x).tolist()


@pytest.mark.parity
def test_a_whole_module_of_pytorchs(pytorch: ModuleType) -> None:
    model = pytorch.nn.Sequential(pytorch.nn.Linear(2, 3), pytorch.nn.BatchNorm1d(3), pytorch.nn.Tanh())
    loaded = through_a_file(model, write=pytorch, weights_only=False)
    assert isinstance(loaded[0], torch.nn.Linear)
    x = np.array([[1, 2], [-3, 0.5], [0, -1]], np.float32)
    theirs = model(pytorch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(loaded(torch.from_numpy(x)).detach().numpy(), theirs, rtol=1e-6, atol=1e-6)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
tensors = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)
keys = st.text() | st.integers() | st.tuples(st.integers(), st.text())
trees = st.recursive(
    scalars | tensors,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=12,
)


def with_tensors(tree: Any) -> Any:
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(tree.copy())
    if isinstance(tree, dict):
        return type(tree)((key, with_tensors(value)) for key, value in tree.items())
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(with_tensors, tree))
    return tree


@given(trees)
def test_any_tree_of_plain_values_and_tensors(tree: Any) -> None:
    assert described(through_a_file(with_tensors(tree))) == described(with_tensors(tree))


def test_parameters_without_a_shape() -> None:
    state = {"weight": torch.nn.parameter.UninitializedParameter()}
    loaded = through_a_file(state)["weight"]
    assert isinstance(loaded, torch.nn.parameter.UninitializedParameter)
    assert loaded.requires_grad
