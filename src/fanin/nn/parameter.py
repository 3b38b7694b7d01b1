"""Tensors that belong to a module: parameters, buffers, and their kinds that get a shape later."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import default_numpy, from_numpy, to_numpy
from fanin._core.errors import ArgumentError, ArgumentTypeError, MissingNameError, StateError
from fanin.tensor import Size, Tensor
from fanin.tensor.base import Changes, TensorBase
from fanin.tensor.device import check_device, device


class Parameter(Tensor):
    """A tensor that a module trains: an attribute of this kind is registered among the module's parameters.

    Args:
        data: the tensor whose values and memory it takes; an empty one when left out.
        requires_grad: whether gradients flow to it.

    Raises:
        AttributeError: when data is not a tensor.
        RuntimeError: when it should require a gradient and does not hold floats.

    >>> import fanin as torch
    >>> torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        """Return a leaf that shares memory with data."""
        made = object.__new__(cls)
        made._array = _array_of(data)
        made._is_inference = data is not None and data._is_inference
        if requires_grad:
            made.requires_grad = True
        return made

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        """Do nothing more: the work is done in `__new__`."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a parameter with its own memory; the gradient does not come along, as in PyTorch."""
        if id(self) not in memo:
            memo[id(self)] = copied = type(self)(self.data.clone(), self._requires_grad)
            if self._belongs_to_linear:
                copied._belongs_to_linear = True
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__()


def _array_of(data: Any) -> Any:
    if data is None:
        return np.zeros(0, default_numpy())
    if not isinstance(data, TensorBase):
        raise MissingNameError(
            f"'{type(data).__name__}' object has no attribute 'detach'",
            remedy="A Parameter is made of a tensor, as in Parameter(torch.tensor(...)).",
        )
    return data._array


class _Buffers(type):
    """Makes any tensor that was passed through `Buffer` an instance of it."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TensorBase) and getattr(instance, "_is_buffer", False)


class Buffer(metaclass=_Buffers):
    """Mark a tensor as a buffer: state of a module that is saved with it, but not trained.

    Args:
        data: the tensor.
        persistent: whether `state_dict` holds it.

    Returns a plain tensor that shares memory with data.

    >>> import fanin as torch
    >>> torch.nn.Buffer(torch.zeros(2))
    tensor([0., 0.])
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        """Return the marked tensor."""
        source = Tensor() if data is None else data
        marked = source.detach().requires_grad_(source.requires_grad)
        marked.persistent, marked._is_buffer = persistent, True
        return marked


_UNUSABLE = (
    "Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or explicitly "
    "manipulating `torch.nn.parameter.UninitializedParameter` objects. When using LazyModules call `forward` with a "
    "dummy batch to initialize the parameters before calling torch functions"
)
_SHAPELESS = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
    "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
    "initialize the parameters before accessing their attributes."
)


class UninitializedTensorMixin:
    """What parameters and buffers without a shape have in common: nothing can be computed with them."""

    cls_to_become: type[Any]
    _wanted: np.dtype[Any]
    __dict__: dict[str, Any]

    @property
    def _array(self) -> Any:
        raise ArgumentError(_UNUSABLE)

    @property
    def shape(self) -> Any:
        """Raise RuntimeError: there is no shape yet."""
        raise StateError(_SHAPELESS)

    @property
    def dtype(self) -> Any:
        """The dtype that it will have."""
        return from_numpy(self._wanted)

    @property
    def data(self) -> Any:
        """An empty tensor."""
        return Tensor()

    @data.setter
    def data(self, new: Any) -> None:
        self._wanted = to_numpy(new.dtype)

    def is_floating_point(self) -> bool:
        """Say whether the dtype will be a floating one."""
        return self._wanted.kind == "f"

    def materialize(self, shape: Any, device: device | None = None, dtype: Any = None) -> None:
        """Become an ordinary parameter or buffer of this shape; the values are zeros until they are set.

        Args:
            shape: sizes of the dimensions.
            device: the CPU.
            dtype: other than the one that was asked for at first.
        """
        check_device(device)
        wanted = self._wanted if dtype is None else to_numpy(dtype)
        self.__class__ = self.cls_to_become
        del self.__dict__["_wanted"]
        self._array = np.zeros(Size(shape), wanted)  # type: ignore[misc]
        Changes.count += 1

    def share_memory_(self) -> Any:
        """Raise RuntimeError: there is no memory yet."""
        raise StateError("Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize it.")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._wanted, self.__dict__.get("_requires_grad", False))


def _rebuild(cls: type[Any], wanted: Any, requires_grad: bool) -> Any:
    made = object.__new__(cls)
    made._wanted, made._requires_grad = wanted, requires_grad
    return made


def is_lazy(value: Any) -> bool:
    """Say whether a parameter or buffer has no shape yet."""
    return isinstance(value, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc, override]
    """A parameter whose shape is not known before the first forward pass.

    >>> import fanin as torch
    >>> weight = torch.nn.UninitializedParameter()
    >>> weight.materialize((2, 3))
    >>> weight.shape
    torch.Size([2, 3])
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: device | None = None, dtype: Any = None) -> Any:
        """Return it with the flag and the dtype that it will have."""
        check_device(device)
        return _rebuild(cls, default_numpy() if dtype is None else to_numpy(dtype), requires_grad)

    def __init__(self, requires_grad: bool = True, device: device | None = None, dtype: Any = None) -> None:
        """Do nothing more: the work is done in `__new__`."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = _rebuild(type(self), self._wanted, self._requires_grad)
        return memo[id(self)]


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc, override]
    """A buffer whose shape is not known before the first forward pass."""

    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: device | None = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        """Return it with the flags and the dtype that it will have."""
        check_device(device)
        made = _rebuild(cls, default_numpy() if dtype is None else to_numpy(dtype), requires_grad)
        made.persistent, made._is_buffer = persistent, True
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = _rebuild(type(self), self._wanted, self._requires_grad)
        return memo[id(self)]


def require_parameter(name: str, value: Any) -> None:
    """Raise unless value is a Parameter or None, that is, no other tensor and no result of an operation."""
    if value is None:
        return
    if not isinstance(value, Parameter):
        raise ArgumentTypeError(
            f"cannot assign '{type_name(value)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
        )
    if value._node is not None:
        raise ArgumentError(
            f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
            f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
        )


def type_name(value: Any) -> str:
    """Return what PyTorch calls the type of a value in its messages: torch.FloatTensor, int; the name of a class."""
    if isinstance(value, Tensor):
        return f"torch.{value.dtype.legacy_name}Tensor"
    cls = value if isinstance(value, type) else type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
    "require_parameter",
    "type_name",
]
