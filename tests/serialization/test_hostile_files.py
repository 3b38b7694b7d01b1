"""A file that means harm, or is damaged, is refused with a message that says what to do."""

from __future__ import annotations

import io
import os
import pathlib
import pickle
import tracemalloc
import zipfile
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import serialization
from fanin._core.errors import FaninError
from tests.serialization import record_checkpoint as recorder


def archive_of(pickled: bytes, storages: tuple[bytes, ...] = ()) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for number, content in enumerate(storages):
            archive.writestr(f"archive/data/{number}", content)
        archive.writestr("archive/version", b"3\n")
    file.seek(0)
    return file


class Exploit:
    """An object whose pickle runs a function when Python's own unpickler reads it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def attacks(target: pathlib.Path) -> list[bytes]:
    command = f"touch {target}"
    python = f"open({str(target)!r}, 'w')"
    nested = {"weights": [1.0, OrderedDict(a=Exploit(os.system, command))]}
    objects = [
        Exploit(os.system, command),
        Exploit(eval, python),
        Exploit(exec, python),
        nested,
        Exploit(open, target, "w"),
    ]
    pickles = [pickle.dumps(obj, protocol) for obj in objects for protocol in range(6)]
    text = command.encode()
    handwritten = [
        b"(S'" + text + b"'\nios\nsystem\n.",
        b"(cos\nsystem\nS'" + text + b"'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(text)]) + text + b"\x85R.",
        b"\x80\x02ccollections\nOrderedDict.__init__.__globals__\n.",
        b"\x80\x04\x8c\x0bcollections\x8c\x0c_sys.modules\x93.",
    ]
    return pickles + handwritten


def test_the_attacks_work_on_an_unprotected_reader(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "proof"
    pickle.loads(attacks(target)[0])
    assert target.exists()


def test_nothing_in_a_hostile_file_runs(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "proof"
    for attack in attacks(target):
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            torch.load(archive_of(attack))
        assert not target.exists()


def test_the_message_names_the_class_and_the_way_out() -> None:
    with pytest.raises(RuntimeError, match=r"holds a \w+\.system, .*weights_only=False"):
        torch.load(archive_of(pickle.dumps(Exploit(os.system, "true"))))


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%btQ"  # its key is "0"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"%b\x89}tR"


def integer(value: int) -> bytes:
    return b"I%d\n" % value


def place(offset: int, size: int, stride: int) -> bytes:
    return integer(offset) + integer(size) + b"\x85" + integer(stride) + b"\x85"


@pytest.mark.parametrize(
    ("count", "offset", "size", "stride"),
    [(4, 0, 5, 1), (4, 4, 1, 1), (4, 0, 3, 2), (4, -1, 2, 1), (4, 3, 4, -1), (4, 0, 2, 2**62), (5, 0, 5, 1)],
)
def test_a_tensor_cannot_reach_beyond_its_storage(count: int, offset: int, size: int, stride: int) -> None:
    pickled = b"\x80\x02" + TENSOR % (integer(count), place(offset, size, stride)) + b"."
    with pytest.raises(RuntimeError, match="damaged"):
        torch.load(archive_of(pickled, (np.zeros(4, np.float32).tobytes(),)))


def test_the_same_tensor_inside_its_storage() -> None:
    pickled = b"\x80\x02" + TENSOR % (integer(4), place(1, 2, 2)) + b"."
    assert torch.load(archive_of(pickled, (np.arange(4, dtype=np.float32).tobytes(),))).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "name", [b"_array", b"_hooks", b"backward", b"__class__", b"requires_grad"], ids=lambda name: name.decode()
)
def test_a_file_sets_no_attribute_that_a_tensor_uses(name: bytes) -> None:
    state = b"}X" + len(name).to_bytes(4, "little") + name + b"K\x01sb."
    pickled = b"\x80\x02" + TENSOR % (integer(4), place(0, 4, 1)) + state
    with pytest.raises(RuntimeError, match="is not a file's to set"):
        torch.load(archive_of(pickled, (bytes(16),)))


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02ctorch\nTensor\nM\xff\xff\x85R.",
        b"\x80\x02ctorch\nfloat32\n}X\x04\x00\x00\x00nameK\x01sb.",
        b"\x80\x02ccollections\nCounter\n}X\x06\x00\x00\x00updateK\x01sb.",
        b"\x80\x02c__builtin__\nbytearray\nJ\x00\x00\x00\x40\x85R.",
        b"\x80\x02K\x01K\x02a.",
        b"\x80\x02}]K\x01s.",
        b"\x80\x02h\x05.",
        b"\x80\x02R.",
        b"\x80\x02K\x01K\x02.",
        b"\x80\x02K\x01",
        b"",
    ],
)
def test_instructions_that_make_no_sense(pickled: bytes) -> None:
    with pytest.raises(RuntimeError, match="damaged"):
        torch.load(archive_of(pickled))


def test_a_counter_is_read_as_it_was_counted() -> None:
    assert torch.load(archive_of(pickle.dumps(Counter("aab"), 2))) == Counter("aab")


def test_every_truncation_is_noticed() -> None:
    whole = recorder.FILE.read_bytes()
    for length in (*range(0, len(whole), 997), len(whole) - 1):
        with pytest.raises(RuntimeError, match=r"Ran out of input|cut off|not a file that save wrote"):
            torch.load(io.BytesIO(whole[:length]))


def test_random_damage_is_an_error_of_ours_or_harmless() -> None:
    whole, rng = recorder.FILE.read_bytes(), np.random.default_rng(0)
    with zipfile.ZipFile(recorder.FILE) as archive:
        pickled = archive.read(f"{recorder.FILE.stem}/data.pkl")
    refused = 0
    for _ in range(300):
        for good, wrap in ((whole, io.BytesIO), (pickled, archive_of)):
            bad = bytearray(good)
            for position in rng.integers(0, len(bad), 2):
                bad[position] = rng.integers(256)
            try:
                torch.load(wrap(bytes(bad)))
            except FaninError:
                refused += 1
    assert refused > 200


def test_a_false_size_sets_no_memory_aside() -> None:
    pickled = b"\x80\x02" + TENSOR % (integer(4), place(0, 4, 1)) + b"."
    file = archive_of(pickled, (bytes(range(16)),))
    assert torch.load(file).shape == (4,)
    size, false = (16).to_bytes(4, "little") * 2, (2**31 - 1).to_bytes(4, "little") * 2
    assert file.getvalue().count(size) == 2
    claim = file.getvalue().replace(size, false)
    tracemalloc.start()
    try:
        with pytest.raises(RuntimeError, match="it claims 2147483647 bytes"):
            torch.load(io.BytesIO(claim))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


class Settings:
    """A user's class."""

    def __init__(self, width: int) -> None:
        self.width = width


def test_a_class_that_the_user_trusts() -> None:
    file = io.BytesIO()
    torch.save({"settings": Settings(3)}, file)
    with pytest.raises(pickle.UnpicklingError, match=r"Settings.*add_safe_globals"):
        torch.load(io.BytesIO(file.getvalue()))
    with serialization.safe_globals([Settings]):
        assert serialization.get_safe_globals() == [Settings]
        assert torch.load(io.BytesIO(file.getvalue()))["settings"].width == 3
    assert serialization.get_safe_globals() == []
    assert torch.load(io.BytesIO(file.getvalue()), weights_only=False)["settings"].width == 3


def test_what_was_trusted_before_a_block_is_trusted_after_it() -> None:
    serialization.add_safe_globals([Settings])
    try:
        with serialization.safe_globals([pathlib.PurePosixPath]):
            assert serialization.get_safe_globals() == [Settings, pathlib.PurePosixPath]
        assert serialization.get_safe_globals() == [Settings]
    finally:
        serialization.clear_safe_globals()
