"""The optimisers' own promises, beside their agreement with PyTorch: two ways to one result, and nothing done twice."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin
from fanin.ops.arithmetic import greater, maximum, where
from fanin.ops.elementwise import sqrt
from fanin.ops.reduce import sum_
from fanin.optim.engine import plan as plans
from fanin.optim.engine.memory import PIECE
from fanin.optim.optimizer import Optimizer, Scalar
from tests.parity.cases.optim_rules import SETTINGS

# But Adafactor, whose update reads norms: it is called on each parameter.
ALL = [(rule, label) for rule, labels in SETTINGS.items() if rule != "Adafactor" for label in labels]
# Small ones that are gathered, one that is cut into pieces, one that is neither (its memory has gaps), and odd ones.
SHAPES = [(3, 4), (5,), (), (0, 3), (PIECE * 2 + 7,), (2,), (90, 60)]


def parameters(dtype: str) -> list[Any]:
    generator = np.random.default_rng(0)
    arrays = [generator.uniform(-2, 2, shape).astype(dtype) for shape in SHAPES]
    arrays += [
        generator.uniform(-2, 2, (3, 2)).astype(dtype).T,
        generator.uniform(-2, 2, (PIECE, 2)).astype(dtype)[:, 1],
    ]
    return [fanin.from_numpy(a).requires_grad_() for a in arrays]


def train(rule: str, options: dict[str, Any], dtype: str, traced: bool, steps: int = 7) -> tuple[Any, list[Any]]:
    params = parameters(dtype)
    optimizer = getattr(fanin.optim, rule)(params, **options)
    optimizer._traced = traced
    generator = np.random.default_rng(1)
    for t in range(steps):
        for i, p in enumerate(params):
            grad = generator.normal(size=p.shape[::-1]).T.astype(dtype)
            p.grad = None if i == 5 or (i == 1 and t % 2) else fanin.from_numpy(grad)
        optimizer.step()
    return optimizer, params


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rule", "label"), ALL)
def test_the_traced_update_computes_what_the_update_does_on_each_parameter(rule: str, label: str, dtype: str) -> None:
    options = SETTINGS[rule][label]
    fast, fast_params = train(rule, options, dtype, traced=True)
    plain, plain_params = train(rule, options, dtype, traced=False)
    cohorts = fast._plans[0].cohorts
    assert cohorts
    assert all(cohort.program is not None for cohort in cohorts)
    assert all(cohort.program is None for cohort in plain._plans[0].cohorts)
    for a, b in zip(fast_params, plain_params, strict=True):
        np.testing.assert_array_equal(a.numpy(force=True), b.numpy(force=True))
    saved, expected = (o.state_dict()["state"] for o in (fast, plain))
    assert saved.keys() == expected.keys()
    for key, state in saved.items():
        for name, value in state.items():
            np.testing.assert_array_equal(value.numpy(), expected[key][name].numpy(), err_msg=f"{key} {name}")


def test_a_wrong_update_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fast_params = train("Adam", {}, "float32", traced=True)
    monkeypatch.setattr(fanin.optim.Adam, "update", lambda self, p, g, s, h: (p - h["step_size"] * g, {}))
    _, wrong_params = train("Adam", {}, "float32", traced=False)
    assert not np.array_equal(fast_params[0].numpy(force=True), wrong_params[0].numpy(force=True))


# The two parts of a rule ---------------------------------------------------------------------------------------------


class UncorrectedAdam(fanin.optim.Adam):
    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        return {**super().hyper(group, step), "step_size": group["lr"], "root_correction": 1.0}


def first_step(cls: type[Any], **options: Any) -> Any:
    w = fanin.tensor([3.0, -0.2, 50.0], dtype=fanin.float64, requires_grad=True)
    optimizer = cls([w], lr=0.1, eps=0.0, **options)
    before = w.detach().clone()
    (w * w).sum().backward()
    optimizer.step()
    return (w.detach() - before).numpy()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_without_the_correction_of_the_bias_the_first_step_has_another_length(betas: tuple[float, float]) -> None:
    # m = (1 - b1) g and v = (1 - b2) g^2, so the quotient is (1 - b1) / sqrt(1 - b2) times the sign of g.
    signs = np.array([1.0, -1.0, 1.0])
    np.testing.assert_allclose(first_step(fanin.optim.Adam, betas=betas), -0.1 * signs, rtol=1e-12)
    factor = (1 - betas[0]) / (1 - betas[1]) ** 0.5
    np.testing.assert_allclose(first_step(UncorrectedAdam, betas=betas), -0.1 * factor * signs, rtol=1e-12)


def test_the_correction_fades() -> None:
    adam = fanin.optim.Adam([fanin.zeros(1, requires_grad=True)], lr=0.1)
    late = adam.hyper(adam.param_groups[0], 20_000)
    assert late["step_size"] == pytest.approx(0.1, rel=1e-8)
    assert late["root_correction"] == pytest.approx(1.0, rel=1e-8)


class Lion(Optimizer):
    """A rule of a user's own: the sign of an average (Chen et al., arXiv 2302.06675)."""

    def __init__(self, params: Any, lr: float = 0.01, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})
        self.traces = 0

    def init(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"average": 0.0, "pace": Scalar(1.0)}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        (beta1, beta2), lr = group["betas"], group["lr"]
        return {"lr": lr / step, "beta1": beta1, "beta2": beta2}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self.traces += 1
        direction = hyper["beta1"] * state["average"] + (1 - hyper["beta1"]) * grad
        towards = where(greater(direction, 0.0), 1.0 + 0 * direction, -1.0 + 0 * direction)
        average = hyper["beta2"] * state["average"] + (1 - hyper["beta2"]) * grad
        pace = state["pace"] * 0.5
        return param - hyper["lr"] * pace * towards, {"average": average, "pace": pace}


def give(params: list[Any], value: float = 1.0) -> None:
    for p in params:
        p.grad = fanin.full_like(p, value).detach()


def test_a_users_rule_is_traced_once_and_its_scalars_are_not_baked_in() -> None:
    params = [fanin.zeros(3, requires_grad=True), fanin.zeros(2, 2, requires_grad=True)]
    optimizer = Lion(params, lr=1.0)
    for lr in (1.0, 2.0, 3.0):
        optimizer.param_groups[0]["lr"] = lr
        give(params)
        optimizer.step()
    # 1/1 * 1/2 + 2/2 * 1/4 + 3/3 * 1/8
    assert params[0].tolist() == [-0.875] * 3
    assert optimizer.traces == 1
    assert optimizer.state[params[1]]["pace"].item() == 0.125
    assert optimizer.state_dict()["state"][0]["average"].shape == (3,)


class NormedDescent(Optimizer):
    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        return {"lr": group["lr"]}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return param - hyper["lr"] * grad / sqrt(sum_(grad * grad, dim=(0,), keepdim=False)), {}


class BranchingDescent(Optimizer):
    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        return {"lr": group["lr"]}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return (param - grad if hyper["lr"] != 0.5 else param - 0.5 * grad), {}


def test_an_update_that_is_not_elementwise_is_called_on_each_parameter() -> None:
    params = [fanin.zeros(4, requires_grad=True), fanin.zeros(9, requires_grad=True)]
    optimizer = NormedDescent(params, {"lr": 1.0})
    give(params, 3.0)
    optimizer.step()
    assert [p[0].item() for p in params] == [-0.5, pytest.approx(-1 / 3)]


def test_a_branch_on_a_scalar_is_taken_anew_at_every_step() -> None:
    params = [fanin.zeros(1, requires_grad=True)]
    optimizer = BranchingDescent(params, {"lr": 1.0})
    for lr in (1.0, 0.5, 1.0):
        optimizer.param_groups[0]["lr"] = lr
        give(params)
        optimizer.step()
    assert params[0].item() == -2.5


def test_a_mistake_in_an_update_is_shown() -> None:
    class Mistaken(Optimizer):
        def update(self, param: Any, grad: Any, state: Any, hyper: Any) -> Any:
            return param - hyper["rate"] * grad, {}

    params = [fanin.zeros(1, requires_grad=True)]
    give(params)
    with pytest.raises(KeyError, match="rate"):
        Mistaken(params, {}).step()


def test_state_that_was_not_declared_is_refused() -> None:
    class Forgetful(Optimizer):
        def update(self, param: Any, grad: Any, state: Any, hyper: Any) -> Any:
            return param - grad, {"average": grad}

    params = [fanin.zeros(1, requires_grad=True)]
    give(params)
    with pytest.raises(RuntimeError, match="average"):
        Forgetful(params, {}).step()


# Random updates: whatever the order of reads and writes, the places of values must not collide. -----------------------

NAMES = ("param", "grad", "first", "second")


@st.composite
def straight_lines(draw: Any) -> Any:
    """Draw a program: each line combines two earlier values; then each output is one of the values."""
    count = draw(st.integers(0, 12))
    lines = [
        (
            draw(st.sampled_from(["+", "*", "max", "where", "scaled"])),
            draw(st.integers(0, 3 + i)),
            draw(st.integers(0, 3 + i)),
        )
        for i in range(count)
    ]
    outputs = [draw(st.integers(0, 3 + count)) for _ in range(3)]
    return lines, outputs


class Drawn(Optimizer):
    def __init__(self, params: Any, program: Any) -> None:
        super().__init__(params, {})
        self.program = program

    def init(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"first": 0.25, "second": -0.5}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        return {"scale": 1 / (1 + step)}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        lines, (new, first, second) = self.program
        values = [param, grad, state["first"], state["second"]]
        for kind, i, j in lines:
            a, b = values[i], values[j]
            values.append(
                {
                    "+": lambda a=a, b=b: a + b,
                    "*": lambda a=a, b=b: 0.5 * a * b,
                    "max": lambda a=a, b=b: maximum(a, b),
                    "where": lambda a=a, b=b: where(greater(a, b), a, -b),
                    "scaled": lambda a=a, b=b: a - hyper["scale"] * b,
                }[kind]()
            )
        return values[new], {"first": values[first], "second": values[second]}


@settings(max_examples=150, deadline=None)
@given(straight_lines())
def test_any_straight_line_gives_the_same_traced_and_plain(program: Any) -> None:
    results = []
    for traced in (True, False):
        generator = np.random.default_rng(3)
        shapes = [(4,), (2, 3), (PIECE,)]
        params = [fanin.from_numpy(generator.uniform(-1, 1, s).astype(np.float32)).requires_grad_() for s in shapes]
        optimizer = Drawn(params, program)
        optimizer._traced = traced
        for _ in range(3):
            for p in params:
                p.grad = fanin.from_numpy(generator.uniform(-1, 1, p.shape).astype(np.float32))
            optimizer.step()
        assert (optimizer._plans[0].cohorts[0].program is not None) is traced
        state = [optimizer.state[p][n].numpy() for p in params for n in ("first", "second")]
        results.append([*(p.numpy(force=True) for p in params), *state])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


# Steps ---------------------------------------------------------------------------------------------------------------


def test_a_steady_loop_makes_its_plan_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = plans.Plan.__init__
    monkeypatch.setattr(plans.Plan, "__init__", lambda self, *a: (made.append(1), original(self, *a))[1])
    params = parameters("float32")
    optimizer = fanin.optim.AdamW(params)
    scheduler = fanin.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for _ in range(5):
        optimizer.zero_grad()
        give(params)
        optimizer.step()
        scheduler.step()
    assert len(made) == 1


def test_gradients_that_come_and_go_do_not_trace_again() -> None:
    params = [fanin.zeros(3, requires_grad=True), fanin.zeros(2, requires_grad=True)]
    optimizer = Lion(params)
    for t in range(6):
        give(params)
        if t % 2:
            params[1].grad = None
        optimizer.step()
    give(params)
    optimizer.step()
    assert optimizer.traces == 1
    assert sorted(cohort.steps for cohort in optimizer._plans[0].cohorts) == [4, 7]


def test_a_graph_from_before_the_step_is_stale() -> None:
    w = fanin.ones(3, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    fanin.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_parameters_that_share_memory_are_updated_one_after_the_other() -> None:
    memory = fanin.zeros(4)
    first, second = memory[:3].requires_grad_(), memory[1:].requires_grad_()
    optimizer = fanin.optim.SGD([first, second], lr=1.0, weight_decay=1.0)
    give([first, second])
    optimizer.step()
    # The second sees what the first has written: 0 - 1 = -1, then -1 - (1 - 1) = -1.
    assert memory.tolist() == [-1.0, -1.0, -1.0, -1.0]


def test_a_parameter_without_memory_of_its_own_is_refused() -> None:
    w = fanin.zeros(1).expand(3).requires_grad_()
    w.grad = fanin.ones(3)
    with pytest.raises(RuntimeError, match="more than one element"):
        fanin.optim.SGD([w]).step()


def test_overflow_is_silent() -> None:
    w = fanin.tensor([1e30, 0.0], requires_grad=True)
    w.grad = fanin.tensor([1e30, float("nan")])
    optimizer = fanin.optim.Adam([w], lr=1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    assert not fanin.isfinite(w).any()


def test_half_precision_stays_half() -> None:
    w = fanin.ones(3, dtype=fanin.float16).requires_grad_()
    optimizer = fanin.optim.Adam([w], lr=0.5)
    give([w])
    optimizer.step()
    assert (w.dtype, optimizer.state[w]["exp_avg"].dtype) == (fanin.float16, fanin.float16)
    assert w.tolist() == [0.5] * 3


def test_a_parameter_that_occurs_twice_is_updated_twice() -> None:
    w = fanin.zeros(1, requires_grad=True)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = fanin.optim.SGD([w, w], lr=1.0)
    give([w])
    optimizer.step()
    assert w.item() == -2.0


# Copies and subclasses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_goes_on_where_the_original_stood(duplicate: Any) -> None:
    w = fanin.tensor([1.0, 2.0], requires_grad=True)
    optimizer = fanin.optim.Adam([w], lr=0.1)
    give([w])
    optimizer.step()
    other_w, other = duplicate((w, optimizer))
    for params, o in (([w], optimizer), ([other_w], other)):
        give(params, 0.3)
        o.step()
    assert other.param_groups[0]["params"][0] is other_w
    assert other_w.tolist() == w.tolist()
    assert other.state[other_w]["exp_avg"] is not optimizer.state[w]["exp_avg"]


class Classic(Optimizer):
    """The way PyTorch's users write theirs."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @fanin.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p]["seen"] = self.state[p].get("seen", 0) + 1
                    p.add_(p.grad, alpha=-group["lr"])


def test_a_step_of_ones_own_runs_the_hooks_and_is_counted() -> None:
    w = fanin.zeros(2, requires_grad=True)
    optimizer = Classic([w], lr=1.0)
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    scheduler = fanin.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(2):
        give([w])
        optimizer.step()
        scheduler.step()
    assert w.tolist() == [-1.5, -1.5]
    assert seen == ["before", "after"] * 2
    assert optimizer.state_dict()["state"] == {0: {"seen": 2}}


def test_a_step_may_go_round_the_one_it_inherits() -> None:
    class Twice(fanin.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            return super().step(closure)

    w = fanin.zeros(1, requires_grad=True)
    optimizer = Twice([w], lr=1.0)
    give([w])
    optimizer.step()
    assert w.item() == -2.0


# Words ---------------------------------------------------------------------------------------------------------------

# What PyTorch says; fanin may say more after it.
MESSAGES = {
    "params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch.FloatTensor": (
        lambda a, b: fanin.optim.SGD(a)
    ),
    "optimizer got an empty parameter list": lambda a, b: fanin.optim.SGD([]),
    "optimizer can only optimize Tensors, but one of the params is str": lambda a, b: fanin.optim.SGD(["weight"]),
    "can't optimize a non-leaf Tensor": lambda a, b: fanin.optim.SGD([a * 2]),
    "param_group must be a dict, but got <class 'list'>": lambda a, b: fanin.optim.SGD([a]).add_param_group([b]),
    "some parameters appear in more than one parameter group": (
        lambda a, b: fanin.optim.SGD([a]).add_param_group({"params": [a]})
    ),
    "all optimizer params should be with/without names. Some param names are missing": (
        lambda a, b: fanin.optim.SGD([("a", a), b])
    ),
    "all optimizer param groups should be with/without names. cannot add param group with names to the optimizer": (
        lambda a, b: fanin.optim.SGD([a]).add_param_group({"params": [("b", b)]})
    ),
    "loaded state dict has a different number of parameter groups": (
        lambda a, b: fanin.optim.SGD([a]).load_state_dict({"state": {}, "param_groups": []})
    ),
    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group": (
        lambda a, b: fanin.optim.SGD([a]).load_state_dict(fanin.optim.SGD([a, b]).state_dict())
    ),
    "Nesterov momentum requires a momentum and zero dampening": lambda a, b: fanin.optim.SGD([a], nesterov=True),
    "Tensor lr must be 1-element": lambda a, b: fanin.optim.SGD([a], lr=fanin.ones(2)),
    "betas must be either both floats or both Tensors": lambda a, b: fanin.optim.Adam([a], betas=(0, 0.9)),
    "lr as a Tensor is not supported for capturable=False and foreach=True": (
        lambda a, b: fanin.optim.Adam([a], lr=fanin.tensor(0.1), foreach=True)
    ),
    "`fused` and `foreach` cannot be `True` together.": lambda a, b: fanin.optim.Adam([a], fused=True, foreach=True),
    "LBFGS doesn't support per-parameter options (parameter groups)": (
        lambda a, b: fanin.optim.LBFGS([{"params": a}, {"params": b}])
    ),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_errors_begin_with_the_words_of_torch(message: str) -> None:
    a, b = fanin.zeros(1, requires_grad=True), fanin.zeros(2, requires_grad=True)
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        MESSAGES[message](a, b)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["SparseAdam", "Muon"])
def test_rules_that_are_not_here_say_what_to_use(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"torch\.optim\.{name} is not part of fanin.*use optim\.Adam"):
        getattr(fanin.optim, name)


def test_a_state_of_another_model_is_refused_in_words() -> None:
    small, large = fanin.zeros(2, requires_grad=True), fanin.zeros(3, requires_grad=True)
    saved = fanin.optim.Adam([small])
    give([small, large])
    saved.step()
    other = fanin.optim.Adam([large])
    other.load_state_dict(saved.state_dict())
    with pytest.raises(RuntimeError, match=r"'exp_avg' has not the shape of its parameter"):
        other.step()
