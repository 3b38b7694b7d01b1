"""The network that a table is learned with: a factor per input, hidden layers, a head that starts at zero.

Embedded categories are looked up and put beside the numbers. The head starts at zero, so that the first guess is the
mean of the target (or equal odds) whatever the hidden layers hold, and the loss never starts far off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin import Tensor, nn
from fanin._core.errors import ArgumentError
from fanin.tabular.columns import Encoded, LevelPlan, Plan, smooth_clip

ACTIVATIONS = {"relu": nn.ReLU, "selu": nn.SELU, "silu": nn.SiLU, "mish": nn.Mish, "gelu": nn.GELU, "tanh": nn.Tanh}
PREDICTION_BATCH = 4096


@dataclass(frozen=True)
class Architecture:
    """Everything that the network's shape depends on."""

    numbers: int
    levels: tuple[int, ...]
    outputs: int
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    embedding: int = 8

    @property
    def inputs(self) -> int:
        """How many numbers reach the first hidden layer."""
        return self.numbers + self.embedding * len(self.levels)


def plan_inputs(plans: Sequence[Plan]) -> tuple[int, tuple[int, ...]]:
    """How many numbers the plans encode to, and how many indices (0 included) each embedded column has."""
    numbers = sum(plan.width for plan in plans)
    levels = tuple(len(plan.levels) + 1 for plan in plans if isinstance(plan, LevelPlan) and plan.embedded)
    return numbers, levels


class TableNetwork(nn.Module):
    """Numbers (N, numbers) and level indices (N, embedded columns) to outputs (N, outputs)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        if architecture.activation not in ACTIVATIONS:
            raise ArgumentError(f"no activation {architecture.activation!r}; there are {', '.join(ACTIVATIONS)}")
        self.architecture = architecture
        # Index 0, a missing or unknown level, stays a vector of zeros: padding takes no gradient.
        self.embeddings = nn.ModuleList(
            nn.Embedding(count, architecture.embedding, padding_idx=0) for count in architecture.levels
        )
        self.scale = nn.Parameter(fanin.ones(architecture.inputs))
        self.hidden = nn.Sequential(*_hidden_layers(architecture))
        self.head = nn.Linear(architecture.hidden[-1], architecture.outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return the outputs (N, outputs): logits, or the standardised target."""
        vectors = [embedding(codes[:, position]) for position, embedding in enumerate(self.embeddings)]
        inputs = fanin.cat([numbers, *vectors], dim=1) if vectors else numbers
        outputs: Tensor = self.head(self.hidden(inputs * self.scale))
        return outputs

    def weight_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())


def _hidden_layers(architecture: Architecture) -> list[nn.Module]:
    layers: list[nn.Module] = []
    width = architecture.inputs
    for size in architecture.hidden:
        linear = nn.Linear(width, size)
        # SELU keeps mean 0 and variance 1 only with Var w = 1 / fan_in (Klambauer et al. 2017); the others halve it.
        nn.init.kaiming_normal_(linear.weight, nonlinearity="linear" if architecture.activation == "selu" else "relu")
        nn.init.uniform_(linear.bias, -0.5, 0.5)
        layers += [linear, ACTIVATIONS[architecture.activation]()]
        layers += [nn.Dropout(architecture.dropout)] if architecture.dropout else []
        width = size
    return layers


def as_tensors(encoded: Encoded) -> tuple[Tensor, Tensor]:
    """Return the inputs of the network: numbers bent by `smooth_clip`, and level indices."""
    return fanin.from_numpy(smooth_clip(encoded.numbers)), fanin.from_numpy(encoded.codes)


def outputs_of(network: TableNetwork, numbers: Tensor, codes: Tensor) -> NDArray[np.float32]:
    """Return the network's outputs as it predicts (no dropout), a few thousand rows at a time to bound memory."""
    was_training = network.training
    network.eval()
    with fanin.no_grad():
        parts = [
            network(numbers[start : start + PREDICTION_BATCH], codes[start : start + PREDICTION_BATCH]).numpy()
            for start in range(0, len(numbers), PREDICTION_BATCH)
        ]
    network.train(was_training)
    return np.concatenate(parts)
