"""The base class of everything that is called and has parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, MissingKeyError, MissingNameError
from fanin.nn.calling import Called, GlobalHooks
from fanin.nn.parameter import Buffer, Parameter, is_lazy, require_parameter, type_name
from fanin.nn.state import Stateful
from fanin.nn.tree import Tree
from fanin.tensor.base import Changes, TensorBase
from fanin.tensor.device import check_device, device
from fanin.tensor.in_place import zero_gradient
from fanin.tensor.tape import wrap

Self = TypeVar("Self", bound="Module")

_HOOKS = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Module(Tree, Called, Stateful):
    """A piece of a network: it has parameters, buffers and submodules, and computes its output in `forward`.

    Parameters and modules that are assigned to attributes are registered under the attribute's name.

    >>> import fanin as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = torch.nn.Linear(2, 3)
    ...         self.out = torch.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.out(torch.relu(self.hidden(x)))
    >>> Net()
    Net(
      (hidden): Linear(in_features=2, out_features=3, bias=True)
      (out): Linear(in_features=3, out_features=1, bias=True)
    )
    """

    training: bool
    _version: int = 1
    call_super_init: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the module; a subclass calls this before it assigns parameters or modules."""
        if not self.call_super_init:
            _refuse_arguments(args, kwargs)
        self.__dict__.update({name: OrderedDict() for name in _HOOKS})
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # Registering ------------------------------------------------------------------------------------------------------

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that is part of the module's state and is not trained.

        Args:
            name: of the attribute under which it is found.
            tensor: the buffer, or None for one that is not there.
            persistent: whether `state_dict` holds it.

        Raises KeyError for a name that is taken or has a dot, TypeError for what is no tensor.
        """
        if "_buffers" not in self.__dict__:
            raise _too_early("buffer")
        Changes.count += 1
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, TensorBase):
            raise ArgumentTypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = _registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None for one that is not there, under the name of an attribute.

        Raises KeyError for a name that is taken or has a dot, TypeError for what is no Parameter, ValueError for the
        result of an operation.
        """
        if "_parameters" not in self.__dict__:
            raise _too_early("parameter")
        Changes.count += 1
        self._check_name("parameter", name, self._parameters)
        require_parameter(name, param)
        self._parameters[name] = _registered("parameter", self, name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule, or None for one that is not there, under the name of an attribute.

        Raises KeyError for a name that is taken or has a dot, TypeError for what is no Module.
        """
        if module is not None and not isinstance(module, Module):
            raise ArgumentTypeError(f"{type_name(module)} is not a Module subclass")
        Changes.count += 1
        self._check_name("module", name, self._modules)
        self._modules[name] = _registered("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Do what `add_module` does."""
        self.add_module(name, module)

    def _check_name(self, kind: str, name: Any, held: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"{kind} name should be a string. Got {type_name(name)}")
        # A KeyError writes the representation of its text, which programs may print.
        if hasattr(self, name) and name not in held:
            raise MissingKeyError(repr(f"attribute '{name}' already exists"))
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise MissingKeyError(repr(f'{kind} name can\'t contain "."{got}'))
        if not name:
            raise MissingKeyError(repr(f'{kind} name can\'t be empty string ""'))

    # Attributes -------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if kind in held and name in held[kind]:
                return held[kind][name]
        raise MissingNameError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        Changes.count += 1
        held = self.__dict__
        parameters = held.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise _too_early("parameters")
            self._forget(name, held, held["_buffers"], held["_modules"])
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            _allow_none("parameter", name, value, "torch.nn.Parameter or None expected")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if "_modules" not in held:
                raise _too_early("module")
            self._forget(name, held, parameters, held["_buffers"])
            held["_modules"][name] = _registered("module", self, name, value)
        elif parameters is not None and name in held["_modules"]:
            _allow_none("child module", name, value, "torch.nn.Module or None expected")
            held["_modules"][name] = _registered("module", self, name, value)
        else:
            self._set_buffer_or_plain(name, value)

    def _set_buffer_or_plain(self, name: str, value: Any) -> None:
        held = self.__dict__
        if isinstance(value, TensorBase) and isinstance(value, Buffer) and name not in held.get("_buffers", ()):
            if "_buffers" not in held:
                raise _too_early("buffer")
            self._forget(name, held, held["_parameters"], held["_modules"])
            self.register_buffer(name, value, value.persistent)  # type: ignore[attr-defined]
        elif name in held.get("_buffers", ()):
            if not isinstance(value, TensorBase):
                _allow_none("buffer", name, value, "torch.nn.Buffer, torch.Tensor or None expected")
            persistent = getattr(value, "persistent", name not in self._non_persistent_buffers_set)
            self.register_buffer(name, value, persistent)
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, *places: Any) -> None:
        for place in places:
            place.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        Changes.count += 1
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[:1].isdigit())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    # Modes and conversions --------------------------------------------------------------------------------------------

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every submodule, the deepest first, and on this module; return the module.

        >>> import fanin as torch
        >>> net = torch.nn.Sequential(torch.nn.ReLU())
        >>> net.apply(lambda module: print(type(module).__name__))
        ReLU
        Sequential
        Sequential(
          (0): ReLU()
        )
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Set the module and all below it to training or evaluation, for dropout and batch norm; return it."""
        if not isinstance(mode, bool):
            raise ArgumentError("training mode is expected to be boolean")
        if self.training is not mode:  # a change makes a compiled step look at its modules again
            self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Set the module and all below it to evaluation; return it."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set whether the parameters require gradients; return the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters, or set them to zero where set_to_none is False."""
        for parameter in self.parameters():
            if set_to_none:
                parameter._grad = None
            elif parameter._grad is not None:
                zero_gradient(parameter._grad)

    def _apply(self: Self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        """Replace the values of every parameter, gradient and buffer by what fn makes of them; return the module."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is not None:
                parameter.data = fn(parameter)
                if parameter._grad is not None:
                    parameter._grad = fn(parameter._grad)
        Changes.count += 1
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def _cast(self: Self, dtype: Any, floats_only: bool = True) -> Self:
        wanted = dtypes.to_numpy(dtype)

        def convert(tensor: Any) -> Any:
            if floats_only and not tensor.is_floating_point():
                return tensor
            if is_lazy(tensor):
                tensor._wanted = wanted
                return tensor
            if tensor._array.dtype == wanted:
                return tensor if type(tensor) is not Parameter else tensor.data
            return wrap(tensor._array.astype(wanted))

        return self._apply(convert)

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Convert the floating parameters and buffers in place to a dtype, or to that of a tensor.

        Called as to(dtype), to(device), to(device, dtype) or to(tensor). Returns the module. Raises TypeError for a
        dtype that is not floating.

        >>> import fanin as torch
        >>> torch.nn.Linear(1, 1).to(torch.float64).weight.dtype
        torch.float64
        """
        dtype = _wanted_dtype(args, kwargs)
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise ArgumentTypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        return self._cast(dtype)

    def type(self: Self, dst_type: Any) -> Self:
        """Convert all parameters and buffers in place to a dtype; return the module."""
        return self._cast(dst_type, floats_only=False)

    def float(self: Self) -> Self:
        """Convert the floating parameters and buffers to float32; return the module."""
        return self._cast(dtypes.float32)

    def double(self: Self) -> Self:
        """Convert the floating parameters and buffers to float64; return the module."""
        return self._cast(dtypes.float64)

    def half(self: Self) -> Self:
        """Convert the floating parameters and buffers to float16; return the module."""
        return self._cast(dtypes.float16)

    def bfloat16(self: Self) -> Self:
        """Raise RuntimeError: fanin has no tensors of bfloat16."""
        return self._cast(dtypes.bfloat16)

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:
        """Give the parameters and buffers memory without values, zeros in fanin; return the module."""
        check_device(device)
        return self._apply(lambda tensor: wrap(np.zeros_like(tensor._array)), recurse=recurse)

    def cpu(self: Self) -> Self:
        """Return the module: it lies on the CPU."""
        return self

    def cuda(self: Self, device: Any = None) -> Self:
        """Raise RuntimeError: fanin computes on the CPU."""
        check_device("cuda")
        return self

    def share_memory(self: Self) -> Self:
        """Return the module; processes share no memory in fanin."""
        return self

    # Printing ---------------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what stands between the parentheses when the module is printed; a subclass overrides this."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        return framed(self._get_name(), self.extra_repr(), children)


def framed(name: str, extra: str, children: list[str]) -> str:
    """Return the text of a module: what is extra and the children in parentheses, on lines of their own if need be."""
    lines = extra.split("\n") if extra else []
    if len(lines) == 1 and not children:
        return f"{name}({lines[0]})"
    lines += children
    inner = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
    return f"{name}({inner})"


def indented(text: str) -> str:
    """Return a text with all lines but the first moved in by two blanks."""
    return text.replace("\n", "\n  ")


def _registered(kind: str, module: Module, name: str, value: Any) -> Any:
    for hook in GlobalHooks.registration[kind].values():
        replaced = hook(module, name, value)
        value = value if replaced is None else replaced
    return value


def _refuse_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise ArgumentTypeError(f"Module.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
    if args:
        raise ArgumentTypeError(f"Module.__init__() takes 1 positional argument but {len(args) + 1} were given")


def _too_early(what: str) -> MissingNameError:
    message = f"cannot assign {what} before Module.__init__() call"
    return MissingNameError(message, remedy="Call super().__init__() first.")


def _allow_none(kind: str, name: str, value: Any, expected: str) -> None:
    if value is not None:
        raise ArgumentTypeError(f"cannot assign '{type_name(value)}' as {kind} '{name}' ({expected})")


def _wanted_dtype(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    known = {"device", "dtype", "non_blocking", "memory_format", "tensor"}
    if set(kwargs) - known or not all(_can_be_converted_to(a) for a in args):
        raise ArgumentTypeError("to() received an invalid combination of arguments: give a device, a dtype or a tensor")
    dtype = kwargs.get("dtype")
    for wanted in (*args, kwargs.get("device"), kwargs.get("tensor")):
        if isinstance(wanted, TensorBase):
            return wanted.dtype  # type: ignore[attr-defined]
        if isinstance(wanted, dtypes.dtype):
            dtype = wanted
        elif isinstance(wanted, (str, device)):
            check_device(wanted)
    return dtype


def _can_be_converted_to(argument: Any) -> bool:
    return argument is None or isinstance(argument, (TensorBase, dtypes.dtype, str, device, bool, int))


__all__ = ["Module", "framed", "indented"]
