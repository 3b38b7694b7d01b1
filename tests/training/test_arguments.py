"""What fit takes, and what it says about what it does not take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.training import arrays, data
from fanin.utils.data import DataLoader, TensorDataset
from tests.training.by_hand import weights


def linear(rows: int = 12) -> tuple[Any, Any, Any, Any]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    x, y = torch.randn(rows, 3), torch.randn(rows, 1)
    return model, x, y, torch.optim.SGD(model.parameters(), lr=0.1)


# What it takes --------------------------------------------------------------------------------------------------------


def test_arrays_lists_and_tensors_give_the_same() -> None:
    results = []
    for convert in (
        lambda t: t,
        lambda t: t.numpy(),
        lambda t: t.numpy().astype(np.float64),
        lambda t: t.tolist(),
        lambda t: np.asfortranarray(t.numpy()),
    ):
        model, x, y, optimizer = linear()
        torch.fit(model, (convert(x), convert(y)), nn.MSELoss(), optimizer, epochs=2)
        results.append(weights(model)["weight"])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_contiguous_data_is_used_in_place() -> None:
    model, x, y, _ = linear()
    array = np.ones((4, 3), np.float32)
    assert arrays.input_tensor(array, model, "x")._array is array
    assert arrays.input_tensor(x, model, "x")._array is x._array
    assert arrays.target_tensor(y, model, nn.MSELoss(), "y")._array is y._array
    assert arrays.input_tensor(array[:, ::2], model, "x")._array.flags.c_contiguous
    tensors, *_ = data._side_by_side((array, np.zeros((4, 1))), model, nn.MSELoss())
    assert tensors[0]._array is array
    assert tensors[1]._array.dtype == np.float32


@pytest.mark.parametrize(
    ("loss", "values", "dtype"),
    [
        (nn.CrossEntropyLoss(), np.array([0, 1], np.int32), np.int64),
        (nn.functional.cross_entropy, np.array([0, 1], np.uint8), np.int64),
        (nn.CrossEntropyLoss(), np.array([0.5, 0.5]), np.float32),
        (nn.MSELoss(), np.array([0, 1]), np.float32),
        (nn.functional.mse_loss, np.array([0, 1]), np.float32),
        (nn.BCEWithLogitsLoss(), np.array([True, False]), np.float32),
        (lambda o, t: o, np.array([0, 1], np.int32), np.int64),
        (lambda o, t: o, np.array([0.0, 1.0]), np.float32),
    ],
)
def test_targets_get_the_dtype_that_the_loss_needs(loss: Any, values: Any, dtype: Any) -> None:
    assert arrays.target_tensor(values, nn.Linear(1, 1), loss, "y")._array.dtype == dtype


def test_whole_numbers_stay_whole_for_an_embedding() -> None:
    codes = np.array([[0, 1], [2, 0]], np.int32)
    assert arrays.input_tensor(codes, nn.Embedding(3, 2), "x")._array.dtype == np.int64
    assert arrays.input_tensor(codes, nn.Linear(2, 1), "x")._array.dtype == np.float32


def test_no_epochs_change_nothing() -> None:
    model, x, y, optimizer = linear()
    before, state = weights(model), torch.get_rng_state()
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=0)
    assert len(history) == 0
    assert history.stopped == "finished"
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(weights(model)["weight"], before["weight"])


def test_the_callers_tensors_keep_their_gradients_and_flags() -> None:
    model, x, y, optimizer = linear()
    x.requires_grad_()
    torch.fit(model, (x, y), nn.MSELoss(), optimizer)
    assert x.requires_grad
    assert x.grad is None


def test_the_number_of_threads_holds_for_the_run() -> None:
    before = torch.get_num_threads()
    model, x, y, optimizer = linear()
    seen: list[int] = []
    for threads in (1, 2, None):
        torch.fit(
            model,
            (x, y),
            nn.MSELoss(),
            optimizer,
            engine="eager",
            threads=threads,
            callbacks=lambda _: seen.append(torch.get_num_threads()),
        )
    assert seen == [1, 2, before]
    assert torch.get_num_threads() == before


def test_part_of_a_model_may_be_trained() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    _, x, y, _ = linear()
    before = weights(model)
    torch.fit(model, (x, y), nn.MSELoss(), torch.optim.SGD(model[1].parameters(), lr=0.1))
    after = weights(model)
    np.testing.assert_array_equal(after["0.weight"], before["0.weight"])
    assert not np.array_equal(after["1.weight"], before["1.weight"])


def test_wrong_target_shapes_get_the_advice_of_the_loop() -> None:
    model, x, y, optimizer = linear()
    with pytest.warns(torch.advice.BroadcastLoss, match="compares every prediction with every target"):
        torch.fit(model, (x, y.reshape(-1)), nn.MSELoss(), optimizer, engine="eager")


@pytest.mark.parametrize("engine", ["eager", "native", "auto"])
def test_targets_that_are_no_probabilities_are_told_whatever_carries_out_the_steps(engine: str) -> None:
    _, x, y, _ = linear()
    for low, high in ((0.0, 2.0), (-1.0, 1.0)):
        target = torch.where(y > 0, high, low)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with pytest.warns(torch.advice.TargetOutOfRange, match=f"lie between {low:g} and {high:g}; outside"):
            torch.fit(model, (x, target), nn.BCEWithLogitsLoss(), optimizer, engine=engine)
        before = weights(model)
        with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1"):
            torch.fit(nn.Sequential(model, nn.Sigmoid()), (x, target), nn.BCELoss(), optimizer, engine=engine)
        np.testing.assert_array_equal(weights(model)["weight"], before["weight"])


# What it refuses ------------------------------------------------------------------------------------------------------

X, Y = np.zeros((12, 3)), np.zeros((12, 1))
LOADER = DataLoader(TensorDataset(torch.zeros(12, 3), torch.zeros(12, 1)), batch_size=4)

REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "lengths": ({"train": (X, Y[:5])}, ValueError, "same number of rows, but they have: x 12, y 5"),
    "lengths of several": ({"train": ((X, X[:3]), Y)}, ValueError, r"x\[0\] 12, x\[1\] 3, y 12"),
    "no rows": ({"train": (X[:0], Y[:0])}, ValueError, "no rows to train on"),
    "a number": ({"train": (3.0, Y)}, ValueError, "x is a single number"),
    "no target": ({"train": X}, TypeError, r"data must be \(x, y\), but got ndarray alone"),
    "a tuple of three": ({"train": (X, X, Y)}, TypeError, "got a tuple of 3"),
    "texts": ({"train": (X, np.array(["a"] * 12))}, TypeError, "y must hold numbers, but it is an array of <U1"),
    "ragged lists": ({"train": ([[1.0], [1.0, 2.0]], Y)}, TypeError, "x cannot be read as an array of numbers"),
    "one tensor": ({"train": TensorDataset(torch.zeros(4, 3))}, ValueError, "nothing to compare the outputs with"),
    "an iterator": ({"train": iter(LOADER)}, TypeError, "used up after one epoch"),
    "something else": ({"train": 3}, TypeError, "a dataset or a DataLoader, not int"),
    "batches of one": ({"train": [torch.zeros(3)]}, TypeError, r"a batch must be \(inputs, target\).* Tensor"),
    "a dictionary": ({"train": [{"x": 1}]}, TypeError, "gives a dict of 1"),
    "batch size twice": ({"train": LOADER, "batch_size": 3}, ValueError, "batch_size cannot be given beside a DataL"),
    "order twice": ({"train": LOADER, "shuffle": False}, ValueError, "shuffle cannot be given beside"),
    "batch size": ({"batch_size": 0}, ValueError, "batch_size should be a positive integer"),
    "all dropped": ({"batch_size": 13, "drop_last": True}, ValueError, "an epoch has no steps"),
    "epochs": ({"epochs": -1}, ValueError, "epochs must be 0 or more, not -1"),
    "half an epoch": ({"epochs": 0.5}, TypeError, "epochs must be a whole number, not 0.5"),
    "patience": ({"patience": 0}, ValueError, "patience must be 1 or more"),
    "clip": ({"clip_grad_norm": 0.0}, ValueError, "clip_grad_norm must be above 0"),
    "engine": ({"engine": "cuda"}, ValueError, "engine must be one of auto, native, numpy, eager, not 'cuda'"),
    "model": ({"model": lambda x: x}, TypeError, "model must be a Module, not function"),
    "a class of losses": ({"loss": nn.MSELoss}, TypeError, r"give an object of it: MSELoss\(\)"),
    "the name of a loss": ({"loss": "mse"}, TypeError, r"a function of \(output, target\), not str"),
    "the name of an optimiser": ({"optimizer": "adam"}, TypeError, "optimizer must be an Optimizer, not 'adam'"),
    "another model's": (
        {"optimizer": torch.optim.SGD(nn.Linear(3, 1).parameters())},
        ValueError,
        "none of the model's parameters",
    ),
    "a loss of all rows": (
        {"loss": nn.MSELoss(reduction="none"), "engine": "eager"},
        ValueError,
        r"one number, but it has the shape \[12, 1\]",
    ),
    "a loss that is no tensor": (
        {"loss": lambda o, t: 0.5, "engine": "eager"},
        TypeError,
        "must return a tensor, but it returned float",
    ),
    "validation": ({"validation": (X, Y[:3])}, ValueError, "x 12, y 3"),
    "a share of nothing": ({"validation": 0.01}, ValueError, "leaves nothing to train on, or nothing to judge by"),
    "a share above 1": ({"validation": 1.5}, ValueError, "between 0 and 1"),
    "a share of a loader": ({"train": LOADER, "validation": 0.5}, ValueError, r"needs train to be \(x, y\)"),
    "a scheduler": ({"scheduler": 3}, TypeError, r"no step\(\)"),
    "two schedulers": ({"scheduler": (1, 2, 3)}, TypeError, '"batch", scheduler'),
    "metrics of a stream": (
        {"train": [(torch.zeros(2, 3), torch.zeros(2, 1))], "metrics": "mae"},
        ValueError,
        "metrics need rows in memory",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    change, error, message = REFUSED[name]
    model, _, _, optimizer = linear()
    arguments = {"model": model, "train": (X, Y), "loss": nn.MSELoss(), "optimizer": optimizer} | change
    before = weights(model)
    with pytest.raises(error, match=message):
        torch.fit(**arguments)
    np.testing.assert_array_equal(weights(model)["weight"], before["weight"])


def test_tensors_of_another_dtype_raise_as_in_the_loop() -> None:
    model, x, y, optimizer = linear()
    with pytest.raises(RuntimeError, match=r"[dD]ouble|float64"):
        torch.fit(model, (x.double(), y.double()), nn.MSELoss(), optimizer)


def test_a_scheduler_of_another_optimizer_is_refused() -> None:
    model, x, y, optimizer = linear()
    other = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(model.parameters(), lr=0.1), 2)
    with pytest.raises(ValueError, match="made for another optimizer"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, scheduler=other)


def test_one_cycle_too_short_is_refused_before_training() -> None:
    model, x, y, optimizer = linear()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5)
    before = weights(model)
    with pytest.raises(ValueError, match="made for 5 steps, but 2 epochs of 3 batches take 6"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=4, scheduler=scheduler)
    np.testing.assert_array_equal(weights(model)["weight"], before["weight"])
    torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=5, batch_size=4, scheduler=("epoch", scheduler))


def test_some_strange_parameters_get_a_warning() -> None:
    model, x, y, _ = linear()
    optimizer = torch.optim.SGD([*model.parameters(), *nn.Linear(2, 2).parameters()], lr=0.1)
    with pytest.warns(UserWarning, match="2 of the 4 parameters of the optimizer are not the model's"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, engine="eager")
