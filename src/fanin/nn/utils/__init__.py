"""What is done to the parameters of a module: limiting gradients, normalising weights, joining them into a vector."""

from fanin._core.missing import refuse
from fanin.nn.utils import fusion, parametrizations, parametrize, prune, rnn
from fanin.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from fanin.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from fanin.nn.utils.fusion import fuse_linear_bn_eval, fuse_linear_bn_weights
from fanin.nn.utils.hooked_norms import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
from fanin.nn.utils.skipping import skip_init

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
__getattr__ = refuse("torch.nn.utils")
