"""Containers, where PyTorch keeps them."""

from fanin.nn.containers import ModuleDict, ModuleList, Sequential
from fanin.nn.parameter_containers import ParameterDict, ParameterList

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
