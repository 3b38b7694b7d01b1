"""L-BFGS: Newton's direction from a short memory of gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from fanin._core.errors import ArgumentConflictError, ArgumentError, OperationError
from fanin.optim.groups import Params
from fanin.optim.line_search import Trial, strong_wolfe
from fanin.optim.mistakes import check_symmetry, note_step
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate
from fanin.tensor.functions.creation import zeros
from fanin.tensor.functions.joining import cat
from fanin.tensor.grad_mode import enable_grad, no_grad


class LBFGS(Optimizer):
    r"""L-BFGS, for whole-batch losses.

    .. math:: \theta \leftarrow \theta - t\, H_k \nabla L(\theta)

    :math:`H_k` approximates the inverse Hessian from the last `history_size` pairs of steps and differences of
    gradients; it is never formed (two-loop recursion). One `step` makes up to `max_iter` such moves, and needs a
    closure, because it evaluates the loss several times.

    Args:
        params: parameters, or (name, parameter) pairs; no groups
        lr: the length of a move :math:`t` without a line search
        max_iter: moves in one step
        max_eval: evaluations of the closure in one step; None for `max_iter * 5 // 4`
        tolerance_grad: stop when no entry of the gradient is larger
        tolerance_change: stop when the parameters or the loss change less
        history_size: how many pairs are kept
        line_search_fn: None, or "strong_wolfe"

    Raises:
        ValueError: a negative rate, or more than one group
        RuntimeError: another `line_search_fn`

    Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5.

    >>> import fanin as torch
    >>> w = torch.tensor([4.0, -2.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - torch.tensor([1.0, 3.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    34.0
    >>> w
    tensor([1., 3.], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ArgumentError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Any]:
        params: list[Any] = self.param_groups[0]["params"]
        return params

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Make up to `max_iter` moves.

        Args:
            closure: clears the gradients, computes the loss, calls backward, and returns the loss

        Returns the loss before the first move.
        """
        if len(self.param_groups) != 1:
            raise ArgumentConflictError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        # PyTorch keeps the state of all parameters with the first of them.
        held = self.state[self._params[0]]
        with no_grad():
            return _Descent(self._params, self.param_groups[0], held, enable_grad()(closure)).run()


@dataclass
class _Memory:
    """What is known of the curvature; the names are those of the saved state."""

    d: Any = None  # the last direction
    t: Any = None  # how far it was followed
    old_dirs: list[Any] = field(default_factory=list)  # differences of gradients
    old_stps: list[Any] = field(default_factory=list)  # steps
    ro: list[Any] = field(default_factory=list)  # 1 / (difference . step)
    H_diag: Any = 1
    prev_flat_grad: Any = None
    prev_loss: Any = None

    @classmethod
    def of(cls, held: dict[str, Any]) -> _Memory:
        """Return what a saved state holds."""
        return cls(**{f.name: held[f.name] for f in fields(cls) if held.get(f.name) is not None})

    def save(self, held: dict[str, Any]) -> None:
        """Write everything into a state."""
        for f in fields(self):
            held[f.name] = getattr(self, f.name)

    def add(self, grad: Any, limit: int) -> None:
        """Take in the last move, unless the curvature along it is not positive."""
        difference, step = grad - self.prev_flat_grad, self.d * self.t
        curvature = difference.dot(step)
        if not curvature > 1e-10:
            return
        if len(self.old_dirs) == limit:
            for oldest in (self.old_dirs, self.old_stps, self.ro):
                oldest.pop(0)
        self.old_dirs.append(difference)
        self.old_stps.append(step)
        self.ro.append(1.0 / curvature)
        self.H_diag = curvature / difference.dot(difference)

    def direction(self, grad: Any, weights: list[Any]) -> Any:
        """Return -H grad by the two-loop recursion; `weights` takes the numbers between the loops."""
        q = -grad
        for i in reversed(range(len(self.ro))):
            weights[i] = self.old_stps[i].dot(q) * self.ro[i]
            q = q - weights[i] * self.old_dirs[i]
        r = q * self.H_diag
        for i in range(len(self.ro)):
            r = r + self.old_stps[i] * (weights[i] - self.old_dirs[i].dot(r) * self.ro[i])
        return r


class _Descent:
    """The moves of one step."""

    def __init__(
        self, params: list[Any], group: dict[str, Any], held: dict[str, Any], closure: Callable[[], Any]
    ) -> None:
        self.params = params
        self.group = group
        self.held = held
        self.closure = closure
        self.evaluations = 0
        held.setdefault("func_evals", 0)
        held.setdefault("n_iter", 0)

    def run(self) -> Any:
        first_loss = self.closure()
        self.loss, self.grad = float(first_loss), self.flat_grad()
        self.count(1)
        if self.held["func_evals"] == 1:
            check_symmetry(self.params)
        if self.is_optimal():
            return first_loss
        memory = _Memory.of(self.held)
        for iteration in range(1, self.group["max_iter"] + 1):
            if not self.move(memory, iteration == self.group["max_iter"]):
                break
        memory.save(self.held)
        return first_loss

    def move(self, memory: _Memory, is_last: bool) -> bool:
        """Follow one direction; say whether to go on."""
        self.held["n_iter"] += 1
        lr = self.group["lr"]
        if self.held["n_iter"] == 1:
            memory.d = -self.grad
            memory.t = min(1.0, 1.0 / self.grad.abs().sum()) * lr
        else:
            memory.add(self.grad, self.group["history_size"])
            weights = self.held.setdefault("al", [None] * self.group["history_size"])
            memory.d = memory.direction(self.grad, weights)
            memory.t = lr
        memory.prev_flat_grad, memory.prev_loss = self.grad, self.loss
        slope = self.grad.dot(memory.d)
        if slope > -self.group["tolerance_change"]:
            return False
        if self.group["line_search_fn"] is not None:
            self.search(memory, slope)
        else:
            self.add_to_params(memory.t, memory.d)
            if not is_last:  # with other data at the next step, the loss here would be of no use
                self.loss, self.grad = float(self.closure()), self.flat_grad()
                self.count(1)
        return not (is_last or self.is_over(memory))

    def is_over(self, memory: _Memory) -> bool:
        """Say whether the effort is spent, or more of it would change nothing."""
        smallest = self.group["tolerance_change"]
        return bool(
            self.evaluations >= self.group["max_eval"]
            or self.is_optimal()
            or (memory.d * memory.t).abs().max() <= smallest
            or abs(self.loss - memory.prev_loss) < smallest
        )

    def is_optimal(self) -> bool:
        return bool(self.grad.abs().max() <= self.group["tolerance_grad"])

    def search(self, memory: _Memory, slope: Any) -> None:
        """Find how far to go, and go there."""
        if self.group["line_search_fn"] != "strong_wolfe":
            raise OperationError("only 'strong_wolfe' is supported")
        origin = [p.clone() for p in self.params]
        direction = memory.d

        def evaluate(length: Any) -> tuple[float, Any, Any]:
            self.add_to_params(length, direction)
            loss, grad = float(self.closure()), self.flat_grad()
            for p, value in zip(self.params, origin, strict=True):
                p.copy_(value)
            return loss, grad, grad.dot(direction)

        found, tried = strong_wolfe(
            evaluate,
            memory.t,
            Trial(0, self.loss, self.grad, slope),
            direction.abs().max(),
            1e-9,
            self.group["max_eval"] - self.evaluations,
        )
        self.loss, self.grad, memory.t = found.loss, found.grad, found.length
        self.add_to_params(memory.t, direction)
        self.count(tried)

    def count(self, evaluations: int) -> None:
        self.evaluations += evaluations
        self.held["func_evals"] += evaluations

    def flat_grad(self) -> Any:
        """Return all gradients as one vector; zeros for a parameter that has none."""
        note_step(self.params)
        return cat(
            [zeros(p.numel(), dtype=p.dtype) if p._grad is None else p._grad.reshape(-1) for p in self.params], 0
        )

    def add_to_params(self, length: Any, direction: Any) -> None:
        start = 0
        for p in self.params:
            p.add_(direction[start : start + p.numel()].reshape(p.shape), alpha=length)
            start += p.numel()
