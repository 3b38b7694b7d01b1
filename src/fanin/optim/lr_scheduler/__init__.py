"""Learning rates that change as training goes on, under the names of `torch.optim.lr_scheduler`.

A scheduler writes the `lr` of each parameter group of an optimiser when it is made and at each `step()`. Call
`scheduler.step()` after `optimizer.step()`.

Most schedulers compute the next rate from the present one (`lr *= gamma`), not from the number of the step alone. So
several can drive one optimiser, and a rate that was changed by hand stays changed.
"""

from fanin.optim.lr_scheduler.base import LRScheduler, _LRScheduler
from fanin.optim.lr_scheduler.composite import ChainedScheduler, SequentialLR
from fanin.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from fanin.optim.lr_scheduler.cyclic import CyclicLR
from fanin.optim.lr_scheduler.decay import ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from fanin.optim.lr_scheduler.function import LambdaLR, MultiplicativeLR
from fanin.optim.lr_scheduler.one_cycle import OneCycleLR
from fanin.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "_LRScheduler",
]
