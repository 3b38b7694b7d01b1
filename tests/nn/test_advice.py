"""Advice on mistakes: each piece fires on its mistake at the user's line, and can be turned off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fanin as torch
from fanin import advice
from fanin._core.advice import _from_environment as from_environment
from fanin.nn import functional as F

nn, optim = torch.nn, torch.optim
pytestmark = pytest.mark.usefixtures("all_advice")


def given_by(program: Callable[[], Any]) -> list[Any]:
    """Return the warnings that a program causes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program()
    return caught


def kinds_given_by(program: Callable[[], Any]) -> set[type[Warning]]:
    return {warning.category for warning in given_by(program)}


# The mistakes ---------------------------------------------------------------------------------------------------------


def softmax_before_cross_entropy() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    F.cross_entropy(torch.softmax(logits, 1), torch.tensor([0, 1, 2, 0]))


def loss_that_broadcasts() -> None:
    F.mse_loss(nn.Linear(3, 1)(torch.ones(5, 3)), torch.zeros(5))


def target_out_of_range() -> None:
    F.binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([-1.0, 1.0]))


def step_without_zero_grad(make: Callable[..., Any] = optim.SGD, steps: int = 2) -> None:
    layer = nn.Linear(3, 1)
    optimizer = make(layer.parameters(), lr=0.01)
    for _ in range(steps):
        layer(torch.ones(2, 3)).sum().backward()
        optimizer.step()


def network(start: Callable[[Any], Any] | None = None, *between: Any, hidden: int = 4) -> Any:
    net = nn.Sequential(nn.Linear(3, hidden), *(between or (nn.Tanh(),)), nn.Linear(hidden, 1))
    for parameter in net.parameters() if start else ():
        start(parameter)
    return net


def train(net: Any, make: Callable[..., Any] = optim.SGD, steps: int = 3) -> None:
    optimizer = make(net.parameters(), lr=0.01)
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()


def symmetric_start() -> None:
    train(network(nn.init.zeros_))


MISTAKES = {
    advice.SoftmaxBeforeCrossEntropy: softmax_before_cross_entropy,
    advice.BroadcastLoss: loss_that_broadcasts,
    advice.TargetOutOfRange: target_out_of_range,
    advice.GradientsNotZeroed: step_without_zero_grad,
    advice.SymmetricStart: symmetric_start,
}
REMEDIES = {
    advice.SoftmaxBeforeCrossEntropy: "Leave the Softmax layer out",
    advice.BroadcastLoss: "target.unsqueeze(1)",
    advice.TargetOutOfRange: "(target + 1) / 2",
    advice.GradientsNotZeroed: "optimizer.zero_grad()",
    advice.SymmetricStart: "kaiming_uniform_",
}
each_kind = pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.__name__)


def test_every_kind_has_its_mistake():
    assert set(MISTAKES) == set(REMEDIES) == set(torch._core.advice.KINDS)


@each_kind
def test_it_fires_once_at_the_users_line_and_says_what_to_do(kind):
    (warning,) = given_by(MISTAKES[kind])
    assert warning.category is kind
    assert issubclass(kind, UserWarning)
    assert warning.filename == __file__
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[warning.lineno - 1]
    assert "F." in line or "optimizer.step()" in line
    assert REMEDIES[kind] in str(warning.message)


# Each in its forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last",
    [
        nn.Softmax(dim=1),
        nn.Sequential(nn.Softmax(dim=-1)),
        nn.Sequential(nn.Softmax(dim=1), nn.Identity()),
        nn.Sequential(nn.Softmax(dim=1), nn.Flatten()),
    ],
)
def test_a_final_softmax_module_is_seen(last):
    model = nn.Sequential(nn.Linear(3, 5), last)
    criterion = nn.CrossEntropyLoss()
    assert kinds_given_by(lambda: criterion(model(torch.ones(4, 3)), torch.tensor([0, 1, 2, 4]))) == {
        advice.SoftmaxBeforeCrossEntropy
    }


def test_softmax_is_seen_as_method_and_function_and_against_probabilities():
    x, t = torch.randn(2, 3, requires_grad=True), torch.full((2, 3), 1 / 3)
    for p in (x.softmax(1), F.softmax(x, dim=1), torch.softmax(x, -1).view(2, 3)):
        assert kinds_given_by(lambda p=p: F.cross_entropy(p, t)) == {advice.SoftmaxBeforeCrossEntropy}


def test_logits_and_logarithms_are_right():
    x, t = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
    model = nn.Sequential(nn.Linear(3, 3), nn.LogSoftmax(dim=1))

    def program() -> None:
        F.cross_entropy(x, t).backward()
        F.nll_loss(F.log_softmax(x, dim=1), t).backward()
        F.nll_loss(torch.log(torch.softmax(x, 1)), t).backward()
        nn.NLLLoss()(model(x), t).backward()
        nn.CrossEntropyLoss()(model(x), t)
        F.kl_div(F.log_softmax(x, dim=1), torch.softmax(x, 1), reduction="batchmean").backward()
        F.cross_entropy(x, torch.softmax(torch.randn(4, 3), 1))  # a teacher's probabilities as target
        F.cross_entropy(nn.Linear(3, 3)(torch.softmax(x, 1)), t)  # softmax within the network

    assert not given_by(program)


@pytest.mark.parametrize(
    "loss", [nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(), nn.MSELoss(reduction="sum")]
)
@pytest.mark.parametrize("shapes", [((5,), (5, 1)), ((5, 1), (5,)), ((1, 5), (5, 1)), ((5, 5), (5,)), ((1, 1), (1,))])
def test_losses_that_broadcast(loss, shapes):
    a, b = (torch.ones(shape) for shape in shapes)
    assert kinds_given_by(lambda: loss(a, b)) == {advice.BroadcastLoss}


@pytest.mark.parametrize("shapes", [((5, 1), (5, 1)), ((), ()), ((5, 2), ()), ((), (3,)), ((0, 1), (0, 1))])
def test_equal_shapes_and_scalars_are_right(shapes):
    a, b = (torch.ones(shape) for shape in shapes)
    assert not given_by(lambda: [loss(a, b) for loss in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss)])


@pytest.mark.parametrize("targets", [[2.0, 0.0], [-0.1, 0.5], [0.0, 5.0]])
def test_targets_that_are_no_probabilities(targets):
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
    assert kinds_given_by(lambda: criterion(torch.zeros(2), torch.tensor(targets))) == {advice.TargetOutOfRange}


def test_targets_that_are_probabilities():
    criterion = nn.BCEWithLogitsLoss()
    assert not given_by(lambda: criterion(torch.zeros(4), torch.tensor([0.0, 1.0, 0.3, 1e-9])))
    assert not given_by(lambda: criterion(torch.zeros(0), torch.zeros(0)))


OPTIMIZERS = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.Rprop]


@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: make.__name__)
def test_every_optimiser_sees_gradients_that_were_not_zeroed(make):
    assert kinds_given_by(lambda: step_without_zero_grad(make)) == {advice.GradientsNotZeroed}
    assert not given_by(lambda: step_without_zero_grad(make, steps=1))


def test_it_is_seen_late():
    """The first epochs are right, and then somebody forgets."""
    layer = nn.Linear(3, 1)
    optimizer = optim.Adam(layer.parameters())

    def step(zero: bool) -> None:
        if zero:
            optimizer.zero_grad()
        layer(torch.ones(2, 3)).sum().backward()
        optimizer.step()

    assert not given_by(lambda: [step(True) for _ in range(5)])
    assert kinds_given_by(lambda: step(False)) == {advice.GradientsNotZeroed}


def test_a_closure_without_zero_grad_is_seen():
    w = torch.tensor([3.0], requires_grad=True)
    optimizer = optim.LBFGS([w])

    def closure() -> Any:
        loss = (w**2).sum()
        loss.backward()
        return loss

    assert kinds_given_by(lambda: optimizer.step(closure)) == {advice.GradientsNotZeroed}


@pytest.mark.parametrize("start", [0.0, 0.5, -1.0])
@pytest.mark.parametrize("function", [nn.Tanh(), nn.ReLU(), nn.Sigmoid()], ids=str)
def test_equal_units_are_seen(start, function):
    net = network(lambda p: nn.init.constant_(p, start), function)
    assert kinds_given_by(lambda: train(net)) == {advice.SymmetricStart}


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.LBFGS], ids=lambda make: make.__name__)
def test_equal_units_are_seen_by_every_kind_of_optimiser(make):
    net, x, y = network(nn.init.ones_), torch.randn(8, 3), torch.randn(8, 1)
    optimizer = make(net.parameters(), lr=0.01)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        return loss

    assert kinds_given_by(lambda: optimizer.step(closure)) == {advice.SymmetricStart}
    assert not given_by(lambda: optimizer.step(closure)), "told once, at the first step"


def test_equal_units_are_seen_in_the_middle_and_in_matrices_of_ones_own():
    deep = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
    nn.init.constant_(deep[2].weight, 0.1)
    assert kinds_given_by(lambda: train(deep)) == {advice.SymmetricStart}

    w1, w2 = torch.full((3, 4), 0.2, requires_grad=True), torch.full((4, 1), 0.3, requires_grad=True)
    optimizer = optim.SGD([w1, w2], lr=0.1)

    def by_hand() -> None:
        (torch.tanh(torch.randn(8, 3) @ w1) @ w2).square().mean().backward()
        optimizer.step()

    assert kinds_given_by(by_hand) == {advice.SymmetricStart}


def test_zeros_that_stay_zeros_are_seen_and_factors_of_ones_before_zeros_are_not():
    net = network(lambda p: nn.init.constant_(p, 0.0), nn.ReLU())
    assert kinds_given_by(lambda: train(net)) == {advice.SymmetricStart}

    factors, weight = torch.ones(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    optimizer = optim.SGD([factors, weight], lr=0.1)

    def step() -> None:
        ((torch.zeros(8, 4) @ factors) @ weight - 1).square().mean().backward()
        optimizer.step()

    assert not given_by(step), "a batch of zeros tells nothing of how they go on"


# Turning it off -------------------------------------------------------------------------------------------------------


@each_kind
def test_ignore_turns_one_kind_off_and_restore_all_on(kind):
    advice.ignore(kind)
    assert not given_by(MISTAKES[kind])
    other = next(k for k in MISTAKES if k is not kind)
    assert kinds_given_by(MISTAKES[other]) == {other}
    advice.restore()
    assert kinds_given_by(MISTAKES[kind]) == {kind}


@each_kind
def test_ignore_turns_all_off(kind):
    advice.ignore()
    assert not given_by(MISTAKES[kind])


@each_kind
def test_a_block_without(kind):
    with advice.ignored(kind):
        assert not given_by(MISTAKES[kind])
    assert kinds_given_by(MISTAKES[kind]) == {kind}
    with pytest.raises(ZeroDivisionError), advice.ignored(advice.Advice):
        raise ZeroDivisionError
    with advice.ignored(kind):
        with advice.ignored(kind):
            pass
        assert not given_by(MISTAKES[kind])
    assert kinds_given_by(MISTAKES[kind]) == {kind}


@each_kind
def test_a_warnings_filter(kind):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=kind)
        MISTAKES[kind]()
    assert not caught
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(kind):
            MISTAKES[kind]()


TWO_MISTAKES = """
import fanin as torch
F = torch.nn.functional
for _ in range(3):
    F.mse_loss(torch.ones(3, 1), torch.ones(3))
F.binary_cross_entropy_with_logits(torch.zeros(1), torch.tensor([2.0]))
print("done")
"""


def standard_error(*options: str, **environment: str) -> str:
    """Run two mistakes, check what they print, and return their standard error."""
    source = str(Path(torch.__file__).parent.parent)
    kept = {name: value for name, value in os.environ.items() if name not in ("FANIN_ADVICE", "PYTHONWARNINGS")}
    done = subprocess.run(
        [sys.executable, *options, "-c", TWO_MISTAKES],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": source, **environment},
        timeout=60,
        check=True,
    )
    assert done.stdout == "done\n"
    return done.stderr


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("", ["BroadcastLoss", "TargetOutOfRange"]),
        ("off", []),
        ("BroadcastLoss", ["TargetOutOfRange"]),
        ("BroadcastLoss, TargetOutOfRange", []),
        ("NoSuchThing", ["BroadcastLoss", "TargetOutOfRange"]),
    ],
)
def test_the_environment_variable(value, seen):
    text = standard_error(FANIN_ADVICE=value)
    assert re.findall(r"^<string>:\d+: (\w+):", text, re.MULTILINE) == seen, "once for each line of the program"


@pytest.mark.parametrize("value", ["off", "0", "none", " OFF "])
def test_words_that_turn_all_off(value):
    assert from_environment(value) == {advice.Advice}


def test_pythons_own_switch():
    assert standard_error("-W", "ignore") == ""
