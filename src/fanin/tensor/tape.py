"""The tape: applying operations, and remembering them.

`apply` evaluates an operation with NumPy and, when a gradient may be asked for, leaves a `Node` behind. A node knows
the operation, the arrays it worked on, and for each input the edge back: another node, a leaf tensor, or None, which
`walking` follows.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, NoReturn

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import FaninError, GraphError, InPlaceError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.ops.op import Op, Spec
from fanin.tensor.base import TensorBase, version_counter
from fanin.tensor.grad_mode import mode
from fanin.tensor.node_names import RULES, name_of, typed

_order = itertools.count()
_tensor_class: type[Any] = TensorBase


def tensor_class(cls: type[Any]) -> type[Any]:
    """Make cls the class of results. Its methods call `apply`, so it can only be defined after this module."""
    global _tensor_class
    _tensor_class = cls
    return cls


_new = object.__new__


def wrap(array: Any) -> Any:
    """Return a tensor around an array, without copying; a NumPy scalar becomes zero-dimensional."""
    result = _new(_tensor_class)
    if array.__class__ is not np.ndarray:
        array = np.asarray(array) if mode.capture is None else mode.capture.adopt(array)
    result._array = array
    return result


class Node:
    """One remembered operation."""

    __slots__ = (
        "__weakref__",
        "arrays",
        "attrs",
        "dtype",
        "edges",
        "hooks",
        "label",
        "op",
        "order",
        "out",
        "retained",
        "stamps",
    )

    home = "builtins"  # the module that PyTorch's class of these nodes names as its own
    is_named = False

    def __init__(self, op: Op, arrays: Any, attrs: dict[str, Any], edges: list[Any], out: Any, stamps: Any) -> None:
        self.op = op
        self.attrs = attrs
        self.arrays = arrays
        self.edges = edges
        self.out = out
        self.dtype = out.dtype
        self.stamps = stamps
        self.order = next(_order)
        self.hooks: dict[int, Any] | None = None
        self.retained: Any = None
        self.label: str | None = None

    def gradients(self, grad: Any, edges: list[Any], create_graph: bool) -> list[Any]:
        """Return the gradient of each input, None where `edges` has none."""
        self.check()
        op, attrs = self.op, self.attrs
        inputs, out = (self.as_tensors(), self.out_tensor()) if create_graph else (self.arrays, self.out)
        if mode.capture is not None and isinstance(grad, np.ndarray):
            grad = mode.capture.constant(grad)  # an operation goes by its first input, and this one may come first
        if op.vjp_each is not None or len(edges) > len(op.vjps):
            return [None if edge is None else op.vjp(i, grad, out, inputs, attrs) for i, edge in enumerate(edges)]
        return [
            None if edge is None or rule is None else rule(grad, out, *inputs, **attrs)
            for edge, rule in zip(edges, op.vjps, strict=False)
        ]

    def check(self) -> None:
        """Raise when the values that the derivative reads are gone or were changed in place."""
        if self.arrays is None:
            raise GraphError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have "
                "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
                "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time "
                "or if you need to access saved tensors after calling backward."
            )
        for i, (counter, seen) in enumerate(self.stamps):
            if counter[0] != seen:
                raise InPlaceError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"{self._stamped(i)} is at version {counter[0]}; expected version {seen} instead. Hint: enable "
                    "anomaly detection to find the operation that failed to compute its gradient, with "
                    "torch.autograd.set_detect_anomaly(True, check_nan=False).",
                    remedy=f"It is {self.name()} that reads it. Compute a new tensor instead of changing this one, or "
                    "change a .clone() of it.",
                )

    def _stamped(self, place: int) -> str:
        """Return the words for the value that a stamp is of: its type, its shape, and what made it."""
        read = [i for i in reads_of(self.op, self.edges) if 0 <= i < len(self.edges)]
        values = [(self.arrays[i], self.edges[i]) for i in read if hasattr(self.arrays[i], "dtype")]
        if reads_result(self.op, self.edges):
            values.append((self.out, self))
        if len(values) != len(self.stamps):
            return "a tensor that is read"
        array, maker = values[place]
        words = f"[torch.{dtypes.from_numpy(array.dtype).legacy_name}Tensor {list(array.shape)}]"
        if not isinstance(maker, Node):
            return words
        return f"{words}, which is output 0 of {re.sub('Backward[0-9]+$', '', maker.name())},"

    def as_tensors(self) -> list[Any]:
        """Return the inputs as tensors that stand where they stood on the tape."""
        return [
            edge if isinstance(edge, TensorBase) else _placed(array, edge)
            for array, edge in zip(self.arrays, self.edges, strict=True)
        ]

    def out_tensor(self) -> Any:
        """Return the result as a tensor that this node made."""
        return _placed(self.out, self)

    def free(self) -> None:
        """Let go of the values that the derivative reads."""
        if self.stamps:
            if self.label is None and self.op.name in RULES:
                self.label = name_of(self)  # the rules read the arrays
            self.arrays = self.out = None

    def name(self) -> str:
        """Return PyTorch's name of the backward node."""
        return self.label or name_of(self)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that this one passes gradients to, in the form of PyTorch's attribute of that name."""
        return tuple(
            (None if edge is None else AccumulateGrad(edge) if isinstance(edge, TensorBase) else typed(edge), 0)
            for edge in self.edges
        )

    def register_hook(self, hook: Any) -> Any:
        """Call hook(grad_inputs, grad_outputs) after this node; not offered, use Tensor.register_hook."""
        raise GraphError("hooks on grad_fn nodes are not part of fanin; register the hook on the tensor instead")

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self))}>"


class AccumulateGrad:
    """The end of the tape at a leaf, as seen through `next_functions`."""

    next_functions: tuple[()] = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def name(self) -> str:
        """Return the name that PyTorch prints."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {hex(id(self))}>"


def label(result: Any, name: str) -> Any:
    """Let a result that is made of several operations print the name that PyTorch's one node has."""
    if result._node is not None:
        result._node.label = name
    return result


def _placed(array: Any, edge: Node | None) -> Any:
    if not hasattr(array, "dtype"):
        return array
    tensor = wrap(array)
    if edge is not None:
        tensor._node, tensor._requires_grad = edge, True
    return tensor


# Applying -------------------------------------------------------------------------------------------------------------


def apply(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Evaluate an operation on tensors and numbers, and remember it when one of them requires a gradient."""
    if mode.capture is not None:
        return mode.capture.apply(op, inputs, attrs)
    tracked = False
    arrays: Any = []
    edges: list[Any] = []
    for x in inputs:
        edge = None
        if isinstance(x, TensorBase):
            if x._base is not None:
                refresh(x)
            if x._requires_grad:
                tracked = True
                edge = x if x._node is None else x._node
            x = x._array
        arrays.append(x)
        edges.append(edge)
    if op.promote is not None:
        arrays = op.promote(tuple(arrays))
    out = evaluate(op, arrays, attrs)
    result = _new(_tensor_class)
    result._array = out
    if op.view:
        _share(result, inputs[0])
    if tracked and mode.enabled and op.differentiable and out.dtype.kind == "f":
        result._node = Node(op, arrays, attrs, edges, out, _stamps(op, inputs, result, edges))
        result._requires_grad = True
    elif mode.inference and result._base is None:
        result._is_inference = True
    return result


def evaluate(op: Op, arrays: Any, attrs: dict[str, Any]) -> Any:
    """Evaluate on arrays, silent about overflow as PyTorch is; on failure let the shape and dtype rule explain."""
    silence = begin_silence(SILENT)
    try:
        out = op.evaluate(*arrays, **attrs)
    except FaninError:
        raise
    except (ValueError, TypeError, IndexError):
        _explain(op, arrays, attrs)
        raise
    finally:
        end_silence(silence)
    return out if out.__class__ is np.ndarray else np.asarray(out)


def _explain(op: Op, arrays: Any, attrs: dict[str, Any]) -> None:
    """Raise what the shape and dtype rule says of these inputs, in place of NumPy's words and not beside them."""
    try:
        op.infer(*(Spec.of(a) for a in arrays), **attrs)
    except FaninError as error:
        raise error from None


def reads_of(op: Op, edges: list[Any]) -> Any:
    """Return the numbers of the inputs whose values the derivatives of these edges read; -1 for the result."""
    if op.reads_of:
        wanted, bit = 0, 1
        for edge in edges:
            if edge is not None:
                wanted += bit
            bit += bit
        return op.reads_of[wanted]
    return range(len(edges)) if op.reads is None else op.reads


def reads_result(op: Op, edges: list[Any]) -> bool:
    """Say whether the derivatives of these edges read the result."""
    return op.reads_out and (not op.reads_of or -1 in reads_of(op, edges))


def _stamps(op: Op, inputs: Any, result: Any, edges: list[Any]) -> list[tuple[list[int], int]]:
    """Return the versions of the values that the derivatives read, each with its counter."""
    stamps = []
    count = len(inputs)
    reads = reads_of(op, edges)
    for i in reads:
        x = inputs[i] if 0 <= i < count else None
        if isinstance(x, TensorBase):
            if x._is_inference:
                _refuse_inference()
            counter = x._counter
            if counter is None or x._base is not None:
                counter = version_counter(x)
            stamps.append((counter, counter[0]))
    if op.reads_out and (not op.reads_of or -1 in reads):  # as reads_result says
        counter = version_counter(result)
        stamps.append((counter, counter[0]))
    return stamps


def _refuse_inference() -> NoReturn:
    raise GraphError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
        "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it "
        "in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
    )


def edge_of(x: Any) -> Any:
    """Return where a tensor's gradient goes: its node, itself for a leaf that requires a gradient, or None."""
    if x._node is not None:
        return x._node
    return x if x._requires_grad else None


def _share(result: Any, source: Any) -> None:
    """Note that a view shares memory and version with the tensor it came from."""
    array = result._array
    if array is not source._array and (array.base is None or not np.may_share_memory(array, source._array)):
        return
    # A detached tensor has a history of its own, which its views share.
    base = source if source._base is None or source._detached else source._base
    result._base = base
    if source._is_inference:
        result._is_inference = True
    result._seen = base._rebased


# Changing in place ----------------------------------------------------------------------------------------------------


def apply_in_place(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Evaluate an operation and write the result into the first input."""
    from fanin.tensor.in_place import write

    return write(op, inputs, attrs)


def refresh(x: Any) -> None:
    """Give a view its place on the tape again when its base was changed in place."""
    if x._base._rebased != x._seen and not x._detached:
        from fanin.tensor.in_place import reread

        reread(x)
