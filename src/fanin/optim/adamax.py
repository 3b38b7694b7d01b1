"""Adamax: Adam with the largest gradient in place of the second moment."""

from __future__ import annotations

from typing import Any

from fanin.ops.arithmetic import maximum
from fanin.ops.elementwise import absolute
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average, check_betas, check_rate, decayed, require


class Adamax(Optimizer):
    r"""Adam with a decaying maximum in place of the second moment.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        u_t &= \max(\beta_2 u_{t-1}, |g_t| + \epsilon) \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 - \beta_1^t}\, \frac{m_t}{u_t}

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        betas: :math:`(\beta_1, \beta_2)`, both in [0, 1)
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        foreach, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, algorithm 2.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = torch.optim.Adamax([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([  0.9000, -19.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        require(eps >= 0.0, "epsilon value", eps)
        check_betas(betas)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the average and the maximum."""
        return {STEP: Scalar(), "exp_avg": 0.0, "exp_inf": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars."""
        beta1, beta2 = group["betas"]
        return {
            "step_size": group["lr"] / (1 - beta1**step),
            "eps": group["eps"],
            "one_minus_beta1": 1 - beta1,
            "beta2": beta2,
            "long_memory": bool(beta1 > 0.5),
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter, average and maximum."""
        grad = decayed(param, grad, hyper)
        m = average(state["exp_avg"], grad, hyper["one_minus_beta1"], hyper["long_memory"])
        u = maximum(hyper["beta2"] * state["exp_inf"], absolute(grad) + hyper["eps"])
        return param - hyper["step_size"] * m / u, {"exp_avg": m, "exp_inf": u}
