"""Entropy and its relatives: values from the textbooks, identities, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fanin as torch
from fanin.information import cross_entropy, entropy, kl_divergence, self_information

# Values ---------------------------------------------------------------------------------------------------------------


def test_a_fair_coin_is_one_bit():
    assert entropy([0.5, 0.5], unit="bits") == 1.0
    assert entropy([0.5, 0.5]) == math.log(2)


@pytest.mark.parametrize("n", [1, 2, 4, 8, 1024])
def test_equal_chances_are_the_logarithm_of_their_number(n):
    assert entropy([1 / n] * n, unit="bits") == math.log2(n)
    assert entropy([1 / n] * n) == pytest.approx(math.log(n), rel=1e-14)


def test_certainty_is_no_information():
    assert entropy([1.0, 0.0, 0.0]) == 0.0
    assert self_information(1.0) == 0.0


def test_a_biased_coin():
    # Shannon's figure 7: the entropy of two possibilities p and 1 - p, here at p = 1/4: 2 - (3/4) log2 3.
    assert entropy([0.25, 0.75], unit="bits") == pytest.approx(2 - 0.75 * math.log2(3), rel=1e-15)


def test_shannons_four_letters():
    # Section 9 of his paper: letters with chances 1/2, 1/4, 1/8, 1/8 take 7/4 bits each.
    assert entropy([1 / 2, 1 / 4, 1 / 8, 1 / 8], unit="bits") == 7 / 4


def test_a_code_made_for_equal_chances():
    letters, equal = [1 / 2, 1 / 4, 1 / 8, 1 / 8], [1 / 4] * 4
    assert cross_entropy(letters, equal, unit="bits") == 2.0
    assert kl_divergence(letters, equal, unit="bits") == 1 / 4
    assert kl_divergence(equal, letters, unit="bits") == 1 / 4
    assert cross_entropy(equal, letters, unit="bits") == 9 / 4


def test_divergence_is_not_symmetric():
    p, q = [0.5, 0.5], [0.25, 0.75]
    assert kl_divergence(p, q) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-14)
    assert kl_divergence(q, p) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5), rel=1e-14)


def test_information_of_events():
    assert self_information(0.125, unit="bits") == 3.0
    assert self_information([1.0, 0.5, 0.0], unit="bits") == [0.0, 1.0, math.inf]
    assert self_information(math.exp(-2)) == pytest.approx(2.0, rel=1e-15)


def test_zeros_count_as_their_limit():
    assert entropy([0.5, 0.0, 0.5], unit="bits") == 1.0
    assert kl_divergence([1.0, 0.0], [0.5, 0.5], unit="bits") == 1.0
    assert kl_divergence([1.0, 0.0], [1.0, 0.0]) == 0.0
    assert cross_entropy([0.0, 1.0], [0.0, 1.0]) == 0.0


def test_what_was_thought_impossible_costs_infinitely_much():
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert cross_entropy([0.5, 0.5], [1.0, 0.0], unit="bits") == math.inf


def test_it_is_the_loss_of_that_name():
    logits, classes = torch.tensor([[1.5, 2.0, 0.5], [0.5, 1.0, 1.5]]), torch.tensor([1, 2])
    truth = torch.nn.functional.one_hot(classes, 3).float()
    loss = torch.nn.functional.cross_entropy(logits, classes, reduction="none")
    np.testing.assert_allclose(cross_entropy(truth, torch.softmax(logits, 1)).numpy(), loss.numpy(), rtol=1e-6)


# Identities -----------------------------------------------------------------------------------------------------------


def normalised(weights: Any) -> Any:
    total = weights.sum(-1, keepdims=True)
    assume((total > 1e-3).all())
    return weights / total


weights = st.floats(0, 1).map(lambda w: 0.0 if w < 1e-12 else w)


@st.composite
def pairs(draw, positive=False):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
    one = st.floats(1e-6, 1) if positive else weights
    return tuple(normalised(draw(hnp.arrays(np.float64, shape, elements=one))) for _ in range(2))


@given(pairs(positive=True), st.sampled_from(["nats", "bits"]))
def test_cross_entropy_is_entropy_and_divergence(pair, unit):
    p, q = pair
    total = entropy(p, unit=unit) + kl_divergence(p, q, unit=unit)
    np.testing.assert_allclose(cross_entropy(p, q, unit=unit), total, rtol=1e-12, atol=1e-12)


@given(pairs())
def test_the_identity_holds_with_zeros_and_infinities(pair):
    p, q = pair
    np.testing.assert_allclose(cross_entropy(p, q), entropy(p) + kl_divergence(p, q), rtol=1e-12, atol=1e-12)


@given(pairs())
def test_gibbs_inequality(pair):
    p, q = pair
    assert (np.asarray(kl_divergence(p, q)) >= -1e-14).all()
    np.testing.assert_array_equal(kl_divergence(p, p), np.zeros(p.shape[:-1]))


@given(pairs(positive=True))
def test_divergence_sees_every_difference(pair):
    # Pinsker's inequality: KL >= |P - Q|_1^2 / 2, so it is 0 for equal distributions only.
    p, q = pair
    distance = np.abs(p - q).sum(-1)
    assert (np.asarray(kl_divergence(p, q)) >= distance**2 / 2 - 1e-14).all()


@given(pairs())
def test_entropy_is_between_certainty_and_equal_chances(pair):
    p, _ = pair
    h = np.asarray(entropy(p))
    assert (h >= 0).all()
    assert (h <= math.log(p.shape[-1]) + 1e-14).all()


@given(hnp.arrays(np.float64, 4, elements=weights), hnp.arrays(np.float64, 3, elements=weights))
def test_information_of_what_is_independent_adds_up(a, b):
    a, b = normalised(a), normalised(b)
    joint = np.outer(a, b).reshape(-1)
    np.testing.assert_allclose(entropy(joint), entropy(a) + entropy(b), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(self_information(joint), np.add.outer(self_information(a), self_information(b)).ravel())


@given(pairs())
def test_bits_are_nats_by_the_logarithm_of_two(pair):
    p, q = pair
    for nats, bits in (
        (entropy(p), entropy(p, unit="bits")),
        (kl_divergence(p, q), kl_divergence(p, q, unit="bits")),
        (cross_entropy(p, q), cross_entropy(p, q, unit="bits")),
    ):
        np.testing.assert_allclose(nats, np.asarray(bits) * math.log(2), rtol=1e-12, atol=1e-14)


def test_mixing_cannot_lose_entropy():
    """Entropy is concave; a formula with the wrong sign or without the logarithm would not be."""
    a, b = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.1, 0.8])
    assert entropy((a + b) / 2) > (entropy(a) + entropy(b)) / 2


# Forms ----------------------------------------------------------------------------------------------------------------

P = np.array([[0.2, 0.5], [0.3, 0.1], [0.5, 0.4]])


def test_any_dimension():
    columns = [entropy(column) for column in P.T]
    np.testing.assert_allclose(entropy(P, dim=0), columns, rtol=1e-15)
    np.testing.assert_allclose(entropy(P.T), columns, rtol=1e-15)
    cube = np.stack([P, P], axis=1)
    assert entropy(cube, dim=0).shape == (2, 2)


def test_the_kind_that_comes_in_comes_out():
    assert isinstance(entropy([0.5, 0.5]), float)
    assert entropy([[0.5, 0.5], [1, 0]], unit="bits") == [1.0, 0.0]
    assert isinstance(entropy(P, dim=0), np.ndarray)
    assert entropy(P.astype(np.float32), dim=0).dtype == np.float32
    result = entropy(torch.tensor(P), dim=0)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float64
    mixed = kl_divergence([0.5, 0.5], torch.tensor([0.25, 0.75]))
    assert isinstance(mixed, torch.Tensor)
    assert mixed.dtype == torch.float32
    assert entropy(torch.tensor([1, 0])).item() == 0.0
    assert entropy(torch.tensor([1, 0])).dtype == torch.float32


def test_single_precision_is_close_enough_to_one():
    torch.manual_seed(0)
    p = torch.softmax(torch.randn(4, 5000), 1)
    assert entropy(p).shape == (4,)
    tall = torch.full((200_000, 2), 1 / 200_000)  # whose sum in single precision is 0.1% too much
    assert entropy(tall, dim=0).tolist() == pytest.approx([math.log(200_000)] * 2, rel=1e-3)


# Gradients ------------------------------------------------------------------------------------------------------------


def leaf(values: Any) -> Any:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_derivatives():
    p, q = leaf([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]), leaf([[0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    # Finite differences leave the distributions by 1e-6.
    for unit in ("nats", "bits"):
        options = {"unit": unit, "tolerance": 1e-3}
        assert torch.autograd.gradcheck(lambda p, o=options: entropy(p, **o), (p,))
        assert torch.autograd.gradcheck(lambda p, q, o=options: kl_divergence(p, q, **o), (p, q))
        assert torch.autograd.gradcheck(lambda p, q, o=options: cross_entropy(p, q, **o), (p, q))
        assert torch.autograd.gradcheck(lambda p, u=unit: self_information(p, unit=u), (p,))
    assert torch.autograd.gradgradcheck(lambda p, q: kl_divergence(p, q, tolerance=1e-3), (p, q))


def test_zeros_have_finite_derivatives():
    p, q = leaf([0.0, 0.25, 0.75]), leaf([0.0, 0.5, 0.5])
    kl_divergence(p, q).backward()
    assert p.grad.tolist() == [0.0, math.log(0.5) + 1, math.log(1.5) + 1]
    assert q.grad.tolist() == [0.0, -0.5, -1.5]
    h = leaf([0.0, 1.0])
    entropy(h).backward()
    assert h.grad.tolist() == [0.0, -1.0]


def test_descending_the_divergence_finds_the_distribution():
    target, logits = torch.tensor([0.1, 0.2, 0.7]), torch.zeros(3, requires_grad=True)
    for _ in range(300):
        logits.grad = None
        kl_divergence(target, torch.softmax(logits, 0)).backward()
        with torch.no_grad():
            logits -= logits.grad
    np.testing.assert_allclose(torch.softmax(logits, 0).detach().numpy(), target.numpy(), atol=1e-4)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: entropy([0.5, 0.6]), ValueError, "entropy: .* sum to 1 along dimension 0, but got 1.1; divide"),
        (lambda: entropy([[0.5, 0.5], [0.5, 0.4]]), ValueError, r"got 0.9 at \[1\]"),
        (lambda: entropy([1.5, -0.5]), ValueError, r"must not be negative, but got -0.5 at \[1\]"),
        (lambda: entropy([math.nan, 1.0]), ValueError, r"got nan at \[0\]"),
        (lambda: entropy([]), ValueError, "sum to 1 .* got 0"),
        (lambda: entropy(0.5), ValueError, "at least one dimension; got a number"),
        (lambda: entropy([0.5, 0.5], dim=1), IndexError, r"range of \[-1, 0\], but got 1"),
        (lambda: entropy([0.5, 0.5], unit="hartley"), ValueError, "'nats' or 'bits', got 'hartley'"),
        (lambda: entropy(["a", "b"]), TypeError, "entropy takes probabilities, got list"),
        (lambda: entropy([[0.5, 0.5], [1.0]]), ValueError, "entropy: rows of different lengths"),
        (lambda: kl_divergence([0.5, 0.5], [1.0]), ValueError, r"one shape, got \(2,\) and \(1,\)"),
        (lambda: kl_divergence([0.5, 0.5], [0.5, 0.4]), ValueError, "kl_divergence: .* got 0.9"),
        (lambda: cross_entropy([0.5, 0.5], [2.0, -1.0]), ValueError, "cross_entropy: .* negative"),
        (lambda: self_information(1.5), ValueError, r"lie in \[0, 1\], but got 1.5"),
        (lambda: self_information([0.5, -0.1]), ValueError, r"got -0.1 at \[1\]"),
        (lambda: self_information("half"), TypeError, "takes probabilities, got str"),
    ],
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_tolerance_can_be_chosen():
    assert entropy([0.5, 0.6], tolerance=0.2) > 0
    with pytest.raises(ValueError, match="sum to 1"):
        entropy([0.5, 0.50001], tolerance=1e-9)
