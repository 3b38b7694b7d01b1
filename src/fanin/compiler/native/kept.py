"""Functions that belong to no graph, compiled once: `helpers/` writes them where the cache does not have them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from fanin.compiler.native.cache import Cache, default_cache
from fanin.compiler.native.target import Isa, Library, compiled, host
from fanin.compiler.native.version import compiler_version


def library_of(name: str) -> Library:
    """Return the functions that a module of `helpers` writes, as this machine's code."""

    def write(isa: Isa) -> str:
        text: str = import_module(f"fanin.compiler.native.helpers.{name}").text(isa)
        return text

    return Library(compiled_once(name, write, host()))


def compiled_once(name: str, write: Callable[[Isa], str], isa: Isa, cache: Cache | None = None) -> bytes:
    """Return the object code of an LLVM text with a name, from the cache when it was compiled before."""
    cache = default_cache() if cache is None else cache
    key = "\n".join((name, repr(isa), compiler_version()))
    data = cache.get(key)
    if data is None:
        data = compiled(write(isa), isa)
        cache.put(key, data)
    return data
