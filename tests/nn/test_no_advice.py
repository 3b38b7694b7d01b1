"""Sound programs get no advice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fanin as torch
from fanin import advice
from fanin.nn import functional as F
from tests.nn.test_advice import given_by, network, train

nn, optim = torch.nn, torch.optim
pytestmark = pytest.mark.usefixtures("all_advice")
PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("[0-9]*.py"))
SYMMETRIC_ON_PURPOSE = "03_symmetry"


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
