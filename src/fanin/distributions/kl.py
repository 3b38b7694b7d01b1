"""The Kullback-Leibler divergence KL(p || q) = E_p[log p - log q] between pairs of distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fanin._core.missing import refuse
from fanin.distributions.bernoulli import Bernoulli
from fanin.distributions.categorical import Categorical
from fanin.distributions.cauchy import Cauchy
from fanin.distributions.dirichlet import Beta, Dirichlet
from fanin.distributions.distribution import Distribution
from fanin.distributions.exponential import Exponential
from fanin.distributions.gamma import Gamma
from fanin.distributions.geometric import Geometric
from fanin.distributions.half import HalfNormal
from fanin.distributions.independent import Independent
from fanin.distributions.laplace import Laplace
from fanin.distributions.log_normal import LogNormal
from fanin.distributions.multivariate_normal import MultivariateNormal
from fanin.distributions.normal import Normal
from fanin.distributions.one_hot_categorical import OneHotCategorical
from fanin.distributions.poisson import Poisson
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.uniform import Uniform
from fanin.distributions.utils import sum_rightmost
from fanin.linalg import solve_triangular
from fanin.nn.functional import softplus
from fanin.tensor.functions.pointwise import digamma, lgamma

Divergence = Callable[[Any, Any], Any]
_known: dict[tuple[type, type], Divergence] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Divergence], Divergence]:
    """Return a decorator that enters a function of p and q as the divergence between two classes of distributions."""
    for each in (type_p, type_q):
        if not (isinstance(each, type) and issubclass(each, Distribution)):
            raise TypeError(f"Expected type_p and type_q to be subclasses of Distribution but got {each}")

    def enter(function: Divergence) -> Divergence:
        _known[type_p, type_q] = function
        return function

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """Return KL(p || q) for each pair of the batch.

    Raises NotImplementedError for a pair of classes that no divergence is known for.

    >>> import fanin as torch
    >>> from fanin.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(torch.tensor([1.0]), 1.0), Normal(torch.tensor([0.0]), 1.0))
    tensor([0.5000])
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            if (kind_p, kind_q) in _known:
                return _known[kind_p, kind_q](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normals(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
@register_kl(LogNormal, LogNormal)
def _made_of_normals(p: Any, q: Any) -> Any:
    return _normals(p.base_dist, q.base_dist)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), extra)


@register_kl(Cauchy, Cauchy)
def _cauchys(p: Any, q: Any) -> Any:
    width, away = (p.scale + q.scale).pow(2), (p.loc - q.loc).pow(2)
    return (width + away).log() - (4 * p.scale * q.scale).log()


@register_kl(Laplace, Laplace)
def _laplaces(p: Any, q: Any) -> Any:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


@register_kl(Exponential, Exponential)
def _exponentials(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Gamma, Gamma)
def _gammas(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    ratio = q.rate / p.rate
    return -b * ratio.log() + lgamma(b) - lgamma(a) + (a - b) * digamma(a) + a * (ratio - 1)


@register_kl(Dirichlet, Dirichlet)
def _dirichlets(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    sums = lgamma(a.sum(-1)) - lgamma(b.sum(-1))
    away = (a - b) * (digamma(a) - digamma(a.sum(-1, True)))
    return sums - (lgamma(a) - lgamma(b)).sum(-1) + away.sum(-1)


@register_kl(Beta, Beta)
def _betas(p: Any, q: Any) -> Any:
    return _dirichlets(p._dirichlet, q._dirichlet)


@register_kl(Geometric, Geometric)
def _geometrics(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poissons(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniforms(p: Any, q: Any) -> Any:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


@register_kl(Bernoulli, Bernoulli)
def _bernoullis(p: Any, q: Any) -> Any:
    ones = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    ones = ones.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    zeros = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return ones + zeros.masked_fill(q.probs == 1, math.inf).masked_fill(p.probs == 1, 0)


@register_kl(Categorical, Categorical)
def _categoricals(p: Any, q: Any) -> Any:
    terms = p.probs * (p.logits - q.logits)
    terms = terms.masked_fill((q.probs == 0).expand_as(terms), math.inf)
    return terms.masked_fill((p.probs == 0).expand_as(terms), 0).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hots(p: Any, q: Any) -> Any:
    return _categoricals(p._categorical, q._categorical)


@register_kl(Independent, Independent)
def _independents(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normals(p: Any, q: Any) -> Any:
    trace = solve_triangular(q._tril, p._tril, upper=False).pow(2).sum((-2, -1))
    away = solve_triangular(q._tril, (q.loc - p.loc).unsqueeze(-1), upper=False).pow(2).sum((-2, -1))
    dimensions = p.event_shape[0]
    return q._half_log_determinant() - p._half_log_determinant() + 0.5 * (trace + away - dimensions)


__getattr__ = refuse("torch.distributions.kl")
