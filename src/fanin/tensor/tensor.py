"""The class Tensor: its place on the tape, and what it becomes outside of fanin; the rest is in its bases."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from fanin._core.dtypes import Array, from_numpy, get_default_dtype
from fanin._core.errors import ArgumentError, ArgumentTypeError, DtypeError, GraphError, OperationError, ShapeError
from fanin._core.missing import refuse_of_tensor
from fanin.ops.arithmetic import sum_to
from fanin.tensor import printing
from fanin.tensor.backward import backward
from fanin.tensor.base import Changes, TensorBase, known, move, version_counter
from fanin.tensor.description import Description
from fanin.tensor.device import check_device
from fanin.tensor.functions import shaping
from fanin.tensor.functions.data import legacy_array
from fanin.tensor.grad_mode import mode
from fanin.tensor.hooks import RemovableHandle
from fanin.tensor.methods import Methods
from fanin.tensor.methods_in_place import InPlaceMethods
from fanin.tensor.node_names import typed
from fanin.tensor.operators import Operators
from fanin.tensor.tape import apply, refresh, tensor_class, wrap


@tensor_class
class Tensor(Methods, InPlaceMethods, Operators, Description):
    """An array of one dtype that may take part in gradients.

    >>> import fanin as torch
    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])
    """

    __array_priority__ = 1000

    def __new__(cls, *data: Any, **unused: Any) -> Any:
        """Return a float tensor of data, or an unset one of the sizes given: Tensor([1, 2]), Tensor(2, 3)."""
        made = object.__new__(cls)
        if len(data) == 1 and isinstance(data[0], TensorBase):
            made._array = data[0]._array
        else:
            made._array = legacy_array(data, get_default_dtype())
        return made

    T = property(shaping.T, doc="The dimensions in reverse order.")
    mT = property(shaping.mT, doc="The last two dimensions swapped.")
    H = property(shaping.T, doc="The matrix transposed.")
    mH = property(shaping.mT, doc="The last two dimensions swapped.")

    # Its place on the tape ----------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it: asked for at a leaf, inherited by results."""
        if self._base is not None:
            refresh(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self._node is not None and not wanted:
            raise GraphError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in "
                "a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if wanted and self._array.dtype.kind != "f":
            raise DtypeError(
                "Only Tensors of floating point and complex dtype can require gradients",
                remedy=f"This one has {self.dtype}: convert it with .float().",
            )
        if wanted and self._is_inference and not mode.inference:
            raise GraphError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
                remedy="Make a clone of it first.",
            )
        self._requires_grad = bool(wanted)
        Changes.count += 1

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set requires_grad and return the tensor."""
        if requires_grad and self._array.dtype.kind != "f":
            raise DtypeError(
                "only Tensors of floating point dtype can require gradients",
                remedy=f"This one has {self.dtype}: convert it with .float().",
            )
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by an operation that is remembered."""
        if self._base is not None:
            refresh(self)
        return self._node is None

    @property
    def grad_fn(self) -> Any:
        """The node of the operation that made it; None for a leaf."""
        if self._base is not None:
            refresh(self)
        return None if self._node is None else typed(self._node)

    @property
    def grad(self) -> Any:
        """The gradient that `backward` has added up here, or None."""
        if self._grad is None and self._node is not None and not self._retains_grad:
            from fanin._core.advice import non_leaf_grad

            non_leaf_grad()
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, TensorBase):
                raise ArgumentTypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value._array.shape != self._array.shape:
                raise ShapeError(
                    f"attempting to assign a gradient of size '{list(value._array.shape)}' to a tensor of size "
                    f"'{list(self._array.shape)}'. Please ensure that the gradient and the tensor are the same size"
                )
            if value._array.dtype != self._array.dtype:
                raise DtypeError(
                    f"assigned grad has data of a different type: expected {self.dtype}, got "
                    f"{from_numpy(value._array.dtype)}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> Any:
        """The same values and memory, off the tape; changes through it are not noticed by autograd."""
        if mode.capture is not None:
            return mode.capture.alias(wrap(self._array), self)
        return wrap(self._array)

    @data.setter
    def data(self, new: Any) -> None:
        if not isinstance(new, TensorBase):
            raise ArgumentTypeError(f"data must be a Tensor, got {type(new).__name__}")
        move(self, new._array)
        self._base = None

    @property
    def _version(self) -> int:
        return version_counter(self)[0]

    @property
    def retains_grad(self) -> bool:
        """Whether a non-leaf keeps its gradient."""
        return self._retains_grad

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add d(self)/d(leaf) to the `.grad` of every leaf it was computed from.

        gradient:      the gradient that flows in, of the tensor's shape; may be left out for a scalar.
        retain_graph:  keep what the graph holds, so that backward can run again.
        create_graph:  make the gradients differentiable themselves.

        Raises RuntimeError when the tensor does not require a gradient, is no scalar and no gradient is given, or when
        the graph was freed or a value it needs was changed in place.
        """
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Any:
        """Return the same values and memory, off the tape."""
        result = wrap(self._array)
        result._base = self if self._base is None else self._base
        result._detached = True
        result._is_inference = self._is_inference
        if mode.capture is not None:
            mode.capture.alias(result, self)
        return result

    def detach_(self) -> Any:
        """Take the tensor off the tape and return it.

        Raises RuntimeError for a view, whose history is that of its base.
        """
        if self._base is not None and not self._detached:
            raise GraphError("Can't detach views in-place. Use detach() instead.")
        self._node, self._requires_grad = None, False
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of a non-leaf in its `.grad`."""
        if not self.requires_grad:
            raise GraphError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is not None:
            self._retains_grad = True
            self._node.retained = weakref.ref(self)

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call hook(grad) when the gradient of this tensor is known; what it returns, if not None, replaces it."""
        if not self.requires_grad:
            raise GraphError("cannot register a hook on a tensor that doesn't require gradient")
        holder: Any = self if self._node is None else self._node
        name = "_hooks" if self._node is None else "hooks"
        if getattr(holder, name) is None:
            setattr(holder, name, {})
        handle = RemovableHandle(getattr(holder, name))
        getattr(holder, name)[handle.id] = hook
        return handle

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call hook(tensor) after its `.grad` was added to; for leaves."""
        if self._node is not None or not self._requires_grad:
            raise GraphError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        hooks = self.__dict__.setdefault("_after_accumulate", {})
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    def _like(self, value: Any) -> Any:
        """Return a value as a plain tensor of this one's dtype."""
        return wrap(np.asarray(value).astype(self._array.dtype))

    def _apply_operation(self, op: Any, inputs: Any, attrs: Any) -> Any:
        return apply(op, inputs, attrs)

    # Out of fanin, and back ---------------------------------------------------------------------------------------

    def item(self) -> Any:
        """Return the one element as a Python number.

        Raises RuntimeError when there is not exactly one.
        """
        if self._array.size != 1:
            raise OperationError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar",
                remedy=f"Its shape is {list(self._array.shape)}; use .tolist(), or reduce it first.",
            )
        return self._array.item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers; a number for a zero-dimensional tensor."""
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """Return the NumPy array, sharing its memory.

        Raises RuntimeError when the tensor requires a gradient, unless forced.
        """
        if self.requires_grad and not force:
            raise GraphError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        array = self._array
        return array if known(array) else array.__array__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, *unused: Any, **wanted: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(**{name: value for name, value in wanted.items() if name != "stream"})

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return wrap(np.asarray(array))

    def sum_to_size(self, *size: Any) -> Any:
        """Return the tensor summed over what broadcasting would add to a size."""
        return sum_to(self, shaping.sizes(size))

    def apply_(self, function: Any) -> Any:
        """Replace every element x by function(x), a Python function."""
        for index in np.ndindex(self._array.shape):
            self._array[index] = function(self._array[index].item())
        version_counter(self)[0] += 1
        return self

    def map_(self, tensor: Any, function: Any) -> Any:
        """Replace every element x by function(x, y), y from another tensor of this shape."""
        other = np.broadcast_to(tensor._array, self._array.shape)
        for index in np.ndindex(self._array.shape):
            self._array[index] = function(self._array[index].item(), other[index].item())
        version_counter(self)[0] += 1
        return self

    def cpu(self, **unused: Any) -> Any:
        """Return the tensor: it lies on the CPU."""
        return self

    def cuda(self, *unused: Any, **also_unused: Any) -> Any:
        """Raise: fanin computes on the CPU."""
        check_device("cuda")

    def __getattr__(self, name: str) -> Any:
        refuse_of_tensor(self, name)

    def __reversed__(self) -> Any:
        return self.flip(tuple(range(self._array.ndim)))

    def __len__(self) -> int:
        if not self._array.ndim:
            raise ArgumentTypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        if not self._array.ndim:
            raise ArgumentTypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._array)))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            kind = "no values" if not self._array.size else "more than one value"
            raise OperationError(f"Boolean value of Tensor with {kind} is ambiguous")
        return bool(self._array)

    def __float__(self) -> float:
        return float(self._only_element())

    def __int__(self) -> int:
        return int(self._only_element())

    def _only_element(self) -> Any:
        # Unlike `item`, PyTorch's float(t) and int(t) raise ValueError.
        if self._array.size != 1:
            raise ArgumentError(
                "only one element tensors can be converted to Python scalars",
                remedy=f"The shape is {list(self._array.shape)}; use .tolist(), or reduce it first.",
            )
        return self._array.item()

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise ArgumentTypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array.item())

    def __contains__(self, element: Any) -> bool:
        other = element._array if isinstance(element, TensorBase) else element
        return bool((self._array == other).any())

    def __format__(self, spec: str) -> str:
        # A plain scalar formats as its number, even without a specification; a Parameter as its text.
        if not self._array.ndim and type(self) is Tensor:
            return format(self._array.item(), spec)
        return object.__format__(self, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        grad_fn = self.grad_fn
        return printing.format_tensor(
            self._array,
            requires_grad=self._requires_grad,
            grad_fn_name=None if grad_fn is None else grad_fn.name(),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise GraphError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment.",
                remedy="Use .detach().clone() for a result.",
            )
        copied = object.__new__(self.__class__)
        memo[id(self)] = copied
        copied.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _NOT_COPIED})
        copied._array = self._array.copy()
        if self._grad is not None:
            copied._grad = self._grad.clone()
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        extra = {k: v for k, v in self.__dict__.items() if not k.startswith("_")}
        return _rebuild, (self.__class__, self._array, self.requires_grad, extra)


_NOT_COPIED = {"_array", "_base", "_counter", "_hooks", "_grad", "_node", "_alias", "_lifted", "_made"}


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool, extra: dict[str, Any]) -> Tensor:
    made = object.__new__(cls)
    # Who reads pickled memory as it lies there, as joblib's mmap_mode="r" does, may be forbidden to write to it; a
    # tensor can be written to.
    made._array = array if array.flags.writeable else np.array(array)
    made._requires_grad = requires_grad
    made.__dict__.update(extra)
    return made
