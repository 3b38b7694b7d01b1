"""What is done to the parameters of a module as a whole: limiting gradients, joining parameters into a vector."""

from fanin._core.missing import refuse
from fanin.nn.utils import rnn
from fanin.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from fanin.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
__getattr__ = refuse("torch.nn.utils")
