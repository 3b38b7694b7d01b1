"""Resilient propagation: the sign of the gradient, and a step length for each parameter."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.ops.arithmetic import greater, less, maximum, minimum, where
from fanin.ops.elementwise import sign
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate


class Rprop(Optimizer):
    r"""Resilient propagation, for whole-batch gradients.

    Each parameter has its own step length :math:`\Delta`. Where the gradient kept its sign, the length grows by
    :math:`\eta^+`; where it turned, a minimum was passed: the length shrinks by :math:`\eta^-` and the gradient counts
    as zero once.

    .. math::
        \Delta_t = \mathrm{clip}\left(\Delta_{t-1} \cdot \begin{cases} \eta^+ & g_{t-1} g_t > 0 \\
            \eta^- & g_{t-1} g_t < 0 \\ 1 & \text{else} \end{cases}\right), \qquad
        \theta_t = \theta_{t-1} - \mathrm{sign}(g_t)\, \Delta_t

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the step length at the start
        etas: :math:`(\eta^-, \eta^+)`, with :math:`0 < \eta^- < 1 < \eta^+`
        step_sizes: the smallest and the largest length
        capturable, foreach: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: a negative `lr`, or `etas` outside their domain

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: The RPROP algorithm", 1993.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = torch.optim.Rprop([w], lr=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w ** 2).sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([ -0.1000, -18.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the former gradient and the step lengths."""
        return {STEP: Scalar(), "prev": 0.0, "step_size": float(group["lr"])}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return the factors and the bounds of the step length."""
        (shrink, grow), (shortest, longest) = group["etas"], group["step_sizes"]
        return {"shrink": shrink, "grow": grow, "shortest": shortest, "longest": longest}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter, the gradient that counted, and the new step lengths."""
        length, agreement = state["step_size"], grad * state["prev"]
        turned = less(agreement, 0.0)
        longer = where(greater(agreement, 0.0), length * hyper["grow"], length)
        length = where(turned, length * hyper["shrink"], longer)
        length = minimum(maximum(length, hyper["shortest"]), hyper["longest"])
        grad = where(turned, 0.0, grad)
        return param - sign(grad) * length, {"prev": grad, "step_size": length}
