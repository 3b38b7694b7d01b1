"""fanin trains fully connected networks, in PyTorch's words, on NumPy alone."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any as _Any

from fanin._core.missing import refuse as _refuse

__version__ = "0.1.0"

from fanin._core.dtypes import (
    bool_ as bool,
)
from fanin._core.dtypes import (
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
from fanin.tensor import Size, Tensor, enable_grad, inference_mode, no_grad, set_grad_enabled
from fanin.tensor import return_types as return_types
from fanin.tensor.device import device
from fanin.tensor.grad_mode import is_grad_enabled, is_inference_mode_enabled
from fanin.tensor.functions.arithmetic import (
    add,
    addcdiv,
    addcmul,
    arctan2,
    atan2,
    div,
    divide,
    float_power,
    floor_divide,
    fmod,
    lerp,
    logaddexp,
    maximum,
    minimum,
    mul,
    multiply,
    pow,
    remainder,
    rsub,
    sub,
    subtract,
    true_divide,
    where,
    xlogy,
)
from fanin.tensor.functions.comparing import (
    allclose,
    bitwise_and,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    eq,
    equal,
    ge,
    greater,
    greater_equal,
    gt,
    is_nonzero,
    is_tensor,
    isclose,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    le,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
    not_equal,
    signbit,
)
from fanin.tensor.functions.conversion import (
    clone,
    detach,
    is_complex,
    is_floating_point,
    numel,
    promote_types,
    result_type,
    typename,
)
from fanin.tensor.functions.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from fanin.tensor.functions.joining import (
    cat,
    chunk,
    column_stack,
    concat,
    concatenate,
    dsplit,
    dstack,
    flip,
    fliplr,
    flipud,
    hsplit,
    hstack,
    meshgrid,
    repeat_interleave,
    roll,
    rot90,
    row_stack,
    split,
    split_with_sizes,
    stack,
    tensor_split,
    tile,
    unbind,
    vsplit,
    vstack,
)
from fanin.tensor.functions.pointwise import (
    abs,
    absolute,
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    clamp,
    clamp_max,
    clamp_min,
    clip,
    cos,
    cosh,
    deg2rad,
    digamma,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    fix,
    floor,
    frac,
    lgamma,
    log,
    log10,
    log1p,
    log2,
    logit,
    nan_to_num,
    neg,
    negative,
    positive,
    rad2deg,
    reciprocal,
    relu,
    round,
    rsqrt,
    sgn,
    sigmoid,
    sign,
    sin,
    sinc,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    trunc,
)
from fanin.tensor.functions.products import (
    bmm,
    dot,
    ger,
    matmul,
    mm,
    mv,
    outer,
)
from fanin.tensor.functions.reductions import (
    all,
    amax,
    amin,
    aminmax,
    any,
    argmax,
    argmin,
    count_nonzero,
    max,
    mean,
    min,
    nanmean,
    nansum,
    prod,
    sum,
)
from fanin.tensor.functions.sampling import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from fanin.tensor.functions.shaping import (
    adjoint,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    flatten,
    moveaxis,
    movedim,
    permute,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    swapdims,
    t,
    transpose,
    unflatten,
    unsqueeze,
)
from fanin.tensor.functions.statistics import (
    std,
    std_mean,
    var,
    var_mean,
)

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16

# Rooms that are loaded when they are first named, so that importing fanin stays quick.
_ROOMS = (
    "advice", "autograd", "backends", "cuda", "information", "linalg", "mps", "nn", "optim", "testing", "utils",
)  # fmt: skip
_FROM_ROOMS = {"save": "serialization", "load": "serialization", "ema": "optim.moving_average"}


def __getattr__(name: str) -> _Any:
    if name in _ROOMS:
        return _import_module(f"fanin.{name}")
    if name in _FROM_ROOMS:
        value = getattr(_import_module(f"fanin.{_FROM_ROOMS[name]}"), name)
        globals()[name] = value
        return value
    return _refuse("torch")(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FROM_ROOMS})
