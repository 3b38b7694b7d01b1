"""Rules that keep arrays of other shapes than the parameters': Adafactor, and one of a user's own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import fanin
from fanin.ops.reduce import sum_
from fanin.optim.optimizer import Optimizer, Shaped

GRADIENTS = np.random.default_rng(0).normal(size=(6, 3, 2))


class Rows(Optimizer):
    """Each row of a matrix takes steps as long as its gradients have been large; a vector has no memory."""

    def __init__(self, params: Any, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": 0.5, "differentiable": differentiable})

    def init(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"rows": Shaped(lambda shape: (shape[0], 1) if len(shape) == 2 else None, 1.0)}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        return {"lr": group["lr"]}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if "rows" not in state:
            return param - hyper["lr"] * grad, {}
        rows = state["rows"] + sum_(grad * grad, dim=(1,), keepdim=True)
        return param - hyper["lr"] * grad / rows, {"rows": rows}


def leaves() -> list[Any]:
    return [fanin.zeros(3, 2, dtype=fanin.float64, requires_grad=True), fanin.zeros(2, requires_grad=True)]


def give(params: list[Any], t: int) -> None:
    params[0].grad, params[1].grad = fanin.tensor(GRADIENTS[t]), fanin.tensor(GRADIENTS[t, 0]).float()


def by_hand(steps: int) -> tuple[Any, Any]:
    """Return the matrix and its state after some steps, in a naive loop over the rows."""
    matrix, rows = np.zeros((3, 2)), np.ones((3, 1))
    for t in range(steps):
        for i in range(3):
            rows[i] += (GRADIENTS[t, i] ** 2).sum()
            matrix[i] -= 0.5 * GRADIENTS[t, i] / rows[i]
    return matrix, rows


@pytest.mark.parametrize("differentiable", [False, True])
def test_a_state_has_the_shape_that_its_rule_says(differentiable: bool) -> None:
    params = [p.clone() if differentiable else p for p in leaves()]  # a leaf cannot be written with its history
    optimizer = Rows(params, differentiable)
    for t in range(6):
        give(params, t)
        optimizer.step()
    matrix, rows = by_hand(6)
    np.testing.assert_allclose(params[0].numpy(force=True), matrix, rtol=1e-14)
    np.testing.assert_allclose(optimizer.state[params[0]]["rows"].numpy(force=True), rows, rtol=1e-14)
    assert optimizer.state[params[0]].keys() == {"rows"}
    assert not optimizer.state[params[1]]


def test_steps_go_on_from_a_loaded_state_and_in_compiled_code() -> None:
    params = leaves()
    optimizer = Rows(params)
    for t in range(2):
        give(params, t)
        optimizer.step()
    resumed = [p.detach().clone().requires_grad_() for p in params]
    second = Rows(resumed)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step = fanin.compile(second.step)
    for t in range(2, 6):
        give(resumed, t)
        step() if t % 2 else second.step()
    matrix, rows = by_hand(6)
    np.testing.assert_allclose(resumed[0].numpy(force=True), matrix, rtol=1e-14)
    np.testing.assert_allclose(second.state[resumed[0]]["rows"].numpy(), rows, rtol=1e-14)


def test_a_state_of_another_shape_is_refused_in_words() -> None:
    saved, params = Rows(leaves()), leaves()
    give(saved.param_groups[0]["params"], 0)
    saved.step()
    state = saved.state_dict()
    state["state"][0]["rows"] = fanin.ones(2, 1)
    other = Rows(params)
    other.load_state_dict(state)
    give(params, 0)
    with pytest.raises(RuntimeError, match=r"'rows' has not the shape of its parameter"):
        other.step()


@pytest.mark.parametrize("engine", ["eager", "numpy", "native"])
def test_adafactor_leaves_the_numbers_that_are_finite_alone(engine: str) -> None:
    """PyTorch compares norms with Python's max, which passes over nan: the other numbers take their step."""
    w = fanin.tensor([1.0, 2.0, 3.0], requires_grad=True)
    optimizer = fanin.optim.Adafactor([w])
    w.grad = fanin.tensor([0.5, float("nan"), -0.5])
    (optimizer.step if engine == "eager" else fanin.compile(optimizer.step, engine=engine))()
    rate = 0.01 * (14 / 3) ** 0.5
    np.testing.assert_allclose(w.numpy(force=True), [1 - rate, np.nan, 3 + rate], rtol=1e-6)


def test_adafactor_keeps_as_many_numbers_as_a_matrix_has_rows_and_columns() -> None:
    w = fanin.ones(40, 30, requires_grad=True)
    optimizer = fanin.optim.Adafactor([w])
    (w**2).sum().backward()
    optimizer.step()
    assert sum(value.numel() for value in optimizer.state[w].values()) == 40 + 30 + 1


def test_the_steps_of_adafactor_become_shorter_once_their_number_is_large() -> None:
    optimizer = fanin.optim.Adafactor([fanin.zeros(1, requires_grad=True)], lr=0.2)
    rates = [float(optimizer.hyper(optimizer.param_groups[0], step)["rate"]) for step in (1, 25, 100, 10_000)]
    np.testing.assert_allclose(rates, [0.2, 0.2, 0.1, 0.01], rtol=1e-15)
