"""Random starting weights whose variance keeps signals, gradients, or a bit of both at one size through many layers.

The argument, for a layer z = W x with fan_in inputs and fan_out units, independent weights of mean 0, and x independent
of them:

- forward:  z_j = sum_i w_ji x_i, so Var z = fan_in Var w E[x^2]. It equals what went in when fan_in Var w = 1.
- backward: dL/dx_i = sum_j w_ji dL/dz_j, so Var dL/dx = fan_out Var w Var dL/dz. It keeps its size when
  fan_out Var w = 1.
- A factor other than 1 is raised to the power of the depth: 20 layers with a factor of 1/2 leave 1e-6.

LeCun takes the first condition, Xavier the harmonic compromise Var w = 2 / (fan_in + fan_out) between both, and Kaiming
either one with the factor 2 by which ReLU makes up for the half that it cuts off.
"""

from __future__ import annotations

import math
from typing import Any

from fanin._core import advice
from fanin._core.errors import ArgumentError
from fanin.nn.init.fans import calculate_gain, fan_of, fans_of
from fanin.nn.init.filling import normal_, trunc_normal_, uniform_


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill with draws from U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)), and return the tensor.

    Where the function behind a layer is linear around 0 with slope 1 (tanh), signals keep their size for
    fan_in Var w = 1 (Glorot & Bengio's eq. 10) and gradients for fan_out Var w = 1 (eq. 11). Unless the layer is square
    both cannot hold; Var w = 2 / (fan_in + fan_out) (eq. 12) lies between. U(-a, a) has the variance a^2 / 3 (eq. 16).

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it.
        gain: a factor for the standard deviation, see `calculate_gain`.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions.

    >>> import fanin as torch
    >>> w = torch.nn.init.xavier_uniform_(torch.empty(2, 4))
    >>> bool(w.abs().max() <= 1)
    True

    Reference: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
    eqs. 5 and 10-12 for the variances, 16 for the bound.
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill with draws from N(0, gain^2 2 / (fan_in + fan_out)) and return the tensor.

    The argument is that of `xavier_uniform_`.

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it.
        gain: a factor for the standard deviation, see `calculate_gain`.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions.

    >>> import fanin as torch
    >>> w = torch.nn.init.xavier_normal_(torch.empty(200, 200))
    >>> round(float(w.var()), 3)
    0.005

    Reference: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
    eq. 12.
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Any, gain: float) -> float:
    fan_in, fan_out = fans_of(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill with draws from U(-b, b), b = gain sqrt(3 / fan), and return the tensor.

    A layer after ReLU sees x = max(0, z) with E[x^2] = Var z / 2 for symmetric z, so Var z = fan_in Var w Var z / 2
    keeps its size for fan_in Var w = 2 (He et al.'s eqs. 7-10), and gradients theirs for fan_out Var w = 2 (eq. 14).
    With a slope a of the negative side the 2 becomes 2 / (1 + a^2) (eq. 15). Either condition is enough: with
    "fan_in" the gradient's size changes by fan_out / fan_in a layer, over the whole net by the last width over the
    first.

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it; pass `w.T` of a `w` used as x @ w.
        a: the negative slope, for "leaky_relu" only.
        mode: "fan_in" keeps the size of signals, "fan_out" that of gradients.
        nonlinearity: the name of the function that follows, see `calculate_gain`.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions, another mode, or a function without a known gain.

    Warns, and does nothing, where the tensor has no elements.

    >>> import fanin as torch
    >>> w = torch.nn.init.kaiming_uniform_(torch.empty(4, 6), nonlinearity="relu")
    >>> bool(w.abs().max() <= 1)
    True

    Reference: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015, arXiv 1502.01852, sec. 2.2.
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill with draws from N(0, gain^2 / fan) and return the tensor.

    The argument is that of `kaiming_uniform_`.

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it; pass `w.T` of a `w` used as x @ w.
        a: the negative slope, for "leaky_relu" only.
        mode: "fan_in" keeps the size of signals, "fan_out" that of gradients.
        nonlinearity: the name of the function that follows, see `calculate_gain`.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions, another mode, or a function without a known gain.

    Warns, and does nothing, where the tensor has no elements.

    >>> import fanin as torch
    >>> w = torch.nn.init.kaiming_normal_(torch.empty(200, 400), mode="fan_out", nonlinearity="relu")
    >>> round(float(w.var()), 3)
    0.01

    Reference: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015, arXiv 1502.01852, eqs. 10 and 14.
    """
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _is_empty(tensor: Any) -> bool:
    """Say whether there is nothing to fill, and warn of it."""
    if 0 not in tensor.shape:
        return False
    advice.give(UserWarning, "Initializing zero-element tensors is a no-op")
    return True


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    fan = fan_of(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def lecun_uniform_(tensor: Any, generator: Any = None) -> Any:
    """Fill with draws from U(-a, a), a = sqrt(3 / fan_in), and return the tensor: Var w = 1 / fan_in.

    Keeps the size of signals: Var z = fan_in Var w E[x^2] = E[x^2], which is 1 for inputs of mean 0 and variance 1.

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions.

    Warns, and does nothing, where the tensor has no elements.

    >>> import fanin as torch
    >>> w = torch.nn.init.lecun_uniform_(torch.empty(5, 3))
    >>> bool(w.abs().max() <= 1)
    True

    Reference: Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998, sec. 4.6.
    """
    return variance_scaling_(tensor, 1.0, "fan_in", "uniform", generator)


def lecun_normal_(tensor: Any, generator: Any = None) -> Any:
    """Fill with draws from N(0, 1 / fan_in) and return the tensor; the start that SELU is made for.

    Keeps the size of signals, as `lecun_uniform_` does. Other libraries cut the distribution of this name off at two
    standard deviations: that is `variance_scaling_(tensor, 1.0, "fan_in", "truncated_normal")`.

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it.
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for fewer than two dimensions.

    Warns, and does nothing, where the tensor has no elements.

    >>> import fanin as torch
    >>> w = torch.nn.init.lecun_normal_(torch.empty(400, 200))
    >>> round(float(w.var()), 3)
    0.005

    References: Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998, sec. 4.6; G. Klambauer et al.,
    "Self-normalizing neural networks", 2017, arXiv 1706.02515, for SELU.
    """
    return variance_scaling_(tensor, 1.0, "fan_in", "normal", generator)


# The standard deviation that is left of 1 when a normal distribution is cut off at -2 and 2:
# sqrt(1 - 2 c phi(c) / (2 Phi(c) - 1)) with c = 2, that is 0.8796.
_CUT = 2.0
_STD_AFTER_CUT = math.sqrt(
    1 - 2 * _CUT * math.exp(-(_CUT**2) / 2) / math.sqrt(2 * math.pi) / math.erf(_CUT / math.sqrt(2))
)


def variance_scaling_(
    tensor: Any,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    generator: Any = None,
) -> Any:
    """Fill with draws of mean 0 and variance scale / n, and return the tensor.

    Contains the others: Xavier is (1, "fan_avg"), Kaiming for ReLU (2, "fan_in") or (2, "fan_out"), LeCun
    (1, "fan_in").

    Args:
        tensor: of two or more dimensions, (fan_out, fan_in) as `nn.Linear` keeps it.
        scale: greater than 0.
        mode: which n: "fan_in", "fan_out", or their mean, "fan_avg".
        distribution: "normal"; "truncated_normal", which has nothing beyond twice the standard deviation it has before
            the cut (that one is larger by 1 / 0.8796, so the variance is scale / n after it); or "uniform", U(-a, a)
            with a = sqrt(3 scale / n).
        generator: the stream; the default one when left out.

    Raises:
        ValueError: for a scale that is not positive, another mode or distribution, or fewer than two dimensions.

    Warns, and does nothing, where the tensor has no elements.

    >>> import fanin as torch
    >>> w = torch.nn.init.variance_scaling_(torch.empty(300, 100), 2.0, "fan_avg")
    >>> round(float(w.var()), 3)
    0.01

    This is the initialiser of that name of Keras and JAX; the defaults are those of Keras.
    """
    if not scale > 0:
        raise ArgumentError(f"variance_scaling_ expects a positive scale, got {scale}")
    if distribution not in _DISTRIBUTIONS:
        raise ArgumentError(f"Distribution {distribution} not supported, please use one of {list(_DISTRIBUTIONS)}")
    fan = _scaling_fan(tensor, mode)
    if _is_empty(tensor):
        return tensor
    return _DISTRIBUTIONS[distribution](tensor, math.sqrt(scale / fan), generator)


def _scaling_fan(tensor: Any, mode: str) -> float:
    fan_in, fan_out = fans_of(tensor)
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if mode not in fans:
        raise ArgumentError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return fans[mode]


def _normal(tensor: Any, std: float, generator: Any) -> Any:
    return normal_(tensor, 0.0, std, generator)


def _truncated_normal(tensor: Any, std: float, generator: Any) -> Any:
    before = std / _STD_AFTER_CUT
    return trunc_normal_(tensor, 0.0, before, -_CUT * before, _CUT * before, generator)


def _uniform(tensor: Any, std: float, generator: Any) -> Any:
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


_DISTRIBUTIONS = {"normal": _normal, "truncated_normal": _truncated_normal, "uniform": _uniform}
