"""Data-dependent initialisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin.tabular.nets.linear import NTKLinear
from fanin.tabular.nets.realmlp import RealMLP
from fanin.training.threads import product_threads

ROWS = 2048  # that deviations are measured on
POINTS = 5  # rows that a bias is made of


def start_from_data(network: RealMLP, parts: Sequence[Any]) -> None:
    r"""Set weights and biases of the linear layers, one after the other, by what training rows bring to them.

    A unit's weights, drawn from N(0, 1), are divided by the standard deviation of its output, which so becomes 1; a
    unit that is constant keeps them. Its bias is minus a mean of its output at 5 random rows, with weights from a flat
    distribution over the simplex: the unit's kink lies amid the data.

    Args:
        network: as it was made; changed in place, with the default generator's numbers.
        parts: what the network is called with, of all training rows.

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default", arXiv 2407.04491, appendix A; I. Steinwart, "A
    sober look at neural network initializations", arXiv 1903.11482, for the biases.

    >>> import fanin as torch
    >>> from fanin.tabular.nets import Inputs
    >>> _ = torch.manual_seed(0)
    >>> network, x = RealMLP(Inputs(3, 0), 2, hidden=(8,), dropout=0), torch.randn(50, 3)
    >>> start_from_data(network, [x])
    >>> bool((network(x).std(0, correction=0) - 1).abs().max() < 1e-4)
    True
    """
    count = len(parts[0])
    chosen = fanin.randperm(count)[:ROWS]
    rows = [part[chosen] for part in parts]
    training = network.training
    network.eval()
    # One thread: with more, a product's rounding depends on their number.
    with fanin.no_grad(), product_threads(1):
        x = network.front_scale(network.front(*rows))
        for layer in (*network.hidden, network.head):
            if isinstance(layer, NTKLinear):
                _start(layer, x)
            x = layer(x)
    network.train(training)


def _start(layer: NTKLinear, x: Any) -> None:
    output = ((x @ layer.weight) * layer.scale).numpy()
    deviation = output.std(axis=0, dtype=np.float64)
    factor = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 1.0).astype(np.float32)
    layer.weight.data = layer.weight.detach() * fanin.from_numpy(factor)
    layer.bias.data = fanin.from_numpy(-_amid(output * factor))


def _amid(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each column a random weighted mean of a few of its entries."""
    rows, units = output.shape
    chosen = fanin.randint(0, rows, (POINTS, units)).numpy()
    weights = -np.log1p(-fanin.rand(POINTS, units, dtype=fanin.float64).numpy())
    weights /= weights.sum(axis=0)
    mean: NDArray[np.float32] = (weights * output[chosen, np.arange(units)]).sum(axis=0).astype(np.float32)
    return mean
