"""The disk cache: round trips, damage, folders that do not work, writers at once, its size."""

from __future__ import annotations

import errno
import hashlib
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.compiler.native import cache as module
from fanin.compiler.native.cache import Cache, default_cache, default_folder
from fanin.compiler.native.kept import compiled_once
from fanin.compiler.native.target import Library, chosen, named

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes of files are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "cache"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_round_trip(folder: Path) -> None:
    cache = Cache(folder)
    assert cache.get("a") is None
    cache.put("a", b"one")
    cache.put("b", b"")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"one", b"", None)
    cache.put("a", b"two")
    assert Cache(folder).get("a") == b"two"
    assert {path.name for path in folder.iterdir()} == {hashlib.sha256(k).hexdigest() + ".object" for k in (b"a", b"b")}


@given(key=st.text(st.characters(exclude_categories=["Cs"])), data=st.binary())
def test_any_key_and_any_bytes(tmp_path_factory: pytest.TempPathFactory, key: str, data: bytes) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "any")
    cache.put(key, data)
    assert cache.get(key) == data


# Damage ---------------------------------------------------------------------------------------------------------------


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_every_damaged_byte_is_noticed_and_the_entry_discarded(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"data")
    path, content = only_file(folder), only_file(folder).read_bytes()
    for place in range(len(content)):
        path.write_bytes(flipped(content, place))
        assert cache.get("key") is None, place
        assert not path.exists()
    path.write_bytes(content)
    assert cache.get("key") == b"data"


def test_every_truncated_or_longer_entry_is_discarded_and_made_anew(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"data")
    path, content = only_file(folder), only_file(folder).read_bytes()
    for damaged in (*(content[:n] for n in range(len(content))), content + b"\0"):
        path.write_bytes(damaged)
        assert cache.get("key") is None
        assert not path.exists()
    cache.put("key", b"data")
    assert cache.get("key") == b"data"


def test_an_entry_of_another_key_or_format_is_discarded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)
    cache.put("other", b"code of another program")
    only_file(folder).rename(cache._path("key"))
    assert cache.get("key") is None
    cache.put("key", b"data")
    monkeypatch.setattr(module, "_FORMAT", module._FORMAT + 1)
    assert cache.get("key") is None


# Folders that do not work ---------------------------------------------------------------------------------------------


def failing(number: int, calls: list[int]) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        calls.append(number)
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("where", ["os.replace", "tempfile.mkstemp", "pathlib.Path.mkdir", "os.scandir"])
def test_what_cannot_be_written_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(where, failing(number, calls))
    cache = Cache(folder)
    cache.put("key", b"data")
    assert calls == [number]
    assert cache.get("key") == (b"data" if where == "os.scandir" else None)
    monkeypatch.undo()
    assert not list(folder.glob("*.part"))
    cache.put("key", b"later")
    assert cache.get("key") == b"later"


class FullFile:
    """A file on a full disk."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> FullFile:
        return self

    def __exit__(self, *_: Any) -> None:
        os.close(self.descriptor)

    def write(self, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_in_the_middle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open", lambda descriptor, mode: FullFile(descriptor), raising=False)
    Cache(folder).put("key", b"data")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_what_cannot_be_read_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    Cache(folder).put("key", b"data")
    calls: list[int] = []
    monkeypatch.setattr(module, "open", failing(number, calls), raising=False)
    assert Cache(folder).get("key") is None
    assert calls == [number]


def test_entries_that_cannot_be_removed_or_marked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)
    cache.put("key", b"data")
    monkeypatch.setattr("os.utime", failing(errno.EROFS, []))
    monkeypatch.setattr("os.unlink", failing(errno.EROFS, []))
    assert cache.get("key") == b"data"
    only_file(folder).write_bytes(b"damaged")
    assert cache.get("key") is None


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        cache = Cache(folder)
        cache.put("key", b"data")
        assert cache.get("key") is None


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_code_is_not_loaded_from_a_folder_that_others_can_write_to(
    folder: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    Cache(folder).put("key", b"data")
    folder.chmod(mode)
    cache = Cache(folder)
    with caplog.at_level(logging.WARNING, "fanin.cache"):
        for _ in range(3):
            assert cache.get("key") is None
            cache.put("new", b"data")
    assert [record.getMessage() for record in caplog.records] == [
        f"compiled code is not kept in {folder}, which others can write to or own"
    ]
    folder.chmod(0o700)
    assert (cache.get("key"), cache.get("new")) == (b"data", None)


@posix
def test_the_default_cache_warns_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clean(monkeypatch, FANIN_CACHE_DIR=str(folder))
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    for _ in range(3):
        assert default_cache().get("key") is None
    assert len(caplog.records) == 1


@posix
def test_code_is_not_loaded_from_somebody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)
    cache.put("key", b"data")
    assert cache.get("key") == b"data"
    monkeypatch.setattr("os.geteuid", lambda: os.stat(folder).st_uid + 1)
    assert cache.get("key") is None


@posix
def test_code_is_not_loaded_from_a_file_that_others_can_write_to(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"data")
    assert only_file(folder).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    only_file(folder).chmod(0o602)
    assert cache.get("key") is None


# Where it lies --------------------------------------------------------------------------------------------------------


def clean(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("FANIN_CACHE", "FANIN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@posix
@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.cache/fanin"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/fanin"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "x"}, "/h/.cache/fanin"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": ""}, "/h/.cache/fanin"),
        ("darwin", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/Library/Caches/fanin"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/fanin/cache"),
        ("win32", {"HOME": "/h"}, None),
        ("linux", {"HOME": "/h", "FANIN_CACHE_DIR": "/f"}, "/f"),
        ("linux", {"HOME": "h"}, None),
    ],
)
def test_folder(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str | None
) -> None:
    clean(monkeypatch, **variables)
    monkeypatch.setattr("sys.platform", platform)
    assert default_folder() == (None if expected is None else Path(expected))


@posix
def test_nobody_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    clean(monkeypatch)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does for a user without an entry
    assert default_folder() is None
    cache = default_cache()
    cache.put("key", b"data")
    assert cache.get("key") is None


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    clean(monkeypatch, FANIN_CACHE_DIR=str(folder))
    default_cache().put("key", b"data")
    assert default_cache().get("key") == b"data"
    for off in ("0", "off", "False"):
        monkeypatch.setenv("FANIN_CACHE", off)
        assert default_cache().get("key") is None
    monkeypatch.setenv("FANIN_CACHE", "1")
    assert default_cache().get("key") == b"data"


# Writers at once ------------------------------------------------------------------------------------------------------


def fill(folder: Path, letter: bytes, start: Any, results: Any) -> None:
    cache = Cache(folder, limit=60_000)  # so that they evict each other's entries, too
    start.wait()
    wrong = 0
    for i in range(300):
        key = str(i % 10)
        cache.put(key, letter * 9_000)
        wrong += cache.get(key) not in (b"a" * 9_000, b"b" * 9_000, None)
    results.put(wrong)


def test_two_processes_at_once(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=fill, args=(folder, letter, start, results)) for letter in (b"a", b"b")]
    for process in processes:
        process.start()
    wrong = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert wrong == [0, 0]
    cache = Cache(folder, limit=60_000)
    assert any(cache.get(str(i)) for i in range(10))
    assert not list(folder.glob("*.part"))


# Size -----------------------------------------------------------------------------------------------------------------


def age(cache: Cache, key: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(cache._path(key), (then, then))


def test_what_was_not_used_for_longest_goes(folder: Path) -> None:
    cache = Cache(folder, limit=1 << 30)
    for i in range(10):
        cache.put(str(i), bytes(900))
        age(cache, str(i), 1000 - i)
    assert cache.get("0") is not None  # used now: 1 is the oldest
    cache = Cache(folder, limit=9_000)
    cache.put("new", bytes(900))
    kept = {key for key in [*map(str, range(10)), "new"] if cache.get(key) is not None}
    assert kept == {"5", "6", "7", "8", "9", "0", "new"}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 7_200


def test_it_never_grows_far_beyond_its_limit(folder: Path) -> None:
    cache = Cache(folder, limit=32_000)
    for i in range(200):
        cache.put(str(i), bytes(1_000))
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 32_000 * 17 / 16 + 1_100
    assert cache.get("199") == bytes(1_000)


def test_what_is_larger_than_the_limit_is_not_kept(folder: Path) -> None:
    cache = Cache(folder, limit=10)
    cache.put("key", bytes(11))
    assert cache.get("key") is None


def test_only_what_the_cache_wrote_is_removed(folder: Path) -> None:
    cache = Cache(folder, limit=100)
    cache.put("first", bytes(50))
    for name, old in (("notes.txt", True), ("dead.part", True), ("busy.part", False)):
        (folder / name).write_bytes(bytes(3))
        if old:
            os.utime(folder / name, (0, 0))
    (folder / "below").mkdir()
    Cache(folder, limit=1_000).put("second", bytes(50))
    assert {path.name for path in folder.iterdir() if path.suffix != ".object"} == {"notes.txt", "busy.part", "below"}


# Code -----------------------------------------------------------------------------------------------------------------


def returning(number: int) -> Callable[[Any], str]:
    return lambda isa: f"define i64 @number() {{\n  ret i64 {number}\n}}\n"


def test_code_is_written_and_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled_once("seven", returning(7), chosen(), Cache(folder))
    compile_again: list[int] = []
    monkeypatch.setattr("fanin.compiler.native.kept.compiled", failing(errno.EIO, compile_again))
    assert compiled_once("seven", failing(errno.EIO, []), chosen(), Cache(folder)) == first
    assert compile_again == []
    with pytest.raises(OSError, match=r"\[Errno 5\]"):
        compiled_once("eight", returning(8), chosen(), Cache(folder))
    with pytest.raises(OSError, match=r"\[Errno 5\]"):
        compiled_once("seven", returning(7), named("sse"), Cache(folder))
    monkeypatch.setattr("fanin.compiler.native.kept.compiler_version", lambda: "another")
    with pytest.raises(OSError, match=r"\[Errno 5\]"):
        compiled_once("seven", returning(7), chosen(), Cache(folder))
    import ctypes

    library = Library(first)
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(library.address("number"))() == 7
