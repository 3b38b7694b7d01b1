"""Sample inputs of the operations behind layers: activations and normalisation. See `samples` for their form."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples import Sample, distinct, inside, positive, unary, values


def with_attrs(*settings: dict[str, Any], make: Any = values) -> list[Sample]:
    """Return one-input samples with each of the settings."""
    return [(inputs, attrs) for attrs in settings for inputs, _ in unary(make)]


def apart(*shape: int, seed: int = 0) -> Any:
    """Return numbers from -4 to 4 that keep away from the corners of every activation: multiples of a half."""
    x = values(*shape, seed=seed, low=-4.5, high=4.5)
    nearest = np.round(x * 2) / 2
    return np.where(np.abs(x - nearest) < 0.05, nearest + 0.11, x)


def normalised(dims: tuple[int, ...], shape: tuple[int, ...], parameters: tuple[int, ...]) -> list[Sample]:
    """Return samples with a weight and a bias, with a weight, and with neither."""
    attrs = {"dims": dims, "eps": 1e-5}
    x, weight, bias = values(*shape), positive(*parameters, seed=1), values(*parameters, seed=2)
    return [((x, weight, bias), attrs), ((x, weight), attrs), ((x,), attrs), ((x, None, bias), attrs)]


GROUPED = {"groups": 2, "eps": 1e-5}
FIXED = (values(3, 2), values(2, seed=1), positive(2, seed=2))

LAYERS: dict[str, list[Sample]] = {
    "identity": unary(),
    # masks
    "above": [((values(3, 4), apart(3, 4, seed=1)), {"threshold": 0.5}), ((values(), apart(seed=1)), {"threshold": 0})],
    "between": [((values(3, 4), apart(3, 4, seed=1)), {"low": -1, "high": 2})],
    "outside": [((values(3, 4), apart(3, 4, seed=1)), {"low": -1, "high": 2})],
    "leaky_gate": [((values(3, 4), apart(3, 4, seed=1)), {"slope": 0.1}), ((values(3), apart(3)), {"slope": 2})],
    # activations
    **{name: unary() for name in ("sigmoid", "tanh", "softsign", "silu", "mish")},
    **{name: unary(apart) for name in ("relu", "log_sigmoid", "tanhshrink", "hardsigmoid", "hardswish")},
    "hardswish_slope": unary(apart),
    "hardtanh": with_attrs({"low": -1.0, "high": 1.0}, {"low": 0.0, "high": 6.0}, make=apart),
    "threshold": with_attrs({"threshold": 0.5, "value": 7.0}, make=apart),
    "leaky_relu": with_attrs({"slope": 0.01}, {"slope": 2.0}, {"slope": -0.5}, {"slope": 0.0}, make=apart),
    "prelu": [
        ((apart(3, 4), values(1, 4, seed=1)), {}),
        ((apart(3, 2, 2), values(1, 1, 1, seed=1)), {}),
        ((apart(5), values(1, seed=1)), {}),
        ((apart(0, 4), values(1, 4, seed=1)), {}),
    ],
    "rrelu_with_noise": [((apart(3, 4), inside(3, 4, seed=1)), {})],
    "hardshrink": with_attrs({"lambd": 0.5}, {"lambd": 0.0}, make=apart),
    "softshrink": with_attrs({"lambd": 0.5}, {"lambd": 0.0}, make=apart),
    **{
        name: with_attrs(
            {"alpha": 1.0, "scale": 1.0, "input_scale": 1.0},
            {"alpha": 1.6, "scale": 1.05, "input_scale": 1.0},
            {"alpha": 2.0, "scale": 1.0, "input_scale": 0.5},
            make=apart,
        )
        for name in ("elu", "celu", "elu_slope")
    },
    **{
        name: with_attrs({"beta": 1, "threshold": 20}, {"beta": 2.0, "threshold": 30}, make=apart)
        for name in ("softplus", "softplus_slope")
    },
    "gelu": with_attrs({"approximate": "none"}, {"approximate": "tanh"}),
    "logaddexp": [((distinct(3, 4), values(4, seed=1)), {}), ((values(2, 1), values(3, seed=1)), {})],
    # normalisation
    "batch_norm": normalised((0,), (5, 3), (3,)) + normalised((0, 2), (4, 3, 2), (3, 1)),
    "layer_norm": normalised((1,), (3, 5), (5,)) + normalised((1, 2), (2, 3, 4), (3, 4)),
    "instance_norm": normalised((2,), (2, 3, 4), (3, 1)),
    "batch_norm_fixed": [
        ((*FIXED, positive(2, seed=3), values(2, seed=4)), {"eps": 1e-5}),
        ((*FIXED, positive(2, seed=3)), {"eps": 1e-5}),
        ((*FIXED, None, values(2, seed=4)), {"eps": 1e-5}),
        (FIXED, {"eps": 1e-5}),
    ],
    "group_norm": [
        ((values(3, 4), positive(4, seed=1), values(4, seed=2)), GROUPED),
        ((values(2, 4, 3), positive(4, seed=1)), GROUPED),
        ((values(2, 4, 3),), GROUPED),
        ((values(2, 4, 2, 2), None, values(4, seed=2)), GROUPED),
    ],
    "rms_norm": [
        ((values(3, 5), positive(5, seed=1)), {"dims": (1,), "eps": 1e-5}),
        ((values(2, 3, 4),), {"dims": (1, 2), "eps": 1e-5}),
        ((values(0, 4), positive(4, seed=1)), {"dims": (1,), "eps": 1e-5}),
    ],
}
