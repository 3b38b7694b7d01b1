"""Mixtures: a component is drawn, then a value from it."""

from __future__ import annotations

from typing import Any, NoReturn

from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.categorical import Categorical
from fanin.distributions.distribution import Distribution, expanded, shape_of
from fanin.tensor import no_grad
from fanin.tensor.functions.norms import logsumexp


class MixtureSameFamily(Distribution):
    """A mixture of K components of one family: p(x) = sum over k of pi_k p_k(x).

    mixture_distribution:   the Categorical that says how probable each component is, of K classes.
    component_distribution: the components, a batch whose last dimension has size K.

    Raises ValueError where the two do not fit together. There is no `rsample`: which component a value comes from is
    no differentiable function of the parameters.

    >>> import fanin as torch
    >>> D = torch.distributions
    >>> components = D.Normal(torch.tensor([-1.0, 1.0]), torch.ones(2))
    >>> mixture = D.MixtureSameFamily(D.Categorical(torch.tensor([0.5, 0.5])), components)
    >>> mixture.mean, mixture.variance, mixture.log_prob(torch.tensor(0.0))
    (tensor(0.), tensor(2.), tensor(-1.4189))
    """

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None
    ) -> None:
        _require_fit(mixture_distribution, component_distribution)
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        super().__init__(component_distribution.batch_shape[:-1], component_distribution.event_shape, validate_args)

    @property
    def mixture_distribution(self) -> Any:
        """Which component is how probable."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Any:
        """The components."""
        return self._component_distribution

    @property
    def support(self) -> constraints.Constraint:
        """Where every component has its support."""
        return _OfEveryComponent(self._component_distribution.support, len(self._event_shape))

    def _averaged(self, values: Any) -> Any:
        """Return the mean over the components of what has their batch shape and the event shape."""
        events = len(self._event_shape)
        weights = self._mixture_distribution.probs
        return (weights.reshape(*weights.shape, *(1,) * events) * values).sum(-1 - events)

    def _beside_components(self, x: Any) -> Any:
        return x.unsqueeze(-1 - len(self._event_shape))

    @property
    def mean(self) -> Any:
        """The mean of the components' means."""
        return self._averaged(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        """The mean of the components' variances, and the variance of their means."""
        within = self._averaged(self._component_distribution.variance)
        distance = self._component_distribution.mean - self._beside_components(self.mean)
        return within + self._averaged(distance.pow(2.0))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        count = self._component_distribution.batch_shape[-1]
        return expanded(
            self,
            batch_shape,
            _component_distribution=self._component_distribution.expand((*batch_shape, count)),
            _mixture_distribution=self._mixture_distribution.expand(batch_shape),
        )

    def cdf(self, x: Any) -> Any:
        """Return the mean of the components' probabilities of a draw up to x."""
        return (self._component_distribution.cdf(self._beside_components(x)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Any) -> Any:
        """Return log sum over k of pi_k p_k(value)."""
        self._validate_sample(value)
        of_components = self._component_distribution.log_prob(self._beside_components(value))
        return logsumexp(of_components + self._mixture_distribution.logits.log_softmax(-1), -1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws: of the components, and the one of the component that was drawn for each."""
        shape = shape_of(sample_shape)
        events = len(self._event_shape)
        with no_grad():
            which = self._mixture_distribution.sample(shape)
            values = self._component_distribution.sample(shape)
            which = which.reshape(*which.shape, *(1,) * (events + 1))
            index = which.expand(*which.shape[: which.ndim - events], *self._event_shape)
            return values.gather(-1 - events, index).squeeze(-1 - events)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution!r},\n  {self._component_distribution!r})"


class _OfEveryComponent(constraints.Constraint):
    def __init__(self, of_component: Any, events: int) -> None:
        self.of_component, self.events = of_component, events
        self.is_discrete, self.event_dim = of_component.is_discrete, of_component.event_dim

    def check(self, value: Any) -> Any:
        kept = value.dim() - self.events
        found = self.of_component.check(value.unsqueeze(-1 - self.events))
        return found.reshape((*found.shape[:kept], -1)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.of_component!r})"


def _require_fit(mixture: Any, component: Any) -> None:
    if not isinstance(mixture, Categorical):
        _refuse("the mixture distribution needs to be an instance of Categorical", mixture)
    if not isinstance(component, Distribution):
        _refuse("the component distribution needs to be an instance of Distribution", component)
    batch, count = tuple(component.batch_shape[:-1]), tuple(component.batch_shape[-1:])
    if count != (mixture.logits.shape[-1],):
        _refuse(f"the components are {count} by the last dimension of their batch", mixture)
    for ours, theirs in zip(reversed(tuple(mixture.batch_shape)), reversed(batch), strict=False):
        if ours not in (1, theirs) and theirs != 1:
            _refuse(f"the batch shape of the mixture is not compatible with that of the components, {batch}", mixture)


def _refuse(why: str, got: Any) -> NoReturn:
    raise ArgumentError(f"MixtureSameFamily: {why}, got {got!r}")
