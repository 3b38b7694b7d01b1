"""Layers, containers, starting values and losses, under torch.nn's names."""

from fanin.nn import functional
from fanin.nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardtanh,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    SiLU,
    Softplus,
    Threshold,
)
from fanin.nn.containers import ModuleDict, ModuleList, Sequential
from fanin.nn.linear import Identity, Linear
from fanin.nn.module import Module
from fanin.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from fanin.nn.softmax import GLU, LogSoftmax, Softmax, Softmax2d, Softmin
from fanin.nn.squashing import (
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    LogSigmoid,
    Sigmoid,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
)
