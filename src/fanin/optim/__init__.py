"""Gradient descent: PyTorch's optimisers, one file for each rule, and what changes their rates and averages weights."""

from fanin._core.missing import refuse
from fanin.optim import lr_scheduler, swa_utils
from fanin.optim.adadelta import Adadelta
from fanin.optim.adafactor import Adafactor
from fanin.optim.adagrad import Adagrad
from fanin.optim.adam import Adam
from fanin.optim.adamax import Adamax
from fanin.optim.adamw import AdamW
from fanin.optim.asgd import ASGD
from fanin.optim.lbfgs import LBFGS
from fanin.optim.nadam import NAdam
from fanin.optim.optimizer import Optimizer
from fanin.optim.radam import RAdam
from fanin.optim.rmsprop import RMSprop
from fanin.optim.rprop import Rprop
from fanin.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "swa_utils",
]

__getattr__ = refuse("torch.optim")
