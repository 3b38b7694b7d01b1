"""What a capture notes: operations as values, tensors from outside as leaves, and what is written where."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError
from fanin._core.missing import left_over
from fanin.compiler import graph
from fanin.compiler.capture import aliases, indexing
from fanin.compiler.capture.aliases import KEY, Alias
from fanin.compiler.capture.fields import LIFTED, MADE
from fanin.compiler.capture.steps import Steps
from fanin.compiler.graph import DATA, STATE, Value
from fanin.ops.elementwise import copy
from fanin.ops.index import is_basic
from fanin.ops.op import Op
from fanin.tensor import tape
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import check_fits, check_memory, check_writable, rewrite_history
from fanin.tensor.tape import Node, edge_of, reads_result, refresh
from fanin.tensor.walking import reachable

_numbers = itertools.count(1)


@dataclass
class Lifted:
    """A tensor from outside: what it was, and the leaf that stands for its array.

    fields: all its fields at the first touch; the array among them.
    array:  its memory, as code sees it that runs while the capture pauses.
    """

    tensor: Any
    array: Any
    fields: dict[str, Any]
    leaf: Value
    grad_was_read: bool = False
    grad_was_written: bool = False
    owner: Lifted | None = None  # another tensor of exactly this memory, whose leaf this one uses


class _Outside(Node):
    """Stands at an argument that has a history of its own, in which a captured backward pass cannot go on."""

    def gradients(self, grad: Any, edges: list[Any], create_graph: bool) -> list[Any]:
        """Raise CaptureError."""
        raise CaptureError(
            "backward() reaches an argument that is itself the result of operations",
            remedy="Compile the function that computes this argument, too, in one; or pass a .detach() of it.",
        )


class Reached(BaseException):
    """An argument of the call is reached from outside of the arguments, too: it has to be a tensor from outside.

    No Exception, so that the function under capture does not catch it.
    """

    def __init__(self, tensor: Any) -> None:
        super().__init__()
        self.tensor = tensor


@dataclass
class Capture(Steps):
    """One run of a function on values."""

    arguments: frozenset[int] = frozenset()  # the ids of the tensors that come with each call
    number: int = field(default_factory=lambda: next(_numbers))
    lifted: list[Lifted] = field(default_factory=list)
    data: list[Value] = field(default_factory=list)
    key: Value | None = None  # the seed and the number of the step, of which random masks are made
    draws: int = 0
    reached: list[Any] = field(default_factory=list)  # arguments with a history, to which a gradient has come
    made: list[Any] = field(default_factory=list)  # weak references to the tensors made inside
    counters: dict[int, tuple[list[int], int]] = field(default_factory=dict)

    # Reading and writing the fields of tensors --------------------------------------------------------------------

    def read(self, tensor: Any) -> Any:
        """Return a tensor's array: a value, or an array of the capture's own making."""
        fields = tensor.__dict__
        record = fields.get(LIFTED)
        if record is None and fields.get(MADE) != self.number:
            return self.lift(tensor)
        alias = fields.get(KEY)
        if alias is not None:
            whole = alias.parent._array
            if whole is not alias.seen:
                fields["_array"], alias.seen = alias.shown(whole), whole
        try:
            return fields["_array"]
        except KeyError:
            raise AttributeError("_array") from None

    def rebind(self, tensor: Any, array: Any) -> None:
        """Give a tensor another array, as `result._array = ...` does."""
        fields = tensor.__dict__
        if LIFTED not in fields and fields.get(MADE) != self.number:
            if "_array" in fields:
                self.lift(tensor)
            else:
                fields[MADE] = self.number
                self.made.append(weakref.ref(tensor))
        fields.pop(KEY, None)
        fields["_array"] = array

    def read_grad(self, tensor: Any) -> Any:
        """Return `.grad`, and remember whether it was read before it was written."""
        fields = tensor.__dict__
        if fields.get(MADE) != self.number:
            record = fields.get(LIFTED)
            if record is None:
                self.lift(tensor)
                record = fields[LIFTED]
            record.grad_was_read = record.grad_was_read or not record.grad_was_written
        return fields.get("_grad")

    def write_grad(self, tensor: Any, grad: Any) -> None:
        """Set `.grad`."""
        fields = tensor.__dict__
        if fields.get(MADE) != self.number:
            if LIFTED not in fields:
                self.lift(tensor)
            fields[LIFTED].grad_was_written = True
        fields["_grad"] = grad

    def lift(self, tensor: Any) -> Any:
        """Make a leaf of a tensor from outside."""
        fields = tensor.__dict__
        array = fields.get("_array")
        if id(tensor) in self.arguments:
            raise Reached(tensor)
        if not isinstance(array, np.ndarray):
            raise _left_over(array)
        owner = self._owner_of(array)
        leaf = Value(array.shape, array.dtype, role=STATE) if owner is None else owner.leaf
        record = Lifted(tensor, array, dict(fields), leaf, owner=owner)
        counter = fields.get("_counter")
        if counter is not None:
            self.counters[id(counter)] = (counter, counter[0])
        self.lifted.append(record)
        fields[LIFTED] = record
        if owner is None:
            fields["_array"] = leaf
        else:
            fields["_array"] = owner.tensor._array
            fields[KEY] = Alias(self.number, owner.tensor, None, {}, fields["_array"])
        return fields["_array"]

    def _owner_of(self, array: Any) -> Lifted | None:
        for record in self.lifted:
            if record.owner is None and _same_memory(record.array, array):
                return record
        return None

    def argument(self, tensor: Any, array: Any, name: str) -> Any:
        """Return a tensor like an argument of the call, whose values come with each call."""
        made = object.__new__(type(tensor))
        kept = {k: v for k, v in tensor.__dict__.items() if k not in _NOT_AN_ARGUMENTS}
        made.__dict__.update(kept)
        leaf = Value(array.shape, array.dtype, role=DATA, name=name)
        made._array = leaf
        if tensor._node is not None and tensor._requires_grad:
            node = made._node = _Outside(tensor._node.op, [], {}, [None], leaf, [])
            node.hooks = {-1: lambda _: self.reached.append(tensor)}
        self.data.append(leaf)
        return made

    def release(self) -> None:
        """Give every tensor from outside what it had."""
        for record in self.lifted:
            fields = record.tensor.__dict__
            fields.clear()
            fields.update(record.fields)
            fields["_array"] = record.array
        for counter, count in self.counters.values():
            counter[0] = count
        for reference in self.made:
            tensor = reference()
            if tensor is not None and isinstance(tensor.__dict__.get("_array"), Value):
                del tensor.__dict__["_array"]  # whoever has kept it is told so (fanin._core.missing)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Work on the real arrays for a while."""
        former, mode.capture = mode.capture, None
        try:
            yield
        finally:
            mode.capture = former

    def check_memory(self, arrays: list[Any]) -> None:
        """Raise where what is written lies in memory that is known under another name, too.

        arrays: those of the arguments.
        """
        owners = [r for r in self.lifted if r.owner is None]
        for record in owners:
            if record.tensor._array is record.leaf:
                continue
            for other in [r.array for r in owners if r is not record] + arrays:
                if np.may_share_memory(record.array, other):
                    raise CaptureError(
                        "a tensor is changed of which another tensor from outside shows a part; what is compiled would "
                        "not see the change there",
                        remedy="Take the view inside of the compiled function, or give it a .clone().",
                    )

    # Operations ---------------------------------------------------------------------------------------------------

    def apply(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Note an operation on tensors and numbers, and put it on the tape when one of them requires a gradient."""
        if "index" in attrs and indexing.has_values(attrs["index"]):
            return self._by_values(op, inputs, attrs)
        tracked, arrays, edges = False, [], []
        for x in inputs:
            edge = None
            if isinstance(x, TensorBase):
                if x._base is not None:
                    refresh(x)
                if x._requires_grad:
                    tracked, edge = True, edge_of(x)
                x = x._array
            arrays.append(x)
            edges.append(edge)
        out, arrays = self.evaluate(op, arrays, attrs)
        result = tape.wrap(out)
        if op.view and isinstance(inputs[0], TensorBase):
            self._share(result, inputs[0], op, attrs)
        if tracked and mode.enabled and op.differentiable and out.dtype.kind == "f":
            stamps = tape._stamps(op, inputs, result, edges)
            arrays = [self.constant(x) for x in arrays]
            result._node = Node(op, arrays, attrs, edges, self.constant(out), stamps)
            result._requires_grad = True
        elif mode.inference and (result._base is None or inputs[0]._is_inference):
            result._is_inference = True
        return result

    def _by_values(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Read or write by an index that comes with the data."""
        if op.name == "getitem":
            return indexing.get(inputs[0], attrs["index"])
        if op.name == "index_put":
            return indexing.put(inputs[0], inputs[1], attrs["index"], attrs.get("accumulate", False))
        return indexing.combine(inputs[0], inputs[1], attrs["index"], attrs["how"])

    def constant(self, array: Any) -> Any:
        """Return an array of the capture's own making as a value, so that derivatives work on values alone."""
        return graph.constant(array) if isinstance(array, (np.ndarray, np.generic)) else array

    def adopt(self, array: Any) -> Any:
        """Return what a tensor may hold: a value, or an array in place of a NumPy scalar."""
        return array if isinstance(array, Value) else np.asarray(array)

    def evaluate(self, op: Op, arrays: list[Any], attrs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the value of an operation and its promoted inputs; computed at once where nothing is symbolic."""
        if symbolic(arrays):
            value = graph.apply(op, tuple(arrays), attrs)
            return value, value.inputs
        if op.promote is not None:
            arrays = list(op.promote(tuple(arrays)))
        return tape.evaluate(op, arrays, attrs), arrays

    def _share(self, result: Any, source: Any, op: Op | None, attrs: dict[str, Any]) -> None:
        """Note that a view shares memory, version and history with the tensor it came from."""
        base = source if source._base is None or source._detached else source._base
        whole = source._array
        if isinstance(whole, np.ndarray) and op is not None:
            array = result._array
            if array is not whole and (array.base is None or not np.may_share_memory(array, whole)):
                return
        elif op is not None and not _shows(source, op, attrs):
            return
        result._base, result._seen = base, base._rebased
        self.alias(result, source, op, attrs)

    def alias(self, result: Any, source: Any, op: Op | None = None, attrs: dict[str, Any] | None = None) -> Any:
        """Note that a tensor shows the memory of another one, and return it."""
        result.__dict__[KEY] = Alias(self.number, source, op, attrs or {}, source._array)
        return result

    def positions(self, base: Any, view: Any) -> Any:
        """Return where each element of a view lies in its base."""
        return aliases.numbers(view, base)

    def layout(self, tensor: Any) -> tuple[Any, Any]:
        """Return an array that lies as a tensor does in eager code, and one for the memory that it shows a part of."""
        return aliases.layout(tensor)

    def contiguous(self, tensor: Any) -> Any:
        """Return a tensor whose elements lie in row-major order: itself, or a copy of a view where they do not."""
        array = tensor._array
        lies = array if isinstance(array, np.ndarray) else aliases.numbers(tensor) if KEY in tensor.__dict__ else None
        return tensor if lies is None or lies.flags.c_contiguous else self.apply(copy, (tensor,), {"order": "C"})

    # Changing in place --------------------------------------------------------------------------------------------

    def write(self, op: Op, inputs: tuple[Any, ...], arrays: list[Any], attrs: dict[str, Any], tracked: bool) -> Any:
        """Evaluate op and let inputs[0] have the result, with its new history."""
        target = inputs[0]
        check_writable(target)
        if "index" in attrs and indexing.has_values(attrs["index"]):
            return self._put_by_values(inputs, attrs)
        out, arrays = self.evaluate(op, arrays, attrs)
        check_fits(target._array, out)
        if not (tracked and mode.enabled and op.differentiable):
            return self.store(target, out)
        edges = [edge_of(x) if isinstance(x, TensorBase) else None for x in inputs]
        stamps = tape._stamps(op, (None, *inputs[1:]), target, edges)
        self.store(target, out)
        if stamps and reads_result(op, edges):
            stamps[-1] = (stamps[-1][0], stamps[-1][0][0])
        arrays = [self.constant(x) for x in arrays]
        rewrite_history(target, Node(op, arrays, attrs, edges, self.constant(target._array), stamps))
        return target

    def _put_by_values(self, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Write into inputs[0] by an index that comes with the data."""
        old = inputs[0].clone() if mode.enabled and inputs[0].requires_grad else tape.wrap(inputs[0]._array)
        new = indexing.put(old, inputs[1], attrs["index"], attrs.get("accumulate", False))
        return inputs[0].copy_(new)

    def store(self, target: Any, values: Any) -> Any:
        """Give a tensor, and whatever shares its memory, new values; count the change."""
        old = target._array
        if KEY in target.__dict__:
            check_memory(aliases.layout(target)[0])
        if not isinstance(old, Value) and not isinstance(values, Value):
            with np.errstate(all="ignore"):
                np.copyto(old, values, casting="unsafe")
        else:
            self._place(target, _fitted(values, old))
        self._count(target)
        return target

    def _place(self, target: Any, value: Any) -> None:
        fields = target.__dict__
        alias = fields.get(KEY)
        if alias is not None:
            self._place(alias.parent, alias.put(alias.parent._array, value))
            alias.seen = alias.parent._array
        fields["_array"] = value

    def _count(self, target: Any) -> None:
        counter = tape.version_counter(target)
        self.counters.setdefault(id(counter), (counter, counter[0]))
        counter[0] += 1

    # Random numbers -----------------------------------------------------------------------------------------------

    def keep(self, shape: tuple[int, ...], p_keep: float) -> Value:
        """Return a mask that is True with probability p_keep, drawn anew at each call of what is compiled."""
        from fanin.ops.counter_random import random_keep

        if self.key is None:
            self.key = Value((2,), np.uint64, role=STATE, name="key")
        attrs = {"p_keep": float(p_keep), "shape": tuple(shape), "stream": self.draws}
        self.draws += 1
        return graph.apply(random_keep, (self.key,), attrs)

    def refuse_draw(self) -> None:
        """Raise: numbers drawn now would be the same at every call."""
        raise CaptureError(
            "random numbers are drawn in the middle of a captured step; they would be the same at every call",
            remedy="Draw them outside, and pass them to the compiled function as an argument.",
        )


def check_histories(reached: Sequence[Any], others: Sequence[Any]) -> None:
    """Raise where a gradient comes to an argument that was computed from another tensor of the function.

    reached: the arguments with a history to which a gradient comes; others: all tensors of the function.
    """
    for tensor in reached:
        nodes = reachable([tensor._node]) if tensor._node is not None else []
        behind = {id(edge) for node in nodes for edge in (node, *node.edges) if edge is not None}
        for other in others:
            node = other.__dict__.get("_node")
            if other is not tensor and (id(other) in behind or (node is not None and id(node) in behind)):
                raise CaptureError(
                    "a gradient is computed for an argument that is itself computed from another tensor of the "
                    "captured function",
                    remedy="Compute it inside of the compiled function, or pass a .detach() of it.",
                )


_NOT_AN_ARGUMENTS = {"_array", "_base", "_counter", "_hooks", "_grad", "_node", KEY, LIFTED, MADE}


def symbolic(arrays: Any) -> bool:
    """Say whether a value is among some arrays."""
    return any(isinstance(x, Value) for x in arrays)


def _shows(source: Any, op: Op, attrs: dict[str, Any]) -> bool:
    """Say whether a view operation on a value shows its memory, and does not copy it."""
    if op.name == "getitem" and not is_basic(attrs["index"]):
        return False
    if op.name != "reshape" or KEY not in source.__dict__:
        return True
    numbers = aliases.numbers(source)
    return bool(np.may_share_memory(numbers, op.evaluate(numbers, **attrs)))


def _same_memory(a: Any, b: Any) -> bool:
    if a is b:
        return True
    here, there = a.__array_interface__, b.__array_interface__
    return bool(
        a.size
        and here["data"][0] == there["data"][0]
        and a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
    )


def _fitted(values: Any, old: Any) -> Any:
    """Return values in the shape and dtype of what they replace."""
    from fanin.ops import op

    if not isinstance(values, Value):
        values = graph.constant(np.broadcast_to(np.asarray(values), old.shape).astype(old.dtype))
    if values.dtype != old.dtype or values.weak:
        values = graph.apply(op.get("cast"), (values,), {"dtype": old.dtype})
    if values.shape != old.shape:
        values = graph.apply(op.get("expand"), (values,), {"shape": old.shape})
    return values


def _left_over(array: Any) -> Exception:
    return left_over() if array is None else AttributeError("_array")
