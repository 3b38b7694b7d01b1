"""Losses against numbers worked by hand, against plain loops over their formulas, and at the extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fanin as torch
from fanin.nn import functional as F

# Worked by hand -------------------------------------------------------------------------------------------------------

LOGITS, CLASSES = [[1.5, 2.0, 0.5], [0.5, 1.0, 1.5]], [1, 2]
PROBABILITIES, TRUTH = [0.7, 0.2, 0.9, 0.7], [1.0, 0.0, 1.0, 0.0]


def to_four_places(loss: Any) -> Any:
    """Return losses as they are written down."""
    return np.round(loss.numpy(), 4).tolist()


def test_cross_entropy_of_two_rows():
    x, t = torch.tensor(LOGITS, dtype=torch.float64), torch.tensor(CLASSES)
    assert to_four_places(F.cross_entropy(x, t, reduction="none")) == [0.6041, 0.6803]
    assert to_four_places(torch.nn.CrossEntropyLoss()(x, t)) == 0.6422
    assert to_four_places(torch.nn.CrossEntropyLoss(reduction="sum")(x, t)) == 1.2844
    assert to_four_places(F.nll_loss(F.log_softmax(x, dim=1), t)) == 0.6422


def test_binary_cross_entropy_of_four_probabilities():
    p, t = torch.tensor(PROBABILITIES, dtype=torch.float64), torch.tensor(TRUTH, dtype=torch.float64)
    assert to_four_places(F.binary_cross_entropy(p, t, reduction="none")) == [0.3567, 0.2231, 0.1054, 1.2040]
    assert to_four_places(torch.nn.BCELoss()(p, t)) == 0.4723
    assert to_four_places(torch.nn.BCEWithLogitsLoss()(torch.logit(p), t)) == 0.4723


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (torch.nn.L1Loss(), (0.5 + 3) / 2),
        (torch.nn.MSELoss(), (0.25 + 9) / 2),
        (torch.nn.SmoothL1Loss(), (0.125 + 2.5) / 2),
        (torch.nn.SmoothL1Loss(beta=2.0), (0.0625 + 2) / 2),
        (torch.nn.HuberLoss(delta=2.0), (0.125 + 4) / 2),
        (torch.nn.SmoothL1Loss(beta=0.0), (0.5 + 3) / 2),
    ],
)
def test_two_errors_of_a_half_and_three(loss, expected):
    assert loss(torch.tensor([0.5, -3.0]), torch.zeros(2)).item() == pytest.approx(expected)


# Plain loops ----------------------------------------------------------------------------------------------------------


def log_softmax(row: list[float]) -> list[float]:
    top = max(row)
    total = math.log(sum(math.exp(x - top) for x in row)) + top
    return [x - total for x in row]


def naive_cross_entropy(rows: Any, targets: Any, weight: Any, ignore: int, smoothing: float) -> tuple[float, float]:
    """Return the sum of the losses and what a mean divides it by."""
    total = divisor = 0.0
    for row, t in zip(rows, targets, strict=True):
        if t == ignore:
            continue
        logs, classes = log_softmax(row), len(row)
        divisor += weight[t]
        for c in range(classes):
            q = smoothing / classes + (1 - smoothing if c == t else 0)
            total -= weight[c] * q * logs[c]
    return total, divisor


numbers = st.floats(-30, 30)


@st.composite
def classification(draw):
    n, classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(numbers, min_size=classes, max_size=classes), min_size=n, max_size=n))
    targets = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    weight = draw(st.lists(st.floats(0.1, 3), min_size=classes, max_size=classes))
    return rows, targets, weight


@given(classification(), st.integers(-1, 2), st.sampled_from([0.0, 0.1, 0.7, 1.0]))
def test_cross_entropy_is_its_formula(problem, ignore, smoothing):
    rows, targets, weight = problem
    x, t, w = torch.tensor(rows, dtype=torch.float64), torch.tensor(targets), torch.tensor(weight, dtype=torch.float64)
    total, divisor = naive_cross_entropy(rows, targets, weight, ignore, smoothing)
    options = {"weight": w, "ignore_index": ignore, "label_smoothing": smoothing}
    assert F.cross_entropy(x, t, reduction="sum", **options).item() == pytest.approx(total, rel=1e-11, abs=1e-11)
    if divisor:
        assert F.cross_entropy(x, t, **options).item() == pytest.approx(total / divisor, rel=1e-11, abs=1e-11)


@given(classification())
def test_classes_are_probabilities_of_one(problem):
    rows, targets, weight = problem
    x, w = torch.tensor(rows, dtype=torch.float64), torch.tensor(weight, dtype=torch.float64)
    sure = torch.tensor(np.eye(len(weight))[targets])
    by_class = F.cross_entropy(x, torch.tensor(targets), weight=w, reduction="none")
    np.testing.assert_allclose(
        F.cross_entropy(x, sure, weight=w, reduction="none").numpy(), by_class.numpy(), rtol=1e-12
    )


@given(classification(), st.sampled_from([1, 2]), st.floats(0, 2))
def test_multi_margin_is_its_formula(problem, p, margin):
    rows, targets, weight = problem
    expected = [
        sum(weight[t] * max(0.0, margin - row[t] + x) ** p for c, x in enumerate(row) if c != t) / len(row)
        for row, t in zip(rows, targets, strict=True)
    ]
    x, t, w = torch.tensor(rows, dtype=torch.float64), torch.tensor(targets), torch.tensor(weight, dtype=torch.float64)
    actual = F.multi_margin_loss(x, t, p=p, margin=margin, weight=w, reduction="none")
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_multilabel_margin_is_its_formula():
    rows = np.random.RandomState(0).randn(6, 5)
    lists = np.array(
        [[3, 0, -1, 1, 1], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [4, -1, 4, -1, 4], [2, 2, -1, 0, 0], [1] * 5]
    )
    expected = []
    for row, listed in zip(rows.tolist(), lists.tolist(), strict=True):
        targets = listed[: listed.index(-1)] if -1 in listed else listed
        others = [x for c, x in enumerate(row) if c not in targets]
        expected.append(sum(max(0.0, 1 - row[t] + x) for t in targets for x in others) / len(row))
    actual = F.multilabel_margin_loss(torch.tensor(rows), torch.tensor(lists), reduction="none")
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12)


@given(st.lists(st.tuples(numbers, st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=6))
def test_logits_are_probabilities_in_another_form(triples):
    x, t, w = (torch.tensor(column, dtype=torch.float64) for column in zip(*triples, strict=True))
    p = torch.sigmoid(x)
    inside = (p > 1e-13) & (p < 1 - 1e-13)
    direct = -(w * t * torch.log(p) + (1 - t) * torch.log(1 - p))
    loss = F.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction="none")
    np.testing.assert_allclose(loss[inside].numpy(), direct[inside].numpy(), rtol=1e-3, atol=1e-12)


# At the extremes ------------------------------------------------------------------------------------------------------

DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_huge_logits(dtype):
    x = torch.tensor([[1e4, -1e4], [1e4, -1e4]], dtype=dtype, requires_grad=True)
    loss = F.cross_entropy(x, torch.tensor([0, 1]), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0.0, 2e4]
    assert x.grad.tolist() == [[0.0, 0.0], [1.0, -1.0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("positive", [None, 3.0])
def test_binary_losses_of_huge_logits(dtype, positive):
    x = torch.tensor([1e4, 1e4, -1e4, -1e4], dtype=dtype, requires_grad=True)
    t = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=dtype)
    w = 1.0 if positive is None else positive
    given_weight = None if positive is None else torch.tensor(positive, dtype=dtype)
    loss = F.binary_cross_entropy_with_logits(x, t, pos_weight=given_weight, reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0.0, 1e4, w * 1e4, 0.0]
    assert x.grad.tolist() == [0.0, 1.0, -w, 0.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_margins_of_huge_scores(dtype):
    """PyTorch answers inf, and a gradient of nan."""
    x = torch.tensor([1e4, -1e4], dtype=dtype, requires_grad=True)
    loss = F.soft_margin_loss(x, torch.tensor([1.0, 1.0], dtype=dtype), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0.0, 1e4]
    assert x.grad.tolist() == [0.0, -1.0]
    labels = F.multilabel_soft_margin_loss(x.detach().reshape(1, 2), torch.tensor([[0.0, 1.0]], dtype=dtype))
    assert labels.item() == 1e4


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_of_exactly_0_and_1(dtype):
    p = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=dtype, requires_grad=True)
    t = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=dtype)
    loss = F.binary_cross_entropy(p, t, reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    assert p.grad.tolist() == pytest.approx([0.0, 0.0, -1e12, 1e12])


def test_kl_divergence_of_nothing_is_nothing():
    x = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert F.kl_div(x, torch.tensor([[1.0, 0.0, 0.0]]), reduction="sum").item() == pytest.approx(math.log(2))


def test_the_mean_of_nothing_is_nan_and_its_sum_zero():
    x, t = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    for loss in (F.cross_entropy, F.nll_loss):
        assert math.isnan(loss(x, t).item())
        assert loss(x, t, reduction="sum").item() == 0
    assert math.isnan(F.mse_loss(x, torch.zeros(0, 3)).item())
    F.cross_entropy(x, t).backward()
    assert x.grad.shape == (0, 3)


# Derivatives of what is composed --------------------------------------------------------------------------------------


def leaves(*shape: int) -> tuple[Any, ...]:
    random = np.random.RandomState(3)
    return tuple(torch.tensor(random.randn(*shape), requires_grad=True) for _ in range(3))


A, B, C = leaves(4, 3)
SIGNS = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]], dtype=torch.float64)
HALF = torch.full((4, 3), 0.3, dtype=torch.float64)
WEIGHT = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64, requires_grad=True)
COMPOSED = {
    "kl_div": lambda a, b: F.kl_div(a, b.softmax(1), reduction="batchmean"),
    "kl_div logs": lambda a, b: F.kl_div(a, b, reduction="sum", log_target=True),
    "poisson": lambda a, b: F.poisson_nll_loss(a, b.exp(), full=True),
    "poisson rates": lambda a, b: F.poisson_nll_loss(a.exp(), b.exp(), log_input=False),
    "gaussian": lambda a, b: F.gaussian_nll_loss(a, HALF, b.exp(), full=True),
    "ranking": lambda a, b: F.margin_ranking_loss(a, b, SIGNS, margin=0.3),
    "hinge": lambda a, b: F.hinge_embedding_loss(a - b, SIGNS),
    "soft margin": lambda a, b: F.soft_margin_loss(a, b, reduction="none"),
    "cosine": lambda a, b: F.cosine_embedding_loss(a, b, SIGNS[:, 0], margin=0.1),
    "triplet": lambda a, b: F.triplet_margin_loss(a, b, C.detach(), margin=2.0),
    "triplet swap": lambda a, b: F.triplet_margin_loss(a, b, C.detach(), margin=2.0, p=3, swap=True),
    "multi margin": lambda a, b: F.multi_margin_loss(a + b, torch.tensor([0, 2, 1, 1]), p=2),
    "labels": lambda a, b: F.multilabel_margin_loss(a * b, torch.tensor([[0, 2, -1]] * 4)),
    "soft labels": lambda a, b: F.multilabel_soft_margin_loss(a, torch.sigmoid(b)),
    "probabilities": lambda a, b: F.cross_entropy(a, b.softmax(1), label_smoothing=0.1),
    "weighted mse": lambda a, b: F.mse_loss(a, b, weight=HALF),
    "weighted huber": lambda a, b: F.huber_loss(a, b, weight=HALF, delta=0.7),
    "weighted logits": lambda a, b: F.binary_cross_entropy_with_logits(
        a, b.sigmoid(), HALF, pos_weight=WEIGHT.detach()
    ),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_derivatives(name):
    assert torch.autograd.gradcheck(COMPOSED[name], (A, B))


@pytest.mark.parametrize("name", [name for name in COMPOSED if "poisson" not in name])
def test_second_derivatives(name):
    assert torch.autograd.gradgradcheck(COMPOSED[name], (A, B), atol=1e-4)


def test_the_weight_of_positives_has_a_gradient():
    assert torch.autograd.gradcheck(lambda x, w: F.binary_cross_entropy_with_logits(x, HALF, pos_weight=w), (A, WEIGHT))


# Modules and messages -------------------------------------------------------------------------------------------------


def test_weights_are_buffers_that_travel_with_the_module():
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))
    assert not list(loss.parameters())
    assert loss.double().weight.dtype == torch.float64
    other = torch.nn.CrossEntropyLoss(weight=torch.zeros(2))
    other.load_state_dict(loss.state_dict())
    assert other.weight.tolist() == [1.0, 2.0]
    assert torch.nn.BCEWithLogitsLoss().state_dict() == {}


def test_a_loss_may_be_changed_in_place_before_it_goes_back():
    x = torch.ones(3, requires_grad=True)
    loss = F.mse_loss(x, torch.zeros(3))
    loss *= 2
    loss.backward()
    assert x.grad.tolist() == pytest.approx([4 / 3] * 3)


def test_changing_the_target_in_place_is_noticed():
    x, t = torch.ones(3, requires_grad=True), torch.zeros(3)
    loss = F.mse_loss(x, t)
    t.fill_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


X = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.mse_loss(X, X, reduction="avg"), ValueError, "avg is not a valid value for reduction"),
        (lambda: F.mse_loss(X, 1.0), AttributeError, "(?s)'float' object has no attribute 'size'.*torch.tensor"),
        (lambda: F.mse_loss(X, torch.zeros(3, 3)), RuntimeError, r"\(4\) must match the size of tensor b \(3\)"),
        (lambda: F.mse_loss(torch.tensor([1]), torch.tensor([2])), NotImplementedError, "(?s)mse_cpu.*Long.*float"),
        (lambda: F.mse_loss(X, X, weight=X[0]), ValueError, r"(?s)same size.*\[4\].*\[3, 4\]"),
        (lambda: F.huber_loss(X, X, delta=0.0), RuntimeError, "(?s)non-positive values for delta.*Got delta=0.0"),
        (lambda: F.smooth_l1_loss(X, X, beta=-1.0), RuntimeError, "(?s)negative values for beta.*Got beta=-1.0"),
        (lambda: F.cross_entropy(X, torch.tensor([0, 1, 4])), IndexError, "(?s)Target 4 is out of bounds.* 4 classes"),
        (lambda: F.cross_entropy(X, torch.tensor([0, 1])), ValueError, r"batch_size \(3\).*batch_size \(2\)"),
        (lambda: F.cross_entropy(X, torch.tensor([[0], [1], [2]])), RuntimeError, r"(?s)multi-target.*squeeze\(1\)"),
        (lambda: F.cross_entropy(X, torch.zeros(3)), RuntimeError, r"(?s)Long or Byte, but got Float.*\.long\(\)"),
        (lambda: F.cross_entropy(X, X.long()), RuntimeError, r"(?s)Expected floating point.*Long.*argmax\(1\)"),
        (lambda: F.cross_entropy(X, 1), TypeError, "argument 'target' .position 2. must be Tensor, not int"),
        (
            lambda: F.binary_cross_entropy(X + 2, X),
            RuntimeError,
            "(?s)between 0 and 1.*between 2 and 2.*sigmoid",
        ),
        (lambda: F.binary_cross_entropy(X, X - 1), RuntimeError, "(?s)elements of target.*-1 and -1"),
        (lambda: F.binary_cross_entropy(X, X[0]), ValueError, r"Using a target size \(torch.Size\(\[4\]\)\)"),
        (lambda: F.binary_cross_entropy_with_logits(X, X[0]), ValueError, r"Target size \(torch.Size\(\[4\]\)\)"),
        (lambda: F.binary_cross_entropy_with_logits(X, X.long()), RuntimeError, "(?s)Float can't be cast.*Long.*float"),
        (lambda: F.gaussian_nll_loss(X, X, X - 1), ValueError, "(?s)negative entry/entries.*smallest is -1"),
        (lambda: F.gaussian_nll_loss(X, X, torch.ones(2)), ValueError, "var is of incorrect size"),
        (lambda: F.triplet_margin_loss(X, X, X, margin=0.0), ValueError, "margin must be greater than 0, got 0.0"),
        (lambda: F.multi_margin_loss(X, torch.tensor([0, 1, 9])), RuntimeError, "(?s)out of range.*classes are 0 to 3"),
        (lambda: F.kl_div(X, X, reduction="avg"), ValueError, "avg is not a valid value"),
    ],
)
def test_messages_say_what_is_wrong_and_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.filterwarnings("ignore")
def test_old_arguments_are_understood_and_said_to_be_old():
    with pytest.warns(UserWarning, match="please use reduction='sum' instead") as caught:
        loss = torch.nn.MSELoss(size_average=False)
    assert caught[0].filename == __file__
    assert loss.reduction == "sum"
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert F.l1_loss(X, X, None, False).shape == (3, 4)
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size") as caught:
        torch.nn.KLDivLoss()(X, X)
    assert caught[0].filename == __file__
