"""What the parameters of the estimators may be, and what they amount to."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fanin import nn, optim
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.optim import Optimizer
from fanin.sklearn.layers import ACTIVATIONS, INITIALIZERS
from fanin.sklearn.rules import AdamRule, InverseScaling, MomentumRule

OPTIMIZERS = {
    "adadelta": optim.Adadelta,
    "adafactor": optim.Adafactor,
    "adagrad": optim.Adagrad,
    "adamax": optim.Adamax,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "rmsprop": optim.RMSprop,
}

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like", nn.Module, callable],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", *OPTIMIZERS}), callable],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "batch_norm": ["boolean"],
    "initializer": [StrOptions(set(INITIALIZERS)), callable, None],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "callbacks": [callable, "array-like", object, None],
}


def dtypes_of(given: str | None) -> list[Any]:
    """Return the dtypes that X may keep; another becomes the first of them."""
    return [np.float64, np.float32] if given is None else [np.dtype(given)]


def hidden_sizes(given: Any) -> list[int]:
    """Return the widths of the hidden layers.

    Raises ValueError for one that is not above 0, TypeError for one that is no whole number.
    """
    sizes = list(given) if hasattr(given, "__iter__") else [given]
    if not all(isinstance(size, Integral) for size in sizes):
        raise ArgumentTypeError(f"hidden_layer_sizes are whole numbers, got {sizes}.")
    if np.any(np.array(sizes) <= 0):
        raise ArgumentError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def for_each_layer(name: str, given: Any, layers: int) -> list[Any]:
    """Return a parameter's value for each hidden layer.

    Raises ValueError for a list of another length.
    """
    if not isinstance(given, (list, tuple, np.ndarray)):
        return [given] * layers
    if len(given) != layers:
        raise ArgumentError(
            f"{name} has {len(given)} entries, but there are {layers} hidden layers",
            remedy=f"Give one value for all, or one for each entry of hidden_layer_sizes: {layers}.",
        )
    return list(given)


def activations_of(given: Any, layers: int) -> list[Any]:
    """Return the activation of each hidden layer.

    Raises ValueError for a name that there is not.
    """
    listed = for_each_layer("activation", given, layers)
    for activation in listed:
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ArgumentError(f"no activation {activation!r}; there are {', '.join(ACTIVATIONS)}")
    return listed


def dropouts_of(given: Any, layers: int) -> list[float]:
    """Return the share that is dropped after each hidden layer.

    Raises ValueError for one outside [0, 1).
    """
    listed = [float(share) for share in for_each_layer("dropout", given, layers)]
    for share in listed:
        if not 0 <= share < 1:
            raise ArgumentError(f"dropout must lie in [0, 1), not {share}")
    return listed


def is_stochastic(solver: Any) -> bool:
    """Say whether a solver takes steps on batches."""
    return bool(solver != "lbfgs")


def optimizer_of(estimator: Any, network: Any) -> Any:
    """Return the optimiser that the parameters of an estimator ask for.

    A class is called with the network's parameters and `learning_rate_init`; another function with the parameters.
    """
    solver, rate = estimator.solver, float(estimator.learning_rate_init)
    parameters = list(network.parameters())
    if solver == "adam":
        return AdamRule(parameters, rate, (estimator.beta_1, estimator.beta_2), estimator.epsilon)
    if solver == "sgd":
        return MomentumRule(parameters, rate, float(estimator.momentum), bool(estimator.nesterovs_momentum))
    make: Callable[..., Any] = OPTIMIZERS[solver] if isinstance(solver, str) else solver
    made = make(parameters, lr=rate) if isinstance(make, type) else make(parameters)
    if not isinstance(made, Optimizer):
        raise ArgumentError(
            f"solver: {solver!r} makes a {type(made).__name__}, which is no optimizer of fanin",
            remedy="Give a class of fanin.optim, or a function of the parameters that returns one of its objects.",
        )
    return made


def scheduler_of(estimator: Any, optimizer: Any) -> Any:
    """Return the scheduler that a user's function makes, or None."""
    return estimator.learning_rate(optimizer) if callable(estimator.learning_rate) else None


def inverse_scaling(estimator: Any, optimizer: Any, rows: int) -> Any:
    """Return the schedule of that name, from the rows seen so far on, or None where it is not asked for."""
    if estimator.learning_rate != "invscaling" or estimator.solver != "sgd":
        return None
    return InverseScaling(optimizer, float(estimator.learning_rate_init), estimator.power_t, rows, estimator.t_)
