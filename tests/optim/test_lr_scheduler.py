"""The schedulers against their formulas, written anew here; what they leave alone; warnings, messages, saved states.

That the numbers are PyTorch's in every setting is the business of the parity cases.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fanin as torch
from fanin._core.errors import FaninError
from fanin.optim import lr_scheduler as S

STEPS = 25


def sgd(*rates, momentum=0.9):
    """Return SGD with a group for each rate; one group of rate 1 if none is given."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates or (1.0,)]
    return torch.optim.SGD(groups, momentum=momentum)


def trace(optimizer, scheduler, steps=STEPS, key="lr"):
    """Return the first group's rate at each of the steps, starting with step 0."""
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0][key])
        optimizer.step()
        scheduler.step()
    return values


# ---------------------------------------------------------------------------------------------- formulas


def half_cosine(share):
    return (1 + math.cos(math.pi * share)) / 2


# Each as the rate over the initial rate of 1.
FORMULAS = {
    "lambda": (lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "multiplicative": (lambda o: S.MultiplicativeLR(o, lambda t: t / (t + 1)), lambda t: 1 / (t + 1)),
    "step": (lambda o: S.StepLR(o, 4, 0.5), lambda t: 0.5 ** (t // 4)),
    "multistep": (lambda o: S.MultiStepLR(o, [9, 2, 9]), lambda t: 0.1 ** ((t >= 2) + 2 * (t >= 9))),
    "constant": (lambda o: S.ConstantLR(o, 0.25, 6), lambda t: 0.25 if t < 6 else 1.0),
    "linear": (lambda o: S.LinearLR(o, 0.2, 0.9, 10), lambda t: float(np.interp(t, [0, 10], [0.2, 0.9]))),
    "exponential": (lambda o: S.ExponentialLR(o, 0.8), lambda t: 0.8**t),
    "polynomial": (lambda o: S.PolynomialLR(o, 20, 1.5), lambda t: max(0.0, 1 - t / 20) ** 1.5),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 12, 0.1), lambda t: 0.1 + 0.9 * half_cosine(t / 12)),
    "restarts": (lambda o: S.CosineAnnealingWarmRestarts(o, 5), lambda t: half_cosine(t % 5 / 5)),
    "restarts, longer": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2),
        lambda t: half_cosine(t / 3 if t < 3 else (t - 3) / 6 if t < 9 else (t - 9) / 12 if t < 21 else (t - 21) / 24),
    ),
    "cyclic": (
        lambda o: S.CyclicLR(o, 0.1, 0.5, 4, 6),
        lambda t: float(np.interp(t % 10, [0, 4, 10], [0.1, 0.5, 0.1])),
    ),
    "cyclic, halved": (
        lambda o: S.CyclicLR(o, 0.1, 0.5, 5, mode="triangular2"),
        lambda t: 0.1 + float(np.interp(t % 10, [0, 5, 10], [0, 0.4, 0])) / 2 ** (t // 10),
    ),
    "cyclic, range": (
        lambda o: S.CyclicLR(o, 0.1, 0.5, 5, mode="exp_range", gamma=0.9),
        lambda t: 0.1 + float(np.interp(t % 10, [0, 5, 10], [0, 0.4, 0])) * 0.9**t,
    ),
    "one cycle": (
        lambda o: S.OneCycleLR(o, 0.5, 30, pct_start=0.4, anneal_strategy="linear"),
        lambda t: float(np.interp(t, [0, 11, 29], [0.02, 0.5, 2e-6])),
    ),
    "one cycle, cosine": (
        lambda o: S.OneCycleLR(o, 0.5, 30, pct_start=0.4),
        lambda t: 0.5 - 0.48 * half_cosine(t / 11) if t <= 11 else 2e-6 + (0.5 - 2e-6) * half_cosine((t - 11) / 18),
    ),
    "one cycle, three phases": (
        lambda o: S.OneCycleLR(o, 0.5, 30, pct_start=0.4, anneal_strategy="linear", three_phase=True),
        lambda t: float(np.interp(t, [0, 11, 22, 29], [0.02, 0.5, 0.02, 2e-6])),
    ),
    "sequence": (
        lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.5, total_iters=4), S.ExponentialLR(o, 0.9)], [4]),
        lambda t: 0.5 + t / 8 if t < 4 else 0.9 ** (t - 4),
    ),
    "chain": (
        lambda o: S.ChainedScheduler([S.StepLR(o, 10), S.ExponentialLR(o, 0.9)]),
        lambda t: 0.1 ** (t // 10) * 0.9**t,
    ),
}


def largest_error(make, formula):
    """Return how far a scheduler's rates are from a formula, over the largest rate."""
    optimizer = sgd()
    rates = np.array(trace(optimizer, make(optimizer)))
    expected = np.array([formula(t) for t in range(STEPS)])
    return float(np.abs(rates - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", FORMULAS)
def test_rates_follow_the_formula(name):
    assert largest_error(*FORMULAS[name]) < 1e-13


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_one_step_late_is_told_apart(name):
    make, formula = FORMULAS[name]
    assert largest_error(make, lambda t: formula(max(0, t - 1))) > 1e-3


def test_every_scheduler_has_a_formula():
    made = {type(make(sgd())).__name__ for make, _ in FORMULAS.values()}
    assert made | {"ReduceLROnPlateau", "LRScheduler", "_LRScheduler"} == set(S.__all__)


shares = st.floats(0.05, 1.0)
lengths = st.integers(1, 12)
DECAYS = st.one_of(
    st.builds(lambda n, g: lambda o: S.StepLR(o, n, g), lengths, shares),
    st.builds(lambda m, g: lambda o: S.MultiStepLR(o, m, g), st.lists(lengths, max_size=4), shares),
    st.builds(lambda f, n: lambda o: S.ConstantLR(o, f, n), shares, lengths),
    st.builds(lambda a, b, n: lambda o: S.LinearLR(o, a, b, n), shares, shares, lengths),
    st.builds(lambda g: lambda o: S.ExponentialLR(o, g), shares),
    st.builds(lambda n, p: lambda o: S.PolynomialLR(o, n, p), lengths, st.floats(0.5, 3.0)),
    st.builds(lambda n, low: lambda o: S.CosineAnnealingLR(o, n, low), lengths, st.floats(0, 0.04)),
)


@given(DECAYS, st.floats(0.05, 10.0))
def test_step_by_step_is_the_closed_form(make, rate):
    optimizer = sgd(rate)
    scheduler = make(optimizer)
    for _ in range(30):
        closed = scheduler._get_closed_form_lr()[0]
        assert scheduler.get_last_lr()[0] == pytest.approx(closed, rel=1e-9, abs=1e-12 * rate)
        optimizer.step()
        scheduler.step()


@given(DECAYS, st.integers(0, 15), st.floats(0.5, 2.0))
def test_a_change_by_hand_stays(make, when, factor):
    # All but the cosine with a floor multiply, so a rate scaled by hand stays scaled.
    plain, changed = sgd(), sgd()
    first, second = make(plain), make(changed)
    for step in range(25):
        if step == when:
            changed.param_groups[0]["lr"] *= factor
        if step >= when and getattr(first, "eta_min", 0) == 0 and not isinstance(first, S.CosineAnnealingLR):
            expected = plain.param_groups[0]["lr"] * factor
            assert changed.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9)
        for optimizer, scheduler in ((plain, first), (changed, second)):
            optimizer.step()
            scheduler.step()


def test_momentum_goes_the_other_way():
    optimizer = sgd()
    scheduler = S.CyclicLR(optimizer, 0.1, 0.5, 5, base_momentum=0.7, max_momentum=0.95)
    expected = [float(np.interp(t % 10, [0, 5, 10], [0.95, 0.7, 0.95])) for t in range(STEPS)]
    assert trace(optimizer, scheduler, key="momentum") == pytest.approx(expected, rel=1e-13)


def test_momentum_of_adam_is_its_first_beta():
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], betas=(0.5, 0.9))
    scheduler = S.OneCycleLR(optimizer, 0.1, 10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.9)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.85), 0.9)


# ---------------------------------------------------------------------------------------------- plateau


def test_plateau_waits_and_lowers():
    optimizer = sgd(1.0, 0.3)
    scheduler = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=0.2)
    rates = []
    for loss in [5.0, 4.0, 4.0, 4.0, 3.99999, 4.0, 4.0, 4.0, 4.0]:
        scheduler.step(loss)
        rates.append(tuple(scheduler.get_last_lr()))
    # 3.99999 is better by less than the threshold of a ten-thousandth, so the third bad step is at 3.99999.
    assert rates == [(1.0, 0.3)] * 4 + [(0.5, 0.2)] * 3 + [(0.25, 0.2)] * 2


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.integers(0, 3), st.integers(0, 3))
def test_plateau_against_a_plain_count(losses, patience, cooldown):
    optimizer = sgd()
    scheduler = S.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, cooldown=cooldown, threshold=0.5, threshold_mode="abs", eps=0
    )
    rate, best, bad, rest = 1.0, math.inf, 0, 0
    for loss in losses:
        scheduler.step(loss)
        better = loss < best - 0.5
        best = loss if better else best
        bad = 0 if better or rest else bad + 1
        rest = max(0, rest - 1)
        if bad > patience:
            rate, bad, rest = rate / 2, 0, cooldown
        assert optimizer.param_groups[0]["lr"] == rate
        assert scheduler.best == best


def test_plateau_max_is_min_of_the_negative():
    losses = [3.0, 2.0, 2.5, 2.5, 1.0, 1.0, 1.0]
    low, high = sgd(), sgd()
    down = S.ReduceLROnPlateau(low, "min", patience=0, threshold_mode="abs")
    up = S.ReduceLROnPlateau(high, "max", patience=0, threshold_mode="abs")
    for loss in losses:
        down.step(loss)
        up.step(-loss)
        assert down.get_last_lr() == up.get_last_lr()


def test_plateau_takes_a_loss():
    optimizer = sgd()
    scheduler = S.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(2):
        scheduler.step((torch.ones(3, requires_grad=True) * 2).mean())
    assert scheduler.best == 2.0
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


# ---------------------------------------------------------------------------------------------- the optimiser


@pytest.mark.parametrize("name", FORMULAS)
def test_the_optimiser_s_step_is_not_wrapped(name):
    optimizer = sgd()
    FORMULAS[name][0](optimizer)
    assert "step" not in vars(optimizer)


def test_the_first_scheduler_sets_the_initial_rate():
    optimizer = sgd(0.5)
    first = S.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    first.step()
    second = S.StepLR(optimizer, 3)
    assert optimizer.param_groups[0]["initial_lr"] == 0.5
    assert second.base_lrs == [0.5]
    assert second.get_last_lr() == [0.25]


def test_last_rates_are_copies():
    rate = torch.tensor(1.0)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = S.ExponentialLR(optimizer, 0.5)
    before = scheduler.get_last_lr()[0]
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert (rate.item(), before.item(), scheduler.base_lrs[0].item()) == (0.5, 1.0, 1.0)


def test_anything_with_groups_will_do():
    class Groups:
        def __init__(self):
            self.param_groups = [{"lr": 1.0}]

    optimizer = Groups()
    S.StepLR(optimizer, 1, 0.5).step()
    assert optimizer.param_groups[0]["lr"] == 0.5


# ---------------------------------------------------------------------------------------------- warnings


def messages(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(w.category, str(w.message), w.filename) for w in caught]


def test_scheduler_before_optimiser():
    scheduler = S.StepLR(sgd(), 1)
    ((category, text, filename),) = messages(scheduler.step)
    assert category is UserWarning
    assert text.startswith("Detected call of `lr_scheduler.step()` before `optimizer.step()`")
    assert filename == __file__
    assert messages(scheduler.step) == []


def test_no_warning_in_the_right_order():
    optimizer = sgd()
    schedulers = [
        S.StepLR(optimizer, 1),
        S.SequentialLR(optimizer, [S.LinearLR(optimizer), S.StepLR(optimizer, 2)], [2]),
    ]
    for _ in range(4):
        optimizer.step()
        for scheduler in schedulers:
            assert messages(scheduler.step) == []


def test_training_before_the_scheduler_does_not_count():
    optimizer = sgd()
    optimizer.step()
    assert len(messages(S.StepLR(optimizer, 1).step)) == 1


def test_a_step_that_was_overridden():
    optimizer = sgd()
    scheduler = S.StepLR(optimizer, 1)
    optimizer.step = lambda: None
    ((category, text, _),) = messages(scheduler.step)
    assert category is UserWarning
    assert "has been overridden" in text


def test_a_step_that_had_been_overridden_cannot_be_counted():
    optimizer = sgd()
    optimizer.step = lambda: None
    assert messages(S.StepLR(optimizer, 1).step) == []


def test_asking_for_the_next_rates():
    ((_, text, filename),) = messages(S.LinearLR(sgd()).get_lr)
    assert "get_last_lr()" in text
    assert filename == __file__


def test_an_epoch_is_deprecated():
    optimizer = sgd()
    scheduler = S.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    ((_, text, filename),) = messages(lambda: scheduler.step(3))
    assert "epoch parameter" in text
    assert filename == __file__
    assert scheduler.get_last_lr() == [0.125]


# ---------------------------------------------------------------------------------------------- saved states


@pytest.mark.parametrize("name", FORMULAS)
def test_a_saved_state_goes_on(name):
    make = FORMULAS[name][0]
    first, second = sgd(), sgd()
    scheduler, again = make(first), make(second)
    trace(first, scheduler, 7)
    file = io.BytesIO()
    torch.save({"optimizer": first.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file)
    second.load_state_dict(saved["optimizer"])
    again.load_state_dict(saved["scheduler"])
    assert trace(first, scheduler, 15) == trace(second, again, 15)


@pytest.mark.parametrize("name", [n for n in FORMULAS if n not in ("lambda", "multiplicative")])
def test_pickled_and_copied_whole(name):
    for duplicate in (copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))):
        optimizer = sgd()
        scheduler = FORMULAS[name][0](optimizer)
        trace(optimizer, scheduler, 5)
        twin = duplicate(scheduler)
        assert twin.optimizer is not optimizer
        assert trace(twin.optimizer, twin, 10) == trace(optimizer, scheduler, 10)


def test_a_state_holds_no_optimiser_and_no_functions():
    optimizer = sgd()
    scheduler = S.CyclicLR(optimizer, 0.1, 0.2, scale_fn=lambda x: x)
    state = scheduler.state_dict()
    assert "optimizer" not in state
    assert state["_scale_fn_custom"] is None
    loaded = dict(state)
    scheduler.load_state_dict(loaded)
    assert loaded == state
    assert scheduler.scale_fn(3) == 3


# ---------------------------------------------------------------------------------------------- mistakes

MESSAGES = {
    "not an optimiser": (lambda o: S.StepLR("sgd", 1), TypeError, "str is not an Optimizer"),
    "no initial rate": (
        lambda o: S.StepLR(o, 1, last_epoch=3),
        KeyError,
        r"param 'initial_lr' is not specified in param_groups\[0\] .* leave last_epoch at -1",
    ),
    "functions": (lambda o: S.LambdaLR(o, [lambda t: 1] * 2), ValueError, "Expected 1 lr_lambdas, but got 2"),
    "factor": (lambda o: S.MultiplicativeLR(o, 0.5), TypeError, "lr_lambda should be a function, but got float"),
    "constant": (lambda o: S.ConstantLR(o, 2), ValueError, "expected to be between 0 and 1.*factor=2"),
    "linear start": (lambda o: S.LinearLR(o, 0), ValueError, "greater than 0 and less or equal to 1.*start_factor=0"),
    "linear end": (lambda o: S.LinearLR(o, 1, -1), ValueError, "between 0 and 1.*end_factor=-1"),
    "no schedulers": (lambda o: S.SequentialLR(o, [], []), ValueError, "expects at least one scheduler"),
    "milestones": (lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [1]), ValueError, "one more than the number of"),
    "another's": (
        lambda o: S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(sgd(), 1)]),
        ValueError,
        "ChainedScheduler expects all schedulers to belong to the same optimizer.*StepLR at index 1",
    ),
    "plateau inside": (
        lambda o: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []),
        ValueError,
        "SequentialLR does not support `ReduceLROnPlateau`",
    ),
    "plateau factor": (lambda o: S.ReduceLROnPlateau(o, factor=2), ValueError, "Factor should be < 1.0"),
    "plateau mode": (lambda o: S.ReduceLROnPlateau(o, "least"), ValueError, "mode least is unknown"),
    "plateau floors": (lambda o: S.ReduceLROnPlateau(o, min_lr=[1, 2]), ValueError, "expected 1 min_lrs, got 2"),
    "cyclic mode": (lambda o: S.CyclicLR(o, 0, 1, mode="square"), ValueError, "mode is invalid and scale_fn is None"),
    "cyclic bounds": (lambda o: S.CyclicLR(o, [0, 0], 1), ValueError, "base_lr has 2 values, param_groups has 1"),
    "restarts": (lambda o: S.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer T_0, but got 0"),
    "cycle length": (lambda o: S.OneCycleLR(o, 1.0), ValueError, "define either total_steps OR"),
    "cycle start": (lambda o: S.OneCycleLR(o, 1.0, 5, pct_start=7), ValueError, "between 0 and 1 pct_start, but got 7"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name):
    call, error, words = MESSAGES[name]
    with pytest.raises(error, match=words) as caught:
        call(sgd())
    assert isinstance(caught.value, FaninError)


def test_no_momentum_to_cycle():
    optimizer = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)])
    for make in (lambda: S.CyclicLR(optimizer, 0.1, 0.2), lambda: S.OneCycleLR(optimizer, 0.1, 5)):
        with pytest.raises(ValueError, match="Adagrad has neither, so pass cycle_momentum=False"):
            make()


def test_a_group_that_came_later():
    optimizer = sgd()
    scheduler = S.LambdaLR(optimizer, lambda t: 0.5)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
    optimizer.step()
    with pytest.raises(ValueError, match=r"1 values of 'lr' for 2 parameter groups.*Was a group added"):
        scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]


def test_a_cycle_ends():
    optimizer = sgd()
    scheduler = S.OneCycleLR(optimizer, 0.1, 3)
    with pytest.raises(ValueError, match=r"Tried to step 4 times\. The specified number of total steps is 3"):
        trace(optimizer, scheduler, 5)


def test_a_composite_cannot_take_over():
    optimizer = sgd()
    later = S.ChainedScheduler([S.StepLR(optimizer, 1)])
    scheduler = S.SequentialLR(optimizer, [S.StepLR(optimizer, 1), later], [1])
    optimizer.step()
    with pytest.raises(NotImplementedError, match=r"ChainedScheduler has no `get_lr`.*cannot start later"):
        scheduler.step()


def test_schedulers_are_schedulers():
    assert all(issubclass(getattr(S, name), S.LRScheduler) for name in S.__all__)
