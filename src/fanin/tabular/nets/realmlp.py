"""RealMLP: a multilayer perceptron with the details that made it good on tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fanin
from fanin import nn
from fanin.tabular.nets.activation import ParametricActivation
from fanin.tabular.nets.front import Front, FrontScale, Inputs
from fanin.tabular.nets.linear import NTKLinear
from fanin.tabular.nets.noise import FadingDropout


class RealMLP(nn.Module):
    """Embeddings, a factor for each input, hidden layers of NTK linear, parametric activation, dropout; linear head.

    Args:
        inputs: what a row has.
        outputs: logits, or numbers.
        hidden: the widths of the hidden layers.
        activation: "selu" for classes, "mish" for numbers.
        dropout: the probability at full strength.
        periodic: whether numbers have a periodic embedding.

    Shape: the parts of `inputs`, (rows, ...) each, to (rows, outputs).

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular
    data", arXiv 2407.04491.

    >>> import fanin as torch
    >>> network = RealMLP(Inputs(3, 2), 4, hidden=(8, 8))
    >>> network(torch.zeros(5, 3), torch.zeros(5, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        hidden: Sequence[int] = (256, 256, 256),
        activation: str = "selu",
        dropout: float = 0.15,
        periodic: bool = True,
    ) -> None:
        super().__init__()
        self.front = Front(inputs, periodic)
        self.front_scale = FrontScale(self.front.width)
        self.strength = nn.Parameter(fanin.tensor(1.0)) if dropout else None
        layers: list[Any] = []
        width = self.front.width
        for size in hidden:
            layers += [NTKLinear(width, size), ParametricActivation(size, activation)]
            layers += [FadingDropout(dropout, self.strength)] if dropout else []
            width = size
        self.hidden = nn.Sequential(*layers)
        self.head = NTKLinear(width, outputs)

    def forward(self, *parts: Any) -> Any:
        """Return the outputs."""
        return self.head(self.hidden(self.front_scale(self.front(*parts))))

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters by how fast they learn: `rate` and `decay` are factors of the network's own."""
        linears = [layer for layer in (*self.hidden, self.head) if isinstance(layer, NTKLinear)]
        activations = [layer for layer in self.hidden if isinstance(layer, ParametricActivation)]
        weights = [layer.weight for layer in linears]
        levels = [] if self.front.levels is None else [self.front.levels.weight]
        groups = [
            {"params": weights + levels, "rate": 1.0, "decay": 1.0},
            {"params": [layer.bias for layer in linears], "rate": 0.1, "decay": 0.0},
            {"params": [self.front_scale.scale], "rate": 6.0, "decay": 1.0},
            {"params": [layer.alpha for layer in activations], "rate": 0.1, "decay": 1.0},
            {"params": list(self.front.embeddings()), "rate": 0.1, "decay": 1.0},
        ]
        return [group for group in groups if group["params"]]
