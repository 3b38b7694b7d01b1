"""The tape: applying operations, remembering them, and walking back.

`apply` evaluates an operation with NumPy and, when a gradient may be asked for, leaves a `Node` behind. A node knows the
operation, the arrays it worked on, and for each input the edge back: another node, a leaf tensor, or None. `backward`
walks the nodes from the latest to the earliest. Derivatives are operations, so they run on arrays (the ordinary case:
no tape, no wrapping) or, with create_graph, on tensors, which leaves a tape of the gradient itself.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fanin._core.errors import FaninError, GraphError, InPlaceError
from fanin.ops.op import Op, Spec
from fanin.tensor.base import TensorBase, version_counter
from fanin.tensor.grad_mode import mode

_order = itertools.count()
_tensor_class: type[Any] = TensorBase


def tensor_class(cls: type[Any]) -> type[Any]:
    """Make cls the class of results. Its methods call `apply`, so it can only be defined after this module."""
    global _tensor_class
    _tensor_class = cls
    return cls


class _Anomaly:
    """Whether a backward pass looks for NaN after every derivative."""

    enabled = False


anomaly = _Anomaly()


def wrap(array: Any) -> Any:
    """Return a tensor around an array, without copying; a NumPy scalar becomes zero-dimensional."""
    result = _tensor_class.__new__(_tensor_class)
    result._array = array if array.__class__ is np.ndarray else np.asarray(array)
    return result


class Node:
    """One remembered operation."""

    __slots__ = ("op", "attrs", "arrays", "edges", "out", "stamps", "order", "hooks", "retained", "dtype", "label", "__weakref__")

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

    def gradients(self, grad: Any, create_graph: bool) -> list[Any]:
        """Return the gradient of each input, None where no edge leads back."""
        self.check()
        op, attrs = self.op, self.attrs
        inputs, out = (self.as_tensors(), self.out_tensor()) if create_graph else (self.arrays, self.out)
        return [
            None if edge is None else op.vjp(i, grad, out, inputs, attrs) for i, edge in enumerate(self.edges)
        ]

    def check(self) -> None:
        """Raise when the values that the derivative reads are gone or were changed in place."""
        if self.arrays is None:
            raise GraphError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have "
                "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
                "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time."
            )
        for counter, seen in self.stamps:
            if counter[0] != seen:
                raise InPlaceError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"a tensor read by {self.name()} is at version {counter[0]}; expected version {seen} instead. "
                    "Compute a new tensor instead of changing this one, or change a .clone() of it."
                )

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
            self.arrays = self.out = None

    def name(self) -> str:
        """Return PyTorch's name of the backward node."""
        return self.label or self.op.grad_name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that this one passes gradients to, in the form of PyTorch's attribute of that name."""
        return tuple(
            (None if edge is None else AccumulateGrad(edge) if isinstance(edge, TensorBase) else edge, 0)
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
    if not isinstance(array, np.ndarray):
        return array
    tensor = wrap(array)
    if edge is not None:
        tensor._node, tensor._requires_grad = edge, True
    return tensor


# Applying -------------------------------------------------------------------------------------------------------------


def apply(op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Evaluate an operation on tensors and numbers, and remember it when one of them requires a gradient."""
    tracked = False
    arrays: Any = []
    for x in inputs:
        if isinstance(x, TensorBase):
            if x._base is not None:
                refresh(x)
            tracked = tracked or x._requires_grad
            arrays.append(x._array)
        else:
            arrays.append(x)
    if op.promote is not None:
        arrays = op.promote(tuple(arrays))
    out = evaluate(op, arrays, attrs)
    result = _tensor_class.__new__(_tensor_class)
    result._array = out
    if op.view:
        _share(result, inputs[0])
    if mode.inference:
        result._is_inference = True
    elif tracked and mode.enabled and op.differentiable and out.dtype.kind == "f":
        result._node = _remember(op, inputs, arrays, attrs, result)
        result._requires_grad = True
    return result


def evaluate(op: Op, arrays: Any, attrs: dict[str, Any]) -> Any:
    """Evaluate on arrays, silent about overflow as PyTorch is; on failure let the shape and dtype rule explain."""
    try:
        if op.view:
            out = op.evaluate(*arrays, **attrs)
        else:
            with np.errstate(all="ignore"):
                out = op.evaluate(*arrays, **attrs)
    except FaninError:
        raise
    except (ValueError, TypeError, IndexError):
        op.infer(*(Spec.of(a) for a in arrays), **attrs)
        raise
    return out if out.__class__ is np.ndarray else np.asarray(out)


def _remember(op: Op, inputs: Any, arrays: Any, attrs: dict[str, Any], result: Any) -> Node:
    edges = [edge_of(x) if isinstance(x, TensorBase) else None for x in inputs]
    return Node(op, arrays, attrs, edges, result._array, _stamps(op, inputs, result))


def _stamps(op: Op, inputs: Any, result: Any) -> list[tuple[list[int], int]]:
    read = inputs if op.reads is None else [inputs[i] for i in op.reads if i < len(inputs)]
    counters = [version_counter(x) for x in read if isinstance(x, TensorBase)]
    if op.reads_out:
        counters.append(version_counter(result))
    return [(counter, counter[0]) for counter in counters]


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
    base = source if source._base is None else source._base
    result._base = base
    result._seen = base._rebased
    if source._detached:
        result._detached = True


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


# Walking back ---------------------------------------------------------------------------------------------------------


def reachable(roots: list[Any]) -> list[Node]:
    """Return the nodes from which gradients may flow, latest first: a node is always later than its inputs."""
    seen = {root for root in roots if isinstance(root, Node)}
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if isinstance(edge, Node) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=lambda node: node.order, reverse=True)


def leading_to(nodes: list[Node], targets: set[Any]) -> set[Node]:
    """Return those nodes from which one of the targets can be reached."""
    useful: set[Node] = set()
    for node in reversed(nodes):
        if node in targets or any(edge is not None and (edge in useful or edge in targets) for edge in node.edges):
            useful.add(node)
    return useful


class Gradients:
    """The gradients on their way back, summed where paths meet."""

    def __init__(self, create_graph: bool) -> None:
        self.create_graph = create_graph
        self.held: dict[Any, Any] = {}

    def add(self, edge: Any, grad: Any) -> None:
        """Add a gradient to what an edge already holds, in the dtype of the value it belongs to."""
        dtype = edge.dtype if isinstance(edge, Node) else edge._array.dtype
        grad = self._in_dtype(grad, dtype)
        held = self.held.get(edge)
        self.held[edge] = grad if held is None else held + grad

    def _in_dtype(self, grad: Any, dtype: Any) -> Any:
        if isinstance(grad, TensorBase):
            if grad._array.dtype != dtype:
                from fanin.ops.elementwise import cast

                return apply(cast, (grad,), {"dtype": dtype})
            return grad
        if grad.__class__ is not np.ndarray:
            if not isinstance(grad, np.generic):
                return grad
            grad = np.asarray(grad)
        return grad if grad.dtype is dtype or grad.dtype == dtype else grad.astype(dtype)

    def pop(self, edge: Any) -> Any:
        """Take the sum that an edge holds, None when nothing flowed there."""
        return self.held.pop(edge, None)


def walk(roots: list[tuple[Any, Any]], *, create_graph: bool, retain_graph: bool, targets: Any = None) -> dict[Any, Any]:
    """Carry gradients from the roots back to the leaves.

    roots:   pairs of an edge (node or leaf) and the gradient there (arrays, or tensors with create_graph).
    targets: edges whose gradients are wanted; then only they are returned, and nothing is computed for others.
    Returns the gradient of each leaf (or target) that was reached.
    """
    gradients = Gradients(create_graph)
    for edge, grad in roots:
        gradients.add(edge, grad)
    nodes = reachable([edge for edge, _ in roots])
    useful = None if targets is None else leading_to(nodes, targets)
    wanted: dict[Any, Any] = {}
    with np.errstate(all="ignore"), _GradMode(create_graph):
        for node in nodes:
            _step(node, gradients, wanted, useful, targets, retain_graph)
    ends = {edge: grad for edge, grad in gradients.held.items() if targets is None or edge in targets}
    return {**wanted, **ends}


def _step(node: Node, gradients: Gradients, wanted: Any, useful: Any, targets: Any, retain_graph: bool) -> None:
    grad = gradients.pop(node)
    if grad is None:
        return
    if node.hooks or node.retained is not None:
        grad = _call_hooks(node, grad)
    if targets is not None:
        if node in targets:
            wanted[node] = grad
        if node not in useful:
            return
    parts = node.gradients(grad, gradients.create_graph)
    if anomaly.enabled:
        _refuse_nan(node, parts)
    for edge, part in zip(node.edges, parts, strict=True):
        if edge is None or part is None:
            continue
        if useful is None or edge in useful or edge in targets:
            gradients.add(edge, part)
    if not retain_graph:
        node.free()


def _refuse_nan(node: Node, parts: list[Any]) -> None:
    for i, part in enumerate(parts):
        array = part._array if isinstance(part, TensorBase) else part
        if isinstance(array, (np.ndarray, np.generic)) and np.isnan(array).any():
            raise GraphError(f"Function '{node.name()}' returned nan values in its {i}th output.")


class _GradMode:
    """Remember operations or not, for a block; cheaper than the public context managers."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.former = mode.enabled
        mode.enabled = self.enabled

    def __exit__(self, *_: object) -> None:
        mode.enabled = self.former


def as_tensor(grad: Any) -> Any:
    """Return a gradient as a tensor."""
    return grad if isinstance(grad, TensorBase) else wrap(grad)


def as_kind(grad: Any, like: Any) -> Any:
    """Return a gradient tensor as an array when `like` is one."""
    return grad if isinstance(like, TensorBase) else grad._array


def call_hooks(hooks: dict[int, Any], grad: Any) -> Any:
    """Pass a gradient through hooks; each may return another in its place."""
    tensor = as_tensor(grad)
    for hook in list(hooks.values()):
        replaced = hook(tensor)
        if replaced is not None:
            tensor = replaced
    return as_kind(tensor, grad)


def _call_hooks(node: Node, grad: Any) -> Any:
    if not isinstance(grad, TensorBase):
        grad = grad.copy()  # whoever keeps it must not see later sums
    if node.hooks:
        grad = call_hooks(node.hooks, grad)
    tensor = node.retained() if node.retained is not None else None
    if tensor is not None:
        new = as_tensor(grad)
        tensor._grad = new if tensor._grad is None else tensor._grad + new
    return grad
