"""What Module promises beside PyTorch's answers: a short way without hooks, no traces of them, states that return."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import fanin as torch
from fanin import nn
from fanin.nn import calling


class Counting(nn.Module):
    """Counts the calls of `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x


def test_without_hooks_nothing_stands_between_call_and_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling._Call, "run", lambda *_: pytest.fail("the long way was taken"))
    module = Counting()
    handle = module.register_forward_hook(lambda *_: None)
    handle.remove()
    handle.remove()
    assert module(1) == 1
    assert module.calls == 1


def test_a_global_hook_is_gone_when_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    with nn.modules.module.register_module_forward_hook(lambda *_: seen.append(1)):
        Counting()(1)
    monkeypatch.setattr(calling._Call, "run", lambda *_: pytest.fail("the long way was taken"))
    Counting()(1)
    assert seen == [1]


def test_registration_hooks_see_and_replace_what_is_registered() -> None:
    names: list[str] = []

    def note(module: Any, name: str, value: Any) -> None:
        names.append(name)

    hooks = nn.modules.module
    with (
        hooks.register_module_parameter_registration_hook(note),
        hooks.register_module_buffer_registration_hook(note),
        hooks.register_module_module_registration_hook(lambda m, name, value: nn.Identity()),
    ):
        net = nn.Sequential(nn.BatchNorm1d(1))
    assert names == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert isinstance(net[0], nn.Identity)


def test_hooks_do_not_keep_a_network_alive() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    net.register_full_backward_hook(lambda *_: None)
    x = torch.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None


def test_a_weight_that_is_a_plain_tensor_is_used() -> None:
    layer = nn.Linear(2, 1)
    doubled = layer.weight * 2
    del layer.weight
    layer.weight = doubled
    x = torch.ones(1, 2)
    assert torch.equal(layer(x), nn.functional.linear(x, doubled, layer.bias))


def test_module_with_a_hook_is_copied_with_it() -> None:
    net = nn.Sequential(Counting())
    seen: list[str] = []
    net.register_forward_hook(lambda module, *_: seen.append(type(module).__name__))
    copy.deepcopy(net)(1)
    assert seen == ["Sequential"]


def test_lazy_module_in_a_copy_becomes_its_own() -> None:
    net = nn.Sequential(nn.LazyLinear(2), nn.LazyBatchNorm1d())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin(torch.ones(3, 4))
        assert type(twin[0]) is nn.Linear
        assert type(twin[1]) is nn.BatchNorm1d
        assert twin[0].in_features == 4
    assert type(net[0]) is nn.LazyLinear
    with pytest.raises(ValueError, match="dummy batch"):
        net[0].weight.sum()


LAYERS = st.sampled_from(
    [
        lambda: nn.Linear(3, 3),
        lambda: nn.Linear(3, 3, bias=False),
        lambda: nn.BatchNorm1d(3),
        lambda: nn.LayerNorm(3),
        lambda: nn.PReLU(3),
        lambda: nn.Tanh(),
        lambda: nn.ModuleDict({"a": nn.Linear(1, 1)}),
        lambda: nn.Sequential(nn.Linear(2, 1), nn.GroupNorm(1, 1)),
        lambda: nn.ParameterList([torch.ones(2), torch.zeros(1)]),
    ]
)


@given(st.lists(LAYERS, max_size=4), st.booleans())
def test_state_comes_back(makers: list[Any], assign: bool) -> None:
    first = nn.ModuleList([make() for make in makers])
    second = nn.ModuleList([make() for make in makers])
    keys = second.load_state_dict(first.state_dict(), assign=assign)
    assert str(keys) == "<All keys matched successfully>"
    for (name, a), (other, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(a, b)
    dropped = dict(list(first.state_dict().items())[1:])
    if len(dropped) < len(first.state_dict()):
        with pytest.raises(RuntimeError, match="Missing key"):
            second.load_state_dict(dropped)


@given(st.lists(LAYERS, max_size=4))
def test_text_has_a_line_for_every_module(makers: list[Any]) -> None:
    net = nn.Sequential(*(make() for make in makers))
    text = repr(net)
    for name, module in net.named_children():
        assert f"({name}): {type(module).__name__}" in text
    assert text.count("(") == text.count(")")


def test_messages_say_what_to_do() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"Call super\(\).__init__\(\) first"):
        Early()
    with pytest.raises(RuntimeError, match="The layer takes 3 features in the last dimension"):
        nn.Linear(3, 2)(torch.ones(2, 4))
    with pytest.raises(TypeError, match=r"Make one with torch\.tensor"):
        nn.Linear(3, 2)([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Use a larger batch"):
        nn.BatchNorm1d(2)(torch.ones(1, 2))


def test_what_a_compiled_step_has_trained_can_be_pruned_again() -> None:
    """The weight that the step computed has no value after it; pruning computes it from what was trained."""
    prune = torch.nn.utils.prune

    def rounds(compiled: bool) -> torch.nn.Module:
        torch.manual_seed(0)
        net = torch.nn.Linear(4, 3)
        x, optimizer = torch.randn(8, 4), torch.optim.SGD(net.parameters(), lr=0.0)

        def step(x: torch.Tensor) -> torch.Tensor:
            optimizer.zero_grad()
            loss = net(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = torch.compile(step, engine="numpy") if compiled else step
        for _ in range(2):
            prune.l1_unstructured(net, "weight", 0.5)
            prune.global_unstructured([(net, "weight")], prune.L1Unstructured, amount=1)
            step(x)
        return prune.remove(net, "weight")

    plain, compiled = rounds(compiled=False), rounds(compiled=True)
    assert (compiled.weight == 0).sum() == (plain.weight == 0).sum() == 10
    assert torch.equal(plain.weight, compiled.weight)


def test_a_hook_that_is_always_called_is_called_once_when_a_later_one_fails() -> None:
    layer, seen = nn.ReLU(), []  # type: ignore[var-annotated]

    def fails(*_: Any) -> None:
        raise ValueError("later")

    layer.register_forward_hook(lambda *given: seen.append(given[-1].item()), always_call=True)
    layer.register_forward_hook(fails)
    layer.register_forward_hook(lambda *given: seen.append(given[-1]), always_call=True)
    with pytest.raises(ValueError, match="later"):
        layer(torch.tensor(2.0))
    assert seen == [2.0, None]


@pytest.mark.parametrize(
    "make", [nn.Sequential, lambda kind: nn.ModuleList([kind]), lambda kind: nn.ModuleDict({"a": kind})]
)
def test_a_class_in_place_of_a_module_is_told_by_its_name(make: Any) -> None:
    with pytest.raises(TypeError, match=r"^fanin\.nn\.squashing\.Tanh is not a Module subclass$"):
        make(nn.Tanh)


def test_a_layer_without_weight_says_so() -> None:
    layer = nn.Linear(2, 1)
    layer.weight = None
    with pytest.raises(TypeError, match=r"linear\(\): argument 'weight' \(position 2\) must be Tensor, not NoneType"):
        layer(torch.ones(1, 2))
