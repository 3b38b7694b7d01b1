"""torch.nn.utils.parametrize: parameters that are computed from others, each time they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, NoReturn

from fanin._core.errors import ArgumentError, OperationError
from fanin._core.missing import refuse
from fanin.nn.containers import ModuleDict, ModuleList
from fanin.nn.parameter import Parameter
from fanin.tensor import no_grad
from fanin.tensor.base import Changes, TensorBase

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]


class _Cache:
    """The values computed within `cached()`, by module and name; None outside."""

    values: dict[tuple[int, str], Any] | None = None
    depth = 0


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrised tensor once for the time of a block.

    >>> import fanin as torch
    >>> import fanin.nn.utils.parametrize as parametrize
    >>> layer = parametrize.register_parametrization(torch.nn.Linear(2, 2), "weight", torch.nn.Tanh())
    >>> with parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    _Cache.depth += 1
    _Cache.values = {} if _Cache.values is None else _Cache.values
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = None


class ParametrizationList(ModuleList):
    """The modules that compute a tensor, one after the other, from `original` (or `original0`, `original1`, ...).

    modules:  what is applied, first to last. One with a `right_inverse` finds the original that gives a tensor; it may
              return several tensors, which its `forward` then takes.
    original: the parameter or buffer that is replaced.
    unsafe:   whether shape and dtype may change.
    """

    def __init__(self, modules: Sequence[Any], original: Any, unsafe: bool = False) -> None:
        if not modules:
            raise ArgumentError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            new = self._inverted(original)
        self.is_tensor = isinstance(new, TensorBase)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._keep("original", original, new)
        else:
            for i, part in enumerate(new):
                self._keep(f"original{i}", original if i == 0 and part is original else None, part, like=original)
        if not unsafe:
            with no_grad():
                _check_result("Registering a parametrization", self(), shape, dtype)

    def _inverted(self, value: Any, is_required: bool = False) -> Any:
        """Return what the modules make `value` of; one without right_inverse is passed over unless it is required."""
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                if is_required:
                    raise OperationError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                continue
            try:
                value = module.right_inverse(value)
            except NotImplementedError:
                if is_required:
                    raise
        return value

    def _keep(self, name: str, held: Any, value: Any, like: Any = None) -> None:
        """Register an original: the parameter that is there, with a new value, so that optimisers still know it."""
        like = held if like is None else like
        if held is not None:
            if value is not held:
                held.data = value
            value = held
        elif isinstance(like, Parameter):
            value = Parameter(value, requires_grad=like.requires_grad and value.is_floating_point())
        if isinstance(like, Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)

    def _originals(self) -> list[Any]:
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Set the originals so that the tensor becomes `value`, as far as the modules can say how."""
        with no_grad():
            new = self._inverted(value, is_required=True)
            parts = [new] if self.is_tensor else list(new)
            for original, part in zip(self._originals(), parts, strict=True):
                if not isinstance(part, TensorBase) or part.dtype != original.dtype:  # type: ignore[attr-defined]
                    raise ArgumentError("`right_inverse` must return Tensors of the dtype of the originals")
                original.data = part

    def forward(self) -> Any:
        """Return the tensor, computed anew."""
        modules = list(self)
        value = modules[0](*self._originals())
        for module in modules[1:]:
            value = module(value)
        return value


def _check_result(what: str, value: Any, shape: Any, dtype: Any) -> None:
    if not isinstance(value, TensorBase):
        raise ArgumentError(f"A parametrization must return a tensor. Got {type(value).__name__}.")
    for kind, got, expected in (("dtype", value.dtype, dtype), ("shape", value.shape, shape)):  # type: ignore[attr-defined]
        if got != expected:
            raise ArgumentError(
                f"{what} may not change the {kind} of the tensor, unless `unsafe` flag is enabled.\n"
                f"unparametrized {kind}: {expected}\nparametrized {kind}: {got}"
            )


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    """Let a module compute one of its parameters or buffers, and return the module.

    From now on `module.weight` is `parametrization(original)`, computed whenever it is read; the original is
    `module.parametrizations.weight.original`, and is what an optimiser trains. A second parametrisation of the same
    tensor is applied to the result of the first. Assigning to `module.weight` needs a `right_inverse`.

    unsafe: whether the parametrisation may change shape or dtype.

    Raises ValueError for a name that is neither a parameter nor a buffer, and where shape or dtype change.

    >>> import fanin as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).mT
    >>> layer = torch.nn.Linear(2, 2)
    >>> register_parametrization(layer, "weight", Symmetric())
    ParametrizedLinear(
      in_features=2, out_features=2, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): Symmetric()
        )
      )
    )
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _append(module, tensor_name, parametrization, unsafe)
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        computed = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _parametrized_class(module.__class__)
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _computed_attribute(tensor_name))
        module.parametrizations[tensor_name] = computed
    else:
        raise ArgumentError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _append(module: Any, name: str, parametrization: Any, unsafe: bool) -> None:
    held = module.parametrizations[name]
    if not unsafe:
        with no_grad():
            value = getattr(module, name)
            _check_result("Registering a parametrization", parametrization(value), value.shape, value.dtype)
    held.append(parametrization)
    held.unsafe |= unsafe


def _parametrized_class(kind: type[Any]) -> type[Any]:
    """Return a class for one module alone, whose computed tensors become its properties."""

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        new = self.__new__(_parametrized_class(kind))
        memo[id(self)] = new
        new.__dict__.update(deepcopy(self.__dict__, memo))
        for name in new.parametrizations:
            setattr(type(new), name, _computed_attribute(name))
        return new

    def refuse_pickling(self: Any) -> NoReturn:
        raise OperationError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    names: dict[str, Any] = {"__getstate__": refuse_pickling, "__module__": "torch.nn.utils.parametrize"}
    if "__deepcopy__" not in kind.__dict__:
        names["__deepcopy__"] = copied
    return type(f"Parametrized{kind.__name__}", (kind,), names)


def _computed_attribute(name: str) -> property:
    def read(self: Any) -> Any:
        if _Cache.values is None:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _Cache.values:
            _Cache.values[key] = self.parametrizations[name]()
        return _Cache.values[key]

    def write(self: Any, value: Any) -> None:
        Changes.count += 1
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Say whether a module, or one of its tensors, is computed by parametrisations.

    >>> import fanin as torch
    >>> from fanin.nn.utils import parametrizations, parametrize
    >>> layer = parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias")
    (True, False)
    """
    held = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make a computed tensor an ordinary parameter again, and return the module.

    leave_parametrized: whether it keeps the computed value, or goes back to the original.

    Raises ValueError when the tensor is not parametrised, or was computed from several and should go back.

    >>> import fanin as torch
    >>> from fanin.nn.utils import parametrizations, parametrize
    >>> layer = parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> sorted(name for name, _ in parametrize.remove_parametrizations(layer, "weight").named_parameters())
    ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"Module {module} does not have a parametrization on {tensor_name}")
    held = module.parametrizations[tensor_name]
    if held.is_tensor:
        original = held.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach().clone()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ArgumentError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    return module


def type_before_parametrizations(module: Any) -> type[Any]:
    """Return the class that a module had before its tensors were parametrised.

    >>> import fanin as torch
    >>> from fanin.nn.utils import parametrizations, parametrize
    >>> parametrize.type_before_parametrizations(parametrizations.weight_norm(torch.nn.Linear(2, 2))).__name__
    'Linear'
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


__getattr__ = refuse("torch.nn.utils.parametrize")
