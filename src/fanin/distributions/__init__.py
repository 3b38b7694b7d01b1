"""torch.distributions: densities, draws and divergences, for networks that output a distribution.

A draw comes from PyTorch's stream, so that a policy, a variational autoencoder or a Bayesian network samples what it
samples there. `sample` draws without a gradient, `rsample` by a differentiable function of the parameters.
"""

from fanin._core.missing import refuse
from fanin.distributions import constraints, kl, transforms, utils
from fanin.distributions.bernoulli import Bernoulli
from fanin.distributions.categorical import Categorical
from fanin.distributions.cauchy import Cauchy
from fanin.distributions.dirichlet import Beta, Dirichlet
from fanin.distributions.distribution import Distribution
from fanin.distributions.exponential import Exponential
from fanin.distributions.gamma import Chi2, Gamma
from fanin.distributions.geometric import Geometric
from fanin.distributions.gumbel import Gumbel
from fanin.distributions.half import HalfCauchy, HalfNormal
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
from fanin.distributions.relaxed import OneHotCategoricalStraightThrough, RelaxedBernoulli, RelaxedOneHotCategorical
from fanin.distributions.student_t import StudentT
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from fanin.distributions.uniform import Uniform

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "IndependentTransform",
    "Laplace",
    "LogNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Poisson",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StickBreakingTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "constraints",
    "identity_transform",
    "kl",
    "kl_divergence",
    "register_kl",
    "transforms",
    "utils",
]
__getattr__ = refuse("torch.distributions")
