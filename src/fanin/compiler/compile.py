"""`compile`: a module or a function of tensors, captured at its first call and run as a graph from then on."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

from fanin._core.dtypes import get_default_dtype
from fanin._core.errors import ArgumentError, ArgumentTypeError, CaptureError
from fanin.compiler.capture.captured import capture
from fanin.compiler.capture.steps import Warmup
from fanin.compiler.capture.structure import key_of, take_apart
from fanin.compiler.graph import Graph
from fanin.compiler.program import ENGINES, Program, executor
from fanin.nn.module import Module
from fanin.nn.parameter import is_lazy
from fanin.tensor.grad_mode import mode
from fanin.tensor.tensor import Tensor

# So many captures of one target for arguments of one kind are kept; more mean that something changes at every call.
_KEPT = 32


class Calls:
    """The captures of a target, and the call of the one that fits."""

    def __init__(self, target: Callable[..., Any], engine: str) -> None:
        self.target, self.engine = target, engine
        self.programs: dict[Any, list[Program]] = {}
        self.last: Program | None = None
        self.count = 0
        self.warm = False

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what the target does."""
        if mode.capture is not None:
            return self.target(*args, **kwargs)
        if not kwargs and all(x.__class__ is Tensor for x in args):
            tensors: Sequence[Any] = args
            key: Any = len(args)
        else:
            tensors = []
            key = key_of(take_apart((args, kwargs), tensors))
        places: list[Any] = [key, mode.enabled, mode.inference, get_default_dtype()]
        for t in tensors:
            array = t._array
            places += (array.shape, array.dtype, t._requires_grad and (1 if t._node is None else 2))
        if len(tensors) > 1:
            places.append(_repeated(tensors))
        key = tuple(places)
        for program in self.programs.get(key, ()):
            row = program.ready(tensors)
            if row is not None:
                self.last = program
                return program.run(tensors, row, args, kwargs)
        return self._first(key, tensors, args, kwargs)

    def _first(self, key: Any, tensors: Sequence[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Capture the target for this call and those like it."""
        if isinstance(self.target, Module) and _waits(self.target):
            return self.target(*args, **kwargs)  # which gives its parameters their shapes
        try:
            captured = capture(self.target, args, kwargs)
        except Warmup:
            if self.warm:
                raise
            self.warm = True
            return self.target(*args, **kwargs)
        program = self.last = Program(captured, self.engine, self.target)
        self.count += 1
        kept = self.programs.setdefault(key, [])
        kept.append(program)
        del kept[:-_KEPT]
        row = program.ready(tensors)
        if row is None:
            raise RuntimeError("what was just captured does not fit")
        return program.run(tensors, row, args, kwargs)


class _Compiled:
    """What a compiled function and a compiled module have in common."""

    _calls: Calls

    @property
    def graph(self) -> Graph | None:
        """The graph of the last call; None before the first."""
        last = self._calls.last
        return None if last is None else last.captured.graph

    @property
    def captures(self) -> int:
        """How often the target was captured."""
        return self._calls.count

    def explain_plan(self) -> str:
        """Return how the engine carries out the graph of the last call."""
        last = self._calls.last
        return "Nothing was called yet." if last is None else last.explain_plan()


class CompiledFunction(_Compiled):
    """A compiled function, called as the function is.

    Attributes:
        graph: the graph of the last call
        captures: how often the function was captured: once for each kind of arguments
    """

    def __init__(self, target: Callable[..., Any], engine: str) -> None:
        self._calls = Calls(target, engine)
        functools.update_wrapper(self, target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the function does."""
        return self._calls.call(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)


class CompiledModule(_Compiled, Module):
    """A compiled module: a module that holds the original as `_orig_mod`, and is called as that is.

    Attributes:
        graph: the graph of the last call
        captures: how often the module was captured
    """

    def __init__(self, target: Any, engine: str) -> None:
        super().__init__()
        self._orig_mod = target
        self.__dict__["_calls"] = Calls(target, engine)
        self.__dict__["_predict"] = None
        self.__dict__["training"] = target.training

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the module does."""
        predict = self.__dict__["_predict"]
        if predict is not None and len(args) == 1 and not kwargs and mode.capture is None:
            x = args[0]
            if x.__class__ is Tensor:
                result = predict(x)
                if result is not None:
                    return result
        calls: Calls = self.__dict__["_calls"]
        result = calls.call(args, kwargs)
        last = calls.last
        self.__dict__["_predict"] = None if last is None or last.quick is None else last.predictor()
        return result

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the module does."""
        return self._calls.call(args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self._orig_mod[index]

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get("_modules", {}).get("_orig_mod")
        if held is None or name in ("_orig_mod", "training"):
            super().__setattr__(name, value)
        else:
            setattr(held, name, value)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "_orig_mod":
                raise
            return getattr(self._orig_mod, name)


def _waits(module: Any) -> bool:
    """Say whether a module has parameters that get their shapes from the first batch."""
    return any(is_lazy(x) for m in module.modules() for x in (*m._parameters.values(), *m._buffers.values()))


def _repeated(tensors: Sequence[Any]) -> tuple[int, ...]:
    """Return for each tensor where it comes first, when one comes more than once."""
    if len(set(map(id, tensors))) == len(tensors):
        return ()
    first: dict[int, int] = {}
    return tuple(first.setdefault(id(t), i) for i, t in enumerate(tensors))


def disable(function: Any = None, recursive: bool = True, **unused: Any) -> Any:
    """Return a function that cannot be part of what is compiled: called in a captured function, it raises.

    Raises:
        CaptureError: it is called while a function is captured
    """
    if function is None:
        return disable
    if isinstance(function, Module):
        return function

    @functools.wraps(function)
    def outside(*args: Any, **kwargs: Any) -> Any:
        if mode.capture is not None:
            raise CaptureError(
                f"{getattr(function, '__name__', 'a function')} is marked with torch.compiler.disable, and called in a "
                "captured function",
                remedy="Call it outside, and pass what it returns to the compiled function.",
            )
        return function(*args, **kwargs)

    return outside


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
    """Return a callable that does what a module or function does, as one program made at its first call.

    The first call runs the code on symbols and writes down what it computes: forward, loss, backward, clipping, the
    optimizer's update. Later calls with tensors of the same shapes and dtypes carry out the program. Another shape,
    another mode of the module, other options of the optimizer that are no numbers compile again; rates and other
    numbers of the optimizer do not.

    Args:
        model: a module, or a function of tensors, for instance one step of training; left out in `@compile(...)`
        fullgraph, dynamic, backend, mode, options: accepted; there is one way to compile
        disable: return the model as it is
        engine: "native", "numpy" (the same program, one NumPy call after the other), or "auto" for the best one here

    Raises:
        CaptureError: at a call, where the code does what cannot be written down: it branches on the value of a tensor,
            reads it (`.item()`, `print`), draws random numbers besides dropout, or counts in Python

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> @torch.compile(engine="numpy")
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = (w * x).sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss.detach()
    >>> step(torch.tensor([1.0, 1.0])), step(torch.tensor([1.0, 1.0]))
    (tensor(3.), tensor(2.))
    >>> step.captures
    1
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if model is None:
        return functools.partial(compile, disable=disable, engine=engine)
    if not callable(model):
        raise ArgumentTypeError(f"compile takes a module or a function, got {type(model).__name__}")
    if disable:
        return model
    return CompiledModule(model, engine) if isinstance(model, Module) else CompiledFunction(model, engine)


__all__ = ["CompiledFunction", "CompiledModule", "compile", "executor"]
