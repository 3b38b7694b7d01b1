"""Adam whose rate and decay follow a schedule of their own, known before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.ops.elementwise import sqrt
from fanin.optim.engine.memory import STEP, Scalar, Start
from fanin.optim.optimizer import Optimizer
from fanin.optim.parts import average

CYCLES = 4  # of the rate, each twice as long as the one before


def waves(time: Any) -> Any:
    r"""Return the factor of the rate at `time` in [0, 1]: 1/2 (1 - cos(2 pi log2(1 + 15 t))), four waves.

    D. Holzmueller, L. Grinsztajn, I. Steinwart, arXiv 2407.04491, section 3 ("coslog4").

    >>> [round(float(waves(t)), 3) for t in (0.0, 1 / 15, 7 / 15, 1.0)]
    [0.0, 0.0, 0.0, 0.0]
    >>> round(float(waves((2**0.5 - 1) / 15)), 3)
    1.0
    """
    return 0.5 * (1 - np.cos(2 * math.pi * np.log2(1 + (2**CYCLES - 1) * time)))


def fading(time: Any) -> Any:
    """Return the factor of decay and dropout at `time` in [0, 1]: 1 for the first half, then a cosine to 0.

    >>> [round(float(fading(t)), 3) for t in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """
    late = np.clip(2 * np.asarray(time) - 1, 0, 1)
    return 0.5 * (1 + np.cos(math.pi * late))


def steady(time: Any) -> Any:
    """Return 1, whatever the time."""
    return np.ones_like(np.asarray(time, np.float64))


SCHEDULES = {"waves": waves, "fading": fading, "steady": steady}


class ScheduledAdam(Optimizer):
    r"""Adam with decoupled decay, in which rate and decay are functions of the share of the steps that are taken.

    .. math::
        \theta_t = (1 - \eta_t\lambda_t)\, \theta_{t-1} - \eta_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}, \quad
        \eta_t = \eta\, f\!\left(\tfrac{t - 1}{T}\right), \quad \lambda_t = \lambda\, g\!\left(\tfrac{t - 1}{T}\right)

    The numbers of all steps are computed at once, ahead of a compiled epoch: a scheduler that is asked after each step
    would cost more than the steps of a small network.

    A group with `holds=True` has no moments: its parameters are a number of the step itself, :math:`g(t / T)`, as
    `FadingDropout` reads it.

    Args:
        groups: dictionaries with "params", and the options in which a group differs.
        lr: the rate :math:`\eta`.
        total_steps: T.
        weight_decay: :math:`\lambda`.
        rates: the name of f: "waves", "fading" or "steady".
        decays: the name of g.
        betas, eps: as in Adam.

    Raises:
        ValueError: for another schedule, or fewer than 1 step.

    >>> import fanin as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = ScheduledAdam([{"params": [w]}], 0.1, total_steps=10, rates="steady")
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        lr: float,
        total_steps: int,
        weight_decay: float = 0.0,
        rates: str = "waves",
        decays: str = "fading",
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        for name in (rates, decays):
            if name not in SCHEDULES:
                raise ArgumentError(f"no schedule {name!r}; there are {', '.join(SCHEDULES)}")
        if total_steps < 1:
            raise ArgumentError(f"total_steps must be 1 or more, not {total_steps}")
        defaults = {
            "lr": lr,
            "total_steps": total_steps,
            "weight_decay": weight_decay,
            "rates": rates,
            "decays": decays,
            "betas": betas,
            "eps": eps,
            "holds": False,
        }
        super().__init__(list(groups), defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the moments."""
        return {} if group["holds"] else {STEP: Scalar(), "exp_avg": 0.0, "exp_avg_sq": 0.0}

    def hyper(self, group: dict[str, Any], step: Any) -> dict[str, Any]:
        """Return the scalars of a step, or of an array of steps."""
        total = group["total_steps"]
        decay = SCHEDULES[group["decays"]]
        if group["holds"]:
            return {"holds": True, "value": decay(np.minimum(step / total, 1.0))}
        beta1, beta2 = group["betas"]
        time = np.minimum((step - 1) / total, 1.0)
        rate = group["lr"] * SCHEDULES[group["rates"]](time)
        return {
            "holds": False,
            "step_size": rate / (1 - beta1**step),
            "root_correction": (1 - beta2**step) ** 0.5,
            "eps": group["eps"],
            "one_minus_beta1": 1 - beta1,
            "beta2": beta2,
            "one_minus_beta2": 1 - beta2,
            "shrink": 1 - rate * group["weight_decay"] * decay(time),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new moments."""
        if hyper["holds"]:
            return param * 0.0 + hyper["value"], {}
        m = average(state["exp_avg"], grad, hyper["one_minus_beta1"], True)
        v = hyper["beta2"] * state["exp_avg_sq"] + hyper["one_minus_beta2"] * grad * grad
        scale = sqrt(v) / hyper["root_correction"] + hyper["eps"]
        new = param * hyper["shrink"] - hyper["step_size"] * m / scale
        return new, {"exp_avg": m, "exp_avg_sq": v}
