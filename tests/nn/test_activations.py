"""How exact the single-precision activations are, measured against double precision and mathematics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.ops import exponentials, masks
from fanin.ops.special import erf

# Two units in the last place of float32.
TWO_UNITS = 2.5e-7


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest relative error; where the truth is 0, so must the value be."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    scale = np.where(expected == 0, 1e-300, np.abs(expected))
    return float(np.max(np.abs(actual - expected) / scale))


def spread(low: float, high: float) -> Any:
    """Return float32 numbers of both signs whose sizes run from 10**low to 10**high."""
    sizes = np.logspace(low, high, 20001)
    return np.concatenate([-sizes, sizes]).astype(np.float32)


def test_log1p_of_a_fraction_keeps_all_digits() -> None:
    z = np.abs(spread(-40, 0)).clip(0, 1)
    assert relative_error(exponentials.log1p_of_fraction(z), np.log1p(z.astype(np.float64))) < TWO_UNITS


def test_expm1_below_zero_keeps_all_digits() -> None:
    x = -np.abs(spread(-30, 2))
    assert relative_error(exponentials.expm1_of_negative(x.copy()), np.expm1(x.astype(np.float64))) < TWO_UNITS


def test_plain_formulas_would_not_pass() -> None:
    x = -np.abs(spread(-30, 2))
    assert relative_error(np.exp(x) - np.float32(1), np.expm1(x.astype(np.float64))) > 0.1
    assert relative_error(np.log(np.exp(x) + np.float32(1)), np.log1p(np.exp(x.astype(np.float64)))) > 0.1


def test_erf_is_rounded_from_nearly_exact() -> None:
    x = spread(-20, 1)
    expected = np.array([math.erf(float(v)) for v in x])
    assert relative_error(erf(x), expected) < 1.2e-7


@pytest.mark.parametrize("name", ["Sigmoid", "LogSigmoid", "Softplus", "SiLU"])
def test_single_precision_agrees_with_double(name: str) -> None:
    x = spread(-10, 1.9)
    module = getattr(nn, name)()
    single, double = module(torch.from_numpy(x)).numpy(), module(torch.from_numpy(x.astype(np.float64))).numpy()
    kept = np.abs(double) > 1e-37  # below, float32 has fewer digits
    assert relative_error(single[kept], double[kept]) < 4e-7


def test_nothing_overflows_at_the_extremes() -> None:
    x = torch.tensor([-1e4, -100.0, 100.0, 1e4], requires_grad=True)
    for name in (
        "Sigmoid",
        "LogSigmoid",
        "Softplus",
        "SiLU",
        "Mish",
        "GELU",
        "ELU",
        "SELU",
        "CELU",
        "Tanh",
        "Softsign",
    ):
        out = getattr(nn, name)()(x)
        (grad,) = torch.autograd.grad(out.sum(), x)
        assert np.isfinite(out.detach().numpy()).all(), name
        assert np.isfinite(grad.numpy()).all(), name


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", [5, 5000])
def test_choice_by_bits_is_where(dtype: Any, size: int) -> None:
    random = np.random.RandomState(0)
    a, b = random.randn(size).astype(dtype), random.randn(size).astype(dtype)
    a[:3], b[:3] = [np.inf, np.nan, -0.0], [np.nan, 0.0, -np.inf]
    condition = random.rand(size) < 0.5
    np.testing.assert_array_equal(masks.choose(condition, a, b), np.where(condition, a, b))
    np.testing.assert_array_equal(masks.keep(a, condition), np.where(condition, dtype(0), a))


def test_infinite_gradient_does_not_pass_a_closed_gate() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    (grad,) = torch.autograd.grad(torch.relu(x), x, torch.tensor([float("inf"), 1.0]))
    assert grad.tolist() == [0.0, 1.0]


def test_selu_keeps_mean_and_variance() -> None:
    """Klambauer et al. 2017: mean 0 and variance 1 are a fixed point; the constants solve that to many digits."""
    random = np.random.RandomState(0)
    x = torch.from_numpy(random.randn(1_000_000))
    y = nn.functional.selu(x).numpy()
    assert abs(y.mean()) < 3e-3
    assert abs(y.var() - 1) < 5e-3
    other = nn.functional.elu(x).numpy()
    assert abs(other.mean()) > 0.1


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    torch.manual_seed(0)
    x = nn.functional.selu(torch.from_numpy(np.random.RandomState(0).randn(1_000_000)))
    y = nn.functional.alpha_dropout(x, 0.3, training=True).numpy()
    assert abs(y.mean()) < 5e-3
    assert abs(y.var() - 1) < 1e-2
    plain = nn.functional.dropout(x, 0.3).numpy()
    assert abs(plain.var() - 1) > 0.2
