"""AdamW: Adam with the weight decay beside it."""

from __future__ import annotations

from typing import Any

from fanin.optim.adam import Adam
from fanin.optim.groups import Params


class AdamW(Adam):
    r"""Adam whose weight decay shrinks the parameters, and does not go through the moments.

    .. math::
        \theta_t = (1 - \eta\lambda)\, \theta_{t-1} - \frac{\eta}{1 - \beta_1^t}\,
            \frac{m_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}

    with the moments :math:`m_t` and :math:`v_t` of the gradient without a penalty. In `Adam`, parameters with large
    gradients are decayed less; here all are decayed alike.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: the learning rate :math:`\eta`
        betas: :math:`(\beta_1, \beta_2)`, both in [0, 1)
        eps: :math:`\epsilon`, keeps the quotient finite
        weight_decay: :math:`\lambda`
        amsgrad: divide by the largest :math:`v` so far
        maximize: climb instead of descend
        foreach, fused, capturable: accepted; there is one implementation
        differentiable: let gradients go through the step

    Raises:
        ValueError: an argument outside its domain

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101, algorithm 2.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w  # 0.95 * 1 - 0.1
    tensor([0.8500], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
