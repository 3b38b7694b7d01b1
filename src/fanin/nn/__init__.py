"""Layers, containers, starting values and losses, under torch.nn's names."""

from fanin._core.missing import refuse
from fanin.nn import functional, init
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
from fanin.nn.batch_normalisation import BatchNorm1d, InstanceNorm1d, LazyBatchNorm1d, LazyInstanceNorm1d
from fanin.nn.containers import ModuleDict, ModuleList, Sequential
from fanin.nn.distance import CosineSimilarity, PairwiseDistance
from fanin.nn.dropout import AlphaDropout, Dropout, Dropout1d, FeatureAlphaDropout
from fanin.nn.embedding import Embedding, EmbeddingBag
from fanin.nn.linear import Bilinear, Identity, LazyLinear, Linear
from fanin.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MarginRankingLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from fanin.nn.module import Module
from fanin.nn.normalisation import GroupNorm, LayerNorm, RMSNorm
from fanin.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from fanin.nn.parameter_containers import ParameterDict, ParameterList
from fanin.nn.shaping import Flatten, Unflatten
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

__getattr__ = refuse("torch.nn")
