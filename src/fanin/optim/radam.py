"""RAdam: Adam that waits until its second moment can be trusted."""

from __future__ import annotations

import math
from typing import Any

from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average, check_betas, check_rate, decayed, require


class RAdam(Optimizer):
    r"""Rectified Adam.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \qquad
            \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}} \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 - \beta_1^t}\, m_t \cdot \begin{cases}
            r_t \sqrt{1 - \beta_2^t} / (\sqrt{v_t} + \epsilon) & \rho_t > 5 \\ 1 & \text{else} \end{cases}

    In the first steps :math:`v_t` is an average of too few squares, so the step is that of momentum alone.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        betas: :math:`(\beta_1, \beta_2)`, both in [0, 1)
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        decoupled_weight_decay: shrink the parameters by :math:`1 - \eta\lambda` instead, as `AdamW` does
        foreach, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", arXiv 1908.03265, algorithm 2.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.RAdam([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the moments."""
        return {STEP: Scalar(), "exp_avg": 0.0, "exp_avg_sq": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars.

        The first steps differ from the later ones by numbers alone: `root_weight` and `offset` make the divisor 1.
        """
        beta1, beta2 = group["betas"]
        rectification = _rectification(beta2, step)
        later = rectification > 0
        step_size = group["lr"] / (1 - beta1**step)
        return {
            "step_size": step_size * rectification * (1 - beta2**step) ** 0.5 if later else step_size,
            "root_weight": 1.0 if later else 0.0,
            "offset": group["eps"] if later else 1.0,
            "one_minus_beta1": 1 - beta1,
            "beta2": beta2,
            "one_minus_beta2": 1 - beta2,
            "long_memory": bool(beta1 > 0.5),
            "decoupled": bool(group["decoupled_weight_decay"]),
            "shrink": 1 - group["lr"] * group["weight_decay"],
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new moments."""
        if not hyper["decoupled"]:
            grad = decayed(param, grad, hyper)
        elif hyper["decays"]:
            param = param * hyper["shrink"]
        m = average(state["exp_avg"], grad, hyper["one_minus_beta1"], hyper["long_memory"])
        v = hyper["beta2"] * state["exp_avg_sq"] + hyper["one_minus_beta2"] * grad * grad
        scale = hyper["root_weight"] * sqrt(v) + hyper["offset"]
        return param - hyper["step_size"] * m / scale, {"exp_avg": m, "exp_avg_sq": v}


def _rectification(beta2: float, step: int) -> float:
    """Return r_t, 0 where the second moment cannot be trusted yet."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    if not length > 5:
        return 0.0
    ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return math.sqrt(ratio)
