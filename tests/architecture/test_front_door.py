"""What `import fanin` shows to those who read the code and do not run it (type checkers, editors), and to `dir`."""

from __future__ import annotations

import ast
import types
from pathlib import Path

import pytest

import fanin
from fanin._core.errors import NotInFaninError

FACADE = Path(fanin.__file__)
ROOM = ("random", "return_types")  # rooms that are loaded at once


def imports(statements: list[ast.stmt]) -> dict[str, str]:
    """Return the names that statements import from modules, and from which."""
    found = [node for node in statements if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return {name.asname or name.name: node.module or "" for node in found for name in node.names}


def for_type_checkers() -> dict[str, str]:
    """Return what fanin imports for type checkers alone."""
    tree = ast.parse(FACADE.read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return imports(block.body)


def test_the_package_says_that_it_is_typed() -> None:
    assert FACADE.with_name("py.typed").exists()


def test_all_names_are_exported_and_none_is_a_leak() -> None:
    public = {name for name in vars(fanin) if not name.startswith("_")}
    loaded = {name for name in public if isinstance(getattr(fanin, name), types.ModuleType)}
    functions = {name for name in public - loaded - {"annotations"} if not name.endswith("_")}
    assert functions <= set(fanin.__all__)
    assert len(fanin.__all__) == len(set(fanin.__all__))
    for name in fanin.__all__:
        assert not isinstance(getattr(fanin, name), types.ModuleType), name


def test_dir_names_what_is_for_users() -> None:
    public = {name for name in dir(fanin) if not name.startswith("_")}
    assert public == {*fanin.__all__, *fanin._ROOMS, *ROOM}
    assert not [name for name in dir(fanin) if name.startswith("_") and not name.endswith("__")]


def test_type_checkers_see_what_is_loaded_later() -> None:
    rooms = dict.fromkeys((*fanin._ROOMS, *fanin._ROOMS_WITH_EXTRAS), "fanin")
    assert for_type_checkers() == rooms | {name: f"fanin.{room}" for name, room in fanin._FROM_ROOMS.items()}


def test_estimators_are_reached_by_way_of_the_front_door() -> None:
    assert fanin.tabular.TabularClassifier.__name__ == "TabularClassifier"
    assert fanin.sklearn.MLPClassifier.__name__ == "MLPClassifier"


def test_other_rooms_are_not() -> None:
    with pytest.raises(NotInFaninError):
        fanin.table  # noqa: B018  a slip of the pen


def test_a_name_that_is_not_exported_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanin, "leak", 1, raising=False)
    with pytest.raises(AssertionError):
        test_all_names_are_exported_and_none_is_a_leak()
