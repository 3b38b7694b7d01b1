"""Edges of layers, of their states and of hooks, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

import fanin as torch
from fanin import nn


def test_a_last_bag_that_starts_behind_the_last_number_is_empty() -> None:
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = nn.functional.embedding_bag(torch.tensor([0, 1, 1]), table, torch.tensor([0, 3]), mode="sum")
    assert found.tolist() == [[7.0, 10.0], [0.0, 0.0]]
    with pytest.raises(RuntimeError, match="end within the 3 numbers"):
        nn.functional.embedding_bag(torch.tensor([0, 1, 1]), table, torch.tensor([0, 4]), mode="sum")


def test_running_moments_rest_where_they_are_no_longer_tracked() -> None:
    layer = nn.BatchNorm1d(1)
    x = torch.tensor([[0.0], [2.0]])
    layer.track_running_stats = False
    assert layer(x).detach().squeeze(1).tolist() == pytest.approx([-1.0, 1.0], rel=1e-4)
    assert (layer.running_mean.item(), layer.running_var.item(), layer.num_batches_tracked.item()) == (0.0, 1.0, 0)


def test_an_assigned_parameter_requires_a_gradient_where_the_one_before_did() -> None:
    given, layer = nn.Linear(2, 1), nn.Linear(2, 1)
    given.weight.requires_grad_(False)
    layer.bias.requires_grad_(False)
    layer.load_state_dict(given.state_dict(keep_vars=True), assign=True)
    assert layer.weight is given.weight
    assert (layer.weight.requires_grad, layer.bias.requires_grad) == (True, False)


def test_a_module_that_is_given_a_whole_state_knows_its_own_part() -> None:
    """As modules do that load their children themselves."""
    layer, unexpected = nn.Linear(1, 1), []  # type: ignore[var-annotated]
    state: Any = {f"{name}.{key}": torch.ones(1, 1)[0] for name in ("one", "two") for key in ("bias", "other")}
    layer._load_from_state_dict(state, "one.", {}, True, [], unexpected, [])
    assert unexpected == ["one.other"]
    assert layer.bias.item() == 1.0


def test_gradients_that_are_set_to_zero_stay_where_they_are_without_a_history() -> None:
    layer = nn.Linear(1, 1, bias=False)
    (layer(torch.ones(1, 1)) ** 2).sum().backward(create_graph=True)
    held = layer.weight.grad
    assert held.requires_grad
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is held
    assert (held.item(), held.requires_grad, held.grad_fn) == (0.0, False, None)


def test_gradients_are_set_to_zero_in_a_compiled_step_as_in_an_eager_one() -> None:
    def losses(wrapper: Any) -> list[float]:
        torch.manual_seed(0)
        layer = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)

        def step(x: Any) -> Any:
            layer.zero_grad(set_to_none=False)
            loss = (layer(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = wrapper(step)
        return [step(torch.full((3, 2), 1.0 + i)).item() for i in range(3)]

    assert losses(torch.compile) == pytest.approx(losses(lambda step: step), rel=1e-6)


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_value_, nn.utils.clip_grad_norm_])
def test_a_gradient_that_is_limited_after_it_was_used_is_an_error_on_the_way_back(clip: Any) -> None:
    w = nn.Parameter(torch.tensor([3.0, 4.0]))
    (w**3).sum().backward(create_graph=True)
    penalty = (w.grad**2).sum()
    clip(w, 1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        penalty.backward()


def test_a_norm_is_of_the_widest_dtype() -> None:
    one, two = torch.tensor([3.0]), torch.tensor([4.0], dtype=torch.float64)
    for given in ([one, two], [two, one]):
        assert nn.utils.get_total_norm(given).dtype is torch.float64
    assert nn.utils.get_total_norm([one, one]).dtype is torch.float32


class Plus(nn.Module):
    def forward(self, x: Any) -> Any:
        return x + 1

    def right_inverse(self, x: Any) -> Any:
        return x - 1


class Times(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 4

    def right_inverse(self, x: Any) -> Any:
        return x / 4


def test_a_tensor_of_two_parametrizations_is_set_through_the_last_first() -> None:
    layer = nn.Linear(1, 1)
    for each in (Plus(), Times()):
        nn.utils.parametrize.register_parametrization(layer, "weight", each)
    layer.weight = torch.full((1, 1), 20.0)
    assert (layer.parametrizations.weight.original.item(), layer.weight.item()) == (4.0, 20.0)


class Halves(nn.Module):
    """Keeps a tensor as two."""

    def forward(self, one: Any, two: Any) -> Any:
        return one + two

    def right_inverse(self, x: Any) -> Any:
        return x / 4, 3 * x / 4


def test_parametrizations_take_the_mode_of_the_module_and_stay_unsafe() -> None:
    layer, one, two = nn.Linear(1, 1).eval(), Plus(), Times()
    nn.utils.parametrize.register_parametrization(layer, "weight", one, unsafe=True)
    nn.utils.parametrize.register_parametrization(layer, "weight", two)
    assert (one.training, two.training, layer.parametrizations.weight.unsafe) == (False, False, True)


def test_a_buffer_that_was_computed_of_several_is_a_buffer_again() -> None:
    layer = nn.BatchNorm1d(2)
    nn.utils.parametrize.register_parametrization(layer, "running_mean", Halves())
    layer.running_mean = torch.tensor([4.0, 8.0])
    assert layer.parametrizations.running_mean.original1.tolist() == [3.0, 6.0]
    nn.utils.parametrize.remove_parametrizations(layer, "running_mean")
    assert ("running_mean" in layer._buffers, layer.running_mean.tolist()) == (True, [4.0, 8.0])


def test_a_mask_that_is_given_stays_as_it_is() -> None:
    method = nn.utils.prune.L1Unstructured(amount=1)
    method._tensor_name = "weight"
    container, given = nn.utils.prune.PruningContainer(method), torch.ones(3)
    found = container.compute_mask(torch.tensor([3.0, -1.0, 2.0]), given)
    assert (found.tolist(), given.tolist()) == ([1.0, 0.0, 1.0], [1.0, 1.0, 1.0])


def test_a_spectral_norm_is_differentiated_after_later_calls() -> None:
    layer = nn.utils.spectral_norm(nn.Linear(3, 2))
    x = torch.ones(4, 3)
    (layer(x) + layer(2 * x)).sum().backward()
    assert layer.weight_orig.grad.shape == (2, 3)


def test_a_dictionary_takes_what_stands_behind_it() -> None:
    held = nn.ParameterDict({"b": torch.ones(2)})
    found = {"a": 1, "b": 2} | held
    assert (found["a"], found["b"] is held["b"]) == (1, True)
