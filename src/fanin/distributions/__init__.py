"""torch.distributions: densities, draws and divergences, for networks that output a distribution.

A draw comes from PyTorch's stream, so that a policy, a variational autoencoder or a Bayesian network samples what it
samples there. `sample` draws without a gradient, `rsample` by a differentiable function of the parameters.
"""

from fanin._core.missing import refuse
from fanin.distributions import constraints, kl, utils
from fanin.distributions.bernoulli import Bernoulli
from fanin.distributions.categorical import Categorical
from fanin.distributions.distribution import Distribution
from fanin.distributions.exponential import Exponential
from fanin.distributions.independent import Independent
from fanin.distributions.kl import kl_divergence, register_kl
from fanin.distributions.laplace import Laplace
from fanin.distributions.log_normal import LogNormal
from fanin.distributions.mixture import MixtureSameFamily
from fanin.distributions.multinomial import Multinomial
from fanin.distributions.multivariate_normal import MultivariateNormal
from fanin.distributions.normal import Normal
from fanin.distributions.one_hot_categorical import OneHotCategorical
from fanin.distributions.poisson import Poisson
from fanin.distributions.uniform import Uniform

__all__ = [
    "Bernoulli",
    "Categorical",
    "Distribution",
    "Exponential",
    "Independent",
    "Laplace",
    "LogNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "Uniform",
    "constraints",
    "kl",
    "kl_divergence",
    "register_kl",
    "utils",
]
__getattr__ = refuse("torch.distributions")
