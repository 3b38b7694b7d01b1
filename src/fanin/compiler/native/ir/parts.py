"""A module cut into several of about the same size, to be compiled side by side and loaded together.

The cut follows from the text alone, so that the same module is always cut alike. What is inlined stays with what calls
it; every other function can be called from all parts, and is hidden from everybody else.
"""

from __future__ import annotations

import re

from fanin.compiler.native.ir.module import Function, GlobalVariable, Module

# Lines that are worth a part of their own, some 50 ms of compiling (a part by itself costs 2 ms), and parts at most.
LINES, MOST = 800, 4
_NAMES = re.compile(r'@"[^"]+"')


def parts_of(module: Module) -> list[str]:
    """Return the texts of modules that together are a module; one, where it is small."""
    texts = {found.ref: found.text() for found in module.globals.values() if _is_defined(found)}
    count = min(MOST, sum(map(_lines, texts.values())) // LINES)
    if count < 2:
        return [str(module)]
    shares: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for together in sorted(_together(module, texts), key=lambda refs: -_size(refs, texts)):
        least = sizes.index(min(sizes))
        shares[least] += together
        sizes[least] += _size(together, texts)
    return [_written(module, share, texts) for share in shares if share]


def _together(module: Module, texts: dict[str, str]) -> list[list[str]]:
    """Return what has to be in one part: a variable and its users, what is inlined and its callers."""
    found = {value.ref: value for value in module.globals.values()}
    group = {ref: [ref] for ref in texts}
    for ref, text in texts.items():
        for other in dict.fromkeys(_NAMES.findall(text)):
            if other in texts and group[other] is not group[ref] and _is_bound(found[other]):
                joined = group[ref] + group[other]
                for member in joined:
                    group[member] = joined
    return list({id(refs): refs for refs in group.values()}.values())


def _is_defined(found: Function | GlobalVariable) -> bool:
    return isinstance(found, GlobalVariable) or bool(found.blocks)


def _is_bound(found: Function | GlobalVariable) -> bool:
    """Say whether something has to be where it is used."""
    return isinstance(found, GlobalVariable) or "alwaysinline" in found.attributes


def _written(module: Module, refs: list[str], texts: dict[str, str]) -> str:
    mine = set(refs)
    inside = [_shared(value, texts[value.ref]) for value in module.globals.values() if value.ref in mine]
    named = set(_NAMES.findall("\n".join(inside)))
    outside = [value.declaration() for value in module.globals.values() if value.ref in named - mine]
    return "\n".join([module.head(), *inside, *outside, module.tail()])


def _shared(found: Function | GlobalVariable, text: str) -> str:
    """Return the text of a function that other parts can call; of what is bound, as it is."""
    return text if _is_bound(found) else text.replace("define internal ", "define hidden ", 1)


def _size(refs: list[str], texts: dict[str, str]) -> int:
    return sum(_lines(texts[ref]) for ref in refs)


def _lines(text: str) -> int:
    return text.count("\n") + 1
