"""The network of an estimator: its layers, their starting values, and what lies between them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import fanin
from fanin import nn
from fanin._core.errors import ArgumentError
from fanin.tensor.in_place import store

ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
}
INITIALIZERS = (
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "orthogonal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
)


class Network(nn.Module):
    """Linear layers, each hidden one followed by a stage: batch normalisation, activation, dropout.

    Shape: (rows, inputs) to (rows, outputs), before the output activation.
    """

    def __init__(self, widths: Sequence[int], stages: Sequence[Any], dtype: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n, m, dtype=dtype) for n, m in pairwise(widths))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Any) -> Any:
        """Return the outputs."""
        for layer, stage in zip(self.layers, self.stages, strict=False):
            x = stage(layer(x))
        return self.layers[-1](x)

    def weights(self) -> list[Any]:
        """Return the matrices of the layers."""
        return [layer.weight for layer in self.layers]

    def is_plain(self) -> bool:
        """Say whether weights and biases of the layers are all that is learned, and all that the outputs depend on."""
        return all(len(stage) == 1 for stage in self.stages) and not [*self.stages.parameters(), *self.stages.buffers()]

    def read(self, coefs: list[Any], intercepts: list[Any]) -> None:
        """Take over matrices of shape (inputs, outputs) and biases."""
        for layer, coef, intercept in zip(self.layers, coefs, intercepts, strict=True):
            store(layer.weight, np.ascontiguousarray(np.asarray(coef).T, layer.weight._array.dtype))
            store(layer.bias, np.ascontiguousarray(intercept, layer.bias._array.dtype))

    def written(self) -> tuple[list[Any], list[Any]]:
        """Return copies of the matrices, of shape (inputs, outputs), and of the biases."""
        coefs = [np.ascontiguousarray(layer.weight._array.T) for layer in self.layers]
        return coefs, [layer.bias._array.copy() for layer in self.layers]


def stage_of(activation: Any, width: int, batch_norm: bool, dropout: float, dtype: Any) -> Any:
    """Return what follows a hidden layer."""
    parts: list[Any] = [nn.BatchNorm1d(width, dtype=dtype)] if batch_norm else []
    parts.append(activation_of(activation))
    parts += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*parts).to(dtype)


def activation_of(given: Any) -> Any:
    """Return a module for a name, a module, or something that makes one when it is called."""
    if isinstance(given, str):
        return ACTIVATIONS[given]()
    if isinstance(given, nn.Module):
        return copy.deepcopy(given)  # so that training leaves the estimator's parameter alone
    made = given()
    if not isinstance(made, nn.Module):
        raise ArgumentError(f"activation: {given!r} makes a {type(made).__name__}, which is no module")
    return made


def glorot(network: Network, is_logistic: bool, draw: Any) -> None:
    """Draw starting values as scikit-learn does: weights, then biases of each layer, uniform in +-sqrt(f / (n + m)).

    f is 6, and 2 for the logistic activation (Glorot and Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, has 6 for tanh; the logistic function is a quarter as steep).
    """
    factor = 2.0 if is_logistic else 6.0
    coefs, intercepts = [], []
    for layer in network.layers:
        bound = np.sqrt(factor / (layer.in_features + layer.out_features))
        coefs.append(draw.uniform(-bound, bound, (layer.in_features, layer.out_features)))
        intercepts.append(draw.uniform(-bound, bound, layer.out_features))
    network.read(coefs, intercepts)


def initialize(network: Network, initializer: Any) -> None:
    """Fill the matrices by an initialiser of `fanin.nn.init`, its name or any function of a tensor; the biases by 0."""
    fill = getattr(nn.init, f"{initializer}_") if isinstance(initializer, str) else initializer
    for layer in network.layers:
        fill(layer.weight)
        nn.init.zeros_(layer.bias)


# Prediction -----------------------------------------------------------------------------------------------------------


def _relu(z: Any) -> None:
    np.maximum(z, 0, out=z)


def _logistic(z: Any) -> None:
    from scipy.special import expit

    expit(z, out=z)


def _tanh(z: Any) -> None:
    np.tanh(z, out=z)


def _softmax(z: Any) -> None:
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)


def _exp(z: Any) -> None:
    np.exp(z, out=z)


def _nothing(z: Any) -> None:
    return


IN_PLACE: dict[str, Callable[[Any], None]] = {
    "identity": _nothing,
    "logistic": _logistic,
    "tanh": _tanh,
    "relu": _relu,
    "softmax": _softmax,
    "exp": _exp,
}
_OF_MODULES = {nn.Identity: _nothing, nn.Sigmoid: _logistic, nn.Tanh: _tanh, nn.ReLU: _relu}


def through(stage: Any, z: Any, dtype: Any) -> Any:
    """Return what a stage of a network of some dtype makes of an array (which it may overwrite), in evaluation mode."""
    quick = _OF_MODULES.get(type(stage[0])) if len(stage) == 1 else None
    if quick is not None:
        quick(z)
        return z
    before = stage.training
    stage.eval()
    with fanin.no_grad():
        result = stage(fanin.from_numpy(z.astype(dtype, copy=False))).numpy()
    stage.train(before)
    return result
