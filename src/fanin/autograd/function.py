"""Functions with a derivative of their own."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError, GraphError, ShapeError
from fanin.ops.arithmetic import sum_to
from fanin.ops.op import Op, Spec
from fanin.tensor.base import TensorBase, version_counter
from fanin.tensor.grad_mode import mode, no_grad
from fanin.tensor.in_place import bump
from fanin.tensor.tape import Node, edge_of, refresh, wrap
from fanin.tensor.walking import as_tensor


def _no_node() -> None:
    return


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, and any attribute set on it."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self._saved: tuple[Any, ...] = ()
        self._stamps: list[tuple[list[int], int]] = []
        self._dirty: tuple[Any, ...] = ()
        self._not_differentiable: tuple[Any, ...] = ()
        # Weak, for the node holds this: a cycle would keep what was saved until the garbage collector comes by.
        self._node: Callable[[], FunctionNode | None] = _no_node

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward; a later change in place of one is an error there."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, TensorBase):
                raise ArgumentTypeError(
                    f"save_for_backward can only save variables, but argument is of type {type(tensor).__name__}; "
                    "keep other things as attributes of ctx"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What save_for_backward was given."""
        node = self._node()
        if node is not None:
            node.check()
        return tuple(x.restore(node) if isinstance(x, _SavedOutput) else x for x in self._saved)

    def mark_dirty(self, *tensors: Any) -> None:
        """Say that forward changed these inputs in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say that these outputs have no gradient."""
        self._not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether the gradient of an unused output comes to backward as zeros (True) or as None."""
        self.materialize_grads = value


class _SavedOutput:
    """An output that was saved: kept as an array, for the tensor would keep the node that keeps it."""

    def __init__(self, array: Any, position: int | None) -> None:
        self.array, self.position = array, position

    def restore(self, node: FunctionNode | None) -> Any:
        tensor = wrap(self.array)
        if node is not None and self.position is not None:
            node.place(tensor, self.position)
        return tensor


class Function:
    """A function with a derivative of its own: a subclass gives static `forward(ctx, ...)` and `backward(ctx, ...)`.

    `backward` takes the gradient of each output and returns the gradient of each input of `forward`, None for those
    that have none. Written in tensor operations, it can be differentiated again.

    >>> import fanin as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x ** 2 * grad
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; the first argument is ctx, unless `setup_context` is given."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill ctx after a forward that does not take one."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradient of each input."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise: a function is applied with `apply`."""
        raise GraphError("Legacy autograd function object cannot be called. Use the function's .apply(...) instead.")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the result and remember how to go back."""
        for x in args:
            if isinstance(x, TensorBase) and x._base is not None:
                refresh(x)
        needs = tuple(isinstance(x, TensorBase) and x._requires_grad for x in args)
        ctx = FunctionCtx(needs)
        output = cls._forward(ctx, args, kwargs)
        outputs = output if isinstance(output, tuple) else (output,)
        for x in ctx._dirty:
            bump(x)
        if not (any(needs) and mode.enabled):
            return output
        results = FunctionNode.attach(cls, ctx, args, outputs)
        return results if isinstance(output, tuple) else results[0]

    @classmethod
    def _forward(cls, ctx: FunctionCtx, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with no_grad():
            if cls.setup_context is Function.setup_context:
                return cls.forward(ctx, *args, **kwargs)
            output = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, args, output)
            return output


class OutputGrads:
    """The gradients of a function's several outputs, as they come in."""

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: OutputGrads) -> OutputGrads:
        merged = dict(self.parts)
        for i, part in other.parts.items():
            merged[i] = merged[i] + part if i in merged else part
        return OutputGrads(merged)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a `backward` whose result is not differentiated again: it runs without a tape."""

    @functools.wraps(backward)
    def without_tape(*args: Any) -> Any:
        with no_grad():
            return backward(*args)

    return without_tape


def _no_evaluation(*_: Any, **__: Any) -> Any:
    raise GraphError("a function of the user's is not in the table of operations")


def _any_spec(*_: Any, **__: Any) -> Spec:
    return Spec((), np.dtype(np.float32))


class FunctionNode(Node):
    """The place on the tape of a function of the user's."""

    __slots__ = ("count", "ctx", "function", "shapes", "taken")

    count: int  # of outputs
    ctx: FunctionCtx
    function: type[Function]
    shapes: list[tuple[tuple[int, ...], Any] | None]  # and dtypes, of the outputs that are tensors
    taken: list[tuple[int, ...] | None]  # the shapes of the inputs that are tensors

    home = "torch.autograd.function"

    @classmethod
    def attach(cls, function: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outputs: Any) -> tuple[Any, ...]:
        """Make the node, and return the outputs as tensors that it made."""
        edges = [edge_of(x) if isinstance(x, TensorBase) else None for x in args]
        results = tuple(_fresh(x, args, ctx) if isinstance(x, TensorBase) else x for x in outputs)
        arrays = [x._array if isinstance(x, TensorBase) else None for x in outputs]
        node = cls.of(cls.op_of(function), function, ctx, edges, arrays, [])
        node.taken = [x._array.shape if isinstance(x, TensorBase) else None for x in args]
        node._save(ctx, outputs, results)
        skipped = {id(x) for x in ctx._not_differentiable}
        for i, (raw, result) in enumerate(zip(outputs, results, strict=True)):
            if isinstance(result, TensorBase) and id(raw) not in skipped and result._array.dtype.kind == "f":
                node.place(result, i)
        return results

    @staticmethod
    def op_of(function: type[Function]) -> Op:
        """Return the operation that nodes of a function stand for."""
        return Op(function.__name__, _no_evaluation, _any_spec, grad_name=f"{function.__name__}Backward")

    @classmethod
    def of(
        cls, op: Op, function: type[Function], ctx: FunctionCtx, edges: list[Any], arrays: Sequence[Any], stamps: Any
    ) -> FunctionNode:
        """Return a node for outputs with these arrays, None for outputs that are no tensors."""
        node = cls(op, (), {}, edges, next(array for array in arrays if array is not None), stamps)
        node.ctx, node.function, node.count = ctx, function, len(arrays)
        node.shapes = [None if array is None else (array.shape, array.dtype) for array in arrays]
        node.taken = [None] * len(edges)
        ctx._node = weakref.ref(node)
        return node

    def _save(self, ctx: FunctionCtx, outputs: tuple[Any, ...], results: tuple[Any, ...]) -> None:
        saved, stamps = [], []
        for x in ctx._saved:
            at = next((i for i, output in enumerate(outputs) if output is x), None)
            if x is not None:
                counter = version_counter(x if at is None else results[at])
                stamps.append((counter, counter[0]))
            saved.append(x if at is None or x is None or x._node is not None else _SavedOutput(x._array, at))
        ctx._saved, self.stamps = tuple(saved), stamps

    def place(self, result: Any, position: int) -> None:
        """Put an output on the tape."""
        result._node = self if self.count == 1 else PickNode(self, position, result._array)
        result._requires_grad = True

    def gradients(self, grad: Any, edges: list[Any], create_graph: bool) -> list[Any]:
        """Return the gradient of each input, as the function's own backward gives them."""
        self.check()
        parts = grad.parts if isinstance(grad, OutputGrads) else {0: grad}
        given = [self._output_grad(i, parts.get(i)) for i in range(self.count)]
        returned = self.function.backward(self.ctx, *given)
        returned = returned if isinstance(returned, tuple) else (returned,)
        wanted = len(self.edges)
        if len(returned) < wanted or any(extra is not None for extra in returned[wanted:]):
            raise GraphError(
                f"function {self.name()} returned an incorrect number of gradients (expected {wanted}, got "
                f"{len(returned)})"
            )
        return [self._input_grad(i, g, create_graph) for i, g in enumerate(returned[:wanted])]

    def _output_grad(self, i: int, grad: Any) -> Any:
        if grad is not None:
            return as_tensor(grad)
        known = self.shapes[i]
        if not self.ctx.materialize_grads or known is None:
            return None
        shape, dtype = known
        return wrap(np.zeros(shape, dtype))

    def _input_grad(self, i: int, grad: Any, create_graph: bool) -> Any:
        if grad is not None and not isinstance(grad, TensorBase):
            raise GraphError(f"expected Variable or None (got {type(grad).__name__})")
        if self.edges[i] is None or grad is None:
            return None
        shape = self.taken[i]
        if shape is not None and grad._array.shape != shape:
            grad = self._summed(i, grad, shape)
        return grad if create_graph else grad._array

    def _summed(self, i: int, grad: Any, shape: tuple[int, ...]) -> Any:
        """Return a gradient that broadcasts its input's shape, such as one for each example, summed to that shape."""
        given = grad._array.shape
        padded = (1,) * (len(given) - len(shape)) + tuple(shape)
        fits = len(padded) == len(given) and all(n in (1, m) for n, m in zip(padded, given, strict=True))
        if not fits:
            raise ShapeError(
                f"Function {self.name()} returned an invalid gradient at index {i} - got {list(given)} but expected "
                f"shape compatible with {list(shape)}"
            )
        return sum_to(grad, shape)

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {hex(id(self))}>"

    def free(self) -> None:
        """Let go of what was saved."""
        if self.ctx._saved:
            self.arrays = None
            self.ctx._saved = ()


class PickNode(Node):
    """One of several outputs of a function: it hands its gradient on under its number."""

    __slots__ = ("position",)

    def __init__(self, parent: FunctionNode, position: int, array: Any) -> None:
        super().__init__(parent.op, (), {}, [parent], array, [])
        self.position = position

    def gradients(self, grad: Any, edges: list[Any], create_graph: bool) -> list[Any]:
        """Return the gradient, labelled."""
        return [OutputGrads({self.position: grad})]


def _fresh(output: Any, args: tuple[Any, ...], ctx: FunctionCtx) -> Any:
    """Return a tensor to place: an output that is an input itself, not changed in place, gets one of its own."""
    if any(output is x for x in ctx._dirty):
        return output
    is_input = any(output is x for x in args)
    return wrap(output._array) if is_input or output._node is not None else output
