"""Results of a captured function that have a history: their derivative runs the function again, on the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fanin.autograd.function import Function, FunctionCtx, FunctionNode, once_differentiable
from fanin.compiler.capture.structure import put_together, take_apart
from fanin.tensor.backward import grad as gradients
from fanin.tensor.base import version_counter
from fanin.tensor.grad_mode import enable_grad
from fanin.tensor.tape import wrap

if TYPE_CHECKING:
    from fanin.compiler.program import Program


class _Again(Function):
    """The results of a program; its derivative runs the target again, on the tape."""

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the tensors among the results."""
        call, *tensors = args
        ctx.call = call
        ctx.save_for_backward(*tensors)
        results = tuple(wrap(array) for array in call.outputs)
        if not all(call.tracked):
            ctx.mark_non_differentiable(*(r for r, t in zip(results, call.tracked, strict=True) if not t))
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradients of the arguments and of the parameters."""
        return (None, *ctx.call.gradients(ctx.saved_tensors, grad_outputs))


class _Call:
    """One call whose results have a history.

    args:    positional and keyword arguments, and given, the tensors among them.
    outputs: the arrays of the results, and tracked, which of these have a history.
    """

    def __init__(
        self, program: Program, args: Any, given: Sequence[Any], outputs: Sequence[Any], tracked: Sequence[bool]
    ) -> None:
        self.program, self.args, self.given = program, args, given
        self.outputs, self.tracked = outputs, tracked

    def gradients(self, saved: Sequence[Any], grad_outputs: Sequence[Any]) -> list[Any]:
        """Run the target on the tape and go back from its results."""
        count = len(self.given)
        with enable_grad():
            stand_ins = [_stand_in(t, s) for t, s in zip(self.given, saved[:count], strict=True)]
            found: list[Any] = []
            structure = take_apart(self.args, found)
            args, kwargs = put_together(structure, stand_ins)
            results: list[Any] = []
            take_apart(self.program.target(*args, **kwargs), results)
            kinds = self.program.captured.outputs
            results = [r for r, o in zip(results, kinds, strict=True) if o.kind == "result"]
            pairs = [(r, g) for r, g, t in zip(results, grad_outputs, self.tracked, strict=True) if t]
            leaves = [*stand_ins, *saved[count:]]
            wanted = [x for x in leaves if x._requires_grad]
            parts = iter(gradients([r for r, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True))
        return [next(parts) if x._requires_grad else None for x in leaves]


def _stand_in(tensor: Any, saved: Any) -> Any:
    """Return the tensor off its history; itself where it is a leaf."""
    if saved._node is None:
        return saved
    fresh = saved.detach()
    fresh.requires_grad_(tensor._requires_grad)
    return fresh


def differentiable(program: Program, given: Sequence[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the results of a program with a history, so that a backward pass goes on through them."""
    outputs = program.compute(given, program.captured.scalars.row() or ())
    computed = [o for o in program.captured.outputs if o.kind == "result"]
    arrays, tracked = [outputs[o.index] for o in computed], [o.requires_grad for o in computed]
    call = _Call(program, (args, kwargs), list(given), arrays, tracked)
    parameters = _parameters(program)
    known = {id(t) for t in given}
    results = _Again.apply(call, *given, *(p for p in parameters if id(p) not in known))
    waiting = iter(results if isinstance(results, tuple) else (results,))
    tensors = [
        next(waiting) if output.kind == "result" else program._output(output, given, outputs)
        for output in program.captured.outputs
    ]
    return put_together(program.captured.structure, tensors)


def _parameters(program: Program) -> list[Any]:
    """Return the leaves, besides the arguments, that gradients go to."""
    return [t for t, required in program.captured.required if required and t._node is None]


class History:
    """Puts the result of one prediction after the other on the tape: what `differentiable` does, prepared.

    For programs from one tensor, which requires no gradient, to one: a network that predicts outside of `no_grad`.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.parameters = tuple(_parameters(program))
        self.counters = [version_counter(p) for p in self.parameters]
        self.op = FunctionNode.op_of(_Again)
        self.needs = (False, False, *(True for _ in self.parameters))

    def of(self, x: Any, array: Any) -> Any:
        """Return the result, an array, as a tensor that knows where it came from."""
        ctx: Any = FunctionCtx(self.needs)
        ctx.call = _Call(self.program, ((x,), {}), (x,), (array,), (True,))
        ctx._saved = (x, *self.parameters)
        result = wrap(array)
        own = version_counter(x)
        stamps = [(own, own[0]), *((counter, counter[0]) for counter in self.counters)]
        FunctionNode.of(self.op, _Again, ctx, [None, None, *self.parameters], (array,), stamps).place(result, 0)
        return result
