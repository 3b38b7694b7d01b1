"""A captured function with the memory it works on and the engine that carries it out."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin.compiler import numpy_engine, positions
from fanin.compiler.capture.captured import ARGUMENT, OUTSIDE, Captured
from fanin.compiler.capture.recorder import check_histories
from fanin.compiler.capture.structure import put_together
from fanin.compiler.graph import Graph
from fanin.random.generator import default_generator
from fanin.tensor.base import Changes
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import wrap
from fanin.tensor.tensor import Tensor

if TYPE_CHECKING:
    from fanin.compiler.history import History

ENGINES = ("auto", "native", "numpy")
Arrays = Sequence[Any]
Execute = Callable[[Arrays, Arrays, Sequence[float]], Arrays]

_ONE = np.uint64(1)


def executor(captured: Captured, engine: str) -> Execute:
    """Return the function (data, state, scalars) -> outputs that carries out a captured function.

    It is given the arrays of the graph's data and state in their order, C-contiguous or not, and the numbers of the
    step; it writes the updates into the arrays of the state, and returns the arrays of the outputs, which it does not
    touch again. This is the one place where an engine is chosen.
    """
    if engine == "native" or (engine == "auto" and importlib.util.find_spec("llvmlite") is not None):
        from fanin.compiler.native.executable import make

        return _Bound(make(captured.graph), captured.graph)
    return functools.partial(_run_with_numpy, captured.graph)


class _Bound:
    """Native code that is told where an array lies only when it lies elsewhere than at the last call.

    To tell it takes 1.5 us for each array, as long as the code itself for a small network. Memory of results is used
    again when nobody holds it any more.
    """

    def __init__(self, code: Any, source: Graph) -> None:
        self.code, self.source = code, source
        graph = code.graph
        self.written = {i for i, _ in graph.updates}
        self.data: list[Any] = [None] * len(graph.data)
        self.state: list[Any] = [None] * len(graph.state)
        self.kinds = [(v.shape, v.dtype) for v in graph.outputs]
        self.outputs: list[list[Any]] = [[] for _ in self.kinds]
        self.bound: list[Any] = [None] * len(self.kinds)
        self.holders = 1 + _held_by(code) if self.kinds else 0  # who holds a result while it is bound
        self.numbers = np.zeros((1, max(1, len(graph.scalars))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.code, name)

    def __call__(self, data: Arrays, state: Arrays, scalars: Sequence[float]) -> Arrays:
        """Take one step.

        Raises IndexError when an index or a class number is out of range.
        """
        code = self.code
        try:
            if not all(array.flags.c_contiguous for array in state):
                self.state = [None] * len(self.state)
                self.data, self.bound = [None] * len(self.data), [None] * len(self.bound)
                copied: Arrays = code(data, state, scalars)
                return copied
            _bind(code, "data", self.data, [np.ascontiguousarray(x) for x in data])
            _bind(code, "state", self.state, state)
            results = [self._free(i) for i in range(len(self.kinds))]
            _bind(code, "output", self.bound, results)
            if scalars:
                self.numbers[0] = scalars
            code.run(self.numbers, 1)
            return results
        except IndexError as error:
            raise positions.named(error, self.source, data, state) from None

    def single(self, state: Arrays) -> Callable[[Any], Any]:
        """Return a quick function from one array to one, for a graph without scalars and updates.

        It may answer None, where a call has to be done in the usual way.
        """
        compute: Callable[[Any], Any] = self.code.single(state)
        if not self.code.manifest.looks_at_indices:
            return compute

        def predict(array: Any) -> Any:
            try:
                return compute(array)
            except IndexError as error:
                raise positions.named(error, self.source, (array,), state) from None

        return predict

    def _free(self, i: int) -> Any:
        """Return memory for a result that nobody holds: of the last calls, or new."""
        kept = self.outputs[i]
        for array in kept:
            if sys.getrefcount(array) <= _UNHELD + (self.holders if array is self.bound[i] else 0):
                return array
        made = np.empty(*self.kinds[i])
        if len(kept) < _KEPT:
            kept.append(made)
        return made


# References to an array that only `outputs` holds: the list, the loop, the call. Two are enough for gradients, which
# live until the next ones are there.
_UNHELD, _KEPT = 3, 2


def _held_by(code: Any) -> int:
    """Return how often the code itself refers to an array that it is bound to."""
    array = np.empty(code.graph.outputs[0].shape, code.graph.outputs[0].dtype)
    before = sys.getrefcount(array)
    code.bind("output", 0, array)
    return sys.getrefcount(array) - before


def _bind(code: Any, kind: str, bound: list[Any], arrays: Arrays) -> None:
    for i, array in enumerate(arrays):
        if array is not bound[i]:
            code.bind(kind, i, array)
            bound[i] = array


def _run_with_numpy(graph: Graph, data: Arrays, state: Arrays, scalars: Sequence[float]) -> Arrays:
    outputs, updates = numpy_engine.run(graph, data, state, scalars)
    outputs = [np.array(out) for out in outputs]  # a result may be a view of the state, or of another result
    updates = [(i, np.array(new)) for i, new in updates]
    for i, new in updates:
        np.copyto(state[i], new)
    return outputs


class Program:
    """A captured function, ready to be called.

    eager: whether calls are left to the target, because results need a history that also leads through changes of
           state or random masks, which a backward pass could not repeat.
    """

    def __init__(self, captured: Captured, engine: str, target: Callable[..., Any]) -> None:
        self.captured, self.target, self.engine = captured, target, engine
        self.open = any(o.requires_grad for o in captured.outputs)
        self.eager = self.open and not captured.pure
        self._execute: Execute | None = None
        self._predictor: tuple[Any, Callable[[Any], Any]] | None = None
        self.tensors = list(captured.state_tensors)
        self.arrays = [t._array for t in self.tensors]
        self.shapes = [(a.shape, a.dtype) for a in self.arrays]
        self.lookups: list[tuple[int, Any, Any]] = [
            (i, ref.owner, ref.place) for i, ref in enumerate(captured.state) if ref.owner is not None or ref.place
        ]
        self.written = [i for i, _ in captured.graph.updates]
        self.seen = Changes.count
        self.key: Any = None
        if captured.key is not None:
            self.key = self.arrays[captured.key]
            self.key[0] = default_generator.random_int()
        self.quick = self._quick()

    @property
    def execute(self) -> Execute:
        """The engine's function, made when it is first needed."""
        if self._execute is None:
            self._execute = executor(self.captured, self.engine)
        return self._execute

    def explain_plan(self) -> str:
        """Return how the engine carries out the graph."""
        plan = getattr(self.execute, "explain", None) or getattr(self.execute, "explain_plan", None)
        if callable(plan):
            return str(plan())
        return "The NumPy engine evaluates one operation after the other; there is no plan."

    # Does it fit? -------------------------------------------------------------------------------------------------

    def ready(self, given: Sequence[Any]) -> list[float] | None:
        """Return the numbers of the step; None when something that the capture took for granted is otherwise now."""
        captured = self.captured
        for i, tensor in captured.fixed:
            if given[i] is not tensor:
                return None
        for i in captured.arguments:
            if id(given[i]) in captured.known:
                return None
        if captured.reached:
            check_histories([given[i] for i in captured.reached], [*given, *self.tensors])
        for tensor, had in captured.had_grads:
            if (tensor._grad is not None) is not had:
                return None
        if not captured.guards.names_hold():
            return None
        if self.seen != Changes.count:
            if not self._unchanged():
                return None
            self.seen = Changes.count
        row = captured.scalars.row()
        return None if row is None or not self._find_memory() else row

    def _unchanged(self) -> bool:
        captured = self.captured
        return (
            all(t._requires_grad is required for t, required in captured.required)
            and captured.scalars.groups_hold()
            and captured.guards.modules_hold()
        )

    def _find_memory(self) -> bool:
        """Follow tensors whose memory was replaced; return False where shape or dtype are others."""
        tensors, arrays = self.tensors, self.arrays
        for i, owner, place in self.lookups:
            if owner is not None:
                found = owner._grad
            else:
                optimizer, p, name = place
                found = optimizer.state.get(p, {}).get(name)
            if found is None:
                return False
            tensors[i] = found
        for i, tensor in enumerate(tensors):
            array = tensor._array
            if array is not arrays[i]:
                if (array.shape, array.dtype) != self.shapes[i]:
                    return False
                arrays[i] = array
        return True

    # Calls --------------------------------------------------------------------------------------------------------

    def run(self, given: Sequence[Any], row: list[float], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the function returns, and change what it changes."""
        if self.eager:
            return self.target(*args, **kwargs)
        if self.open:
            from fanin.compiler.history import differentiable  # with all of autograd, which training does without

            return differentiable(self, given, args, kwargs)
        outputs = self.compute(given, row)
        return self.assembled(given, outputs)

    def compute(self, given: Sequence[Any], row: Sequence[float]) -> Arrays:
        """Return the arrays of the graph's outputs, and write back what the function changes."""
        captured = self.captured
        outputs = self.execute([given[i]._array for i in captured.arguments], self.arrays, row)
        self._hand_back(given, outputs)
        if captured.scalars.calls:
            captured.scalars.advance()
        if self.key is not None:
            self.key[1] += _ONE
        for action in captured.afterwards:
            action()
        return outputs

    def assembled(self, given: Sequence[Any], outputs: Arrays) -> Any:
        """Return the outputs as the function returns them."""
        return put_together(self.captured.structure, [self._output(o, given, outputs) for o in self.captured.outputs])

    def _output(self, output: Any, given: Sequence[Any], outputs: Arrays) -> Any:
        if output.kind == OUTSIDE:
            return output.tensor
        if output.kind == ARGUMENT:
            return given[output.index]
        result = wrap(outputs[output.index])
        if mode.inference:
            result._is_inference = True
        return result

    def _hand_back(self, given: Sequence[Any], outputs: Arrays) -> None:
        captured = self.captured
        for i in self.written:
            _count(self.tensors[i])
        for tensor, number in captured.grads:
            tensor._grad = None if number is None else wrap(outputs[number])
        for i, number in captured.changed:
            np.copyto(given[i]._array, outputs[number])
            _count(given[i])
        for i, number in captured.argument_grads:
            given[i]._grad = None if number is None else wrap(outputs[number])

    # Predictions --------------------------------------------------------------------------------------------------

    def _quick(self) -> Any:
        """Return the key of a call that is one tensor in, one tensor out, and nothing else; None for any other."""
        captured = self.captured
        data, outputs = captured.graph.data, captured.outputs
        simple = (
            captured.pure
            and len(data) == len(outputs) == 1
            and outputs[0].kind == "result"
            and not captured.fixed
            and not captured.had_grads
            and not captured.afterwards
            and not captured.scalars.calls
            and not captured.guards.names
            and not self.lookups
            and not isinstance(captured.structure, (tuple, list, dict))
            and all(t._node is None for t, required in captured.required if required)
        )
        return (data[0].dtype, mode.enabled) if simple else None

    def predictor(self) -> Callable[[Any], Any]:
        """Return a quick function of one tensor, which answers None when anything is otherwise than at the capture."""
        now = (self.seen, *map(id, self.arrays))
        if self._predictor is None or self._predictor[0] != now:
            self._predictor = now, self._make_predictor()
        return self._predictor[1]

    def _make_predictor(self) -> Callable[[Any], Any]:
        dtype, enabled = self.quick
        seen, known = self.seen, self.captured.known
        single = getattr(self.execute, "single", None)
        compute = self._slowly if single is None else single(self.arrays)
        new, changes, grad_mode = object.__new__, Changes, mode
        history = self._history() if self.open else None

        def predict(x: Any) -> Any:
            array = x._array
            if (
                array.dtype is not dtype
                or grad_mode.enabled is not enabled
                or x._requires_grad
                or changes.count != seen
                or id(x) in known
            ):
                return None
            if history is not None and x._base is not None:
                return None
            out = compute(array)
            if out is None:
                return None
            if history is not None:
                return history.of(x, out)
            result = new(Tensor)
            result._array = out
            if grad_mode.inference:
                result._is_inference = True
            return result

        return predict

    def _history(self) -> History:
        from fanin.compiler.history import History

        return History(self)

    def _slowly(self, array: Any) -> Any:
        fits = array.shape == self.captured.graph.data[0].shape
        return self.execute((array,), self.arrays, ())[0] if fits else None


def _count(tensor: Any) -> None:
    """Count one change of a tensor's memory, where somebody looks at the count."""
    while tensor._base is not None:
        tensor = tensor._base
    if tensor._counter is not None:
        tensor._counter[0] += 1
