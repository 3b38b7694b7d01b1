"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average, check_betas, check_rate, decayed, require, stored


class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum, whose coefficient grows over time.

    .. math::
        \mu_t &= \beta_1 \left(1 - \tfrac12\, 0.96^{t \psi}\right) \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} \left(
            \frac{1 - \mu_t}{1 - \prod_{i \le t} \mu_i}\, g_t
            + \frac{\mu_{t+1}}{1 - \prod_{i \le t+1} \mu_i}\, m_t \right)

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        betas: :math:`(\beta_1, \beta_2)`, both in [0, 1)
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        momentum_decay: :math:`\psi`, how fast :math:`\mu_t` comes to :math:`\beta_1`
        decoupled_weight_decay: shrink the parameters by :math:`1 - \eta\lambda` instead, as `AdamW` does
        foreach, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop 2016.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.NAdam([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8944], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        require(momentum_decay >= 0.0, "momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the moments, and of the product of all momentum coefficients so far."""
        return {STEP: Scalar(), "mu_product": Scalar(1.0), "exp_avg": 0.0, "exp_avg_sq": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars: the momentum coefficients of this step and the next."""
        beta1, beta2 = group["betas"]
        momentum_decay = group["momentum_decay"]
        return {
            "lr": group["lr"],
            "mu": beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay)),
            "next_mu": beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * momentum_decay)),
            "correction2": 1 - beta2**step,
            "eps": group["eps"],
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
        """Return the new parameter, the new moments and the new product."""
        if not hyper["decoupled"]:
            grad = decayed(param, grad, hyper)
        elif hyper["decays"]:
            param = param * hyper["shrink"]
        m = average(state["exp_avg"], grad, hyper["one_minus_beta1"], hyper["long_memory"])
        v = hyper["beta2"] * state["exp_avg_sq"] + hyper["one_minus_beta2"] * grad * grad
        product = stored(state["mu_product"] * stored(hyper["mu"]))
        scale = sqrt(v / hyper["correction2"]) + hyper["eps"]
        param = param - hyper["lr"] * (1.0 - hyper["mu"]) / (1.0 - product) * grad / scale
        param = param - hyper["lr"] * hyper["next_mu"] / (1.0 - product * hyper["next_mu"]) * m / scale
        return param, {"mu_product": product, "exp_avg": m, "exp_avg_sq": v}
