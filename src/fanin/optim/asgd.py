"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate, decayed, require


class ASGD(Optimizer):
    r"""Stochastic gradient descent that also averages the parameters it passes through.

    .. math::
        \eta_t &= \frac{\eta}{(1 + \lambda_d\, \eta\, t)^\alpha}, \qquad \mu_t = \frac{1}{\max(1, t - t_0)} \\
        \theta_t &= (1 - \lambda_d\, \eta_{t-1})\, \theta_{t-1} - \eta_{t-1} g_t \\
        \bar\theta_t &= \bar\theta_{t-1} + \mu_{t-1} (\theta_t - \bar\theta_{t-1})

    The average is in `optimizer.state[p]["ax"]`; until step :math:`t_0` it is the parameter itself.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        lambd: :math:`\lambda_d`, a decay of the parameters and of the rate
        alpha: :math:`\alpha`, the power with which the rate falls
        t0: :math:`t_0`, the step at which averaging begins
        weight_decay: :math:`\lambda`, added to the gradient
        foreach, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: a negative rate or weight decay

    Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control and Optimization,
    1992.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.ASGD([w], lr=0.1, t0=0)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w ** 2).sum().backward()
    ...     optimizer.step()
    >>> w, optimizer.state[w]["ax"]
    (tensor([0.6400], requires_grad=True), tensor([0.6400]))
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the rate, the weight of the average, and the average."""
        return {STEP: Scalar(), "eta": Scalar(float(group["lr"])), "mu": Scalar(1.0), "ax": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return the rate and the weight of the step that follows this one, and the decay."""
        lr = group["lr"]
        return {
            "lambd": group["lambd"],
            "next_eta": lr / (1 + group["lambd"] * lr * step) ** group["alpha"],
            "next_mu": 1 / max(1, step - group["t0"]),
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new average."""
        grad = decayed(param, grad, hyper)
        new = (1 - hyper["lambd"] * state["eta"]) * param - state["eta"] * grad
        mean = state["ax"] + state["mu"] * (new - state["ax"])
        return new, {"eta": hyper["next_eta"], "mu": hyper["next_mu"], "ax": mean}
