"""The methods of Tensor that are functions of torch, too: one table, method = function."""

from __future__ import annotations

from typing import Any

from fanin.tensor.functions import (
    arithmetic,
    comparing,
    conversion,
    creation,
    data,
    decompositions,
    diagonals,
    factored,
    indexing,
    joining,
    norms,
    ordering,
    pointwise,
    products,
    reductions,
    running,
    sampling,
    selecting,
    shaping,
    special_functions,
    statistics,
    writing,
)


class Methods:
    """Methods by what they do."""

    # Dtype and memory
    to = conversion.to
    type = conversion.type_
    type_as = conversion.type_as
    half = conversion.to_half
    float = conversion.to_float
    double = conversion.to_double
    byte = conversion.to_byte
    char = conversion.to_char
    short = conversion.to_short
    int = conversion.to_int
    long = conversion.to_long
    bool = conversion.to_bool
    clone = conversion.clone
    contiguous = conversion.contiguous
    real = property(conversion.itself)
    conj = conj_physical = resolve_conj = resolve_neg = to_dense = conversion.itself
    is_conj = conversion.is_conj
    as_strided = conversion.as_strided

    # Element by element
    abs = absolute = pointwise.abs
    neg = negative = pointwise.neg
    positive = pointwise.positive
    sign = pointwise.sign
    sgn = pointwise.sgn
    floor = pointwise.floor
    ceil = pointwise.ceil
    trunc = fix = pointwise.trunc
    frac = pointwise.frac
    round = pointwise.round
    exp = pointwise.exp
    exp2 = pointwise.exp2
    expm1 = pointwise.expm1
    log = pointwise.log
    log2 = pointwise.log2
    log10 = pointwise.log10
    log1p = pointwise.log1p
    sqrt = pointwise.sqrt
    rsqrt = pointwise.rsqrt
    reciprocal = pointwise.reciprocal
    square = pointwise.square
    sin = pointwise.sin
    cos = pointwise.cos
    tan = pointwise.tan
    asin = arcsin = pointwise.asin
    acos = arccos = pointwise.acos
    atan = arctan = pointwise.atan
    sinh = pointwise.sinh
    cosh = pointwise.cosh
    asinh = arcsinh = pointwise.asinh
    acosh = arccosh = pointwise.acosh
    atanh = arctanh = pointwise.atanh
    erf = pointwise.erf
    erfc = pointwise.erfc
    erfinv = pointwise.erfinv
    lgamma = pointwise.lgamma
    digamma = pointwise.digamma
    sinc = pointwise.sinc
    sigmoid = pointwise.sigmoid
    tanh = pointwise.tanh
    relu = pointwise.relu
    logit = pointwise.logit
    deg2rad = pointwise.deg2rad
    rad2deg = pointwise.rad2deg
    nan_to_num = pointwise.nan_to_num
    mvlgamma = special_functions.mvlgamma
    frexp = special_functions.frexp
    clamp = clip = pointwise.clamp
    clamp_min = pointwise.clamp_min
    clamp_max = pointwise.clamp_max

    # Arithmetic
    add = arithmetic.add
    sub = subtract = arithmetic.sub
    mul = multiply = arithmetic.mul
    div = divide = arithmetic.div
    true_divide = arithmetic.true_divide
    floor_divide = arithmetic.floor_divide
    remainder = arithmetic.remainder
    fmod = arithmetic.fmod
    pow = arithmetic.pow
    float_power = arithmetic.float_power
    maximum = arithmetic.maximum
    minimum = arithmetic.minimum
    atan2 = arctan2 = arithmetic.atan2
    logaddexp = arithmetic.logaddexp
    xlogy = arithmetic.xlogy
    lerp = arithmetic.lerp
    addcmul = arithmetic.addcmul
    addcdiv = arithmetic.addcdiv
    fmax = arithmetic.fmax
    fmin = arithmetic.fmin
    hypot = arithmetic.hypot
    copysign = arithmetic.copysign
    heaviside = arithmetic.heaviside
    ldexp = arithmetic.ldexp
    nextafter = arithmetic.nextafter
    gcd = arithmetic.gcd
    lcm = arithmetic.lcm
    logaddexp2 = arithmetic.logaddexp2

    def polygamma(self, n: Any) -> Any:
        """Return the n-th derivative of digamma."""
        return special_functions.polygamma(n, self)

    def where(self, condition: Any, other: Any) -> Any:
        """Return the tensor where the condition holds, else other."""
        return arithmetic.where(condition, self, other)

    # Comparison and logic
    eq = comparing.eq
    ne = not_equal = comparing.ne
    lt = less = comparing.lt
    le = less_equal = comparing.le
    gt = greater = comparing.gt
    ge = greater_equal = comparing.ge
    equal = comparing.equal
    isclose = comparing.isclose
    allclose = comparing.allclose
    logical_and = comparing.logical_and
    logical_or = comparing.logical_or
    logical_xor = comparing.logical_xor
    logical_not = comparing.logical_not
    bitwise_and = comparing.bitwise_and
    bitwise_or = comparing.bitwise_or
    bitwise_xor = comparing.bitwise_xor
    bitwise_not = comparing.bitwise_not
    bitwise_left_shift = comparing.bitwise_left_shift
    bitwise_right_shift = comparing.bitwise_right_shift
    isnan = comparing.isnan
    isinf = comparing.isinf
    isfinite = comparing.isfinite
    isposinf = comparing.isposinf
    isneginf = comparing.isneginf
    isreal = comparing.isreal
    signbit = comparing.signbit
    is_nonzero = comparing.is_nonzero

    # Reductions
    sum = reductions.sum
    mean = reductions.mean
    prod = reductions.prod
    nansum = reductions.nansum
    nanmean = reductions.nanmean
    all = reductions.all
    any = reductions.any
    count_nonzero = reductions.count_nonzero
    max = reductions.max
    min = reductions.min
    amax = reductions.amax
    amin = reductions.amin
    aminmax = reductions.aminmax
    argmax = reductions.argmax
    argmin = reductions.argmin
    var = statistics.var
    std = statistics.std
    cov = statistics.cov
    corrcoef = statistics.corrcoef
    bincount = statistics.bincount
    histc = statistics.histc
    histogram = statistics.histogram
    logsumexp = norms.logsumexp
    softmax = norms.softmax
    log_softmax = norms.log_softmax
    norm = norms.norm
    dist = norms.dist
    renorm = norms.renorm
    cumsum = running.cumsum
    cumprod = running.cumprod
    cummax = running.cummax
    cummin = running.cummin
    logcumsumexp = running.logcumsumexp
    diff = running.diff

    # Order
    sort = ordering.sort
    argsort = ordering.argsort
    msort = ordering.msort
    topk = ordering.topk
    kthvalue = ordering.kthvalue
    median = ordering.median
    nanmedian = ordering.nanmedian
    mode = ordering.mode
    quantile = ordering.quantile
    nanquantile = ordering.nanquantile
    unique = ordering.unique
    unique_consecutive = ordering.unique_consecutive

    # By index
    index_select = selecting.index_select
    select = selecting.select
    narrow = selecting.narrow
    gather = selecting.gather
    take = selecting.take
    take_along_dim = selecting.take_along_dim
    masked_select = selecting.masked_select
    nonzero = selecting.nonzero
    argwhere = selecting.argwhere
    scatter = writing.scatter
    scatter_add = writing.scatter_add
    scatter_reduce = writing.scatter_reduce
    index_reduce = writing.index_reduce
    index_add = writing.index_add
    index_copy = writing.index_copy
    index_fill = writing.index_fill
    index_put = writing.index_put
    masked_fill = writing.masked_fill
    masked_scatter = writing.masked_scatter
    put = writing.put
    select_scatter = writing.select_scatter
    slice_scatter = writing.slice_scatter
    diagonal_scatter = writing.diagonal_scatter

    # Triangles, diagonals, windows
    tril = diagonals.tril
    triu = diagonals.triu
    diag = diagonals.diag
    diagonal = diagonals.diagonal
    diagflat = diagonals.diagflat
    diag_embed = diagonals.diag_embed
    trace = diagonals.trace
    unfold = diagonals.unfold

    # Shape
    reshape = shaping.reshape
    view = shaping.view
    view_as = shaping.view_as
    reshape_as = shaping.reshape_as
    flatten = shaping.flatten
    ravel = shaping.ravel
    unflatten = shaping.unflatten
    squeeze = shaping.squeeze
    unsqueeze = shaping.unsqueeze
    transpose = swapdims = shaping.transpose
    swapaxes = shaping.swapaxes
    t = shaping.t
    permute = shaping.permute
    movedim = moveaxis = shaping.movedim
    adjoint = shaping.adjoint
    expand = shaping.expand
    expand_as = shaping.expand_as
    broadcast_to = shaping.broadcast_to
    is_same_size = shaping.is_same_size

    # Parts

    def split(self, split_size: Any, dim: Any = 0) -> Any:
        """Return views of split_size elements along dim, the last one perhaps smaller, or of the sizes listed."""
        return joining.split(self, split_size, dim)

    split_with_sizes = joining.split_with_sizes
    chunk = joining.chunk
    tensor_split = joining.tensor_split
    hsplit = joining.hsplit
    vsplit = joining.vsplit
    dsplit = joining.dsplit
    unbind = joining.unbind
    repeat = joining.repeat
    tile = joining.tile
    repeat_interleave = joining.repeat_interleave
    flip = joining.flip
    fliplr = joining.fliplr
    flipud = joining.flipud
    roll = joining.roll
    rot90 = joining.rot90

    # Products
    matmul = products.matmul
    mm = products.mm
    mv = products.mv
    dot = products.dot
    bmm = products.bmm
    outer = ger = products.outer
    inner = products.inner
    vdot = products.vdot
    addmm = products.addmm
    addmv = products.addmv
    addr = products.addr
    addbmm = products.addbmm
    baddbmm = products.baddbmm
    matrix_power = products.matrix_power
    kron = products.kron
    cross = products.cross
    inverse = decompositions.inverse
    pinverse = decompositions.pinverse
    det = decompositions.det
    logdet = decompositions.logdet
    slogdet = decompositions.slogdet
    svd = decompositions.svd
    cholesky = decompositions.cholesky
    cholesky_solve = factored.cholesky_solve
    cholesky_inverse = factored.cholesky_inverse
    geqrf = factored.geqrf
    qr = decompositions.qr
    matrix_exp = decompositions.matrix_exp

    # New tensors of the same dtype
    new = data.new
    new_tensor = data.new_tensor
    new_empty = creation.new_empty
    new_zeros = creation.new_zeros
    new_ones = creation.new_ones
    new_full = creation.new_full

    # Draws
    bernoulli = sampling.bernoulli
    multinomial = sampling.multinomial

    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem
