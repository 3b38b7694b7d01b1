"""`compile`: a module or a function of tensors, captured at its first call and run as a graph from then on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, CaptureError
from fanin.compiler import numpy_engine
from fanin.compiler.capture.captured import ARGUMENT, OUTSIDE, Captured, capture
from fanin.compiler.capture.structure import key_of, put_together, take_apart
from fanin.compiler.graph import Graph
from fanin.random.generator import default_generator
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import wrap

ENGINES = ("auto", "native", "numpy")
Arrays = Sequence[Any]
Execute = Callable[[Arrays, Arrays, Sequence[float]], Arrays]


def executor(captured: Captured, engine: str) -> Execute:
    """Return the function (data, state, scalars) -> outputs that carries out a captured function.

    It is given the arrays of the graph's data and state in their order, C-contiguous or not, and the numbers of the
    step; it writes the updates into the arrays of the state, and returns the arrays of the outputs, which it does not
    touch again. This is the one place where an engine is chosen.
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "numpy":
        return functools.partial(_run_with_numpy, captured.graph)
    from fanin.compiler.native.executable import Executable

    return Executable(captured.graph)


def _run_with_numpy(graph: Graph, data: Arrays, state: Arrays, scalars: Sequence[float]) -> Arrays:
    outputs, updates = numpy_engine.run(graph, data, state, scalars)
    outputs = [np.array(out) for out in outputs]  # a result may be a view of the state, or of another result
    updates = [(i, np.array(new)) for i, new in updates]
    for i, new in updates:
        np.copyto(state[i], new)
    return outputs


class Program:
    """A captured function with the memory that it works on."""

    def __init__(self, captured: Captured, engine: str) -> None:
        self.captured = captured
        self.execute = executor(captured, engine)
        self.tensors = captured.state_tensors
        self.shapes = [(t._array.shape, t._array.dtype) for t in self.tensors]
        self.written = [self.tensors[i] for i, _ in captured.graph.updates]
        if captured.key is not None:
            key = self.tensors[captured.key]._array
            key[0] = default_generator.random_int()
            self.key = key

    def fits(self, given: Sequence[Any]) -> bool:
        """Say whether everything that the capture took for granted still holds."""
        captured = self.captured
        return (
            all(given[i] is tensor for i, tensor in captured.fixed)
            and not any(id(given[i]) in captured.known for i in captured.arguments)
            and all((t._grad is not None) is had for t, had in captured.had_grads)
            and all(t._requires_grad is required for t, required in captured.required)
            and self._places() is not None
        )

    def _places(self) -> list[Any] | None:
        arrays = []
        for ref, (shape, dtype) in zip(self.captured.state, self.shapes, strict=True):
            tensor = ref.tensor if ref.owner is None else ref.owner._grad
            array = tensor._array
            if array.shape != shape or array.dtype != dtype:
                return None
            arrays.append(array)
        return arrays

    def run(self, given: Sequence[Any]) -> Any:
        """Return what the function returns, and change what it changes; None where a flag needs another capture."""
        captured = self.captured
        scalars = captured.scalars.row()
        arrays = self._places()
        assert scalars is not None and arrays is not None
        outputs = self.execute([given[i]._array for i in captured.arguments], arrays, scalars)
        self._hand_back(given, outputs)
        if captured.scalars.calls:
            captured.scalars.advance()
        if captured.key is not None:
            self.key[1] += np.uint64(1)
        for action in captured.afterwards:
            action()
        return put_together(captured.structure, [self._output(o, given, outputs) for o in captured.outputs])

    def _output(self, output: Any, given: Sequence[Any], outputs: Arrays) -> Any:
        if output.kind == OUTSIDE:
            return output.tensor
        if output.kind == ARGUMENT:
            return given[output.index]
        return wrap(outputs[output.index])

    def _hand_back(self, given: Sequence[Any], outputs: Arrays) -> None:
        for tensor in self.written:
            if tensor._counter is not None:
                tensor._counter[0] += 1
        for tensor, number in self.captured.grads:
            tensor._grad = None if number is None else wrap(outputs[number])
        for i, number in self.captured.changed:
            np.copyto(given[i]._array, outputs[number])
        for i, number in self.captured.argument_grads:
            given[i]._grad = None if number is None else wrap(outputs[number])


class Compiled:
    """What `compile` returns: called as the target is.

    graph:    the graph of the last call; None before the first.
    captures: how often the target was captured.
    """

    def __init__(self, target: Callable[..., Any], engine: str) -> None:
        self._target, self._engine = target, engine
        self._programs: dict[Any, list[Program]] = {}
        self._last: Program | None = None
        self.captures = 0

    @property
    def graph(self) -> Graph | None:
        """The graph of the last call."""
        return None if self._last is None else self._last.captured.graph

    def explain_plan(self) -> str:
        """Return how the engine carries out the last graph."""
        return "The NumPy engine evaluates one operation after the other; there is no plan."

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.capture is not None:
            return self._target(*args, **kwargs)
        tensors: list[Any] = []
        structure = take_apart((args, kwargs), tensors)
        key = (
            key_of(structure),
            tuple((t._array.shape, t._array.dtype, t._requires_grad) for t in tensors),
            _repeated(tensors),
            mode.enabled,
            mode.inference,
        )
        program = self._fitting(key, tensors)
        if program is None:
            program = self._captured(key, args, kwargs)
        self._last = program
        return program.run(tensors)

    def _fitting(self, key: Any, tensors: Sequence[Any]) -> Program | None:
        for program in self._programs.get(key, ()):
            if program.fits(tensors) and program.captured.scalars.row() is not None:
                return program
        return None

    def _captured(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Program:
        program = Program(capture(self._target, args, kwargs), self._engine)
        self.captures += 1
        self._programs.setdefault(key, []).append(program)
        return program


def _repeated(tensors: Sequence[Any]) -> tuple[int, ...]:
    """Return for each tensor where it comes first, when one comes more than once."""
    if len(tensors) < 2 or len(set(map(id, tensors))) == len(tensors):
        return ()
    first: dict[int, int] = {}
    return tuple(first.setdefault(id(t), i) for i, t in enumerate(tensors))


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
    engine: str = "auto",
) -> Any:
    """Return a callable that does what a module or function does, captured once and run as one program."""
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if model is None:
        return functools.partial(compile, engine=engine, disable=disable)
    if disable:
        return model
    if not callable(model):
        raise CaptureError(f"compile takes a module or a function, got {type(model).__name__}")
    return Compiled(model, engine)
