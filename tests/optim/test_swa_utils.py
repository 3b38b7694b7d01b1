"""Averages of weights against NumPy's mean and `fanin.ema`; statistics after averaging; the rates that go with it."""

from __future__ import annotations

import copy
import io
import math

import numpy as np
import pytest

import fanin as torch
from fanin._core.errors import FaninError
from fanin.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)


def network():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def averaged(steps=6, **options):
    """Return the average over `steps` random settings of a model's weights, and the settings, one a row."""
    random = np.random.RandomState(0)
    model = torch.nn.Linear(3, 2).to(torch.float64)
    average = AveragedModel(model, **options)
    settings = []
    for _ in range(steps):
        weight = random.normal(size=(2, 3))
        with torch.no_grad():
            model.weight.copy_(torch.tensor(weight))
        average.update_parameters(model)
        settings.append(weight)
    return average.module.weight.detach().numpy(), np.array(settings)


EQUAL = {
    "default": {},
    "one tensor": {"avg_fn": get_swa_avg_fn()},
    "lists": {"multi_avg_fn": get_swa_multi_avg_fn()},
    "with buffers": {"use_buffers": True},
}
MOVING = {"one tensor": {"avg_fn": get_ema_avg_fn(0.8)}, "lists": {"multi_avg_fn": get_ema_multi_avg_fn(0.8)}}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_average_is_the_mean(name):
    result, settings = averaged(**EQUAL[name])
    np.testing.assert_allclose(result, settings.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", MOVING)
def test_moving_average_is_ema(name):
    result, settings = averaged(**MOVING[name])
    np.testing.assert_allclose(result, torch.ema(settings, 0.8)[-1], rtol=1e-12)


def test_the_averages_differ():
    result, settings = averaged(**MOVING["lists"])
    assert not np.allclose(result, settings.mean(axis=0))
    assert not np.allclose(result, torch.ema(settings, 0.7)[-1])


def test_the_model_is_left_alone():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = AveragedModel(model)
    average.update_parameters(model)
    with torch.no_grad():
        for parameter in average.parameters():
            parameter.fill_(7.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_averages_are_parameters_off_the_tape():
    model = torch.nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    average = AveragedModel(model)
    for _ in range(3):
        average.update_parameters(model)
    weight = average.module.weight
    assert weight.is_leaf
    assert weight.requires_grad
    assert weight.grad_fn is None
    average(torch.ones(1, 2)).sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0]]


def test_buffers_are_copied_or_averaged():
    copying, averaging = AveragedModel(network()), AveragedModel(network(), use_buffers=True)
    model = network()
    for mean in (1.0, 2.0, 6.0):
        model[1].running_mean.fill_(mean)
        copying.update_parameters(model)
        averaging.update_parameters(model)
    assert copying.module[1].running_mean.tolist() == [6.0, 6.0]
    assert averaging.module[1].running_mean.tolist() == [3.0, 3.0]


def test_a_saved_average_goes_on():
    model = network()
    first, second = AveragedModel(model), AveragedModel(network())
    for value in (1.0, 5.0):
        torch.nn.init.constant_(model[0].weight, value)
        first.update_parameters(model)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file))
    assert second.n_averaged.item() == 2
    torch.nn.init.constant_(model[0].weight, 9.0)
    for average in (first, second, copy.deepcopy(second)):
        average.update_parameters(model)
        assert average.module[0].weight[0, 0].item() == 5.0


def test_another_structure():
    average = AveragedModel(network())
    with pytest.raises(ValueError, match="the model has 2 tensors to average, and the average has 4") as caught:
        average.update_parameters(torch.nn.Linear(3, 2))
    assert isinstance(caught.value, FaninError)


def test_both_functions():
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        AveragedModel(network(), avg_fn=get_swa_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())


@pytest.mark.parametrize("make", [get_ema_avg_fn, get_ema_multi_avg_fn])
@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_decay_outside(make, decay):
    with pytest.raises(ValueError, match="Invalid decay value"):
        make(decay)


# ---------------------------------------------------------------------------------------------- statistics


def batches():
    random = np.random.RandomState(1)
    return [random.normal(3.0, 2.0, size=(rows, 3)).astype(np.float32) for rows in (8, 8, 4)]


def test_statistics_are_equal_averages_over_batches():
    layer = torch.nn.BatchNorm1d(3)
    layer.running_mean.fill_(100.0)
    update_bn([torch.tensor(batch) for batch in batches()], layer)
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean([b.mean(0) for b in batches()], axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        layer.running_var.numpy(), np.mean([b.var(0, ddof=1) for b in batches()], axis=0), rtol=1e-5
    )
    assert layer.num_batches_tracked.item() == 3


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_momentum_are_as_before(training):
    model = network().train(training)
    model[1].momentum = 0.25
    update_bn([(torch.ones(4, 3), "label")], model)
    assert model.training is training
    assert model[1].training is training
    assert model[1].momentum == 0.25


def test_mode_and_momentum_are_as_before_after_an_error():
    model = network().eval()
    with pytest.raises(TypeError):
        update_bn([None], model)
    assert not model.training
    assert model[1].momentum == 0.1


def test_a_model_without_statistics_is_not_run():
    update_bn([None], torch.nn.Linear(3, 2))


# ---------------------------------------------------------------------------------------------- rates


def sgd(*rates):
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates], lr=1.0)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_rates_lead_to_the_constant(strategy):
    optimizer = sgd(1.0, 0.2)
    scheduler = SWALR(optimizer, [0.1, 0.4], anneal_epochs=5, anneal_strategy=strategy)
    for step in range(9):
        share = min(1.0, step / 5)
        alpha = share if strategy == "linear" else (1 - math.cos(math.pi * share)) / 2
        expected = [alpha * 0.1 + (1 - alpha) * 1.0, alpha * 0.4 + (1 - alpha) * 0.2]
        assert scheduler.get_last_lr() == pytest.approx(expected, rel=1e-13)
        optimizer.step()
        scheduler.step()


def test_a_saved_strategy_is_loaded():
    first, second = sgd(1.0), sgd(1.0)
    linear = SWALR(first, 0.5, 2, "linear")
    cosine = SWALR(second, 0.5, 7, "cos")
    cosine.load_state_dict(linear.state_dict())
    assert cosine.anneal_epochs == 2
    assert cosine.anneal_func(0.25) == 0.25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.1, 0.2],), "swa_lr must have the same length as optimizer.param_groups"),
        ((0.1, 10, "square"), "anneal_strategy must be one of 'cos' or 'linear', instead got square"),
        ((0.1, -1), "anneal_epochs must be equal or greater than 0, got -1"),
        ((0.1, 2.5), "anneal_epochs must be equal or greater than 0, got 2.5"),
    ],
)
def test_message(arguments, words):
    with pytest.raises(ValueError) as caught:
        SWALR(sgd(1.0), *arguments)
    assert words in str(caught.value)
    assert isinstance(caught.value, FaninError)
