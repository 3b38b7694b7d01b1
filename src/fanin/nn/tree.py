"""Walking over a module's parameters, buffers and submodules, and finding them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentError, MissingNameError
from fanin.nn.parameter import Buffer, Parameter
from fanin.tensor import Tensor

if TYPE_CHECKING:
    from fanin.nn.module import Module


class Tree:
    """The part of `Module` that sees the modules below it."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once; those of the submodules, too, unless recurse is False.

        >>> import fanin as torch
        >>> [p.shape for p in torch.nn.Linear(3, 2).parameters()]
        [torch.Size([2, 3]), torch.Size([2])]
        """
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their names.

        Args:
            prefix: comes before every name.
            recurse: whether submodules' parameters come, too.
            remove_duplicate: whether a parameter that is used twice comes once.
        """
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers with their names; see `named_parameters` for the arguments."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def _named_members(
        self, members_of: Callable[[Any], Any], prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for owner_name, owner in owners:
            for name, member in members_of(owner):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield f"{owner_name}.{name}" if owner_name else name, member

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules with their names, each once."""
        seen: set[Any] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield this module (under the name of the prefix) and all below it, with their names.

        Args:
            memo: modules that were already seen and are left out.
            prefix: comes before every name.
            remove_duplicate: whether a module that is used twice comes once.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self  # type: ignore[misc]
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    # By name ----------------------------------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """Return the submodule with a dotted name, such as "body.0"; the module itself for "".

        Raises AttributeError when there is none.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            found = _attribute(module, name)
            if not isinstance(found, Tree):
                raise MissingNameError(f"`{name}` is not an nn.Module")
            module = found
        return module  # type: ignore[no-any-return]

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with a dotted name; raise AttributeError when there is none."""
        found = self._get_member(target)
        if not isinstance(found, Parameter):
            raise MissingNameError(f"`{target.rpartition('.')[2]}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer with a dotted name; raise AttributeError when there is none."""
        found = self._get_member(target)
        path, _, name = target.rpartition(".")
        if name not in self.get_submodule(path)._buffers and not isinstance(found, Buffer):
            raise MissingNameError(f"`{name}` is not a buffer")
        return found  # type: ignore[no-any-return]

    def _get_member(self, target: str) -> Any:
        path, _, name = target.rpartition(".")
        return _attribute(self.get_submodule(path), name)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of the submodule with a dotted name.

        Args:
            target: the name, such as "body.0".
            module: the new module.
            strict: whether the last name must already be there.

        Raises ValueError for an empty name or something that is no module, AttributeError where the path leads nowhere.
        """
        if not target:
            raise ArgumentError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        if not isinstance(module, Tree):
            raise ArgumentError(f"`module` is not an nn.Module, found {type(module)}")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            present = _attribute(parent, name)
            if not isinstance(present, Tree):
                raise MissingNameError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)


def _attribute(module: Any, name: str) -> Any:
    if not hasattr(module, name):
        raise MissingNameError(f"{type(module).__name__} has no attribute `{name}`")
    return getattr(module, name)
