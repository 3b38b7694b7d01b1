"""Distributions: draws from the stream, densities and their gradients, divergences, texts and mistakes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tests.parity.harness import case, message, raises, sample, with_gradients

DTYPES = ("float32", "float64")


def room(torch: Any) -> Any:
    return importlib.import_module(f"{torch.__name__}.distributions")


def positive(torch: Any, *shape: int, dtype: str, seed: int = 1) -> Any:
    return sample(torch, *shape, dtype=dtype, low=0.3, high=2.0, seed=seed)


def parts(torch: Any, name: str, dtype: str, seed: int = 0) -> tuple[Callable[..., Any], list[Any]]:
    """Return a function that makes a distribution of its parameters, and the parameters."""
    d = room(torch)
    real = sample(torch, 2, 3, dtype=dtype, seed=seed)
    scale = positive(torch, 2, 3, dtype=dtype, seed=seed + 1)
    share = sample(torch, 2, 3, dtype=dtype, low=0.1, high=0.9, seed=seed + 2)
    tril = (sample(torch, 3, 3, dtype=dtype, seed=seed + 3) * 0.3).tril() + torch.eye(3, dtype=real.dtype)
    return {
        "normal": (d.Normal, [real, scale]),
        "log normal": (d.LogNormal, [real, scale]),
        "uniform": (lambda low, width: d.Uniform(low, low + width), [real, scale]),
        "laplace": (d.Laplace, [real, scale]),
        "exponential": (d.Exponential, [scale]),
        "poisson": (d.Poisson, [scale]),
        "bernoulli probs": (d.Bernoulli, [share]),
        "bernoulli logits": (lambda x: d.Bernoulli(logits=x), [real]),
        "categorical probs": (d.Categorical, [share]),
        "categorical logits": (lambda x: d.Categorical(logits=x), [real]),
        "one hot": (lambda x: d.OneHotCategorical(logits=x), [real]),
        "straight through": (lambda x: d.OneHotCategoricalStraightThrough(logits=x), [real]),
        "gamma": (d.Gamma, [scale, positive(torch, 2, 3, dtype=dtype, seed=seed + 4) * 4]),
        "beta": (d.Beta, [scale, scale.flip(1) * 2]),
        "dirichlet": (d.Dirichlet, [scale * 1.5]),
        "chi2": (d.Chi2, [scale * 3]),
        "student t": (lambda n, m, s: d.StudentT(n * 3, m, s), [scale, real, share]),
        "cauchy": (d.Cauchy, [real, scale]),
        "half normal": (d.HalfNormal, [scale]),
        "half cauchy": (d.HalfCauchy, [scale]),
        "gumbel": (d.Gumbel, [real, scale]),
        "geometric probs": (d.Geometric, [share]),
        "geometric logits": (lambda x: d.Geometric(logits=x), [real]),
        "relaxed bits": (lambda t, x: d.RelaxedBernoulli(t.sum() / 6, logits=x), [scale, real]),
        "relaxed rows": (lambda t, p: d.RelaxedOneHotCategorical(t.sum() / 6, p), [scale, share]),
        "squashed": (lambda m, s: d.TransformedDistribution(d.Normal(m, s), d.TanhTransform(1)), [real, scale]),
        "falling": (
            lambda m, s: d.TransformedDistribution(d.Normal(m, s), [d.AffineTransform(m, -s), d.SigmoidTransform()]),
            [real, scale],
        ),
        "sticks": (lambda m, s: d.TransformedDistribution(d.Normal(m, s), d.StickBreakingTransform()), [real, scale]),
        "vectors moved": (
            lambda m, t: d.TransformedDistribution(
                d.MultivariateNormal(m, scale_tril=t),
                [d.SoftplusTransform(), d.AffineTransform(0.5, 2.0, event_dim=1), d.ReshapeTransform((3,), (3, 1))],
            ),
            [real, tril],
        ),
        "independent": (lambda m, s: d.Independent(d.Normal(m, s), 1), [real, scale]),
        "vectors": (lambda m, t: d.MultivariateNormal(m, scale_tril=t), [real, tril]),
        "covariance": (lambda m, t: d.MultivariateNormal(m, t @ t.mT), [real, tril]),
        "precision": (lambda m, t: d.MultivariateNormal(m, precision_matrix=t @ t.mT), [real, tril]),
    }[name]


NAMES = [
    "normal", "log normal", "uniform", "laplace", "exponential", "poisson", "bernoulli probs", "bernoulli logits",
    "categorical probs", "categorical logits", "one hot", "independent", "vectors", "covariance", "precision",
    "straight through", "gamma", "beta", "dirichlet", "chi2", "student t", "cauchy", "half normal", "half cauchy",
    "gumbel", "geometric probs", "geometric logits", "relaxed bits", "relaxed rows", "squashed", "falling", "sticks",
    "vectors moved",
]  # fmt: skip
REPARAMETERISED = [
    "normal", "log normal", "uniform", "laplace", "exponential", "independent", "vectors", "covariance",
    "straight through", "cauchy", "half normal", "half cauchy", "gumbel", "relaxed bits", "relaxed rows", "squashed",
    "falling", "sticks", "vectors moved",
]  # fmt: skip
WITHOUT_MOMENTS = ["relaxed bits", "relaxed rows", "squashed", "falling", "sticks", "vectors moved"]
ALONE = [n for n in NAMES if n not in ("poisson", *WITHOUT_MOMENTS)]
# Their derivatives need trigamma, of which PyTorch's is right to nine digits.
GAMMAS = ["gamma", "beta", "dirichlet", "chi2", "student t"]
PAIRS = [
    "cauchy", "half normal", "geometric probs", "geometric logits", "squashed",
    "sticks", "straight through",
    "normal", "log normal", "laplace", "exponential", "poisson", "bernoulli probs", "bernoulli logits",
    "categorical probs", "categorical logits", "one hot", "independent", "vectors",
]  # fmt: skip


@case(params=[(n, t) for n in NAMES for t in DTYPES], rtol={"float32": 3e-6})
def draws(torch: Any, name: str, dtype: str) -> Any:
    make, parameters = parts(torch, name, dtype)
    distribution = make(*parameters)
    value = distribution.sample((4,))
    return {"one": distribution.sample(), "several": value, "shapes": [list(value.shape), value.requires_grad]}


@case(params=[(n, t) for n in REPARAMETERISED for t in DTYPES], rtol={"float32": 3e-6})
def differentiable_draws(torch: Any, name: str, dtype: str) -> Any:
    make, parameters = parts(torch, name, dtype)
    parameters = [p.requires_grad_() for p in parameters]
    return with_gradients(torch, lambda *p: make(*p).rsample((2,)), *parameters)


@case(params=[(n, t) for n in NAMES for t in DTYPES], rtol={"float32": 5e-6, "float64": 1e-11})
def densities(torch: Any, name: str, dtype: str) -> Any:
    make, parameters = parts(torch, name, dtype)
    value = make(*parameters).sample((2,))
    parameters = [p.clone().requires_grad_() for p in parameters]
    return with_gradients(torch, lambda *p: make(*p).log_prob(value), *parameters)


@case(params=[(n, t) for n in GAMMAS for t in DTYPES], rtol={"float32": 3e-6, "float64": 2e-9})
@case(params=[(n, t) for n in ALONE if n not in GAMMAS for t in DTYPES], rtol={"float32": 3e-6})
def entropies(torch: Any, name: str, dtype: str) -> Any:
    make, parameters = parts(torch, name, dtype)
    return with_gradients(torch, lambda *p: make(*p).entropy(), *[p.requires_grad_() for p in parameters])


@case(params=[(n, t) for n in GAMMAS[:4] for t in DTYPES], rtol={"float32": 5e-6, "float64": 2e-9})
@case(params=[(n, t) for n in PAIRS if n not in GAMMAS for t in DTYPES], rtol={"float32": 5e-6, "float64": 1e-11})
def divergences(torch: Any, name: str, dtype: str) -> Any:
    make, first = parts(torch, name, dtype)
    _, second = parts(torch, name, dtype, seed=5)
    count = len(first)
    return with_gradients(
        torch,
        lambda *p: room(torch).kl_divergence(make(*p[:count]), make(*p[count:])),
        *[p.clone().requires_grad_() for p in (*first, *second)],
    )


@case(params=[(n,) for n in NAMES if n not in WITHOUT_MOMENTS], rtol={"float32": 3e-6})
def moments(torch: Any, name: str) -> Any:
    make, parameters = parts(torch, name, "float32")
    distribution = make(*parameters)
    wide = distribution.expand((5, *distribution.batch_shape))
    found = {
        "mean": distribution.mean,
        "variance": distribution.variance,
        "deviation": distribution.stddev,
        "batch": list(distribution.batch_shape),
        "event": list(distribution.event_shape),
        "text": str(distribution),
        "support": str(distribution.support) if name != "uniform" else "",
        "reparameterised": distribution.has_rsample,
        "wide": [list(wide.sample().shape), list(wide.log_prob(wide.sample()).shape)],
    }
    return found | ({} if name == "uniform" else {"mode": distribution.mode})


@case(params=[(t,) for t in DTYPES])
def probabilities(torch: Any, dtype: str) -> Any:
    found = {}
    for name in (
        "normal", "uniform", "laplace", "exponential", "cauchy", "half normal", "half cauchy", "gumbel", "log normal",
        "squashed", "falling",
    ):  # fmt: skip
        make, parameters = parts(torch, name, dtype)
        distribution = make(*parameters)
        at = distribution.sample()
        found[name] = [distribution.cdf(at), distribution.icdf(torch.full((2, 3), 0.3, dtype=at.dtype))]
    return found


@case
def counts(torch: Any) -> Any:
    d = room(torch)
    die = d.Multinomial(10, torch.ones(6) / 6)
    rows = d.Multinomial(5, logits=sample(torch, 2, 3))
    value = rows.sample((2,))
    return [die.sample(), value, rows.log_prob(value), rows.mean, rows.variance, str(die), list(rows.event_shape)]


@case
def numbers_and_texts(torch: Any) -> Any:
    d = room(torch)
    plain, policy = d.Normal(0, 1), d.Categorical(torch.tensor([1.0, 1.0, 2.0]))
    return {
        "plain": [plain.sample(), plain.sample((2,)), plain.log_prob(torch.tensor(0.5)), str(plain)],
        "policy": [policy.sample(), policy.sample((3,)), policy.probs, policy.logits, str(policy), policy.perplexity()],
        "all": [policy.enumerate_support(), d.Bernoulli(0.5).enumerate_support()],
        "half": d.Bernoulli(torch.tensor([0.5, 0.7])).mode,
        "mixed": d.Normal(torch.zeros(2, dtype=torch.float64), 1).sample(),
        "both": str(d.Bernoulli(torch.tensor(0.3))),
    }


@case
def mistakes(torch: Any) -> Any:
    d = room(torch)
    normal, policy = d.Normal(torch.zeros(3), torch.ones(3)), d.Categorical(torch.ones(3))

    return {
        "negative": message(lambda: d.Normal(torch.zeros(2), torch.tensor([1.0, -1.0])), ValueError),
        "probability": message(lambda: d.Bernoulli(torch.tensor([1.5])), ValueError),
        "logits nan": message(lambda: d.Categorical(logits=torch.tensor([float("nan"), 1.0])), ValueError),
        "range": message(lambda: policy.log_prob(torch.tensor([3])), ValueError),
        "shape": message(lambda: normal.log_prob(torch.zeros(4)), ValueError),
        "high": message(lambda: d.Uniform(torch.zeros(2), torch.tensor([1.0, -1.0])), ValueError),
        "binary": message(lambda: d.Bernoulli(torch.tensor([0.5])).log_prob(torch.tensor([0.5])), ValueError),
        "low": message(lambda: d.Uniform(torch.ones(2), torch.zeros(2)), ValueError),
        "neither": raises(lambda: d.Categorical()),
        "both": raises(lambda: d.Bernoulli(torch.ones(1), torch.ones(1))),
        "number": raises(lambda: normal.log_prob(1.0)),
        "unknown pair": raises(lambda: d.kl_divergence(normal, policy)),
        "no gradient": raises(lambda: policy.rsample()),
        "unchecked": d.Normal(torch.zeros(1), -torch.ones(1), validate_args=False).scale,
        "dimensions": message(lambda: d.Independent(normal, 2), ValueError),
        "forms": message(lambda: d.MultivariateNormal(torch.zeros(2)), ValueError),
    }


@case
def a_policy_learns(torch: Any) -> Any:
    d = room(torch)
    torch.manual_seed(3)
    net = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    state = sample(torch, 8, 2)
    for _ in range(5):
        policy = d.Categorical(logits=net(state))
        action = policy.sample()
        reward = (action == 1).float()
        loss = -(policy.log_prob(action) * (reward - reward.mean())).mean() - 0.01 * policy.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [action, loss, net.weight]


# Mixtures -------------------------------------------------------------------------------------------------------------


def mixture(torch: Any, kind: str, dtype: str) -> tuple[Callable[..., Any], list[Any]]:
    """Return a function that makes a mixture of its parameters, and the parameters."""
    d = room(torch)
    real, scale = sample(torch, 2, 3, dtype=dtype), positive(torch, 2, 3, dtype=dtype)
    share = positive(torch, 2, 3, dtype=dtype, seed=2)
    points = sample(torch, 2, 3, 4, dtype=dtype, seed=3)
    made = {
        "probs": lambda p, m, s, _: d.MixtureSameFamily(d.Categorical(p), d.Normal(m, s)),
        "logits": lambda p, m, s, _: d.MixtureSameFamily(d.Categorical(logits=p), d.Laplace(m, s)),
        "vectors": lambda p, m, s, x: d.MixtureSameFamily(
            d.Categorical(p), d.Independent(d.Normal(x, (x * m.sum()).exp() + s.sum()), 1)
        ),
        "correlated": lambda p, m, s, x: d.MixtureSameFamily(
            d.Categorical(p), d.MultivariateNormal(x, torch.eye(4, dtype=x.dtype) * s[..., None, None])
        ),
    }[kind]
    return made, [share, real, scale, points]


MIXTURES = ["probs", "logits", "vectors", "correlated"]


@case(params=[(kind, t) for kind in MIXTURES for t in DTYPES], rtol={"float32": 5e-6, "float64": 1e-11})
def mixtures(torch: Any, kind: str, dtype: str) -> Any:
    make, parameters = mixture(torch, kind, dtype)
    mixed = make(*parameters)
    value = mixed.sample((3,))
    univariate = not len(mixed.event_shape)
    wide = mixed.expand((5, *mixed.batch_shape))
    leaves = [p.clone().requires_grad_() for p in parameters[: 3 if univariate else 4]]
    given = [] if not univariate else parameters[3:]
    return {
        "draws": [value, mixed.sample(), torch.rand(2)],
        "density": with_gradients(torch, lambda *p: make(*p, *given).log_prob(value), *leaves),
        "moments": [mixed.mean, mixed.variance, mixed.stddev],
        "cdf": mixed.cdf(value) if univariate else None,
        "shapes": [list(mixed.batch_shape), list(mixed.event_shape), list(wide.batch_shape)],
        "wide draws": wide.sample((2,)),
        "wide": wide.log_prob(value[:, None][:1].expand(1, 5, *value.shape[1:])),
        "texts": [str(mixed), str(mixed.support), mixed.has_rsample, str(mixed.mixture_distribution)],
    }


@case
def mixtures_that_do_not_fit(torch: Any) -> Any:
    d = room(torch)
    normals, three = d.Normal(torch.zeros(2, 3), 1.0), torch.ones(3)
    mixed = d.MixtureSameFamily(d.Categorical(three), normals)
    positives = d.MixtureSameFamily(d.Categorical(three), d.Exponential(three))
    return {
        "weights": raises(lambda: d.MixtureSameFamily(d.Bernoulli(three), normals)),
        "components": raises(lambda: d.MixtureSameFamily(d.Categorical(three), 3)),
        "number": raises(lambda: d.MixtureSameFamily(d.Categorical(torch.ones(4)), normals)),
        "batch": raises(lambda: d.MixtureSameFamily(d.Categorical(torch.ones(5, 3)), normals)),
        "gradient": raises(lambda: mixed.rsample()),
        "entropy": raises(lambda: mixed.entropy()),
        "shape": raises(lambda: mixed.log_prob(torch.zeros(4))),
        "support": raises(lambda: positives.log_prob(torch.tensor(-1.0))),
        "within": [positives.log_prob(torch.tensor(1.0)), positives.support.check(torch.tensor([1.0, -1.0]))],
    }


# Functions of draws ---------------------------------------------------------------------------------------------------


def transforms(torch: Any) -> dict[str, Any]:
    """Return each transform, and inputs that it takes."""
    d = room(torch)
    real, wide = sample(torch, 2, 3), positive(torch, 2, 3, dtype="float32")
    chained = [d.AffineTransform(0.0, 2.0), d.SigmoidTransform(), d.StickBreakingTransform()]
    return {
        "abs": (d.AbsTransform(), real),
        "affine": (d.AffineTransform(wide, real), real),
        "number": (d.AffineTransform(1.0, -2.0, event_dim=1), real),
        "exp": (d.ExpTransform(), real),
        "power": (d.PowerTransform(torch.tensor(1.5)), wide),
        "sigmoid": (d.SigmoidTransform(), real * 30),
        "softmax": (d.SoftmaxTransform(), real),
        "softplus": (d.SoftplusTransform(), real),
        "sticks": (d.StickBreakingTransform(), real),
        "tanh": (d.TanhTransform(), real / 2),
        "reshape": (d.ReshapeTransform((3,), (1, 3)), real),
        "composed": (d.ComposeTransform(chained), real),
        "backwards": (d.ComposeTransform(chained[:2]).inv, torch.sigmoid(real)),
        "independent": (d.IndependentTransform(d.ExpTransform(), 1), real),
        "nothing": (d.identity_transform, real),
    }


@case
def functions_of_draws(torch: Any) -> Any:
    found: dict[str, Any] = {}
    for name, (transform, x) in transforms(torch).items():
        y = transform(x)
        found[name] = {
            "value": y,
            "back": transform.inv(y),
            "determinant": "" if name in ("abs", "softmax") else transform.log_abs_det_jacobian(x, y),
            "shapes": [list(transform.forward_shape(x.shape)), list(transform.inverse_shape(y.shape))],
            "texts": [str(transform), str(transform.inv), str(transform.domain), str(transform.codomain)],
            "kinds": [transform.bijective, transform == transform, transform.inv == transform.inv],
        }
    return found


@case
def caches_and_mistakes_of_transforms(torch: Any) -> Any:
    d = room(torch)
    kept, plain = d.TanhTransform(cache_size=1), d.TanhTransform()
    x = torch.tensor([8.0, 12.0])
    affine, normal = d.AffineTransform(0, 1), d.Normal(0.0, 1.0)
    return {
        "kept": kept.inv(kept(x)),
        "lost": plain.inv(plain(x)),
        "changed": plain.with_cache().inv(plain.with_cache()(x)),
        "equal": [plain == kept, plain == affine, affine == d.AffineTransform(0, 1), affine != d.AffineTransform(1, 1)],
        "size": message(lambda: d.TanhTransform(cache_size=2), ValueError),
        "not a list": message(lambda: d.TransformedDistribution(normal, 3), ValueError),
        "not transforms": message(lambda: d.TransformedDistribution(normal, [3]), ValueError),
        "no rows": message(lambda: d.TransformedDistribution(normal, d.StickBreakingTransform()), ValueError),
        "sizes": message(lambda: d.ReshapeTransform((2,), (3,)), ValueError),
        "scale": message(lambda: d.HalfNormal(torch.tensor([1.0, -1.0])), ValueError),
        "degrees": message(lambda: d.Chi2(torch.tensor(-1.0)), ValueError),
        "below 0": message(lambda: d.HalfNormal(1.0).log_prob(torch.tensor(-1.0)), ValueError),
        "no dimensions": message(lambda: d.Dirichlet(torch.tensor(1.0)), ValueError),
        "unknown pair": raises(lambda: d.kl_divergence(d.StudentT(2.0), normal)),
        "flow": d.TransformedDistribution(normal, [affine, kept]).expand((2,)).sample(),
    }
