"""Edges of operations and of the tape, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

import fanin as torch

TWO = torch.tensor([1.0, 2.0])


def leaf() -> Any:
    return torch.tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_values_that_tie_share_the_gradient_of_a_place(reduce: str) -> None:
    x = torch.tensor([2.0, 9.0], requires_grad=True)
    source = torch.tensor([2.0, 2.0, 9.0], requires_grad=True)
    found = x.scatter_reduce(0, torch.tensor([0, 0, 1]), source, reduce)
    (found * torch.tensor([6.0, 4.0])).sum().backward()
    assert (x.grad.tolist(), source.grad.tolist()) == ([2.0, 2.0], [2.0, 2.0, 2.0])


# Gradients that somebody keeps stay what they were when a leaf adds later ones to its own. ----------------------------


def kept_by_a_hook_of_a_leaf(x: Any, kept: list[Any]) -> Any:
    x.register_hook(kept.append)
    return x * 1


def kept_by_a_hook(x: Any, kept: list[Any]) -> Any:
    y = x + 1
    y.register_hook(kept.append)
    return y


def kept_by_a_module(x: Any, kept: list[Any]) -> Any:
    layer = torch.nn.Identity()
    layer.register_full_backward_hook(lambda module, grads, _: kept.append(grads[0]))
    return layer(x)


def kept_by_retaining(x: Any, kept: list[Any]) -> Any:
    y = x + 1
    y.retain_grad()
    y.register_hook(lambda _: kept.append(y))
    return y


@pytest.mark.parametrize("keep", [kept_by_a_hook_of_a_leaf, kept_by_a_hook, kept_by_a_module, kept_by_retaining])
def test_gradients_that_are_kept_stay_as_they_were(keep: Any) -> None:
    x, kept = leaf(), []  # type: ignore[var-annotated]
    (keep(x, kept) * 2).backward(TWO)
    for _ in range(2):
        (x * 10).backward(TWO)
    found = kept[0].grad if keep is kept_by_retaining else kept[0]
    assert found.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [22.0, 44.0]


def test_gradients_of_leaves_one_of_which_has_a_hook_are_apart() -> None:
    a, b, kept = leaf(), leaf(), []  # type: ignore[var-annotated]
    b.register_hook(kept.append)
    ((a + b) * 2).backward(TWO)
    a.grad.add_(100.0)
    b.grad.add_(1000.0)
    assert (a.grad.tolist(), b.grad.tolist(), kept[0].tolist()) == ([102.0, 104.0], [1002.0, 1004.0], [2.0, 4.0])


def test_what_a_hook_keeps_is_apart_from_what_goes_to_a_leaf_beside() -> None:
    a, b, kept = leaf(), leaf(), []  # type: ignore[var-annotated]
    y = a * 1
    y.register_hook(kept.append)
    ((y + b) * 2).backward(TWO)
    b.grad.add_(100.0)
    assert (a.grad.tolist(), b.grad.tolist(), kept[0].tolist()) == ([2.0, 4.0], [102.0, 104.0], [2.0, 4.0])


def test_nodes_keep_their_names_when_they_let_go_of_their_values() -> None:
    x = leaf()
    made = [x**2, x / x, x.clamp(min=0), x.remainder(x), 1 - x]
    before = [each.grad_fn.name() for each in made]
    sum(each.sum() for each in made).backward()
    assert [each.grad_fn.name() for each in made] == before
    assert before[:3] == ["PowBackward0", "DivBackward0", "ClampBackward1"]


def test_gradients_of_results_and_leaves_that_are_asked_for_are_apart() -> None:
    x = leaf()
    y = x + 1
    (y * 2).backward(TWO, inputs=[y, x])
    (x * 10).backward(TWO)
    assert (y.grad.tolist(), x.grad.tolist()) == ([2.0, 4.0], [12.0, 24.0])


def test_the_gradient_that_is_given_stays_the_callers() -> None:
    x, given = leaf(), torch.tensor([1.0, 2.0])
    (x + 1).backward(given)
    x.grad.add_(5.0)
    assert given.tolist() == [1.0, 2.0]


def test_gradients_that_are_views_of_others_can_be_added_to() -> None:
    """That of a sum is one number seen many times, that of a transposed matrix lies in the memory of another."""
    x = torch.ones(2, 3, requires_grad=True)
    for _ in range(2):
        x.sum().backward()
    assert x.grad.tolist() == [[2.0] * 3] * 2
    y, given = torch.ones(2, 3, requires_grad=True), torch.ones(3, 2)
    y.T.backward(given)
    y.grad.add_(1.0)
    assert given.tolist() == [[1.0] * 2] * 3


# What hooks may return, and whose gradient is kept after a change in place: as in PyTorch. ----------------------------


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (lambda grad: grad.sum(), RuntimeError, "hook .*lambda.* has changed the size of value"),
        (lambda grad: grad.double(), RuntimeError, "changed the type of value .was torch.FloatTensor got torch.Double"),
        (lambda grad: 5.0, TypeError, "expected Variable, but hook returned 'float'"),
    ],
)
@pytest.mark.parametrize("at_a_leaf", [True, False])
def test_a_hook_returns_a_gradient_of_the_same_kind(given: Any, error: Any, words: str, at_a_leaf: bool) -> None:
    x = leaf()
    y = x * 2
    (x if at_a_leaf else y).register_hook(given)
    with pytest.raises(error, match=words):
        y.backward(TWO)
    assert x.grad is None


def test_what_keeps_its_gradient_keeps_that_of_what_it_has_become() -> None:
    x = leaf()
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    y.add_(1)
    y.backward(TWO)
    assert (y.grad.tolist(), x.grad.tolist()) == ([1.0, 2.0], [6.0, 12.0])


def test_gradients_are_kept_through_changes_of_views_and_bases() -> None:
    x = leaf()
    base = x * 2
    base.retain_grad()
    base[:1].mul_(3)
    base.backward(TWO)
    assert (base.grad.tolist(), x.grad.tolist()) == ([1.0, 2.0], [6.0, 4.0])
    x = leaf()
    base = x * 2
    view = base[:1]
    view.retain_grad()
    base.mul_(3)
    (base.sum() + 5 * view.sum()).backward()
    assert (view.grad.tolist(), x.grad.tolist()) == ([5.0], [36.0, 6.0])


def test_correlations_are_never_beyond_1() -> None:
    """As roundings would have them."""
    torch.manual_seed(0)
    beyond = 0
    for _ in range(100):
        x = torch.randn(1, 20)
        both = torch.cat([x, -3 * x])
        found = torch.corrcoef(both)
        assert bool((found.abs() <= 1).all())
        covariance = torch.cov(both)
        size = covariance.diagonal().sqrt()
        beyond += bool(((covariance / size.unsqueeze(1) / size).abs() > 1).any())
    assert beyond > 0


# What is no number ----------------------------------------------------------------------------------------------------

FLOATS, MASK = torch.tensor([1.0, 2.0]), torch.tensor([True, False])


@pytest.mark.parametrize("value", ["1", b"1", [1.0, 2.0], (1.0, 2.0)], ids=["text", "bytes", "list", "tuple"])
@pytest.mark.parametrize(
    "write",
    [
        lambda value: torch.clamp(FLOATS, value, 2.0),
        lambda value: torch.clamp(FLOATS.long(), max=value),
        lambda value: FLOATS.clone().clamp_(value),
        lambda value: torch.clamp_min(FLOATS, value),
        lambda value: torch.where(MASK, FLOATS, value),
        lambda value: torch.where(MASK, value, FLOATS.long()),
        lambda value: torch.nn.functional.pad(FLOATS, (1, 1), value=value),
    ],
    ids=["clamp", "clamp of integers", "clamp_", "clamp_min", "where", "where first", "pad"],
)
def test_texts_and_lists_are_no_numbers(write: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="must be a real number"):
        write(value)


def test_none_is_no_number_to_choose() -> None:
    with pytest.raises(TypeError, match="invalid combination"):
        torch.where(MASK, FLOATS, None)


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 300), ("uint8", -1), ("int8", -129), ("int64", float("nan"))])
def test_padding_that_the_integer_type_does_not_hold(dtype: str, value: float) -> None:
    with pytest.raises(RuntimeError):
        torch.nn.functional.pad(torch.tensor([1, 2], dtype=getattr(torch, dtype)), (1, 1), value=value)


def test_padding_that_it_holds() -> None:
    assert torch.nn.functional.pad(torch.tensor([1, 2]), (1, 1), value=1.5).tolist() == [1, 1, 2, 1]
    assert torch.nn.functional.pad(torch.tensor([1, 2], dtype=torch.int8), (0, 1), value=-128).tolist() == [1, 2, -128]
    assert torch.nn.functional.pad(torch.tensor([1, 2]), (1, 0), value=None).tolist() == [0, 1, 2]
