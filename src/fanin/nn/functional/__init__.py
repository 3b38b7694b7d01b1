"""The layers as functions, with the parameters as arguments."""

from fanin._core.missing import refuse
from fanin.nn.functional.activation import (
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    sigmoid,
    silu,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
    threshold_,
)
from fanin.nn.functional.distance import bilinear, cosine_similarity, normalize, pairwise_distance
from fanin.nn.functional.dropout import alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from fanin.nn.functional.embedding import embedding, embedding_bag, one_hot
from fanin.nn.functional.linear import linear
from fanin.nn.functional.normalisation import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from fanin.nn.functional.padding import pad
from fanin.nn.functional.softmax import gumbel_softmax, log_softmax, softmax, softmin
from fanin.nn.functional.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from fanin.nn.functional.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)

__getattr__ = refuse("torch.nn.functional")
