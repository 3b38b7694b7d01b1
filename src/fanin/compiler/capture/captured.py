"""A function run once on values: what it computes, what it reads and writes, and how its results are handed back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError
from fanin.compiler import graph as graphs
from fanin.compiler.capture.aliases import KEY
from fanin.compiler.capture.fields import LIFTED, unwatch, watch
from fanin.compiler.capture.locating import explained
from fanin.compiler.capture.recorder import Capture, Lifted
from fanin.compiler.capture.scalars import HostScalars
from fanin.compiler.capture.structure import put_together, take_apart
from fanin.compiler.graph import Graph, Value
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import Node, reachable, wrap

# What an output is: a result of the graph, the tensor from outside itself, or an argument itself.
RESULT, OUTSIDE, ARGUMENT = "result", "outside", "argument"


@dataclass(frozen=True)
class Output:
    """Where a returned tensor comes from: its number among the graph's outputs or the arguments, or the tensor itself.

    requires_grad: whether eager code would return it with a history.
    """

    kind: str
    index: int = -1
    tensor: Any = None
    requires_grad: bool = False


@dataclass(frozen=True)
class StateRef:
    """A tensor that the graph reads or writes.

    owner: the tensor whose `.grad` it is, where it is one: then it is looked up there at each call.
    """

    tensor: Any
    owner: Any = None


@dataclass(frozen=True, eq=False)
class Captured:
    """A captured function.

    graph:    data in the order of the arguments' tensors; outputs are the results, then gradients and changed
              arguments.
    state:    the tensors of the graph's state, in its order.
    scalars:  the numbers of a step.
    key:      the number in `state` of the seed and step for random masks; None where nothing is drawn.
    outputs:  where each returned tensor comes from, and structure: how they are put together.
    grads:    (tensor, number of output): what becomes its `.grad` after each call; None where it is cleared.
    changed:  (number of argument, number of output): arguments that are changed in place.
    argument_grads: (number of argument, number of output): their `.grad`.
    had_grads: (tensor, whether it had a `.grad`): holds for this capture only.
    required: (tensor, whether it requires a gradient): likewise.
    afterwards: what the host calls after each call: steps of schedulers.
    """

    graph: Graph
    state: tuple[StateRef, ...]
    scalars: HostScalars
    key: int | None
    outputs: tuple[Output, ...]
    structure: Any
    grads: tuple[tuple[Any, int | None], ...]
    changed: tuple[tuple[int, int], ...]
    argument_grads: tuple[tuple[int, int | None], ...]
    had_grads: tuple[tuple[Any, bool], ...]
    required: tuple[tuple[Any, bool], ...]
    afterwards: tuple[Callable[[], Any], ...] = ()

    @property
    def state_tensors(self) -> tuple[Any, ...]:
        """The tensors of the graph's state."""
        return tuple(ref.tensor for ref in self.state)

    @property
    def pure(self) -> bool:
        """Whether it computes results from what it is given and changes nothing."""
        return not (self.graph.updates or self.grads or self.changed or self.argument_grads or self.key is not None)


def capture(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Captured:
    """Run a function once on values that stand for the tensors among its arguments.

    Raises CaptureError, with the file and line, where what it does cannot be written down as a graph.
    """
    tensors: list[Any] = []
    structure = take_apart((args, kwargs), tensors)
    note = Capture()
    watch()
    former, mode.capture = mode.capture, note
    try:
        try:
            given = _arguments(note, tensors)
            args, kwargs = put_together(structure, given)
            result = function(*args, **kwargs)
            return _finished(note, tensors, given, result)
        except Exception as error:
            note.forget()
            raise explained(error)  # noqa: B904  the cause is part of it
        finally:
            note.release()
    finally:
        mode.capture = former
        unwatch()


def _arguments(note: Capture, tensors: list[Any]) -> list[Any]:
    """Return stand-ins of the arguments; one that comes twice has one."""
    with note.pause():
        arrays = [tensor._array for tensor in tensors]
    given: dict[int, Any] = {}
    for i, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
        made = note.argument(tensor, array, f"x{i}")
        given.setdefault(id(tensor), made)
    return [given[id(tensor)] for tensor in tensors]


def _finished(note: Capture, tensors: list[Any], given: list[Any], result: Any) -> Captured:
    """Return what was noted."""
    outputs: list[Value] = []

    def number(value: Any) -> int:
        outputs.append(value if isinstance(value, Value) else graphs.constant(value))
        return len(outputs) - 1

    returned: list[Any] = []
    structure = take_apart(result, returned)
    described = tuple(_output(t, given, number) for t in returned)
    grads, argument_grads = _gradients(note, given, number)
    changed = tuple(
        (i, number(t._array))
        for i, (t, leaf) in enumerate(zip(given, note.data, strict=True))
        if not any(t is earlier for earlier in given[:i]) and t._array is not leaf
    )
    state, updates = _state(note, outputs)
    needed = set(graphs.in_order([*outputs, *updates.values()]))
    # A number of the state needs its leaf even where no array does.
    scalars = [s for s in note.scalars if s.leaf in needed or s.cohort.names]
    key = None
    refs = [StateRef(record.tensor, _owner(note, record)) for record in state]
    leaves = [record.leaf for record in state]
    if note.key is not None and note.key in needed:
        key = len(leaves)
        refs.append(StateRef(wrap(np.zeros(2, np.uint64))))
        leaves.append(note.key)
    numbers = {leaf: i for i, leaf in enumerate(leaves)}
    graph = Graph(
        data=tuple(note.data),
        state=tuple(leaves),
        scalars=tuple(s.leaf for s in scalars),
        outputs=tuple(outputs),
        updates=tuple((numbers[leaf], value) for leaf, value in updates.items()),
    )
    calls = [(optimizer, note.steps[id(optimizer)]) for optimizer in note.optimizers]
    return Captured(
        graph,
        tuple(refs),
        HostScalars(scalars, note.cohorts, calls),
        key,
        described,
        structure,
        grads,
        changed,
        argument_grads,
        tuple((r.tensor, r.fields.get("_grad") is not None) for r in note.lifted if r.grad_was_read),
        tuple((r.tensor, r.fields.get("_requires_grad", False)) for r in note.lifted),
        tuple(note.afterwards),
    )


def _output(tensor: Any, given: list[Any], number: Callable[[Any], int]) -> Output:
    for i, argument in enumerate(given):
        if tensor is argument:
            return Output(ARGUMENT, i)
    if LIFTED in tensor.__dict__:
        return Output(OUTSIDE, tensor=tensor)
    array = tensor._array  # may lift it
    if LIFTED in tensor.__dict__:
        return Output(OUTSIDE, tensor=tensor)
    return Output(RESULT, number(array), requires_grad=tensor._requires_grad and _open(tensor))


def _open(tensor: Any) -> bool:
    """Say whether a backward pass from a tensor is still possible."""
    if tensor._node is None:
        return bool(tensor._requires_grad)
    return all(node.arrays is not None for node in reachable([tensor._node]) if isinstance(node, Node))


def _gradients(note: Capture, given: list[Any], number: Callable[[Any], int]) -> tuple[Any, Any]:
    """Return which `.grad` of tensors from outside, and of arguments, are new at the end."""
    grads: list[Any] = []
    for record in list(note.lifted):
        fields = record.tensor.__dict__
        grad, before = fields.get("_grad"), record.fields.get("_grad")
        if grad is before and not (grad is None and record.grad_was_written):
            continue
        if grad is not None and (grad._array is None or LIFTED in grad.__dict__):
            raise CaptureError("a .grad is set to a tensor from outside of the captured function")
        grads.append((record.tensor, None if grad is None else number(grad._array)))
    arguments = [
        (i, number(t.__dict__["_grad"]._array))
        for i, t in enumerate(given)
        if t.__dict__.get("_grad") is not None and not any(t is earlier for earlier in given[:i])
    ]
    return tuple(grads), tuple(arguments)


def _state(note: Capture, outputs: list[Value]) -> tuple[list[Lifted], dict[Value, Value]]:
    """Return the tensors that are read or written, and the new value of each leaf that has one."""
    updates: dict[Value, Value] = {}
    for record in list(note.lifted):
        final = record.tensor._array
        if record.owner is not None or final is record.leaf:
            continue
        _check_place(record, final)
        updates[record.leaf] = final if isinstance(final, Value) else graphs.constant(final)
    needed = set(graphs.in_order([*outputs, *updates.values()])) | set(updates)
    return [r for r in note.lifted if r.owner is None and r.leaf in needed], updates


def _check_place(record: Lifted, final: Any) -> None:
    if final.shape != record.array.shape or final.dtype != record.array.dtype:
        raise CaptureError(
            f"a tensor from outside of shape {list(record.array.shape)} and {record.array.dtype} is given shape "
            f"{list(final.shape)} and {final.dtype}; what is compiled keeps its memory",
            remedy="Return the new tensor instead.",
        )
    alias = record.tensor.__dict__.get(KEY)
    while alias is not None:
        if LIFTED in alias.parent.__dict__:
            raise CaptureError(
                "a tensor from outside is made to share the memory of another one in a captured function",
                remedy="Copy the values with a.copy_(b) under torch.no_grad(), or share the memory before.",
            )
        alias = alias.parent.__dict__.get(KEY)


def _owner(note: Capture, record: Lifted) -> Any:
    """Return the tensor whose `.grad` a tensor was at the beginning."""
    for other in note.lifted:
        if other.fields.get("_grad") is record.tensor:
            return other.tensor
    return None
