"""Adagrad: each parameter's rate falls with the squares it has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.engine.plan import scalar_dtype
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import check_rate, check_variants, decayed, require
from fanin.tensor.tape import wrap


class Adagrad(Optimizer):
    r"""Adagrad.

    .. math::
        s_t &= s_{t-1} + g_t^2 \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 + (t - 1)\, \eta_d}\, \frac{g_t}{\sqrt{s_t} + \epsilon}

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        lr_decay: :math:`\eta_d`, how the rate falls besides
        weight_decay: :math:`\lambda`, added to the gradient
        initial_accumulator_value: :math:`s_0`
        eps: :math:`\epsilon`, keeps the quotient finite
        foreach, fused: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12,
    2011.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = torch.optim.Adagrad([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([  0.9000, -19.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        require(lr_decay >= 0.0, "lr_decay value", lr_decay)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        require(initial_accumulator_value >= 0.0, "initial_accumulator_value value", initial_accumulator_value)
        require(eps >= 0.0, "epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_variants(foreach, fused, differentiable)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(p)

    def _start(self, p: Any) -> None:
        """Begin the sum before the first step, as PyTorch does here and nowhere else."""
        value = self.defaults["initial_accumulator_value"]
        self.state[p] = {STEP: wrap(np.zeros((), scalar_dtype())), "sum": wrap(np.full_like(p._array, value))}

    def share_memory(self) -> None:
        """Do nothing: processes do not share tensors here."""

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the name of the sum of squares."""
        return {STEP: Scalar(), "sum": self.defaults["initial_accumulator_value"]}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars."""
        return {
            "rate": group["lr"] / (1 + (step - 1) * group["lr_decay"]),
            "eps": group["eps"],
            "weight_decay": group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new sum."""
        grad = decayed(param, grad, hyper)
        total = state["sum"] + grad * grad
        return param - hyper["rate"] * grad / (sqrt(total) + hyper["eps"]), {"sum": total}
