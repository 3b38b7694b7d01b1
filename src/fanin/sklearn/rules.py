"""The two update rules of scikit-learn's networks, as scikit-learn writes them.

They differ from those of `fanin.optim` in small ways that show in the digits: Adam's epsilon is not corrected for the
start of the moments, and the rate is part of the velocity, so that a velocity keeps the rate it was made with.
"""

from __future__ import annotations

from typing import Any

from fanin.ops.elementwise import sqrt
from fanin.optim import Optimizer
from fanin.optim.engine.memory import STEP, Scalar, Start


class MomentumRule(Optimizer):
    """Gradient descent with a velocity: v <- mu v - eta g, then w <- w + v, or w + mu v - eta g with Nesterov's."""

    def __init__(self, params: Any, lr: float, momentum: float, nesterov: bool) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov})

    @property
    def learning_rate(self) -> float:
        """The present rate."""
        return float(self.param_groups[0]["lr"])

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the name of the velocity."""
        return {"velocity": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return the rate and the momentum."""
        return {"lr": group["lr"], "momentum": group["momentum"], "nesterov": bool(group["nesterov"])}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new velocity."""
        pull = hyper["lr"] * grad
        velocity = hyper["momentum"] * state["velocity"] - pull
        change = hyper["momentum"] * velocity - pull if hyper["nesterov"] else velocity
        return param + change, {"velocity": velocity}


class AdamRule(Optimizer):
    r"""Adam with the corrections in the rate: w <- w - eta sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, the end of section 2.
    """

    def __init__(self, params: Any, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the moments, and of the number of steps, which has to survive pickling."""
        return {STEP: Scalar(), "m": 0.0, "v": 0.0}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's rate, the coefficients and epsilon."""
        beta1, beta2 = group["betas"]
        return {
            "rate": group["lr"] * (1 - beta2**step) ** 0.5 / (1 - beta1**step),
            "beta1": beta1,
            "beta2": beta2,
            "one_minus_beta1": 1 - beta1,
            "one_minus_beta2": 1 - beta2,
            "eps": group["eps"],
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new moments."""
        m = hyper["beta1"] * state["m"] + hyper["one_minus_beta1"] * grad
        v = hyper["beta2"] * state["v"] + hyper["one_minus_beta2"] * grad * grad
        return param - hyper["rate"] * m / (sqrt(v) + hyper["eps"]), {"m": m, "v": v}


class InverseScaling:
    """A schedule by the number of rows seen, t: the rate is eta / (t + 1)^p after each epoch."""

    def __init__(self, optimizer: Any, rate: float, power: float, rows: int, seen: int) -> None:
        self.optimizer, self.rate, self.power, self.rows, self.seen = optimizer, rate, power, rows, seen

    def step(self) -> None:
        """Take note of an epoch."""
        self.seen += self.rows
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate / (self.seen + 1) ** self.power

    def state_dict(self) -> dict[str, Any]:
        """Return how many rows were seen."""
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what `state_dict` returned."""
        self.seen = state["seen"]
