"""Adadelta: steps in the parameter's own unit."""

from __future__ import annotations

from typing import Any

from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate, decayed, require


class Adadelta(Optimizer):
    r"""Adadelta.

    .. math::
        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2 \\
        \Delta_t &= \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}}\, g_t \\
        u_t &= \rho u_{t-1} + (1 - \rho) \Delta_t^2 \\
        \theta_t &= \theta_{t-1} - \eta \Delta_t

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: :math:`\eta`, a factor on the step; 1 is the paper's rule
        rho: :math:`\rho` in [0, 1], how much of the mean squares is kept
        eps: :math:`\epsilon`, starts the steps and keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        foreach, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv 1212.5701, algorithm 1.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.Adadelta([w], eps=0.01)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w  # 1 - 2 * sqrt(0.01) / sqrt(0.1 * 4 + 0.01)
    tensor([0.6877], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        require(0.0 <= rho <= 1.0, "rho value", rho)
        require(eps >= 0.0, "epsilon value", eps)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the mean squares, of gradients and of steps."""
        return {STEP: Scalar(), "square_avg": 0.0, "acc_delta": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars."""
        return {
            "lr": group["lr"],
            "rho": group["rho"],
            "one_minus_rho": 1 - group["rho"],
            "eps": group["eps"],
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new mean squares."""
        rho, eps = hyper["rho"], hyper["eps"]
        grad = decayed(param, grad, hyper)
        square = rho * state["square_avg"] + hyper["one_minus_rho"] * grad * grad
        delta = sqrt(state["acc_delta"] + eps) / sqrt(square + eps) * grad
        accumulated = rho * state["acc_delta"] + hyper["one_minus_rho"] * delta * delta
        return param - hyper["lr"] * delta, {"square_avg": square, "acc_delta": accumulated}
