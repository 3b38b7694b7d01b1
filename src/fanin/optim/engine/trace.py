"""A rule's `update` written down once, as a straight line of elementwise NumPy calls.

`trace` calls the update with symbols. Arithmetic between symbols is noted instead of computed; what comes out is a
`Program` that holds for every parameter, every dtype and every step, because the scalars of `hyper` are inputs of it.
What cannot be written down this way (a norm of the parameter, a branch on a value) raises `Untraceable`, and the update
is then called on each parameter's arrays instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fanin.ops import arithmetic, elementwise, power
from fanin.ops.op import Op
from fanin.optim.engine.symbols import Number, Ref, Symbol, Untraceable, Value

Function = Callable[..., Any]
_FLOAT, _BOOL = np.dtype(np.float32), np.dtype(np.bool_)  # stand for "the parameter's dtype" and "a mask"


@dataclass(frozen=True)
class Line:
    """One call: result = function(*operands)."""

    function: Function
    operands: tuple[Ref, ...]
    result: Ref
    mask: bool = False


@dataclass(frozen=True)
class Program:
    """An update, written down.

    arrays:  the arrays that go in, by the name of their value: "param", "grad", and one for each array of the state.
    numbers: where each host number comes from: ("hyper", name), ("state", name), ("constant", value), or ("line", call)
             for a call that is made once a step, on Python floats.
    body:    the calls that are made on arrays, in order; each result is a new value.
    outputs: the value that each array of the state gets, and the parameter under "param".
    host_outputs: the number that each scalar of the state gets.
    """

    arrays: Mapping[str, Ref]
    numbers: tuple[tuple[str, Any], ...]
    body: tuple[Line, ...]
    outputs: Mapping[str, Ref]
    host_outputs: Mapping[str, Ref]

    def host_numbers(self, hyper: Mapping[str, Any], state: Mapping[str, float]) -> list[float]:
        """Return this step's numbers, in the order of `numbers`."""
        values: list[float] = []
        for kind, key in self.numbers:
            if kind == "hyper":
                values.append(float(hyper[key]))
            elif kind == "line":
                values.append(key.function(*[values[o.index] for o in key.operands]))
            else:
                values.append(state[key] if kind == "state" else key)
        return values


def is_flag(value: Any) -> bool:
    """Say whether an entry of `hyper` is fixed for a program, rather than a number that goes in at each step."""
    return isinstance(value, (bool, np.bool_, str)) or value is None


def trace(
    update: Function, hyper: Mapping[str, Any], arrays: tuple[str, ...], scalars: tuple[str, ...], negate: bool
) -> Program:
    """Write down `update`.

    hyper:   a step's scalars and flags; of the scalars only the names are read.
    arrays:  the names of the state's arrays; scalars: the names of its numbers.
    negate:  whether the gradient goes in with its sign turned (maximize).
    """
    recorder = Recorder()
    sources = {name: recorder.array() for name in ("param", "grad", *(f"state.{name}" for name in arrays))}
    state: dict[str, Any] = {name: sources[f"state.{name}"] for name in arrays}
    state.update((name, recorder.number("state", name)) for name in scalars)
    given = {name: v if is_flag(v) else recorder.number("hyper", name) for name, v in hyper.items()}
    grad = -sources["grad"] if negate else sources["grad"]
    try:
        param, new = update(sources["param"], grad, state, given)
        return recorder.program(sources, {"param": param, **_changed(state, new)}, scalars)
    except Untraceable:
        raise
    except Exception as error:
        # Whatever the update does that symbols cannot follow, arrays can; and a mistake in it shows there, too.
        raise Untraceable(str(error)) from error


def _changed(state: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(new) - set(state)
    if unknown:
        raise Untraceable(f"update returned state that was not declared: {sorted(unknown)}")
    return {name: value for name, value in new.items() if value is not state[name]}


class Recorder:
    """Notes the calls, and numbers the values."""

    def __init__(self) -> None:
        self.numbers: list[tuple[str, Any]] = []
        self.body: list[Line] = []
        self.values = 0

    def array(self, dtype: np.dtype[Any] = _FLOAT) -> Value:
        """Return a new value of the parameter's shape."""
        self.values += 1
        return Value(self, Ref(self.values - 1), dtype)

    def number(self, kind: str, key: Any) -> Number:
        """Return a number that is known at each step."""
        self.numbers.append((kind, key))
        return Number(self, Ref(len(self.numbers) - 1, host=True))

    def call(self, function: Function, *inputs: Any) -> Any:
        """Note one elementwise call; on numbers alone it is made once a step, on the host."""
        if not any(isinstance(x, Value) for x in inputs):
            operands = tuple(map(self.ref, inputs))
            return self.number("line", Line(_on_floats(function), operands, Ref(len(self.numbers), host=True)))
        probes = [np.ones(1, x.dtype) if isinstance(x, Value) else 1.0 for x in inputs]
        result = self.array(_BOOL if function(*probes).dtype == _BOOL else _FLOAT)
        self.body.append(Line(function, tuple(map(self.ref, inputs)), result.ref, result.dtype == _BOOL))
        return result

    def operation(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Note an operation of the table, which must be elementwise."""
        lowered = _LOWERED.get(op.name)
        if lowered is not None:
            return lowered(self, *inputs, **attrs)
        function = op.evaluate
        if attrs or not isinstance(function, np.ufunc) or function.signature is not None or function.nout != 1:
            raise Untraceable(f"{op.name} is not elementwise")
        return self.call(function, *inputs)

    def ref(self, value: Any) -> Ref:
        """Return where an operand is found; a plain number becomes a constant."""
        if isinstance(value, Symbol):
            return value.ref
        if isinstance(value, (int, float, np.floating, np.integer)):
            return self.number("constant", float(value)).ref
        raise Untraceable(f"{type(value).__name__} among the operands of an update")

    def program(self, sources: Mapping[str, Value], outputs: Mapping[str, Any], scalars: tuple[str, ...]) -> Program:
        """Return what was noted."""
        arrays = {name.removeprefix("state."): value for name, value in sources.items()}
        host_outputs = {name: self.ref(outputs[name]) for name in scalars if name in outputs}
        results = {name: v for name, v in outputs.items() if name not in host_outputs and v is not arrays.get(name)}
        if not all(ref.host for ref in host_outputs.values()):
            raise Untraceable("update returned an array for a number of the state")
        for name, value in results.items():
            if not isinstance(value, Value) or value.dtype != _FLOAT:
                raise Untraceable(f"update returned no array of the parameter's dtype as {name}")
            if value.ref.index < len(sources) or any(value is v for n, v in results.items() if n != name):
                results[name] = self.call(np.positive, value)  # so that no two outputs, and no input, are one value
        places = self._needed(host_outputs.values())
        return Program(
            {name: value.ref for name, value in arrays.items()},
            tuple(_moved(self.numbers[i], places) for i in places),
            tuple(replace(line, operands=_moved_refs(line.operands, places)) for line in self.body),
            {name: value.ref for name, value in results.items()},
            {name: _moved_refs([ref], places)[0] for name, ref in host_outputs.items()},
        )

    def _needed(self, outputs: Iterable[Ref]) -> dict[int, int]:
        """Return where each host number goes when those that nobody reads are left out."""
        needed = {ref.index for ref in outputs} | {o.index for line in self.body for o in line.operands if o.host}
        for i in reversed(range(len(self.numbers))):
            kind, key = self.numbers[i]
            if i in needed and kind == "line":
                needed.update(operand.index for operand in key.operands)
        return {i: place for place, i in enumerate(sorted(needed))}


def _moved(number: tuple[str, Any], places: Mapping[int, int]) -> tuple[str, Any]:
    kind, key = number
    return (kind, replace(key, operands=_moved_refs(key.operands, places))) if kind == "line" else number


def _moved_refs(refs: Iterable[Ref], places: Mapping[int, int]) -> tuple[Ref, ...]:
    return tuple(Ref(places[ref.index], host=True) if ref.host else ref for ref in refs)


def _on_floats(function: Function) -> Function:
    return lambda *operands: float(function(*operands))


def select(condition: Any, a: Any, b: Any, out: Any = None) -> Any:
    """Like `np.where`, into memory that is there already."""
    if out is None:
        return np.where(condition, a, b)
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
    return out


def sign(x: Any, out: Any = None) -> Any:
    """Like `np.sign`, but 0 for nan, as the operation has it."""
    out = np.sign(x, out=out)
    np.copyto(out, 0, where=np.isnan(out))
    return out


def _raise_to(recorder: Recorder, base: Any, exponent: Any) -> Any:
    # As the operation itself does on arrays.
    if exponent.__class__ in (int, float) and exponent == 2:
        return recorder.call(np.multiply, base, base)
    if exponent.__class__ in (int, float) and exponent == 0.5:
        return recorder.call(np.sqrt, base)
    return recorder.call(np.power, base, exponent)


def _clamp(recorder: Recorder, x: Any, low: Any = None, high: Any = None) -> Any:
    if low is not None:
        x = recorder.call(np.maximum, x, low)
    return x if high is None else recorder.call(np.minimum, x, high)


def _cast(recorder: Recorder, x: Any, dtype: Any) -> Any:
    if isinstance(x, Value):
        raise Untraceable("a cast of an array")
    return recorder.call(dtype.type, x)


# Operations whose evaluation is more than one NumPy function, and what they are on floats.
_LOWERED: dict[str, Function] = {
    elementwise.absolute.name: lambda recorder, x: recorder.call(np.absolute, x),
    elementwise.sign.name: lambda recorder, x: recorder.call(sign, x),
    elementwise.cast.name: _cast,
    arithmetic.where.name: lambda recorder, condition, a, b: recorder.call(select, condition, a, b),
    power.power.name: _raise_to,
    elementwise.clamp.name: _clamp,
}
