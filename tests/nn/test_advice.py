"""Advice on mistakes: each piece fires on its mistake at the user's line, can be turned off, and is quiet otherwise."""

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
PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("[0-9]*.py"))
SYMMETRIC_ON_PURPOSE = "03_symmetry"


@pytest.fixture(autouse=True)
def _all_on():
    before = set(torch._core.advice._ignored)
    advice.restore()
    torch.manual_seed(0)
    yield
    torch._core.advice._ignored.clear()
    torch._core.advice._ignored.update(before)


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


# Sound programs -------------------------------------------------------------------------------------------------------


def data() -> tuple[Any, Any]:
    return torch.randn(16, 3), torch.randn(16, 1)


def accumulates_gradients() -> None:
    net, (x, y) = network(), data()
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    for step in range(8):
        F.mse_loss(net(x), y).backward()
        if step % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


def zeroes_by(zero: Callable[[Any, Any], None]) -> Callable[[], None]:
    def program() -> None:
        net, (x, y) = network(), data()
        optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        for _ in range(4):
            zero(net, optimizer)
            F.mse_loss(net(x), y).backward()
            optimizer.step()

    return program


def fill(net: Any, value: Callable[[Any], None]) -> None:
    for p in net.parameters():
        if p.grad is not None:
            value(p)


def set_to_none(net: Any) -> None:
    for p in net.parameters():
        p.grad = None


def has_two_optimisers_for_one_model() -> None:
    net, (x, y) = network(), data()
    first, second = optim.SGD(net[0].parameters(), lr=0.01), optim.Adam(net[2].parameters())
    for _ in range(4):
        first.zero_grad()
        second.zero_grad()
        F.mse_loss(net(x), y).backward()
        first.step()
        second.step()


def has_two_optimisers_for_the_same_parameters() -> None:
    net, (x, y) = network(), data()
    optimisers = optim.SGD(net.parameters(), lr=0.01), optim.Adam(net.parameters())
    for _ in range(3):
        net.zero_grad()
        F.mse_loss(net(x), y).backward()
        for optimizer in optimisers:
            optimizer.step()


def steps_twice_with_the_same_gradients() -> None:
    net, (x, y) = network(), data()
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    optimizer.step()


def trains_adversaries(set_to_none: bool = True) -> None:
    generator, discriminator = network(), nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    make, judge = optim.Adam(generator.parameters()), optim.Adam(discriminator.parameters())
    criterion, (x, y) = nn.BCEWithLogitsLoss(), data()
    ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)
    for _ in range(4):
        judge.zero_grad(set_to_none)
        fake = generator(x)
        (criterion(discriminator(y), ones) + criterion(discriminator(fake.detach()), zeros)).backward()
        judge.step()
        make.zero_grad(set_to_none)
        criterion(discriminator(fake), ones).backward()  # leaves gradients with the judge as well
        make.step()


def uses_a_closure(zero: Callable[[Any], None], **options: Any) -> Callable[[], None]:
    def program() -> None:
        net, (x, y) = network(), data()
        optimizer = optim.LBFGS(net.parameters(), lr=0.5, max_iter=5, **options)

        def closure() -> Any:
            zero(optimizer)
            loss = F.mse_loss(net(x), y)
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)

    return program


def starts_a_logistic_regression_from_zeros() -> None:
    for outputs in (1, 3):
        layer = nn.Linear(3, outputs)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(layer(torch.randn(8, 3)), torch.ones(8, outputs)).backward()
            optimizer.step()


def starts_a_regression_from_zeros_by_hand() -> None:
    w, b = torch.zeros(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
    x, y = data()
    optimizer = optim.SGD([w, b], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        F.mse_loss(x @ w + b, y).backward()
        optimizer.step()


def starts_the_output_layer_from_zeros() -> None:
    net = network()
    nn.init.zeros_(net[2].weight)
    train(net)


def starts_residual_branches_from_zeros() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
            nn.init.zeros_(self.two.weight)
            nn.init.zeros_(self.two.bias)

        def forward(self, x: Any) -> Any:
            return x + self.two(torch.relu(self.one(x)))

    train(nn.Sequential(nn.Linear(3, 4), Block(), Block(), nn.Linear(4, 1)))


def has_one_hidden_unit() -> None:
    train(network(nn.init.ones_, hidden=1))


def fine_tunes_a_part() -> None:
    net = network()
    for p in net[0].parameters():
        p.requires_grad_(False)
    train(net)


def clips_and_schedules() -> None:
    net, (x, y) = network(), data()
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    for _ in range(3):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()


def steps_by_hand() -> None:
    w = torch.zeros(3, requires_grad=True)
    for _ in range(3):
        ((w - 1) ** 2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad.zero_()


SOUND = {
    "accumulation": accumulates_gradients,
    "zero_grad": zeroes_by(lambda net, optimizer: optimizer.zero_grad()),
    "zero_grad of the module": zeroes_by(lambda net, optimizer: net.zero_grad()),
    "zero_grad(set_to_none=False)": zeroes_by(lambda net, optimizer: optimizer.zero_grad(set_to_none=False)),
    "zero_grad(set_to_none=False) of the module": zeroes_by(lambda net, _: net.zero_grad(set_to_none=False)),
    "grad = None": zeroes_by(lambda net, optimizer: set_to_none(net)),
    "grad.zero_()": zeroes_by(lambda net, optimizer: fill(net, lambda p: p.grad.zero_())),
    "grad.data.zero_()": zeroes_by(lambda net, optimizer: fill(net, lambda p: p.grad.data.zero_())),
    "grad.fill_(0)": zeroes_by(lambda net, optimizer: fill(net, lambda p: p.grad.fill_(0.0))),
    "grad *= 0": zeroes_by(lambda net, optimizer: fill(net, lambda p: p.grad.mul_(0.0))),
    "two optimisers": has_two_optimisers_for_one_model,
    "two optimisers, same parameters": has_two_optimisers_for_the_same_parameters,
    "two steps": steps_twice_with_the_same_gradients,
    "adversaries": trains_adversaries,
    "adversaries that fill with zeros": lambda: trains_adversaries(set_to_none=False),
    "closure": uses_a_closure(lambda optimizer: optimizer.zero_grad()),
    "closure that fills with zeros": uses_a_closure(lambda optimizer: optimizer.zero_grad(set_to_none=False)),
    "closure and line search": uses_a_closure(lambda optimizer: optimizer.zero_grad(), line_search_fn="strong_wolfe"),
    "logistic regression from zeros": starts_a_logistic_regression_from_zeros,
    "linear regression from zeros": starts_a_regression_from_zeros_by_hand,
    "output layer from zeros": starts_the_output_layer_from_zeros,
    "residual branches from zeros": starts_residual_branches_from_zeros,
    "one hidden unit": has_one_hidden_unit,
    "fine-tuning": fine_tunes_a_part,
    "clipping and a schedule": clips_and_schedules,
    "no optimiser": steps_by_hand,
    "random weights": lambda: train(network()),
    "orthogonal weights": lambda: train(network(lambda p: nn.init.orthogonal_(p) if p.dim() > 1 else p)),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_programs_get_no_advice(name):
    assert not given_by(SOUND[name])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_the_ten_programs_get_none_but_the_symmetric_one(program, capsys):
    source = re.sub(r"\btorch\b", "fanin", program.read_text(encoding="utf-8"))
    caught = given_by(lambda: exec(compile(source, str(program), "exec"), {"__name__": "program"}))
    if program.stem == SYMMETRIC_ON_PURPOSE:
        assert {warning.category for warning in caught} == {advice.SymmetricStart}
        assert {warning.filename for warning in caught} == {str(program)}
        assert len(caught) == 2, "for the weights of 0 and of 0.5, not for the random ones"
    else:
        assert not caught
    assert capsys.readouterr().out
