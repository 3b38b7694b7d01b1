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
from fanin.compiler.capture.guards import Changed, Guards, Surroundings
from fanin.compiler.capture.locating import explained
from fanin.compiler.capture.recorder import Capture, Lifted, Reached, check_histories
from fanin.compiler.capture.scalars import HostScalars
from fanin.compiler.capture.structure import put_together, take_apart
from fanin.compiler.graph import Graph, Value
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import Node, wrap
from fanin.tensor.walking import reachable

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
    place: (optimizer, parameter, name) of a tensor of an optimiser's state, likewise.
    """

    tensor: Any
    owner: Any = None
    place: tuple[Any, Any, str] | None = None


@dataclass(frozen=True, eq=False)
class Captured:
    """A captured function.

    graph:    data in the order of the arguments' tensors; outputs are the results, then gradients and changed
              arguments.
    arguments: for each of the graph's data the number of the tensor among those of the arguments.
    fixed:    (number, tensor) of arguments that the function reaches otherwise, too: the graph holds for these only.
    known:    the ids of all tensors that it reaches otherwise: no other argument may be one of them.
    reached:  the numbers of arguments with a history of their own to which a gradient comes.
    state:    the tensors of the graph's state, in its order.
    scalars:  the numbers of a step.
    key:      the number in `state` of the seed and step for random masks; None where nothing is drawn.
    outputs:  where each returned tensor comes from, and structure: how they are put together.
    grads:    (tensor, number of output): what becomes its `.grad` after each call; None where it is cleared.
    changed:  (number of argument, number of output): arguments that are changed in place.
    argument_grads: (number of argument, number of output): their `.grad`.
    had_grads: (tensor, whether it had a `.grad`): holds for this capture only.
    required: (tensor, whether it requires a gradient): likewise.
    guards:   what stood around the function.
    afterwards: what the host calls after each call: steps of schedulers.
    """

    graph: Graph
    arguments: tuple[int, ...]
    fixed: tuple[tuple[int, Any], ...]
    known: frozenset[int]
    reached: tuple[int, ...]
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
    guards: Guards
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
    held: list[Any] = []  # arguments that the function knows otherwise, too
    first: Surroundings | None = None
    while True:
        try:
            return _capture(function, structure, tensors, held, first is not None)
        except Reached as reached:
            held.append(reached.tensor)
        except Changed as changed:
            first = changed.before
        except Exception:
            if first is not None:
                first.restore()
            raise


def _capture(
    function: Callable[..., Any], structure: Any, tensors: list[Any], held: list[Any], again: bool
) -> Captured:
    note = Capture(arguments=frozenset(id(t) for t in tensors if not any(t is h for h in held)))
    around = Surroundings(function, structure)
    watch()
    former, mode.capture = mode.capture, note
    try:
        given = _arguments(note, tensors, held)
        args, kwargs = put_together(structure, [given[id(t)].given for t in tensors])
        result = function(*args, **kwargs)
        note.check_state()
        check_histories(note.reached, [*tensors, *(record.tensor for record in note.lifted)])
        with note.pause():
            arrays = [t._array for t in tensors if id(t) in note.arguments]
        note.check_memory(arrays)
        return _finished(note, given, result, around.guards(note.custom, again))
    except Exception as error:
        note.forget()
        around.restore()
        raise explained(error)  # noqa: B904  the cause is part of it
    except BaseException:
        note.forget()
        raise
    finally:
        note.release()
        mode.capture = former
        unwatch()


@dataclass(frozen=True)
class _Argument:
    """A tensor among the arguments: its number, what the function is given, and the leaf (None: from outside)."""

    index: int
    tensor: Any
    given: Any
    leaf: Value | None


def _arguments(note: Capture, tensors: list[Any], held: list[Any]) -> dict[int, _Argument]:
    """Return the stand-ins of the arguments; a tensor that comes twice has one."""
    with note.pause():
        arrays = {id(tensor): tensor._array for tensor in tensors}
    found: dict[int, _Argument] = {}
    for i, tensor in enumerate(tensors):
        if id(tensor) in found:
            continue
        if any(tensor is h for h in held):
            found[id(tensor)] = _Argument(i, tensor, tensor, None)
        else:
            made = note.argument(tensor, arrays[id(tensor)], f"x{i}")
            found[id(tensor)] = _Argument(i, tensor, made, note.data[-1])
    return found


def _finished(note: Capture, given: dict[int, _Argument], result: Any, guards: Guards) -> Captured:
    """Return what was noted."""
    outputs: list[Value] = []

    def number(value: Any) -> int:
        outputs.append(value if isinstance(value, Value) else graphs.constant(value))
        return len(outputs) - 1

    returned: list[Any] = []
    structure = take_apart(result, returned)
    arguments = [argument for argument in given.values() if argument.leaf is not None]
    # Outputs are numbered in this order: results, gradients, changed arguments.
    described = tuple(_output(t, arguments, number) for t in returned)
    grads, argument_grads = _gradients(note, arguments, number)
    changed = tuple((a.index, number(a.given._array)) for a in arguments if a.given._array is not a.leaf)
    graph, refs, scalars, key = _graph(note, outputs)
    calls = [(optimizer, note.steps[id(optimizer)]) for optimizer in note.optimizers]
    return Captured(
        graph=graph,
        arguments=tuple(argument.index for argument in arguments),
        fixed=tuple((a.index, a.given) for a in given.values() if a.leaf is None),
        known=frozenset(id(record.tensor) for record in note.lifted),
        reached=tuple(a.index for a in arguments if any(a.tensor is t for t in note.reached)),
        state=refs,
        scalars=HostScalars(scalars, note.cohorts, calls),
        key=key,
        outputs=described,
        structure=structure,
        grads=grads,
        changed=changed,
        argument_grads=argument_grads,
        had_grads=tuple((r.tensor, r.fields.get("_grad") is not None) for r in note.lifted if r.grad_was_read),
        required=tuple((r.tensor, r.fields.get("_requires_grad", False)) for r in note.lifted),
        guards=guards,
        afterwards=tuple(note.afterwards),
    )


def _graph(note: Capture, outputs: list[Value]) -> tuple[Graph, tuple[StateRef, ...], list[Any], int | None]:
    """Return the graph with these outputs, the tensors of its state, its scalars, and which state the masks' key is."""
    state, updates = _state(note, outputs)
    needed = set(graphs.in_order([*outputs, *updates.values()]))
    # A number of the state needs its leaf even where no array does.
    scalars = [s for s in note.scalars if s.leaf in needed or s.cohort.names]
    places = _places(note)
    refs = [StateRef(r.tensor, _owner(note, r), places.get(id(r.tensor))) for r in state]
    leaves, key = [record.leaf for record in state], None
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
    return graph, tuple(refs), scalars, key


def _output(tensor: Any, arguments: list[_Argument], number: Callable[[Any], int]) -> Output:
    for argument in arguments:
        if tensor is argument.given:
            return Output(ARGUMENT, argument.index)
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


def _gradients(note: Capture, arguments: list[_Argument], number: Callable[[Any], int]) -> tuple[Any, Any]:
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
    of_arguments = [
        (argument.index, number(argument.given.__dict__["_grad"]._array))
        for argument in arguments
        if argument.given.__dict__.get("_grad") is not None
    ]
    return tuple(grads), tuple(of_arguments)


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


def _places(note: Capture) -> dict[int, tuple[Any, Any, str]]:
    """Return where the tensors of optimisers' states are found, by their ids."""
    return {
        id(value): (optimizer, p, name)
        for optimizer in note.optimizers
        for p, held in optimizer.state.items()
        for name, value in held.items()
    }


def _owner(note: Capture, record: Lifted) -> Any:
    """Return the tensor whose `.grad` a tensor was at the beginning."""
    for other in note.lifted:
        if other.fields.get("_grad") is record.tensor:
            return other.tensor
    return None
