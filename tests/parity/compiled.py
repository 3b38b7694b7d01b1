"""The parity cases through `compile`: a case is one captured function, or else its parts are.

A case makes its own inputs, and what a captured function makes itself is a constant of it, which is computed with at
once. So the namespace that the case is given here makes tensors, layers and optimisers outside of the capture: they
are found as a step of training finds its parameters, and every operation on them becomes part of the graph.
"""

from __future__ import annotations

import contextlib
import functools
import random
import types
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fanin
from fanin._core.errors import CaptureError
from fanin.compiler.capture.aliases import KEY
from fanin.compiler.capture.captured import capture
from fanin.compiler.capture.fields import LIFTED, MADE
from fanin.compiler.capture.steps import Warmup
from fanin.compiler.capture.structure import put_together, take_apart
from fanin.compiler.program import Program
from fanin.nn import calling
from fanin.nn.module import Module
from fanin.optim.optimizer import Optimizer
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.tensor import Tensor
from tests.parity.harness import Case, Entries, flatten, fresh_state

# Functions whose results stand for data, or that concern the generator.
GIVEN = set("tensor as_tensor from_numpy rand randn randint randperm normal bernoulli multinomial".split())
GIVEN |= set("manual_seed seed initial_seed get_rng_state set_rng_state Generator".split())


class NotCapturedError(Exception):
    """A function cannot be captured; the text says why."""


# Outside of the capture -----------------------------------------------------------------------------------------------


@functools.cache
def outside(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs as if nothing were captured, unless it is given what the capture has seen."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if mode.capture is None or _seen(args) or _seen(kwargs):
            return function(*args, **kwargs)
        with mode.capture.pause():
            return function(*args, **kwargs)

    return call


def _seen(value: Any) -> bool:
    """Say whether a tensor, or one that a module holds, is part of the capture."""
    if isinstance(value, TensorBase):
        return LIFTED in value.__dict__ or MADE in value.__dict__
    if isinstance(value, Module):
        return "_parameters" in value.__dict__ and any(map(_seen, (*value.parameters(), *value.buffers())))
    if isinstance(value, Optimizer):
        return _seen(value.__dict__.get("param_groups", []))
    if isinstance(value, dict):
        return any(map(_seen, value.values()))
    if not isinstance(value, (tuple, list)) or (value and isinstance(value[0], (int, float))):
        return False
    return any(map(_seen, value))


def _place(address: Callable[[Any], int]) -> Callable[[Any], Any]:
    """Return `data_ptr` for tensors under capture, too, which have no address: it says which memory they show."""

    def data_ptr(self: Any) -> Any:
        if mode.capture is None:
            return address(self)
        root = self
        while KEY in root.__dict__:
            root = root.__dict__[KEY].parent
        return id(root), self.storage_offset()

    return data_ptr


class Run:
    """One run of a case, or of several: a namespace, an engine, and what was captured on the way.

    counts: "whole" for cases, "part" for calls that were captured and carried out; "eager" for calls that were not.
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.counts: Counter[str] = Counter()
        self.refused: list[str] = []
        self.torch = Namespace(fanin, self)

    # What is captured ---------------------------------------------------------------------------------------------

    def captured(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns, carried out by the engine as one program.

        Raises NotCapturedError where it cannot be captured; then nothing has changed.
        """
        numbers = fanin.get_rng_state(), np.random.get_state(), random.getstate()
        restore = outside(_draw_again)

        def again() -> Any:
            restore(numbers)
            return _detached(function())

        self.refused.clear()
        try:
            # No function to Python: what it reads need not be watched, because it is not called a second time.
            found = capture(functools.partial(again), (), {})
        except (CaptureError, Warmup) as error:
            self.refused.append(str(error))
        if self.refused or found.key is not None:
            _draw_again(numbers)
            raise NotCapturedError(self.refused[0] if self.refused else "masks of dropout are drawn in another order")
        if not any(value.op is not None for value in found.graph.values()):
            self.counts["constant"] += 1
        program = Program(found, self.engine, again)
        row = program.ready(())
        assert row is not None
        return program.run((), row, (), {})

    def part(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a part of a case returns, captured where it can be."""
        if mode.capture is not None:
            return function(*args)
        try:
            result = self.captured(lambda: function(*args))
        except NotCapturedError:
            self.counts["eager"] += 1
            return function(*args)
        self.counts["part"] += 1
        return result

    def whole(self, *cases: Case) -> list[Entries]:
        """Return the results of cases that are captured as one function."""

        def function() -> Any:
            results = []
            for case in cases:
                self.torch.manual_seed(0)
                np.random.seed(0)
                results.append(case.function(self.torch, *case.arguments))
            return results

        with fresh_state(fanin), self._prepared():
            constant = self.counts["constant"]
            results = self.captured(function)
            if self.counts["constant"] == constant:
                self.counts["whole"] += len(cases)
            return [flatten(result) for result in results]

    def parts(self, case: Case) -> Entries:
        """Return the results of a case whose parts are captured where they can be."""
        with self._prepared():
            return case.run(self.torch)  # type: ignore[arg-type]

    # fanin as a case sees it --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        """Let layers and optimisers be made outside of captures, and note whatever a capture refuses."""
        kept: list[tuple[Any, str, Any]] = []

        def patch(owner: Any, name: str, change: Callable[[Any], Any]) -> None:
            kept.append((owner, name, vars(owner).get(name)))
            setattr(owner, name, change(getattr(owner, name)))

        for kind in (*_kinds(fanin.nn, Module), *_kinds(fanin.optim, Optimizer)):
            if "__init__" in vars(kind):
                patch(kind, "__init__", outside)
        patch(fanin.nn.Parameter, "__new__", lambda new: staticmethod(outside(new)))
        for name in ("_apply", "load_state_dict"):
            patch(Module, name, outside)
        patch(Optimizer, "load_state_dict", outside)
        patch(Optimizer, "_step", self._stepping)
        patch(Tensor, "data_ptr", _place)
        patch(CaptureError, "__init__", self._noting)
        hooks = [(held, dict(held)) for held in vars(calling.GlobalHooks).values() if isinstance(held, dict)]
        try:
            yield
        finally:
            for owner, name, value in reversed(kept):
                if value is None:
                    delattr(owner, name)
                else:
                    setattr(owner, name, value)
            for held, before in hooks:
                held.clear()
                held.update(before)
            calling.GlobalHooks.refresh()

    def _noting(self, made: Callable[..., None]) -> Callable[..., None]:
        """Return the `__init__` of CaptureError: a case may catch the error, and go on."""

        def noting(error: Any, *args: Any, **kwargs: Any) -> None:
            self.refused.append(str(args[0]))
            made(error, *args, **kwargs)

        return noting

    def _stepping(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return an optimiser's step that is captured, after its closure."""

        def stepping(optimizer: Any, closure: Any = None) -> Any:
            loss = None
            if closure is not None:
                with fanin.enable_grad():
                    loss = closure()
            if mode.capture is not None:
                step(optimizer)
            elif not self._stepped(optimizer, step):
                self.counts["eager"] += 1
                step(optimizer)
            return loss

        return stepping

    def _stepped(self, optimizer: Any, step: Callable[..., Any]) -> bool:
        """Take a compiled step; return False where it cannot be captured."""
        held = optimizer.__dict__
        if "compiled" not in held:
            held["compiled"] = fanin.compile(lambda: step(optimizer), engine=self.engine)
        try:
            held["compiled"]()
        except CaptureError:
            return False
        self.counts["part"] += 1
        return True


def _kinds(room: types.ModuleType, base: type) -> list[type]:
    return [kind for kind in vars(room).values() if isinstance(kind, type) and issubclass(kind, base) and kind != base]


def _draw_again(numbers: Any) -> None:
    torch_state, numpy_state, python_state = numbers
    fanin.set_rng_state(torch_state)
    np.random.set_state(numpy_state)
    random.setstate(python_state)


def _detached(result: Any) -> Any:
    """Return a result whose tensors have no history: it was gone through inside."""
    tensors: list[Any] = []
    structure = take_apart(result, tensors)
    return put_together(structure, [t.detach() if t.requires_grad else t for t in tensors])


class Namespace:
    """fanin, where what makes data runs outside of captures.

    outside, carried_out: how `sample` makes its tensors, and how `with_gradients` is called.
    """

    def __init__(self, module: types.ModuleType, run: Run) -> None:
        self._module, self._run = module, run
        self.__name__ = module.__name__

    @staticmethod
    def outside() -> Any:
        """Return a context in which nothing is captured."""
        return contextlib.nullcontext() if mode.capture is None else mode.capture.pause()

    def carried_out(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a function of a case returns."""
        return self._run.part(function, *args)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            found = Namespace(found, self._run)
        elif isinstance(found, types.FunctionType) and (name in GIVEN or self.__name__ == "fanin.nn.init"):
            found = outside(found)
        self.__dict__[name] = found
        return found
