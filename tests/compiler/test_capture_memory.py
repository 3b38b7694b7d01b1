"""What a capture knows of memory and of optimisers: strides, expanded tensors, groups, several steps in one call."""

from __future__ import annotations

from typing import Any

import pytest

import fanin as torch
from fanin._core.errors import CaptureError
from fanin.optim.swa_utils import get_swa_multi_avg_fn

VIEWS = {
    "transposed": lambda x: x.t(),
    "rows": lambda x: x[1:],
    "every other": lambda x: x[:, ::2],
    "column": lambda x: x[..., 1],
    "diagonal": lambda x: x.diagonal(),
    "expanded": lambda x: x[:1].expand(3, 4),
    "view of a view": lambda x: x.t()[1:3].t(),
    "result": lambda x: x * 2,
    "transposed result": lambda x: (x * 2).t(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_captured_view_lies_as_the_eager_one(name: str) -> None:
    def lies(x: Any) -> Any:
        y = VIEWS[name](x)
        return y + 0, y.stride(), y.storage_offset(), y.is_contiguous()

    x = torch.arange(12.0).reshape(3, 4).clone()
    (expected, *place), (found, *captured_place) = lies(x), torch.compile(lies, engine="numpy")(x)
    assert captured_place == place
    torch.testing.assert_close(found, expected)


def test_an_expanded_tensor_is_not_written_to() -> None:
    def write(x: Any) -> Any:
        return x.expand(2, 3).add_(torch.ones(2, 3))

    with pytest.raises(RuntimeError, match="single memory location"):
        write(torch.zeros(3))
    with pytest.raises(RuntimeError, match="single memory location"):
        torch.compile(write, engine="numpy")(torch.zeros(3))


def two_steps(first: bool) -> tuple[Any, Any]:
    a, b = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([a, b], lr=0.1)

    def step(x: Any) -> Any:
        for i in range(2):
            optimizer.zero_grad()
            loss = (a * x).sum() + ((b * x).sum() if first or i else 0)
            loss.backward()
            optimizer.step()
        return loss.detach()

    return step, [a, b]


def test_two_steps_of_the_same_parameters_are_two_steps() -> None:
    (eager, expected), (step, found) = two_steps(True), two_steps(True)
    compiled = torch.compile(step, engine="numpy")
    for _ in range(3):
        torch.testing.assert_close(compiled(torch.ones(2)), eager(torch.ones(2)))
    torch.testing.assert_close(found, expected)


def test_two_steps_of_different_parameters_in_one_call_are_refused() -> None:
    step, _ = two_steps(False)
    with pytest.raises(CaptureError, match="several steps in one captured function"):
        torch.compile(step, engine="numpy")(torch.ones(2))


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_a_group_added_later_takes_part_in_the_next_step(engine: str) -> None:
    a, b = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([a], lr=0.5)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (a * b * x).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled = torch.compile(step, engine=engine)
    compiled(torch.ones(2))
    assert b.tolist() == [1.0, 1.0]
    optimizer.add_param_group({"params": [b]})
    compiled(torch.ones(2))
    assert a.tolist() == [0.0, 0.0]
    assert b.tolist() == [0.75, 0.75]


def test_an_empty_batch_leaves_the_running_moments_alone() -> None:
    norm = torch.nn.BatchNorm1d(5)
    torch.compile(lambda x: norm(x).sum(), engine="numpy")(torch.zeros(0, 5, 9))
    assert norm.running_mean.tolist() == [0.0] * 5
    assert norm.running_var.tolist() == [1.0] * 5


def test_an_average_takes_a_plain_count() -> None:
    def average(held: Any, new: Any) -> Any:
        held = [held * 1]
        get_swa_multi_avg_fn()(held, [new], 2)
        return held[0]

    compiled = torch.compile(average, engine="numpy")
    assert compiled(torch.tensor([1.0]), torch.tensor([4.0])).tolist() == [2.0]


def test_half_precision_is_carried_out_by_numpy() -> None:
    def halves(x: Any) -> Any:
        y = (x * 2).relu()
        return y.view(2, 2), y.view(4, 1), y.sum()

    x = torch.tensor([1.0, -2.0, 3.0, 0.1]).half()
    for a, b in zip(torch.compile(halves, engine="native")(x), halves(x), strict=True):
        assert a.dtype == torch.float16
        assert a.tolist() == b.tolist()


def test_a_layer_put_into_a_compiled_module_is_put_into_the_original() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x))

    net = Net()
    compiled, x = torch.compile(net, engine="numpy"), torch.ones(2, 3)
    assert compiled(x).shape == (2, 2)
    compiled.head = torch.nn.Linear(4, 5)
    assert net.head is compiled.head
    assert compiled(x).shape == (2, 5)
    assert [name for name, _ in compiled.named_children()] == ["_orig_mod"]
    compiled.eval()
    assert not net.training
    assert not compiled.training
