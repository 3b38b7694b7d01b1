"""The passes between the simplified graph and the plan: small graphs before and after, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fanin.compiler import numpy_engine
from fanin.compiler.graph import DATA, SCALAR, STATE, Graph, Value
from fanin.compiler.passes.narrow import without_narrow_products
from fanin.compiler.passes.reciprocal import with_reciprocals
from fanin.compiler.passes.recompute import recomputed
from fanin.compiler.passes.rows import row_factors
from fanin.compiler.passes.tiling import lanes_for, tiling
from fanin.compiler.passes.tiny import without_tiny_products
from fanin.compiler.passes.views import views
from fanin.ops.arithmetic import less_equal, maximum, where
from fanin.ops.linalg import matmul
from fanin.ops.reduce import sum_
from fanin.ops.shape import permute, reshape


def leaf(*shape: int, role: str = DATA) -> Value:
    return Value(shape, np.float64, role=role)


def names(graph: Graph) -> list[str]:
    return [value.op.name for value in graph.values() if value.op is not None]


def outputs(graph: Graph, data: list[Any], scalars: tuple[float, ...] = ()) -> list[Any]:
    return numpy_engine.run(graph, data, [], scalars)[0]


def test_a_division_by_a_number_of_the_step_becomes_one_product() -> None:
    x, number = leaf(3), Value((), np.float64, role=SCALAR, weak=True)
    graph = Graph((x,), (), (number,), (x / number, (x * 2) / number))
    changed = with_reciprocals(graph)
    assert sorted(names(changed)) == ["mul", "mul", "mul", "reciprocal"]
    data = [np.array([1.0, 2.0, 5.0])]
    for a, b in zip(outputs(graph, data, (3.0,)), outputs(changed, data, (3.0,)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15)


def test_a_division_by_a_tensor_stays() -> None:
    x, y = leaf(3), leaf(3)
    assert names(with_reciprocals(Graph((x, y), outputs=(x / y,)))) == ["div"]


@pytest.mark.parametrize(("shape_a", "shape_b", "kept"), [((1, 7), (7, 1), False), ((2, 7), (7, 1), True)])
def test_only_a_product_of_one_row_and_one_column_becomes_a_sum(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], kept: bool
) -> None:
    a, b = leaf(*shape_a), leaf(*shape_b)
    graph = Graph((a, b), outputs=(matmul(a, b),))
    changed = without_tiny_products(graph)
    assert ("matmul" in names(changed)) is kept
    data = [np.random.default_rng(0).normal(size=shape) for shape in (shape_a, shape_b)]
    np.testing.assert_allclose(outputs(changed, data)[0], outputs(graph, data)[0], rtol=1e-14)


@pytest.mark.parametrize(
    ("rows", "outs", "features", "turned"),
    [(512, 16, 4, True), (600, 32, 1, True), (511, 16, 4, False), (512, 15, 4, False), (512, 16, 5, False)],
)
def test_a_gradient_of_few_features_over_many_rows_is_turned(rows: int, outs: int, features: int, turned: bool) -> None:
    x, dz = leaf(rows, features), leaf(rows, outs)
    graph = Graph((x, dz), outputs=(matmul(permute(dz, dims=(1, 0)), x),))
    changed = without_narrow_products(graph)
    (product,) = [v for v in changed.values() if v.op is not None and v.op.name == "matmul"]
    assert product.shape == ((features, outs) if turned else (outs, features))
    data = [np.random.default_rng(0).normal(size=shape) for shape in ((rows, features), (rows, outs))]
    np.testing.assert_allclose(outputs(changed, data)[0], outputs(graph, data)[0], rtol=1e-12)


def test_a_product_of_rows_is_not_turned() -> None:
    x, w = leaf(600, 32), leaf(32, 4)
    assert names(without_narrow_products(Graph((x, w), outputs=(matmul(x, w),)))) == ["matmul"]


def test_a_mask_is_computed_again_by_each_of_its_readers() -> None:
    x, w, g = leaf(4, 3), leaf(3, 3), leaf(4, 3)
    hidden = maximum(x, 0.0)
    mask = less_equal(hidden, 0.0)
    graph = Graph((x, w, g), outputs=(matmul(hidden, w), where(mask, 0.0, g), where(mask, g, 0.0)))
    assert names(graph).count("le") == 1
    changed, copies = recomputed(graph)
    assert names(changed).count("le") == len(copies) == 2
    data = [np.random.default_rng(0).normal(size=v.shape) for v in graph.data]
    for a, b in zip(outputs(graph, data), outputs(changed, data), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_end_at_a_sum_over_the_batch() -> None:
    x, w = leaf(6, 4), leaf(4, 2, role=STATE)
    product = matmul(x, w)
    flat = reshape(product, (12,))
    turned, total = permute(product, dims=(1, 0)), sum_(product, dim=(0,))
    factors = row_factors(Graph((x,), (w,), outputs=(flat, turned, total)), 6)
    assert (factors[product], factors[flat]) == (1, 2)
    assert turned not in factors
    assert total not in factors


def test_views_have_no_memory_of_their_own_but_where_they_must() -> None:
    x = leaf(4, 6)
    turned = permute(x, dims=(1, 0))
    copied = reshape(turned, (24,))
    refs = views(Graph((x,), outputs=(turned, copied)))
    assert refs[turned].base is x
    assert refs[turned].strides == (1, 6)
    assert refs[copied].base is copied


def test_lanes_follow_from_the_work_and_cover_every_row_once() -> None:
    assert lanes_for(10_000, 64) == 1
    assert lanes_for(100_000_000, 256) == 4
    x, w = leaf(1001, 64), leaf(64, 64, role=STATE)
    cut = tiling(Graph((x,), (w,), outputs=(matmul(x, w),)), 1001, 8 * 128, 64 * 64)
    rows = [r for lane in range(len(cut.lanes)) for first, n in cut.blocks(lane) for r in range(first, first + n)]
    assert rows == list(range(1001))
    assert len(cut.lanes) > 1
