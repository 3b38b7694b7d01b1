"""Modules, functions and their blocks."""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.ir.types import FunctionType, PointerType, Type
from fanin.compiler.native.ir.values import Constant, Value

_POINTER = PointerType()


class Module:
    """A module: functions, variables, and what LLVM is told beside.

    globals: its functions and variables by their names.
    triple:  LLVM's name of the platform, if it is told.
    """

    def __init__(self, name: str = "") -> None:
        self.name, self.triple = name, ""
        self.globals: dict[str, Any] = {}
        self._metadata: list[str] = []
        self._numbered: dict[str, str] = {}

    def get_unique_name(self, name: str) -> str:
        """Return a name that no function has yet."""
        number, found = 0, name
        while found in self.globals:
            number += 1
            found = f"{name}.{number}"
        return found

    def metadata(self, *operands: str) -> str:
        """Return the node of some operands, made when it is first asked for."""
        text = f"!{{{', '.join(operands)}}}"
        if text not in self._numbered:
            self._numbered[text] = self._node(text)
        return self._numbered[text]

    def own_metadata(self, *operands: str) -> str:
        """Return a node that is equal to no other, as those of loops have to be."""
        here = f"!{len(self._metadata)}"
        return self._node(f"distinct !{{{', '.join((here, *operands))}}}")

    def _node(self, text: str) -> str:
        self._metadata.append(text)
        return f"!{len(self._metadata) - 1}"

    def __str__(self) -> str:
        """Return the text of the module."""
        return "\n".join([self.head(), *(found.text() for found in self.globals.values()), self.tail()])

    def head(self) -> str:
        """Return what stands before the functions."""
        return f'; ModuleID = "{self.name}"' + (f'\ntarget triple = "{self.triple}"' if self.triple else "")

    def tail(self) -> str:
        """Return what stands behind the functions."""
        return "\n".join(f"!{number} = {text}" for number, text in enumerate(self._metadata)) + "\n"


class GlobalVariable(Value):
    """A variable of a module, `linkage` LLVM's word for who sees it."""

    __slots__ = ("global_constant", "initializer", "kind", "linkage")

    def __init__(self, module: Module, kind: Type, name: str) -> None:
        super().__init__(_POINTER, f'@"{name}"')
        self.kind, self.linkage, self.global_constant = kind, "", False
        self.initializer: Constant | None = None
        module.globals[name] = self

    def text(self) -> str:
        """Return its definition."""
        what = "constant" if self.global_constant else "global"
        return f"{self.ref} = {self.linkage} {what} {self.initializer}"

    def declaration(self) -> str:
        """Return what a module says of it that does not define it."""
        what = "constant" if self.global_constant else "global"
        return f"{self.ref} = external hidden {what} {self.kind.text}"


class Block:
    """Instructions without a jump in between.

    known: the results of its operations that depend on their operands alone, by their text.
    """

    __slots__ = ("function", "known", "lines", "name", "phis", "terminator")

    def __init__(self, function: Function, name: str) -> None:
        self.function, self.name = function, name
        self.lines: list[str] = []
        self.phis: list[Phi] = []
        self.known: dict[str, Value] = {}
        self.terminator: str | None = None

    def text(self) -> str:
        """Return the label and the instructions."""
        lines = [f"{self.name}:", *(phi.text() for phi in self.phis), *self.lines]
        return "\n".join(lines if self.terminator is None else [*lines, self.terminator])


class Phi(Value):
    """A value that depends on the block that a block was entered from."""

    __slots__ = ("incoming",)

    def __init__(self, kind: Type, ref: str) -> None:
        super().__init__(kind, ref)
        self.incoming: list[tuple[Value, Block]] = []

    def add_incoming(self, value: Value, block: Block) -> None:
        """Say what it is when a block was before."""
        self.incoming.append((value, block))

    def text(self) -> str:
        """Return the instruction."""
        pairs = ", ".join(f"[{value.ref}, %{block.name}]" for value, block in self.incoming)
        return f"  {self.ref} = phi {self.type.text} {pairs}"


class Function(Value):
    """A function, defined when it has blocks.

    attributes: LLVM's words for what it does not do.
    """

    __slots__ = ("args", "attributes", "blocks", "kind", "linkage", "module", "name", "names", "values")

    def __init__(self, module: Module, kind: FunctionType, name: str) -> None:
        super().__init__(kind.as_pointer(), f'@"{name}"')
        self.module, self.kind, self.name, self.linkage = module, kind, name, ""
        self.attributes: set[str] = set()
        self.blocks: list[Block] = []
        self.args = tuple(Value(x, f"%a{number}") for number, x in enumerate(kind.args))
        self.names: dict[str, int] = {}
        self.values = 0
        module.globals[name] = self

    def append_basic_block(self, name: str) -> Block:
        """Add an empty block at the end."""
        block = Block(self, self.unique(name))
        self.blocks.append(block)
        return block

    def new_ref(self) -> str:
        """Return a name for a result."""
        self.values += 1
        return f"%v{self.values}"

    def unique(self, name: str) -> str:
        """Return a name that nothing in the function has yet."""
        number = self.names.get(name, 0)
        self.names[name] = number + 1
        return f"{name}.{number}" if number else name

    def text(self) -> str:
        """Return the definition, or the declaration."""
        if not self.blocks:
            return self.declaration()
        how = self.linkage
        arguments = ", ".join(map(str, self.args))
        words = " ".join(sorted(self.attributes))
        head = f"define {how + ' ' if how else ''}{self.kind.result.text} {self.ref}({arguments}) {words}"
        return "\n".join([f"{head.rstrip()} {{", *(block.text() for block in self.blocks), "}"])

    def declaration(self) -> str:
        """Return what a module says of it that does not define it."""
        how = "hidden " if self.blocks else ""
        return f"declare {how}{self.kind.result.text} {self.ref}({', '.join(x.text for x in self.kind.args)})"
