"""Modules that learn the size of their input from the first batch."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import OperationError
from fanin.nn.parameter import is_lazy


class LazyModuleMixin:
    """Makes a module lazy: its parameters get their shapes in the first call.

    A class mixes it in before the module that it becomes, names that one in `cls_to_become`, and gives the parameters
    their shapes in `initialize_parameters`, which is called with the arguments of the first call.

    >>> import fanin as torch
    >>> layer = torch.nn.LazyLinear(3)
    >>> layer
    LazyLinear(in_features=0, out_features=3, bias=True)
    >>> _ = layer(torch.ones(2, 5))
    >>> layer
    Linear(in_features=5, out_features=3, bias=True)
    """

    cls_to_become: type[Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        module: Any = self
        self._initialize_hook = module.register_forward_pre_hook(module._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes and starting values; a lazy module defines this."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Say whether a parameter or buffer has no shape yet."""
        module: Any = self
        return any(is_lazy(x) for x in (*module._parameters.values(), *module._buffers.values()))

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise OperationError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        del module._initialize_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become
