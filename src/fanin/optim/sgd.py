"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.optim.engine.memory import Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate, check_variants, decayed, require


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum where asked for.

    .. math::
        g_t &= \nabla L(\theta_{t-1}) + \lambda \theta_{t-1} \\
        b_t &= \mu b_{t-1} + (1 - \tau) g_t, \qquad b_1 = g_1 \\
        \theta_t &= \theta_{t-1} - \eta\, d_t

    with :math:`d_t = g_t` without momentum, :math:`b_t` with it, and :math:`g_t + \mu b_t` for Nesterov's. Note that
    the momentum is not averaged unless `dampening` equals it, and that the rate multiplies all of it.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        momentum: :math:`\mu`, the share of the former direction that is kept
        dampening: :math:`\tau`, the share of a new gradient that is left out of the momentum
        weight_decay: :math:`\lambda`, a penalty :math:`\frac{\lambda}{2} \|\theta\|^2`
        nesterov: look ahead along the momentum; needs momentum and no dampening
        maximize: climb instead of descend
        foreach, fused: accepted; there is one implementation
        differentiable: let gradients go through the step

    Raises:
        ValueError: a negative rate, momentum or weight decay; `nesterov` without momentum or with dampening

    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w ** 2).sum().backward()
    ...     optimizer.step()
    >>> w  # 1 - 0.1 * 2 = 0.8, then 0.8 - 0.1 * (0.5 * 2 + 1.6)
    tensor([0.5400], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        require(momentum >= 0.0, "momentum value", momentum)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_variants(foreach, fused, differentiable)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the name of the momentum."""
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars; the first gradient goes into the momentum whole."""
        return {
            "lr": group["lr"],
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
            "momentum": group["momentum"],
            "share": 1.0 if step == 1 else 1 - group["dampening"],
            "remembers": group["momentum"] != 0,
            "dampened": group["dampening"] != 0,
            "nesterov": bool(group["nesterov"]),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new momentum."""
        grad = decayed(param, grad, hyper)
        if not hyper["remembers"]:
            return param - hyper["lr"] * grad, {}
        added = hyper["share"] * grad if hyper["dampened"] else grad
        momentum = hyper["momentum"] * state["momentum_buffer"] + added
        direction = grad + hyper["momentum"] * momentum if hyper["nesterov"] else momentum
        return param - hyper["lr"] * direction, {"momentum_buffer": momentum}
