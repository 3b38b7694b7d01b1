"""Paths, streams, and what is said when something is wrong with them."""

from __future__ import annotations

import io
import os
import pathlib
import pickle
import zipfile
from typing import Any

import pytest

import fanin as torch
from tests.serialization.test_hostile_files import archive_of


def test_a_path_may_be_text_or_a_path_object(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        torch.save([1, 2], path)
        assert torch.load(path) == [1, 2]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state.pt"
    torch.save("old", path)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        torch.save({"new": lambda: 0}, path)
    assert torch.load(path) == "old"
    assert os.listdir(tmp_path) == ["state.pt"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    path = tmp_path / "state.pt"
    torch.save("old", path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        torch.save("new", path)
    assert torch.load(path) == "old"
    assert os.listdir(tmp_path) == ["state.pt"]


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: pathlib.Path) -> None:
    target, link = tmp_path / "target.pt", tmp_path / "link.pt"
    torch.save("old", target)
    target.chmod(0o640)
    link.symlink_to(target)
    torch.save("new", link)
    assert link.is_symlink()
    assert torch.load(target) == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_missing_directory_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist") as caught:
        torch.save(1, tmp_path / "nowhere" / "state.pt")
    assert isinstance(caught.value, FileNotFoundError)


def test_a_directory_is_no_file(tmp_path: pathlib.Path) -> None:
    for action in (lambda: torch.save(1, tmp_path), lambda: torch.load(tmp_path)):
        with pytest.raises(IsADirectoryError):
            action()
    assert os.listdir(tmp_path) == []


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        torch.load("nowhere.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Ran out of input"),
        (b"a,b,c\n1,2,3\n", "is not a file that save wrote: it begins with b'a,b,c"),
        (b"PK\x03\x04" + bytes(100), "cut off"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "before version 1.6"),
        (pickle.dumps({"w": 1}), "is not a file that save wrote"),
    ],
)
def test_what_is_not_such_a_file(tmp_path: pathlib.Path, content: bytes, message: str) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as caught:
        torch.load(path)
    assert "state.pt" in str(caught.value)
    assert isinstance(caught.value, pickle.UnpicklingError)


@pytest.mark.parametrize(
    ("names", "message"), [(["a.txt"], "no data.pkl"), (["m/data.pkl", "m/constants.pkl"], "TorchScript")]
)
def test_other_zip_files(names: list[str], message: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    file.seek(0)
    with pytest.raises(RuntimeError, match=message):
        torch.load(file)


def test_a_stream_that_was_not_rewound() -> None:
    file = io.BytesIO()
    torch.save(1, file)
    with pytest.raises(EOFError, match=r"seek\(0\)"):
        torch.load(file)


class Pipe:
    """A stream that cannot seek."""

    def __init__(self, content: bytes = b"") -> None:
        self._content = io.BytesIO(content)
        self.read, self.write, self.written = self._content.read, self._content.write, self._content.getvalue

    def seekable(self) -> bool:
        """Return False, as sockets and pipes do."""
        return False


def test_streams_that_cannot_seek() -> None:
    pipe = Pipe()
    torch.save({"w": torch.ones(2)}, pipe)
    assert torch.load(Pipe(pipe.written()))["w"].tolist() == [1.0, 1.0]


def test_an_archive_in_the_middle_of_a_stream() -> None:
    file = io.BytesIO()
    file.write(b"a header of the user's")
    start = file.tell()
    torch.save(torch.ones(2), file)
    file.seek(start)
    assert torch.load(file).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("function", [lambda: torch.load(3), lambda: torch.save(1, 3)])
def test_neither_path_nor_file(function: Any) -> None:
    with pytest.raises(AttributeError, match=r"file.*got int"):
        function()


def test_mapping_needs_a_path() -> None:
    with pytest.raises(ValueError, match="must be a file path in order to use the mmap argument"):
        torch.load(io.BytesIO(b"PK"), mmap=True)


@pytest.mark.parametrize(
    "location",
    [None, "cpu", torch.device("cpu"), lambda storage, _: storage, {"cuda:0": "cpu"}],
    ids=["none", "text", "device", "function", "dictionary"],
)
def test_places_that_are_the_cpu(location: Any) -> None:
    file = io.BytesIO()
    torch.save(torch.ones(1), file)
    file.seek(0)
    assert torch.load(file, map_location=location).item() == 1.0


def test_no_other_place() -> None:
    with pytest.raises(RuntimeError, match=r"map_location is 'cuda'.*CPU"):
        torch.load(io.BytesIO(b""), map_location="cuda")


def test_a_pickle_module_needs_the_callers_trust() -> None:
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module"):
        torch.load(io.BytesIO(b""), None, pickle)


def test_a_dtype_outside_fanin_is_named() -> None:
    storage = b"((X\x07\x00\x00\x00storagectorch\nBFloat16Storage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
    with pytest.raises(RuntimeError, match=r"torch\.bfloat16, which fanin does not have"):
        torch.load(archive_of(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + storage + b".", (bytes(2),)))
