"""The networks of the table estimators, and the layers that they are made of."""

from fanin.tabular.nets.activation import ParametricActivation
from fanin.tabular.nets.front import Front, FrontScale, Inputs
from fanin.tabular.nets.levels import LevelEmbedding
from fanin.tabular.nets.linear import NTKLinear
from fanin.tabular.nets.members import MemberHead, MemberLinear
from fanin.tabular.nets.noise import FadingDropout
from fanin.tabular.nets.periodic import PeriodicEmbedding
from fanin.tabular.nets.realmlp import RealMLP
from fanin.tabular.nets.start import start_from_data
from fanin.tabular.nets.tabm import TabM

__all__ = [
    "FadingDropout",
    "Front",
    "FrontScale",
    "Inputs",
    "LevelEmbedding",
    "MemberHead",
    "MemberLinear",
    "NTKLinear",
    "ParametricActivation",
    "PeriodicEmbedding",
    "RealMLP",
    "TabM",
    "start_from_data",
]
