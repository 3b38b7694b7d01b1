"""The methods of Tensor that change it: one table, as for the others."""

from __future__ import annotations

from fanin.ops import activation, elementwise, power
from fanin.ops import arithmetic as ops
from fanin.tensor.functions import (
    arithmetic,
    changing,
    comparing,
    diagonals,
    norms,
    pointwise,
    products,
    running,
    sampling,
    shaping,
    writing,
)
from fanin.tensor.functions.changing import binary_, in_place, reshape_in_place, unary_


class InPlaceMethods:
    """Methods whose names end in an underscore."""

    copy_ = changing.copy_
    fill_ = changing.fill_
    zero_ = changing.zero_
    set_ = changing.set_
    resize_ = changing.resize_

    # Arithmetic
    add_ = changing.add_
    sub_ = subtract_ = changing.sub_
    mul_ = multiply_ = binary_(ops.multiply)
    div_ = divide_ = changing.div_
    true_divide_ = binary_(ops.divide)
    floor_divide_ = binary_(ops.floor_divide)
    remainder_ = binary_(ops.remainder)
    fmod_ = binary_(ops.fmod)
    pow_ = binary_(power.power)
    atan2_ = arctan2_ = binary_(ops.atan2)
    xlogy_ = binary_(power.xlogy)
    addcmul_ = changing.addcmul_
    addcdiv_ = changing.addcdiv_
    lerp_ = changing.lerp_

    # Element by element
    abs_ = absolute_ = unary_(elementwise.absolute)
    neg_ = negative_ = unary_(elementwise.negative)
    sign_ = sgn_ = unary_(elementwise.sign)
    floor_ = unary_(elementwise.floor)
    ceil_ = unary_(elementwise.ceil)
    trunc_ = fix_ = unary_(elementwise.trunc)
    frac_ = unary_(elementwise.frac)
    exp_ = unary_(elementwise.exp)
    exp2_ = unary_(elementwise.exp2)
    expm1_ = unary_(elementwise.expm1)
    log_ = unary_(elementwise.log)
    log2_ = unary_(elementwise.log2)
    log10_ = unary_(elementwise.log10)
    log1p_ = unary_(elementwise.log1p)
    sqrt_ = unary_(elementwise.sqrt)
    rsqrt_ = unary_(elementwise.rsqrt)
    reciprocal_ = unary_(elementwise.reciprocal)
    square_ = unary_(elementwise.square)
    sin_ = unary_(elementwise.sin)
    cos_ = unary_(elementwise.cos)
    tan_ = unary_(elementwise.tan)
    asin_ = arcsin_ = unary_(elementwise.asin)
    acos_ = arccos_ = unary_(elementwise.acos)
    atan_ = arctan_ = unary_(elementwise.atan)
    sinh_ = unary_(elementwise.sinh)
    cosh_ = unary_(elementwise.cosh)
    asinh_ = arcsinh_ = unary_(elementwise.asinh)
    acosh_ = arccosh_ = unary_(elementwise.acosh)
    atanh_ = arctanh_ = unary_(elementwise.atanh)
    erf_ = unary_(elementwise.erf)
    erfc_ = unary_(elementwise.erfc)
    erfinv_ = unary_(elementwise.erfinv)
    lgamma_ = unary_(elementwise.lgamma)
    digamma_ = unary_(elementwise.digamma)
    sinc_ = unary_(elementwise.sinc)
    sigmoid_ = unary_(activation.sigmoid)
    tanh_ = unary_(activation.tanh)
    relu_ = unary_(activation.relu)
    round_ = in_place(pointwise.round)
    logit_ = in_place(pointwise.logit)
    deg2rad_ = in_place(pointwise.deg2rad)
    rad2deg_ = in_place(pointwise.rad2deg)
    nan_to_num_ = in_place(pointwise.nan_to_num)
    clamp_ = clip_ = in_place(pointwise.clamp)
    clamp_min_ = in_place(pointwise.clamp_min)
    clamp_max_ = in_place(pointwise.clamp_max)
    float_power_ = arithmetic.float_power_

    hypot_ = binary_(ops.hypot)
    copysign_ = binary_(ops.copysign)
    heaviside_ = binary_(ops.heaviside)
    ldexp_ = in_place(arithmetic.ldexp)
    nextafter_ = in_place(arithmetic.nextafter)
    gcd_ = in_place(arithmetic.gcd)
    lcm_ = in_place(arithmetic.lcm)

    # By index
    masked_fill_ = in_place(writing.masked_fill)
    masked_scatter_ = in_place(writing.masked_scatter)
    scatter_ = in_place(writing.scatter)
    scatter_add_ = in_place(writing.scatter_add)
    scatter_reduce_ = in_place(writing.scatter_reduce)
    index_add_ = in_place(writing.index_add)
    index_reduce_ = in_place(writing.index_reduce)
    index_copy_ = in_place(writing.index_copy)
    index_fill_ = in_place(writing.index_fill)
    index_put_ = in_place(writing.index_put)
    put_ = in_place(writing.put)
    tril_ = in_place(diagonals.tril)
    triu_ = in_place(diagonals.triu)
    fill_diagonal_ = changing.fill_diagonal_

    # Running, products
    cumsum_ = in_place(running.cumsum)
    cumprod_ = in_place(running.cumprod)
    renorm_ = in_place(norms.renorm)
    addmm_ = in_place(products.addmm)
    addmv_ = in_place(products.addmv)
    addr_ = in_place(products.addr)
    addbmm_ = in_place(products.addbmm)
    baddbmm_ = in_place(products.baddbmm)

    # Comparison and logic: the answers are written as ones and zeros of the tensor's dtype.
    eq_ = in_place(comparing.eq)
    ne_ = not_equal_ = in_place(comparing.ne)
    lt_ = less_ = in_place(comparing.lt)
    le_ = less_equal_ = in_place(comparing.le)
    gt_ = greater_ = in_place(comparing.gt)
    ge_ = greater_equal_ = in_place(comparing.ge)
    logical_and_ = in_place(comparing.logical_and)
    logical_or_ = in_place(comparing.logical_or)
    logical_xor_ = in_place(comparing.logical_xor)
    logical_not_ = in_place(comparing.logical_not)
    bitwise_and_ = binary_(ops.bitwise_and)
    bitwise_or_ = binary_(ops.bitwise_or)
    bitwise_xor_ = binary_(ops.bitwise_xor)
    bitwise_not_ = unary_(ops.bitwise_not)
    bitwise_left_shift_ = binary_(ops.left_shift)
    bitwise_right_shift_ = binary_(ops.right_shift)

    # Shape
    squeeze_ = reshape_in_place(shaping.squeeze)
    unsqueeze_ = reshape_in_place(shaping.unsqueeze)
    transpose_ = swapdims_ = reshape_in_place(shaping.transpose)
    swapaxes_ = reshape_in_place(shaping.swapaxes)
    t_ = reshape_in_place(shaping.t)

    # Draws
    uniform_ = sampling.uniform_
    normal_ = sampling.normal_
    bernoulli_ = sampling.bernoulli_
    exponential_ = sampling.exponential_
    random_ = sampling.random_
    geometric_ = sampling.geometric_
    cauchy_ = sampling.cauchy_
    log_normal_ = sampling.log_normal_
