"""Activations that grow without bound: ReLU and its relatives.

Each applies the function of nn.functional with its name to whatever comes in. Where there is a choice, `inplace` writes
the result into the input.
"""

from __future__ import annotations

import warnings
from typing import Any

from fanin._core.errors import ArgumentConflictError
from fanin.nn import functional as F
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter
from fanin.tensor.functions.creation import empty


def _marked(text: str, inplace: bool) -> str:
    return ", ".join(part for part in (text, "inplace=True" if inplace else "") if part)


class ReLU(Module):
    """max(0, x). The derivative at 0 is 0.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.relu(input, self.inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return _marked("", self.inplace)


class Hardtanh(Module):
    """x limited to [min_val, max_val].

    Args:
        min_val: the lower limit.
        max_val: the upper limit, greater than the lower one.
        inplace: write the result into the input.
        min_value: the old name of min_val.
        max_value: the old name of max_val.

    Raises AssertionError unless the lower limit is below the upper one.

    >>> import fanin as torch
    >>> torch.nn.Hardtanh()(torch.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        self.min_val = min_val if min_value is None else _old_name("min_value", min_value)
        self.max_val = max_val if max_value is None else _old_name("max_value", max_value)
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise ArgumentConflictError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"min_val={self.min_val}, max_val={self.max_val}", self.inplace)


def _old_name(name: str, value: float) -> float:
    new = name.replace("value", "val")
    warnings.warn(f"keyword argument `{name}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=3)
    return value


class ReLU6(Hardtanh):
    """min(max(0, x), 6).

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.ReLU6()(torch.tensor([-1.0, 8.0]))
    tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return _marked("", self.inplace)


class Threshold(Module):
    """x where it is above the threshold, else the value.

    Args:
        threshold: up to which x is replaced.
        value: what takes its place.
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.Threshold(1.0, -7.0)(torch.tensor([0.5, 2.0]))
    tensor([-7.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"threshold={self.threshold}, value={self.value}", self.inplace)


class LeakyReLU(Module):
    """x where it is positive, else negative_slope * x.

    Args:
        negative_slope: of the line below 0.
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.LeakyReLU(0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"negative_slope={self.negative_slope}", self.inplace)


class PReLU(Module):
    """x where it is positive, else w x, with w learned.

    Args:
        num_parameters: 1, one w for all, or the number of channels (dimension 1), one w for each.
        init: what w starts with.

    Shape: (N, C, *), or any with one w. weight is (num_parameters,).

    Reference: K. He et al., "Delving deep into rectifiers", 2015.

    >>> import fanin as torch
    >>> torch.nn.PReLU()(torch.tensor([-1.0, 2.0])).detach()
    tensor([-0.2500,  2.0000])
    """

    weight: Any

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to their first value."""
        self.weight._array[...] = self.init

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of slopes."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """x where it is positive, else a x; in training a is drawn for each element, uniform in [lower, upper).

    Args:
        lower: smallest slope.
        upper: largest slope; in evaluation a is the middle of the two.
        inplace: write the result into the input.

    Reference: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.

    >>> import fanin as torch
    >>> torch.nn.RReLU().eval()(torch.tensor([-1.0, 2.0]))
    tensor([-0.2292,  2.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"lower={self.lower}, upper={self.upper}", self.inplace)


class ELU(Module):
    """x where it is positive, else alpha (e^x - 1).

    Args:
        alpha: minus the limit at minus infinity.
        inplace: write the result into the input.

    Reference: D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2015.

    >>> import fanin as torch
    >>> torch.nn.ELU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"alpha={self.alpha}", self.inplace)


class SELU(Module):
    """scale * ELU(x, alpha) with the constants that make mean 0 and variance 1 a fixed point.

    Reference: G. Klambauer et al., "Self-normalizing neural networks", 2017, equations 2 and 14.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.SELU()(torch.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.selu(input, self.inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return _marked("", self.inplace)


class CELU(Module):
    """max(0, x) + min(0, alpha (e^(x / alpha) - 1)).

    Args:
        alpha: minus the limit at minus infinity; not 0.
        inplace: write the result into the input.

    Reference: J. T. Barron, "Continuously differentiable exponential linear units", 2017.

    >>> import fanin as torch
    >>> torch.nn.CELU(2.0)(torch.tensor([-1.0, 2.0]))
    tensor([-0.7869,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return _marked(f"alpha={self.alpha}", self.inplace)


class GELU(Module):
    """x Phi(x), where Phi is the normal distribution's function.

    Args:
        approximate: "none", or "tanh" for the formula with tanh.

    Reference: D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016.

    >>> import fanin as torch
    >>> torch.nn.GELU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), also called swish.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.SiLU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.silu(input, self.inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return _marked("", self.inplace)


class Mish(Module):
    """x tanh(softplus(x)).

    Reference: D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.Mish()(torch.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.mish(input, self.inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return _marked("", self.inplace)


class Softplus(Module):
    """log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold.

    Args:
        beta: how sharp the bend is.
        threshold: from which on x is returned.

    >>> import fanin as torch
    >>> torch.nn.Softplus()(torch.tensor([0.0]))
    tensor([0.6931])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"beta={self.beta}, threshold={self.threshold}"
