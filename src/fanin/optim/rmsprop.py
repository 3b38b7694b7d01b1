"""RMSprop: the gradient over the root of its mean square."""

from __future__ import annotations

from typing import Any

from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average, check_rate, decayed, require


class RMSprop(Optimizer):
    r"""RMSprop.

    .. math::
        v_t &= \alpha v_{t-1} + (1 - \alpha) g_t^2 \\
        b_t &= \mu b_{t-1} + \frac{g_t}{\sqrt{v_t} + \epsilon} \\
        \theta_t &= \theta_{t-1} - \eta\, b_t

    Centred, an average :math:`a_t = \alpha a_{t-1} + (1 - \alpha) g_t` makes it the standard deviation: the root is
    that of :math:`v_t - a_t^2`. Mind that :math:`\epsilon` is added after the root is taken.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        alpha: :math:`\alpha`, how much of the mean square is kept
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        momentum: :math:`\mu`
        centered: divide by the standard deviation of the gradient
        capturable, foreach: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Hinton, Srivastava and Swersky, "Neural Networks for Machine Learning", lecture 6e, 2012; Graves, "Generating
    Sequences With Recurrent Neural Networks", arXiv 1308.0850, for the centred form.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([w], lr=0.05)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([  0.5000, -19.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        require(eps >= 0.0, "epsilon value", eps)
        require(momentum >= 0.0, "momentum value", momentum)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        require(alpha >= 0.0, "alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the averages, and of the momentum."""
        starts: dict[str, Start] = {STEP: Scalar(), "square_avg": 0.0}
        if group["momentum"] > 0:
            starts["momentum_buffer"] = 0.0
        if group["centered"]:
            starts["grad_avg"] = 0.0
        return starts

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars."""
        return {
            "lr": group["lr"],
            "alpha": group["alpha"],
            "one_minus_alpha": 1 - group["alpha"],
            "eps": group["eps"],
            "momentum": group["momentum"],
            "long_memory": group["alpha"] > 0.5,
            "centered": bool(group["centered"]),
            "remembers": group["momentum"] > 0,
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new averages."""
        grad = decayed(param, grad, hyper)
        square = hyper["alpha"] * state["square_avg"] + hyper["one_minus_alpha"] * grad * grad
        new = {"square_avg": square}
        if hyper["centered"]:
            mean = new["grad_avg"] = average(state["grad_avg"], grad, hyper["one_minus_alpha"], hyper["long_memory"])
            square = square - mean * mean
        scale = sqrt(square) + hyper["eps"]
        if not hyper["remembers"]:
            return param - hyper["lr"] * grad / scale, new
        momentum = new["momentum_buffer"] = hyper["momentum"] * state["momentum_buffer"] + grad / scale
        return param - hyper["lr"] * momentum, new
