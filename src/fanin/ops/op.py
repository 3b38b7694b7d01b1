"""The record of an operation, and the register of all records.

An operation is pure. Its derivative is written with operations and operators, and so runs on whatever it is given:
on NumPy arrays (an ordinary backward pass, no tape), on tensors (a gradient that has a graph of its own), or on the
symbols of a compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fanin._core.errors import GraphError

Vjp = Callable[..., Any]


@dataclass(frozen=True)
class Spec:
    """Shape and dtype of a value that need not exist yet."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return the Spec of an array; Python numbers stand for themselves."""
        return cls(value.shape, value.dtype) if isinstance(value, (np.ndarray, np.generic)) else value


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One row of the table.

    name:      unique name of the operation.
    evaluate:  evaluate(*arrays, **attrs) -> array.
    infer:     infer(*specs, **attrs) -> Spec; the shape and dtype rule. It raises ShapeError or DtypeError.
    vjps:      for each input the function (grad, out, *inputs, **attrs) -> gradient of that input, or None where
               there is no derivative. One function for each input, so that a gradient nobody asked for costs nothing.
    vjp_each:  for operations of any number of inputs (cat): (i, grad, out, *inputs, **attrs) -> gradient of input i.
    reads:     the inputs whose values (not only shapes) the derivatives read; None stands for all of them.
    reads_out: whether the derivatives read the result.
    reads_by:  for each input what its own derivative reads, where that is less: numbers of inputs, -1 for the result.
               x * 2 reads nothing of x, and w * x nothing of w unless x has a gradient, too.
    promote:   promote(inputs) -> inputs, brings arrays to the dtype the operation works in; None when they are used
               as they come.
    view:      whether the result may share memory with the first input.
    grad_name: PyTorch's name of the backward node, as printed in `grad_fn=<...>`.
    """

    name: str
    evaluate: Callable[..., Any]
    infer: Callable[..., Spec]
    vjps: tuple[Vjp | None, ...] = ()
    vjp_each: Vjp | None = None
    reads: tuple[int, ...] | None = ()
    reads_out: bool = False
    reads_by: tuple[tuple[int, ...], ...] = ()
    promote: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
    view: bool = False
    grad_name: str = ""
    differentiable: bool = field(init=False, default=False)
    reads_of: tuple[tuple[int, ...], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "differentiable", self.vjp_each is not None or any(self.vjps))
        if self.reads_by:
            object.__setattr__(self, "reads_of", tuple(self._read_by(m) for m in range(2 ** len(self.reads_by))))
        if not self.grad_name:
            camel = "".join(part.capitalize() for part in self.name.split("_"))
            object.__setattr__(self, "grad_name", f"{camel}Backward0")

    def _read_by(self, wanted: int) -> tuple[int, ...]:
        """Return what the derivatives read when those of the inputs in a bit mask are wanted."""
        read = {r for i, reads in enumerate(self.reads_by) if wanted >> i & 1 for r in reads}
        return tuple(sorted(read))

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Apply to arrays at once, or hand over to the tensors or symbols among the inputs."""
        if inputs[0].__class__ is not np.ndarray:
            for value in inputs:
                apply = getattr(value, "_apply_operation", None)
                if apply is not None:
                    return apply(self, inputs, attrs)
        return self.evaluate(*inputs, **attrs)

    def vjp(self, index: int, grad: Any, out: Any, inputs: tuple[Any, ...] | list[Any], attrs: dict[str, Any]) -> Any:
        """Return the gradient of one input."""
        if self.vjp_each is not None:
            return self.vjp_each(index, grad, out, *inputs, **attrs)
        rule = self.vjps[index] if index < len(self.vjps) else None
        if rule is None:
            raise GraphError(f"the derivative of {self.name} with respect to its input {index} is not defined")
        return rule(grad, out, *inputs, **attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_TABLE: dict[str, Op] = {}


def define(name: str, evaluate: Callable[..., Any], infer: Callable[..., Spec], **record: Any) -> Op:
    """Enter an operation in the table and return its record."""
    if name in _TABLE:
        raise ValueError(f"operation {name!r} is defined twice")
    op = _TABLE[name] = Op(name, evaluate, infer, **record)
    return op


def table() -> Iterator[Op]:
    """Iterate over all records, in the order of their definition."""
    return iter(_TABLE.values())


def get(name: str) -> Op:
    """Return the record with this name."""
    return _TABLE[name]
