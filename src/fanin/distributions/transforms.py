"""Invertible functions of draws, which make new distributions of known ones, and flows of networks.

With y = f(x) the density of y is that of x, divided by |det df/dx| (`log_abs_det_jacobian` is its logarithm).
"""

from fanin._core.missing import refuse
from fanin.distributions.composition import ComposeTransform, IndependentTransform, ReshapeTransform
from fanin.distributions.mappings import (
    AbsTransform,
    AffineTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
)
from fanin.distributions.transform import Transform

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "ComposeTransform",
    "ExpTransform",
    "IndependentTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]

identity_transform = ComposeTransform([])

__getattr__ = refuse("torch.distributions.transforms")
