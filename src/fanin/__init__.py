"""fanin trains fully connected networks in PyTorch's words, by native code that is compiled when it is needed."""

from __future__ import annotations

import math as _math
from importlib import import_module as _import_module
from typing import Any as _Any

from fanin._core.missing import refuse as _refuse

__version__ = "0.1.0"

from fanin import random as random
from fanin._core.dtypes import (
    bfloat16,
    can_cast,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from fanin._core.dtypes import (
    bool_ as bool,
)
from fanin.tensor import Size, Tensor, enable_grad, inference_mode, no_grad, set_grad_enabled
from fanin.tensor import return_types as return_types
from fanin.tensor.device import device
from fanin.tensor.grad_mode import is_grad_enabled, is_inference_mode_enabled
from fanin.tensor.layout import (
    channels_last,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)

# torch's functions, as many to a line as fit.
# isort: off
# fmt: off
from fanin.tensor.functions.arithmetic import (
    add, addcdiv, addcmul, arctan2, atan2, copysign, div, divide, float_power, floor_divide, fmax, fmin, fmod, gcd,
    heaviside, hypot, lcm, ldexp, lerp, logaddexp, logaddexp2, maximum, minimum, mul, multiply, nextafter, pow,
    remainder, rsub, sub, subtract, true_divide, where, xlogy,
)
from fanin.tensor.functions.comparing import (
    allclose, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, eq, equal, ge,
    greater, greater_equal, gt, is_nonzero, is_tensor, isclose, isfinite, isinf, isnan, isneginf, isposinf, isreal, le,
    less, less_equal, logical_and, logical_not, logical_or, logical_xor, lt, ne, not_equal, signbit,
)
from fanin.tensor.functions.conversion import (
    as_strided, clone, conj, conj_physical, detach, frombuffer, is_complex, is_conj, is_floating_point, is_inference,
    is_signed, numel, promote_types, real, resolve_conj, resolve_neg, result_type, typename, unravel_index,
)
from fanin.tensor.functions.creation import (
    arange, empty, empty_like, eye, full, full_like, linspace, logspace, ones, ones_like, range, zeros, zeros_like,
)
from fanin.tensor.functions.data import (
    BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor, LongTensor, ShortTensor,
    as_tensor, asarray, from_dlpack, from_numpy, scalar_tensor, set_default_tensor_type, tensor,
)
from fanin.tensor.functions.decompositions import cholesky, det, inverse, logdet, matrix_exp, pinverse, qr, slogdet, svd
from fanin.tensor.functions.diagonals import (
    block_diag, cartesian_prod, combinations, diag, diag_embed, diagflat, diagonal, trace, tril, tril_indices, triu,
    triu_indices, vander,
)
from fanin.tensor.functions.einsum import einsum
from fanin.tensor.functions.factored import cholesky_inverse, cholesky_solve, geqrf
from fanin.tensor.functions.finite_differences import gradient
from fanin.tensor.functions.joining import (
    cat, chunk, column_stack, concat, concatenate, dsplit, dstack, flip, fliplr, flipud, hsplit, hstack, meshgrid,
    repeat_interleave, roll, rot90, row_stack, split, split_with_sizes, stack, tensor_split, tile, unbind, vsplit,
    vstack,
)
from fanin.tensor.functions.norms import cdist, dist, log_softmax, logsumexp, norm, renorm, softmax
from fanin.tensor.functions.ordering import (
    argsort, bucketize, isin, kthvalue, median, mode, msort, nanmedian, nanquantile, quantile, searchsorted, sort, topk,
    unique, unique_consecutive,
)
from fanin.tensor.functions.pointwise import (
    abs, absolute, acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan, arctanh, asin, asinh, atan, atanh, ceil,
    clamp, clamp_max, clamp_min, clip, cos, cosh, deg2rad, digamma, erf, erfc, erfinv, exp, exp2, expm1, fix, floor,
    frac, lgamma, log, log10, log1p, log2, logit, nan_to_num, neg, negative, positive, rad2deg, reciprocal, relu, round,
    rsqrt, sgn, sigmoid, sign, sin, sinc, sinh, sqrt, square, tan, tanh, trunc,
)
from fanin.tensor.functions.products import (
    addbmm, addmm, addmv, addr, baddbmm, bmm, chain_matmul, cross, dot, ger, inner, kron, matmul, matrix_power, mm, mv,
    outer, tensordot, vdot,
)
from fanin.tensor.functions.reductions import (
    all, amax, amin, aminmax, any, argmax, argmin, count_nonzero, max, mean, min, nanmean, nansum, prod, sum,
)
from fanin.tensor.functions.running import (
    cummax, cummin, cumprod, cumsum, cumulative_trapezoid, diff, logcumsumexp, trapezoid, trapz,
)
from fanin.tensor.functions.sampling import (
    Generator, bernoulli, default_generator, fork_rng, get_rng_state, initial_seed, manual_seed, multinomial, normal,
    poisson, rand, rand_like, randint, randint_like, randn, randn_like, randperm, seed, set_rng_state,
)
from fanin.tensor.functions.selecting import (
    argwhere, gather, index_select, masked_select, narrow, nonzero, select, take, take_along_dim,
)
from fanin.tensor.functions.shaping import (
    adjoint, atleast_1d, atleast_2d, atleast_3d, broadcast_shapes, broadcast_tensors, broadcast_to, flatten,
    is_same_size, moveaxis, movedim, permute, ravel, reshape, squeeze, swapaxes, swapdims, t, transpose, unflatten,
    unsqueeze,
)
from fanin.tensor.functions.special_functions import frexp, mvlgamma, polygamma
from fanin.tensor.functions.statistics import bincount, corrcoef, cov, histc, histogram, std, std_mean, var, var_mean
from fanin.tensor.functions.writing import (
    diagonal_scatter, index_add, index_copy, index_fill, index_put, index_reduce, masked_fill, masked_scatter, put,
    scatter, scatter_add, scatter_reduce, select_scatter, slice_scatter,
)
# fmt: on
# isort: on

# torch.random's names for the default stream, beside the room's own draws.
for _name in ("default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"):
    setattr(random, _name, globals()[_name])

e, inf, nan, pi = 2.718281828459045, _math.inf, _math.nan, _math.pi
newaxis = None

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16

# Rooms that are loaded when they are first named, so that importing fanin stays quick.
_ROOMS = (
    "accelerator", "advice", "amp", "autograd", "backends", "compiler", "cuda", "distributions", "func", "information",
    "linalg", "mps", "nn", "optim", "serialization", "special", "testing", "training", "types", "utils", "version",
)  # fmt: skip
_FROM_ROOMS = {
    "save": "serialization",
    "load": "serialization",
    **dict.fromkeys(("fit", "fit_many", "Ensemble", "History"), "training"),
    "autocast": "amp",
    **dict.fromkeys(("GradScaler", "get_autocast_dtype", "is_autocast_enabled"), "amp"),
    "is_anomaly_enabled": "autograd.anomaly",
    "vmap": "func",
    "compile": "compiler.compile",
    "ema": "optim.moving_average", "set_num_threads": "_core.threads",
    "get_num_threads": "_core.threads",
    "set_printoptions": "tensor.printing",
    **dict.fromkeys(
        (
            "are_deterministic_algorithms_enabled", "get_default_device", "get_float32_matmul_precision",
            "get_num_interop_threads", "is_deterministic_algorithms_warn_only_enabled", "set_default_device",
            "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads", "set_warn_always",
            "use_deterministic_algorithms",
        ),
        "tensor.settings",
    ),
    # Of the functions that torch keeps beside torch.nn.functional, those with the same arguments there.
    **dict.fromkeys(
        (
            "alpha_dropout", "bilinear", "celu", "celu_", "cosine_similarity", "dropout", "feature_alpha_dropout",
            "group_norm", "hardshrink", "layer_norm", "pairwise_distance", "pdist", "prelu", "rms_norm", "rrelu",
            "rrelu_", "selu", "selu_", "threshold", "threshold_",
        ),
        "nn.functional",
    ),
}  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _ROOMS:
        return _import_module(f"fanin.{name}")
    if name in _FROM_ROOMS:
        value = getattr(_import_module(f"fanin.{_FROM_ROOMS[name]}"), name)
        globals()[name] = value
        return value
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        return getattr(Tensor, name)  # torch.relu_(x) is x.relu_()
    return _refuse("torch")(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FROM_ROOMS})
