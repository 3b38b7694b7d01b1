"""Walking the tape back: gradients flow from the latest node to the earliest.

Derivatives are operations, so they run on arrays (the ordinary case: no tape, no wrapping) or, with create_graph, on
tensors, which leaves a tape of the gradient itself.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fanin._core.errors import GraphError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.ops.elementwise import cast
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.hooks import checked
from fanin.tensor.tape import Node, apply, wrap


class _Anomaly:
    """Whether a backward pass looks for NaN after every derivative."""

    enabled = False


anomaly = _Anomaly()


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
    elif mode.capture is not None:
        own, wanted = getattr(grad, "dtype", None), _dtype_of(edge)
        if own is not None and own != wanted:  # NumPy takes None for float64: `own not in (None, wanted)` leaves it out
            grad = cast(grad, dtype=wanted)
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
