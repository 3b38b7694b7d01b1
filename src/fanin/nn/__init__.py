"""Layers, containers, starting values and losses, under torch.nn's names."""

from fanin.nn import functional
from fanin.nn.activation import ReLU, Sigmoid, Tanh
from fanin.nn.containers import ModuleDict, ModuleList, Sequential
from fanin.nn.linear import Identity, Linear
from fanin.nn.module import Module
from fanin.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer",
    "Identity",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
]
