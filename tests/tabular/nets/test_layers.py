"""The layers against plain NumPy formulas, written with loops where the layers have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin
from fanin import Tensor
from fanin.tabular.nets import (
    FadingDropout,
    Front,
    FrontScale,
    Inputs,
    LevelEmbedding,
    MemberHead,
    MemberLinear,
    NTKLinear,
    ParametricActivation,
    PeriodicEmbedding,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    fanin.manual_seed(0)


def array(tensor: Tensor) -> Any:
    return tensor.detach().numpy().astype(np.float64)


def agree(got: Tensor, wanted: Any, tolerance: float = 2e-5) -> bool:
    return got.shape == wanted.shape and bool(np.abs(array(got) - wanted).max() <= tolerance * (1 + abs(wanted).max()))


def periodic(layer: PeriodicEmbedding, x: Any) -> Any:
    """Return x, then the outputs j of all columns, j after j."""
    w, b, mix, bias = (array(p) for p in (layer.frequency, layer.phase, layer.mix, layer.bias))
    rows, columns = x.shape
    out = np.empty((rows, len(mix), columns))
    for r in range(rows):
        for j in range(len(mix)):
            for p in range(columns):
                waves = [np.cos(2 * np.pi * x[r, p] * w[k, p] + b[k, p]) for k in range(len(w))]
                out[r, j, p] = sum(m * wave for m, wave in zip(mix[j, :, p], waves, strict=True)) + bias[j, p]
    return np.concatenate([x, out.reshape(rows, -1)], axis=1)


def test_periodic_embedding() -> None:
    layer, x = PeriodicEmbedding(3, waves=5, width=3), fanin.randn(4, 3)
    assert agree(layer(x), periodic(layer, array(x)))


def test_the_comparison_sees_a_wrong_answer() -> None:
    layer, x = PeriodicEmbedding(3, waves=5, width=3), fanin.randn(4, 3)
    wrong = periodic(layer, array(x))
    wrong[2, 7] += 1e-3
    assert not agree(layer(x), wrong)
    assert not agree(layer(x), periodic(layer, array(x))[:, ::-1])


def test_periodic_embedding_starts_as_the_paper_says() -> None:
    layer = PeriodicEmbedding(500)
    assert abs(array(layer.frequency).std() - 0.1) < 0.005
    assert 3.1 < abs(array(layer.phase)).max() <= np.pi
    for parameter in (layer.mix, layer.bias):
        assert 0.24 < abs(array(parameter)).max() <= 0.25


def test_level_embedding_looks_up_each_column_and_knows_no_level_0() -> None:
    layer = LevelEmbedding((3, 4), width=2)
    levels = fanin.tensor([[2, 1], [0, 3], [1, 0]])
    table = array(layer.weight)
    wanted = [[*table[2], *table[3 + 1]], [0, 0, *table[3 + 3]], [*table[1], 0, 0]]
    assert agree(layer(levels), np.array(wanted))


def test_level_0_learns_nothing() -> None:
    layer = LevelEmbedding((3, 4), width=2)
    layer(fanin.tensor([[0, 1]])).sum().backward()
    gradient = layer.weight.grad
    assert gradient is not None
    assert gradient.sum(1).tolist() == [0, 0, 0, 0, 2, 0, 0]


def test_front_scale_and_ntk_linear() -> None:
    scale, linear, x = FrontScale(3), NTKLinear(3, 2), fanin.randn(4, 3)
    scale.scale.data = fanin.tensor([1.0, -2.0, 0.5])
    linear.bias.data = fanin.tensor([0.25, -1.0])
    wanted = (array(x) * [1, -2, 0.5]) @ array(linear.weight) / np.sqrt(3) + [0.25, -1]
    assert agree(linear(scale(x)), wanted)


def selu(x: Any) -> Any:
    # Klambauer et al. 2017, eq. 2 with their constants.
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))


def mish(x: Any) -> Any:
    return x * np.tanh(np.log1p(np.exp(x)))


@pytest.mark.parametrize(("name", "function"), [("selu", selu), ("mish", mish)])
def test_parametric_activation(name: str, function: Any) -> None:
    layer, x = ParametricActivation(3, name), fanin.randn(5, 3)
    layer.alpha.data = fanin.tensor([1.0, 0.0, 0.3])
    values = array(x)
    assert agree(layer(x), values + (function(values) - values) * [1.0, 0.0, 0.3])


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ValueError, match="no activation 'sin'; there are selu, mish"):
        ParametricActivation(3, "sin")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_fading_dropout_has_the_noise_of_its_strength(strength: float) -> None:
    layer = FadingDropout(0.2)
    layer.strength.data = fanin.tensor(strength)
    noise = array(layer(fanin.ones(200_000))) - 1
    assert abs(noise.mean()) < 5e-3
    assert noise.var() == pytest.approx(strength**2 * 0.2 / 0.8, rel=0.02, abs=1e-12)
    assert agree(layer.eval()(fanin.ones(3)), np.ones(3))


def test_fading_dropout_at_full_strength_is_dropout() -> None:
    values = set(np.round(array(FadingDropout(0.2)(fanin.ones(1000))), 5).tolist())
    assert values == {0.0, 1.25}


def test_member_linear() -> None:
    layer, x = MemberLinear(3, 4, 2, signs=True), fanin.randn(5, 3, 4)
    layer.s.data, layer.bias.data = fanin.randn(3, 2), fanin.randn(3, 2)
    w, r, s, b = (array(p) for p in (layer.weight, layer.r, layer.s, layer.bias))
    wanted = np.stack([((array(x)[:, m] * r[m]) @ w) * s[m] + b[m] for m in range(3)], axis=1)
    assert agree(layer(x), wanted)
    assert agree(layer(x[:, :1]), np.stack([((array(x)[:, 0] * r[m]) @ w) * s[m] + b[m] for m in range(3)], axis=1))


def test_member_linear_starts_with_signs_and_one_bias() -> None:
    layer = MemberLinear(32, 16, 8, signs=True)
    assert set(array(layer.r).reshape(-1).tolist()) == {-1.0, 1.0}
    assert 0.3 < (array(layer.r) > 0).mean() < 0.7
    assert (array(layer.bias) == array(layer.bias)[0]).all()
    assert 0.24 < abs(array(layer.weight)).max() <= 0.25
    assert (array(MemberLinear(4, 16, 8).r) == 1).all()


@pytest.mark.parametrize("outputs", [1, 2, 7])
def test_member_head(outputs: int) -> None:
    layer, x = MemberHead(3, 4, outputs), fanin.randn(5, 3, 4)
    w, b = array(layer.weight), array(layer.bias)
    wanted = np.stack([array(x)[:, m] @ w[m] + b[m] for m in range(3)], axis=1)
    assert agree(layer(x), wanted)
    assert agree(layer.eval()(x), wanted)


def test_front_puts_the_parts_side_by_side() -> None:
    front = Front(Inputs(2, 1, (3,)), level_width=2)
    assert front.numbers is not None
    assert front.levels is not None
    numbers, flags, levels = fanin.randn(4, 2), fanin.ones(4, 1), fanin.tensor([[0], [1], [2], [1]])
    wanted = np.concatenate([array(front.numbers(numbers)), array(flags), array(front.levels(levels))], axis=1)
    assert agree(front(numbers, flags, levels), wanted)
    assert front.width == wanted.shape[1]


@pytest.mark.parametrize("counts", [(2, 0, ()), (0, 2, ()), (0, 0, (3, 2)), (2, 0, (3, 2))])
def test_front_takes_the_parts_that_there_are(counts: Any) -> None:
    inputs = Inputs(*counts)
    given = {"numbers": fanin.randn(4, counts[0]), "flags": fanin.ones(4, counts[1]), "levels": fanin.ones(4, 2).long()}
    front = Front(inputs)
    assert front(*(given[name] for name in inputs.parts)).shape == (4, front.width)


def test_inputs_need_a_column() -> None:
    with pytest.raises(ValueError, match="at least one input column"):
        Inputs(0, 0)
