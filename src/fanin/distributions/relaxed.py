"""Differentiable draws in the place of discrete ones: Gumbel-softmax, and the straight-through estimator.

References: C. J. Maddison, A. Mnih and Y. W. Teh, "The concrete distribution", 2017; E. Jang, S. Gu and B. Poole,
"Categorical reparameterization with Gumbel-softmax", 2017; Y. Bengio, N. Leonard and A. Courville, "Estimating or
propagating gradients through stochastic neurons", 2013.
"""

from __future__ import annotations

import math
from typing import Any

from fanin.distributions import constraints
from fanin.distributions.categorical import Categorical
from fanin.distributions.distribution import Distribution
from fanin.distributions.families import OfEvents, OverClasses
from fanin.distributions.one_hot_categorical import OneHotCategorical
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.transforms import ExpTransform, SigmoidTransform
from fanin.distributions.utils import broadcast_all, clamp_probs
from fanin.tensor.functions.data import tensor
from fanin.tensor.functions.sampling import rand


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """A one-hot row whose gradient is that of the probabilities.

    >>> import fanin as torch
    >>> logits = torch.zeros(3, requires_grad=True)
    >>> drawn = torch.distributions.OneHotCategoricalStraightThrough(logits=logits).rsample()
    >>> drawn.sum().item(), drawn.requires_grad
    (1.0, True)
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return one-hot rows with the gradient of the probabilities."""
        drawn = self.sample(sample_shape)
        return drawn + (self.probs - self.probs.detach())


class _LogitsOfBernoulli(OfEvents):
    """The logistic draws that `RelaxedBernoulli` squashes."""

    has_rsample = True
    support = constraints.real

    def __init__(self, temperature: Any, probs: Any, logits: Any, validate_args: bool | None) -> None:
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return (log u - log(1 - u) + logits) / temperature with u uniform on (0, 1)."""
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(rand(shape, dtype=probs.dtype))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Any) -> Any:
        """Return log t + d - 2 log(1 + exp d) with d = logits - t x."""
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        away = logits - value.mul(self.temperature)
        return _as_tensor(self.temperature, away).log() + away - 2 * away.exp().log1p()


class _LogOfClasses(OverClasses):
    """The logarithms of the rows that `RelaxedOneHotCategorical` draws."""

    has_rsample = True
    support = constraints.real_vector

    def __init__(self, temperature: Any, probs: Any, logits: Any, validate_args: bool | None) -> None:
        self.temperature = temperature
        self._hold(Categorical(probs, logits), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return the log-softmax of (logits + Gumbel draws) / temperature."""
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(rand(shape, dtype=self.logits.dtype))
        scores = (self.logits - (-(u.log())).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Any) -> Any:
        """Return the log density, equation 22 of Maddison et al."""
        self._validate_sample(value)
        count = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        scores = logits - value.mul(self.temperature)
        scores = (scores - scores.logsumexp(dim=-1, keepdim=True)).sum(-1)
        return scores + math.lgamma(count) + (count - 1) * _as_tensor(self.temperature, scores).log()


def _as_tensor(number: Any, like: Any) -> Any:
    return number if hasattr(number, "log") else tensor(number, dtype=like.dtype)


class _Relaxed(TransformedDistribution):
    @property
    def temperature(self) -> Any:
        """The temperature: draws are close to discrete ones where it is low."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        """The logits."""
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        """The probabilities."""
        return self.base_dist.probs


class RelaxedBernoulli(_Relaxed):
    """Numbers within (0, 1), near 0 or 1 at low temperatures, that are differentiable in probs or logits.

    >>> import fanin as torch
    >>> torch.distributions.RelaxedBernoulli(torch.tensor(0.5), torch.tensor([0.5])).log_prob(torch.tensor([0.5]))
    tensor([-0.6931])
    """

    has_rsample = True
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        below: Distribution = _LogitsOfBernoulli(temperature, probs, logits, validate_args)
        super().__init__(below, SigmoidTransform(), validate_args=validate_args)


class RelaxedOneHotCategorical(_Relaxed):
    """Rows of shares, near one-hot at low temperatures, that are differentiable in probs or logits.

    >>> import fanin as torch
    >>> concrete = torch.distributions.RelaxedOneHotCategorical(torch.tensor(1.0), logits=torch.zeros(2))
    >>> concrete.log_prob(torch.tensor([0.5, 0.5]))
    tensor(0.)
    """

    has_rsample = True
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        below: Distribution = _LogOfClasses(temperature, probs, logits, validate_args)
        super().__init__(below, ExpTransform(), validate_args=validate_args)
