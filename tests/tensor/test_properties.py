"""Properties that hold for any input: against loops, against NumPy, and round trips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fanin as torch

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def numbers(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Return a float64 tensor of different numbers."""
    n = int(np.prod(shape))
    return torch.from_numpy(np.random.RandomState(seed).permutation(n).reshape(shape) + 0.25)


@st.composite
def shape_and_index(draw: Any) -> tuple[tuple[int, ...], Any]:
    """Return a shape and an index of ints, slices, None and Ellipsis that fits it."""
    shape = draw(SHAPES)
    items: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        if draw(st.booleans()):
            items.append(draw(st.integers(-n, n - 1)))
        else:
            bounds = st.one_of(st.none(), st.integers(-n - 1, n + 1))
            items.append(slice(draw(bounds), draw(bounds), draw(st.one_of(st.none(), st.integers(1, 3)))))
    for position in range(len(items), -1, -1):
        if draw(st.integers(0, 4)) == 0:
            items.insert(position, None)
    if draw(st.booleans()):
        items.append(Ellipsis)
    return shape, tuple(items)


@given(shape_and_index())
def test_basic_indexing_is_numpys(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    x = numbers(shape)
    part = x[index]
    np.testing.assert_array_equal(part.numpy(), x.numpy()[index])
    assert part._array.size == 0 or np.shares_memory(part._array, x._array)


@given(shape_and_index())
def test_what_is_written_is_what_is_read(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    x, whole = numbers(shape), numbers(shape)
    values = numbers(tuple(x[index].shape) or (1,), seed=1).reshape(x[index].shape) + 100
    x[index] = values
    assert torch.equal(x[index], values)
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[index] = True
    assert torch.equal(x[~mask], whole[~mask])


@given(shape_and_index())
def test_gradient_of_reading_is_one_where_it_was_read(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    x = numbers(shape).requires_grad_()
    x[index].sum().backward()
    expected = np.zeros(shape)
    expected[index] = 1
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@given(SHAPES, st.integers(0, 2), st.integers(1, 4), st.integers(0, 5))
def test_gather_and_scatter_are_loops(shape: tuple[int, ...], dim: int, length: int, seed: int) -> None:
    dim %= len(shape)
    positions = tuple(length if axis == dim else n for axis, n in enumerate(shape))
    index = np.random.RandomState(seed).randint(0, shape[dim], positions)
    x = numbers(shape)
    gathered = torch.gather(x, dim, torch.from_numpy(index))
    added = torch.zeros(shape, dtype=torch.float64).scatter_add(dim, torch.from_numpy(index), gathered)
    expected = np.zeros(shape)
    for place in np.ndindex(positions):
        source = (*place[:dim], index[place], *place[dim + 1 :])
        assert gathered.numpy()[place] == x.numpy()[source]
        expected[source] += x.numpy()[source]
    np.testing.assert_allclose(added.numpy(), expected)


@given(SHAPES, st.permutations(range(3)))
def test_permuting_back_gives_the_tensor(shape: tuple[int, ...], order: list[int]) -> None:
    order = [d for d in order if d < len(shape)]
    x = numbers(shape)
    assert torch.equal(x.permute(order).permute(np.argsort(order).tolist()), x)
    assert torch.equal(x.permute(order).contiguous().view(-1).sum(), x.sum())


@given(SHAPES, st.integers(1, 5), st.integers(0, 2))
def test_parts_join_to_the_whole(shape: tuple[int, ...], size: int, dim: int) -> None:
    dim %= len(shape)
    x = numbers(shape)
    for parts in (x.split(size, dim), x.chunk(size, dim), x.tensor_split(size, dim)):
        assert torch.equal(torch.cat(parts, dim), x)
    assert torch.equal(torch.stack(x.unbind(dim), dim), x)


@given(SHAPES, st.integers(0, 2), st.booleans())
def test_sorting_orders_and_keeps_everything(shape: tuple[int, ...], dim: int, descending: bool) -> None:
    dim %= len(shape)
    x = numbers(shape)
    values, indices = x.sort(dim, descending)
    assert torch.equal(torch.gather(x, dim, indices), values)
    steps = values.diff(dim=dim)
    assert bool(((steps <= 0) if descending else (steps >= 0)).all())
    assert torch.equal(x.argsort(dim, descending), indices)
    k = shape[dim]
    assert torch.equal(x.topk(k, dim, largest=descending).values, values)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_unique_can_be_undone(items: list[int]) -> None:
    x = torch.tensor(items)
    found, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    assert found.tolist() == sorted(set(items))
    assert torch.equal(found[inverse], x)
    assert int(counts.sum()) == len(items)
    runs, which, lengths = torch.unique_consecutive(x, return_inverse=True, return_counts=True)
    assert torch.equal(runs[which], x)
    assert torch.equal(torch.repeat_interleave(runs, lengths), x)


@given(SHAPES, SHAPES)
def test_broadcasting_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(RuntimeError, match="must match the size of tensor b"):
            torch.ones(a) + torch.ones(b)
        return
    x, y = torch.ones(a, requires_grad=True), torch.ones(b, requires_grad=True)
    total = x + y
    total.sum().backward()
    assert tuple(total.shape) == expected == tuple(torch.broadcast_shapes(a, b))
    assert float(x.grad.sum()) == float(y.grad.sum()) == np.prod(expected)


EQUATIONS = ["ab,bc->ac", "ab,ab->", "abc->ca", "ab,b->a", "aab->b", "ab,bc,cd->ad", "a,b->ab"]


@given(st.sampled_from(EQUATIONS), st.lists(st.integers(1, 3), min_size=4, max_size=4))
def test_einsum_is_a_sum_over_all_letters(equation: str, sizes: list[int]) -> None:
    inputs, output = equation.split("->")
    size = dict(zip("abcd", sizes, strict=True))
    terms = inputs.split(",")
    xs = [numbers(tuple(size[letter] for letter in term), seed=i) for i, term in enumerate(terms)]
    letters = sorted(set(inputs) - {","})
    expected = np.zeros([size[letter] for letter in output])
    for values in np.ndindex(*(size[letter] for letter in letters)):
        at = dict(zip(letters, values, strict=True))
        product = np.prod([x.numpy()[tuple(at[c] for c in term)] for x, term in zip(xs, terms, strict=True)])
        expected[tuple(at[c] for c in output)] += product
    np.testing.assert_allclose(torch.einsum(equation, *xs).numpy(), expected)


@given(st.lists(st.sampled_from([0.0, 0.5, 2.0, -1.0]), min_size=1, max_size=6))
def test_gradient_of_products_is_the_product_of_the_others(items: list[float]) -> None:
    x = torch.tensor(items, dtype=torch.float64, requires_grad=True)
    x.prod().backward()
    expected = [float(np.prod(items[:i] + items[i + 1 :])) for i in range(len(items))]
    np.testing.assert_allclose(x.grad.numpy(), expected)
    (running,) = torch.autograd.grad(x.cumprod(0).sum(), x)
    slopes = [
        sum(float(np.prod(items[:i] + items[i + 1 : j + 1])) for j in range(i, len(items))) for i in range(len(items))
    ]
    np.testing.assert_allclose(running.numpy(), slopes)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_quantiles_are_numpys(items: list[float], q: float) -> None:
    x = torch.tensor(items, dtype=torch.float64)
    assert float(torch.quantile(x, q)) == pytest.approx(float(np.quantile(items, q)), abs=1e-12)
    assert float(x.median()) == sorted(items)[(len(items) - 1) // 2]


@given(SHAPES, st.integers(-2, 5))
def test_diagonals_are_numpys(shape: tuple[int, ...], offset: int) -> None:
    shape = (shape[0], shape[-1])
    x = numbers(shape)
    np.testing.assert_array_equal(x.diagonal(offset).numpy(), np.diagonal(x.numpy(), offset))
    np.testing.assert_array_equal(x.tril(offset).numpy(), np.tril(x.numpy(), offset))
    np.testing.assert_array_equal((x.tril(offset) + x.triu(offset + 1)).numpy(), x.numpy())


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
def test_windows_are_slices(n: int, size: int, step: int) -> None:
    size = min(size, n)
    x = numbers((n,))
    windows = x.unfold(0, size, step)
    assert [w.tolist() for w in windows] == [x[i : i + size].tolist() for i in range(0, n - size + 1, step)]
