"""The tape: applying operations, remembering them, and walking back.

`apply` evaluates an operation with NumPy and, when a gradient may be asked for, leaves a `Node` behind. A node knows
the operation, the arrays it worked on, and for each input the edge back: another node, a leaf tensor, or None. `walk`
goes from the latest node to the earliest. Derivatives are operations, so they run on arrays (the ordinary case:
no tape, no wrapping) or, with create_graph, on tensors, which leaves a tape of the gradient itself.
"""

from __future__ import annotations

import itertools
import operator
import re
from typing import Any, NoReturn

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import FaninError, GraphError, InPlaceError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.ops.elementwise import cast
from fanin.ops.op import Op, Spec
from fanin.tensor.base import TensorBase, version_counter
from fanin.tensor.grad_mode import mode
from fanin.tensor.hooks import checked
from fanin.tensor.node_names import RULES, name_of, typed

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


# Walking back ---------------------------------------------------------------------------------------------------------


_BY_ORDER = operator.attrgetter("order")


def reachable(roots: list[Any]) -> list[Node]:
    """Return the nodes from which gradients may flow, latest first: a node is always later than its inputs."""
    seen = {root for root in roots if isinstance(root, Node)}
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if isinstance(edge, Node) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=_BY_ORDER, reverse=True)


def chain(root: Any) -> list[Node] | None:
    """Return the nodes behind root, latest first, when each leads to one other at most; None when paths part.

    Most networks are such chains, and following one costs a third of searching and sorting.
    """
    nodes: list[Node] = []
    node = root if isinstance(root, Node) else None
    while node is not None:
        nodes.append(node)
        following = None
        for edge in node.edges:
            if isinstance(edge, Node):
                if following is not None and edge is not following:
                    return None
                following = edge
        node = following
    return nodes


def leading_to(nodes: list[Node], targets: set[Any]) -> set[Node]:
    """Return those nodes from which one of the targets can be reached."""
    useful: set[Node] = set()
    for node in reversed(nodes):
        if node in targets or any(edge is not None and (edge in useful or edge in targets) for edge in node.edges):
            useful.add(node)
    return useful


def walk(
    roots: list[tuple[Any, Any]], *, create_graph: bool, retain_graph: bool, targets: Any = None
) -> dict[Any, Any]:
    """Carry gradients from the roots back to the leaves.

    roots:   pairs of an edge (node or leaf) and the gradient there (arrays, or tensors with create_graph).
    targets: edges whose gradients are wanted; then only they are returned, and nothing is computed for others.
    Returns the gradient of each leaf (or target) that was reached.
    """
    held: dict[Any, Any] = {}  # the gradients on their way back, summed where paths meet
    for edge, grad in roots:
        if edge in held or isinstance(grad, TensorBase):
            _add(held, edge, grad)
        else:
            held[edge] = grad
    nodes = chain(roots[0][0]) if len(roots) == 1 else None
    if nodes is None:
        nodes = reachable([edge for edge, _ in roots])
    useful = None if targets is None else leading_to(nodes, targets) | targets
    wanted: dict[Any, Any] = {}
    plain = useful is None and not create_graph and not anomaly.enabled and mode.capture is None
    former, mode.enabled = mode.enabled, create_graph
    silence = begin_silence(SILENT)
    try:
        for node in nodes:
            grad = held.pop(node, None)
            if grad is None:
                continue
            if node.hooks is not None or node.retained is not None:
                grad = _call_hooks(node, grad)
            if targets is not None and node in targets:
                wanted[node] = grad
            if plain and node.__class__ is Node and node.op.vjp_each is None:
                _pass_on_arrays(node, grad, held)
            else:
                _pass_on(node, grad, held, useful, create_graph)
            if not retain_graph and node.stamps:
                node.free()
    finally:
        end_silence(silence)
        mode.enabled = former
    if targets is not None:
        held = {edge: grad for edge, grad in held.items() if edge in targets}
    return {**wanted, **held} if wanted else held


def _pass_on(node: Node, grad: Any, held: dict[Any, Any], useful: set[Any] | None, create_graph: bool) -> None:
    """Add the gradients of a node's inputs to what their edges hold."""
    edges = node.edges
    if useful is not None:
        edges = [edge if edge in useful else None for edge in edges]
        if not any(edge is not None for edge in edges):
            return
    parts = node.gradients(grad, edges, create_graph)
    if anomaly.enabled:
        _refuse_nan(node, parts)
    for edge, part in zip(edges, parts, strict=True):
        if edge is not None and part is not None:
            _add(held, edge, part)


def _pass_on_arrays(node: Node, grad: Any, held: dict[Any, Any]) -> None:
    """Do what `_pass_on` does in the ordinary case, a recorded operation on arrays, in a third of its time."""
    arrays, out, attrs, rules = node.arrays, node.out, node.attrs, node.op.vjps
    if arrays is None:
        node.check()
    for counter, seen in node.stamps:
        if counter[0] != seen:
            node.check()
    for edge, rule in zip(node.edges, rules, strict=False):
        if edge is None or rule is None:
            continue
        part = rule(grad, out, *arrays, **attrs)
        if part.__class__ is not np.ndarray:
            part = np.asarray(part)
        dtype = edge.dtype if edge.__class__ is Node else _dtype_of(edge)
        if part.dtype is not dtype:
            part = part.astype(dtype)
        before = held.get(edge)
        held[edge] = part if before is None else before + part


def _dtype_of(edge: Any) -> Any:
    return edge._array.dtype if isinstance(edge, TensorBase) else edge.dtype


def _add(held: dict[Any, Any], edge: Any, grad: Any) -> None:
    """Add a gradient to what an edge holds, in the dtype of the value it belongs to."""
    if isinstance(grad, np.generic):
        grad = np.asarray(grad)
    if isinstance(grad, np.ndarray):
        grad = grad.astype(_dtype_of(edge), copy=False)
    elif isinstance(grad, TensorBase):
        if grad._array.dtype != _dtype_of(edge):
            grad = apply(cast, (grad,), {"dtype": _dtype_of(edge)})
    elif mode.capture is not None and getattr(grad, "dtype", None) not in (None, _dtype_of(edge)):
        grad = cast(grad, dtype=_dtype_of(edge))
    before = held.get(edge)
    held[edge] = grad if before is None else before + grad


def _refuse_nan(node: Node, parts: list[Any]) -> None:
    for i, part in enumerate(parts):
        array = part._array if isinstance(part, TensorBase) else part
        if isinstance(array, (np.ndarray, np.generic)) and np.isnan(array).any():
            raise GraphError(f"Function '{node.name()}' returned nan values in its {i}th output.")


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
            tensor = checked(hook, replaced, tensor)
    return as_kind(tensor, grad)


def _call_hooks(node: Node, grad: Any) -> Any:
    if not isinstance(grad, TensorBase):
        grad = grad.copy()  # other edges may hold it
    if node.hooks:
        grad = call_hooks(node.hooks, grad)
    tensor = node.retained() if node.retained is not None else None
    if tensor is not None:
        new = as_tensor(grad)
        tensor._grad = new if tensor._grad is None else tensor._grad + new
    # Whoever keeps it must not see the sums that a leaf makes of what goes on from here.
    return grad.copy() if isinstance(grad, np.ndarray) else grad
