"""Adam: moments of the gradient, corrected for their start at zero."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.ops.arithmetic import maximum
from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average, check_betas, check_rate, check_variants, decayed, require
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.shaping import reshape


class Adam(Optimizer):
    r"""Adam.

    .. math::
        g_t &= \nabla L(\theta_{t-1}) + \lambda \theta_{t-1} \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 - \beta_1^t}\,
            \frac{m_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}

    Both moments start at zero and are too small at first: by the factors :math:`1 - \beta^t`, which the step divides
    out. So the first step is :math:`\eta\, \mathrm{sign}(g)`; without the correction it would be
    :math:`(1 - \beta_1) / \sqrt{1 - \beta_2} \approx 3` times as long.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        betas: :math:`(\beta_1, \beta_2)`, both in [0, 1)
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`, added to the gradient
        amsgrad: divide by the largest :math:`v` so far
        foreach, fused, capturable: accepted; there is one implementation
        maximize: climb instead of descend
        differentiable: let gradients go through the step
        decoupled_weight_decay: shrink the parameters by :math:`1 - \eta\lambda` instead, as `AdamW` does

    Raises:
        ValueError: an argument outside its domain

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, algorithm 1; Reddi et al., "On the
    Convergence of Adam and Beyond", ICLR 2018, for amsgrad.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([  0.9000, -19.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        strict = bool(foreach) and not capturable
        _check_tensor(lr, "lr", strict)
        check_rate(lr)
        require(eps >= 0.0, "epsilon value", eps)
        check_betas(betas)
        require(weight_decay >= 0.0, "weight_decay value", weight_decay)
        if not all(isinstance(b, float) for b in betas) and not all(isinstance(b, TensorBase) for b in betas):
            raise ArgumentError("betas must be either both floats or both Tensors")
        for i in (0, 1):
            _check_tensor(betas[i], f"betas[{i}]", strict)
        defaults = {
            "lr": lr,
            "betas": tuple(reshape(b, ()) if isinstance(b, TensorBase) else b for b in betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_variants(foreach, fused, differentiable)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the moments."""
        moments: dict[str, Start] = {STEP: Scalar(), "exp_avg": 0.0, "exp_avg_sq": 0.0}
        return {**moments, "max_exp_avg_sq": 0.0} if group["amsgrad"] else moments

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars: the rate and the corrections of both moments."""
        beta1, beta2 = group["betas"]
        lr, weight_decay = group["lr"], group["weight_decay"]
        return {
            "step_size": lr / (1 - beta1**step),
            "root_correction": (1 - beta2**step) ** 0.5,
            "eps": group["eps"],
            "one_minus_beta1": 1 - beta1,
            "beta2": beta2,
            "one_minus_beta2": 1 - beta2,
            "long_memory": bool(beta1 > 0.5),
            "amsgrad": bool(group["amsgrad"]),
            "decoupled": bool(group["decoupled_weight_decay"]),
            "shrink": 1 - lr * weight_decay,
            "weight_decay": weight_decay,
            "decays": bool(weight_decay != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new moments."""
        if not hyper["decoupled"]:
            grad = decayed(param, grad, hyper)
        elif hyper["decays"]:
            param = param * hyper["shrink"]
        m = average(state["exp_avg"], grad, hyper["one_minus_beta1"], hyper["long_memory"])
        v = hyper["beta2"] * state["exp_avg_sq"] + hyper["one_minus_beta2"] * grad * grad
        new = {"exp_avg": m, "exp_avg_sq": v}
        if hyper["amsgrad"]:
            v = new["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        scale = sqrt(v) / hyper["root_correction"] + hyper["eps"]
        return param - hyper["step_size"] * m / scale, new


def _check_tensor(value: Any, name: str, strict: bool) -> None:
    """Raise where PyTorch does not take a tensor as a rate or coefficient."""
    if not isinstance(value, TensorBase):
        return
    if strict:
        raise ArgumentError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
    if value._array.size != 1:
        raise ArgumentError(f"Tensor {name} must be 1-element")
