"""fanin trains fully connected networks in PyTorch's words, by native code that is compiled when it is needed."""

from __future__ import annotations

import math as _math
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
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

# What is loaded when it is first named (below), for those who read code and do not run it: type checkers, editors.
if _TYPE_CHECKING:
    from fanin import (
        accelerator as accelerator, advice as advice, amp as amp, autograd as autograd, backends as backends,
        compiler as compiler, cuda as cuda, distributions as distributions, func as func, information as information,
        linalg as linalg, mps as mps, nn as nn, optim as optim, serialization as serialization, sklearn as sklearn,
        special as special, tabular as tabular, testing as testing, training as training, types as types,
        utils as utils, version as version,
    )
    from fanin._core.threads import get_num_threads, set_num_threads
    from fanin.amp import GradScaler, autocast, get_autocast_dtype, is_autocast_enabled
    from fanin.autograd.anomaly import is_anomaly_enabled
    from fanin.compiler.compile import compile
    from fanin.func import vmap
    from fanin.nn.functional import (
        alpha_dropout, bilinear, celu, celu_, cosine_similarity, dropout, feature_alpha_dropout, group_norm, hardshrink,
        layer_norm, pairwise_distance, pdist, prelu, rms_norm, rrelu, rrelu_, selu, selu_, threshold, threshold_,
    )
    from fanin.optim.moving_average import ema
    from fanin.serialization import load, save
    from fanin.tensor.printing import set_printoptions
    from fanin.tensor.settings import (
        are_deterministic_algorithms_enabled, get_default_device, get_float32_matmul_precision, get_num_interop_threads,
        is_deterministic_algorithms_warn_only_enabled, set_default_device, set_float32_matmul_precision,
        set_flush_denormal, set_num_interop_threads, set_warn_always, use_deterministic_algorithms,
    )
    from fanin.training import Ensemble, History, fit, fit_many
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
_ROOMS_WITH_EXTRAS = ("sklearn", "tabular")  # not in dir(), for they cannot be loaded everywhere
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

# What `from fanin import *` brings, as from torch: all but the rooms.
__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "Ensemble", "FloatTensor", "Generator", "GradScaler",
    "HalfTensor", "History", "IntTensor", "LongTensor", "ShortTensor", "Size", "Tensor", "abs", "absolute", "acos",
    "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "adjoint", "all", "allclose",
    "alpha_dropout", "amax", "amin", "aminmax", "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort", "argwhere",
    "as_strided", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "autocast", "baddbmm", "bernoulli", "bfloat16", "bilinear", "bincount", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block_diag", "bmm",
    "bool", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "can_cast", "cartesian_prod", "cat",
    "cdist", "ceil", "celu", "celu_", "chain_matmul", "channels_last", "cholesky", "cholesky_inverse", "cholesky_solve",
    "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "column_stack", "combinations", "compile", "concat",
    "concatenate", "conj", "conj_physical", "contiguous_format", "copysign", "corrcoef", "cos", "cosh",
    "cosine_similarity", "count_nonzero", "cov", "cross", "cummax", "cummin", "cumprod", "cumsum",
    "cumulative_trapezoid", "default_generator", "deg2rad", "det", "detach", "device", "diag", "diag_embed", "diagflat",
    "diagonal", "diagonal_scatter", "diff", "digamma", "dist", "div", "divide", "dot", "double", "dropout", "dsplit",
    "dstack", "dtype", "e", "einsum", "ema", "empty", "empty_like", "enable_grad", "eq", "equal", "erf", "erfc",
    "erfinv", "exp", "exp2", "expm1", "eye", "feature_alpha_dropout", "finfo", "fit", "fit_many", "fix", "flatten",
    "flip", "fliplr", "flipud", "float", "float16", "float32", "float64", "float_power", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "fork_rng", "frac", "frexp", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like",
    "gather", "gcd", "ge", "geqrf", "ger", "get_autocast_dtype", "get_default_device", "get_default_dtype",
    "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads", "get_rng_state", "gradient",
    "greater", "greater_equal", "group_norm", "gt", "half", "hardshrink", "heaviside", "histc", "histogram", "hsplit",
    "hstack", "hypot", "iinfo", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select",
    "inf", "inference_mode", "initial_seed", "inner", "int", "int8", "int16", "int32", "int64", "inverse",
    "is_anomaly_enabled", "is_autocast_enabled", "is_complex", "is_conj",
    "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_grad_enabled", "is_inference",
    "is_inference_mode_enabled", "is_nonzero", "is_same_size", "is_signed", "is_tensor", "isclose", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "kron", "kthvalue", "layer_norm", "layout", "lcm", "ldexp",
    "le", "lerp", "less", "less_equal", "lgamma", "linspace", "load", "log", "log1p", "log2", "log10", "log_softmax",
    "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "logspace", "logsumexp", "long", "lt", "manual_seed", "masked_fill", "masked_scatter", "masked_select",
    "matmul", "matrix_exp", "matrix_power", "max", "maximum", "mean", "median", "memory_format", "meshgrid", "min",
    "minimum", "mm", "mode", "moveaxis", "movedim", "msort", "mul", "multinomial", "multiply", "mv", "mvlgamma", "nan",
    "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "ne", "neg", "negative", "newaxis",
    "nextafter", "no_grad", "nonzero", "norm", "normal", "not_equal", "numel", "ones", "ones_like", "outer",
    "pairwise_distance", "pdist", "permute", "pi", "pinverse", "poisson", "polygamma", "positive", "pow", "prelu",
    "preserve_format", "prod", "promote_types", "put", "qr", "quantile", "rad2deg", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "randperm", "range", "ravel", "real", "reciprocal", "relu", "remainder",
    "renorm", "repeat_interleave", "reshape", "resolve_conj", "resolve_neg", "result_type", "rms_norm", "roll", "rot90",
    "round", "row_stack", "rrelu", "rrelu_", "rsqrt", "rsub", "save", "scalar_tensor", "scatter", "scatter_add",
    "scatter_reduce", "searchsorted", "seed", "select", "select_scatter", "selu", "selu_", "set_default_device",
    "set_default_dtype", "set_default_tensor_type", "set_float32_matmul_precision", "set_flush_denormal",
    "set_grad_enabled", "set_num_interop_threads", "set_num_threads", "set_printoptions", "set_rng_state",
    "set_warn_always", "sgn", "short", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slice_scatter", "slogdet",
    "softmax", "sort", "split", "split_with_sizes", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "strided",
    "sub", "subtract", "sum", "svd", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor",
    "tensor_split", "tensordot", "threshold", "threshold_", "tile", "topk", "trace", "transpose", "trapezoid", "trapz",
    "tril", "tril_indices", "triu", "triu_indices", "true_divide", "trunc", "typename", "uint8", "unbind", "unflatten",
    "unique", "unique_consecutive", "unravel_index", "unsqueeze", "use_deterministic_algorithms", "vander", "var",
    "var_mean", "vdot", "vmap", "vsplit", "vstack", "where", "xlogy", "zeros", "zeros_like",
]  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _ROOMS or name in _ROOMS_WITH_EXTRAS:
        return _import_module(f"fanin.{name}")
    if name in _FROM_ROOMS:
        value = getattr(_import_module(f"fanin.{_FROM_ROOMS[name]}"), name)
        globals()[name] = value
        return value
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        return getattr(Tensor, name)  # torch.relu_(x) is x.relu_()
    return _refuse("torch")(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "random", "return_types", *(name for name in globals() if name.startswith("__"))})
