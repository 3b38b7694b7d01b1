"""The layers as functions, with the parameters as arguments."""

from fanin.nn.functional.activation import relu, sigmoid, tanh
from fanin.nn.functional.linear import linear

__all__ = ["linear", "relu", "sigmoid", "tanh"]
