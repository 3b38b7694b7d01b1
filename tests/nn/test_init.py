"""What the theory of starting weights promises: variances through a deep stack, forward and backward.

The expected values are worked out from the papers' formulas, or for tanh by integrating the mean-field recursion; each
promise has a counterpart in which another gain is seen to break it.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.nn import init

DEPTH, WIDTH, ROWS, SEEDS = 20, 256, 128, 4
TAPERED = [round(400 * (100 / 400) ** (i / DEPTH)) for i in range(DEPTH + 1)]
SQUARE = [WIDTH] * (DEPTH + 1)


def identity(z: Any) -> Any:
    return z


def stack(fill: Any, function: Any, widths: Sequence[int], seed: int) -> tuple[list[float], list[float]]:
    """Return the second moments of z at each layer, and of dL/dz from the last layer to the first."""
    torch.manual_seed(seed)
    x = torch.randn(ROWS, widths[0])
    z, zs = x, []
    for fan_in, fan_out in itertools.pairwise(widths):
        weight = fill(torch.empty(fan_out, fan_in))
        z = (z if not zs else function(z)) @ weight.T
        if not zs:
            z.requires_grad_()
        z.retain_grad()
        zs.append(z)
    zs[-1].backward(torch.randn(*z.shape))
    return [second_moment(z) for z in zs], [second_moment(z.grad) for z in reversed(zs)]


def second_moment(x: Any) -> float:
    return float((x.detach().double() ** 2).mean())


def over_seeds(fill: Any, function: Any, widths: Sequence[int]) -> tuple[float, float]:
    """Return by what factor z's and dL/dz's second moments change over the stack, averaged over seeds."""
    runs = [stack(fill, function, widths, seed) for seed in range(SEEDS)]
    forward, backward = (np.mean([run[i] for run in runs], axis=0) for i in (0, 1))
    return float(forward[-1] / forward[0]), float(backward[-1] / backward[0])


class near:
    """Equal to what is within a factor: 20 random matrices of width 256 leave an average over seeds that uncertain."""

    def __init__(self, value: float, factor: float = 1.6) -> None:
        self.value, self.factor = value, factor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and self.value / self.factor < other < self.value * self.factor

    def __repr__(self) -> str:
        return f"{self.value:g} within a factor of {self.factor}"


def test_near_is_near():
    assert (near(1), near(1)) == (1.5, 0.65)
    assert near(1) != 1.7
    assert near(1) != 0.5
    assert near(1) != math.nan


# Linear stacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [init.xavier_uniform_, init.xavier_normal_, init.orthogonal_, init.lecun_normal_])
def test_a_square_linear_stack_keeps_signals_and_gradients(fill):
    assert over_seeds(fill, identity, SQUARE) == (near(1), near(1))


@pytest.mark.parametrize(("gain", "factor"), [(0.7, 0.49), (1.4, 1.96)])
def test_a_wrong_gain_vanishes_or_explodes(gain, factor):
    forward, backward = over_seeds(lambda w: init.xavier_normal_(w, gain=gain), identity, SQUARE)
    promised = factor ** (DEPTH - 1)
    assert (forward, backward) == (near(promised), near(promised))
    assert forward != near(1)


def test_orthogonal_layers_keep_every_length():
    torch.manual_seed(0)
    x = torch.randn(ROWS, WIDTH)
    z = x
    for _ in range(DEPTH):
        z = z @ init.orthogonal_(torch.empty(WIDTH, WIDTH)).T
    np.testing.assert_allclose(z.norm(dim=1).numpy(), x.norm(dim=1).numpy(), rtol=1e-4)


def test_xavier_lies_between_the_two_conditions():
    # Glorot & Bengio's eq. 12: with n_in Var w = 2 n_in / (n_in + n_out) a layer multiplies by that, its gradient by
    # the counterpart with n_out.
    forward = math.prod(2 * n / (n + m) for n, m in itertools.pairwise(TAPERED[1:]))
    backward = math.prod(2 * m / (n + m) for n, m in itertools.pairwise(TAPERED[1:]))
    assert over_seeds(init.xavier_normal_, identity, TAPERED) == (near(forward), near(backward))
    assert forward > 1 > backward


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_variance_scaling_keeps_what_its_fan_says(mode):
    ratio = TAPERED[-1] / TAPERED[1]
    forward, backward = over_seeds(lambda w: init.variance_scaling_(w, 1.0, mode), identity, TAPERED)
    expected = (1, ratio) if mode == "fan_in" else (1 / ratio, 1)
    assert (forward, backward) == (near(expected[0]), near(expected[1]))


# Rectifiers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_kaiming_keeps_what_its_mode_says_through_relu(kind, mode):
    # He et al.: with fan_in, eq. 9 has the product 1, and the gradients' product is n_L / n_1; and the other way round.
    ratio = TAPERED[-1] / TAPERED[1]
    fill = lambda w: getattr(init, kind)(w, mode=mode, nonlinearity="relu")  # noqa: E731
    expected = (1, ratio) if mode == "fan_in" else (1 / ratio, 1)
    assert over_seeds(fill, torch.relu, TAPERED) == (near(expected[0], 2), near(expected[1], 2))


def test_relu_halves_what_xavier_keeps():
    # Without the factor 2 every ReLU layer halves the second moment: He et al.'s reason for a rule of their own.
    forward, backward = over_seeds(init.xavier_normal_, torch.relu, SQUARE)
    assert (forward, backward) == (near(0.5 ** (DEPTH - 1), 2), near(0.5 ** (DEPTH - 1), 2))


def test_the_slope_of_leaky_relu_counts():
    leaky = lambda z: torch.nn.functional.leaky_relu(z, 0.5)  # noqa: E731
    right = over_seeds(lambda w: init.kaiming_normal_(w, a=0.5), leaky, SQUARE)
    ignored = over_seeds(lambda w: init.kaiming_normal_(w, a=0.0), leaky, SQUARE)
    assert right == (near(1), near(1))
    assert ignored == (near(1.25 ** (DEPTH - 1)), near(1.25 ** (DEPTH - 1)))


# tanh and SELU --------------------------------------------------------------------------------------------------------

POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(101)


def expectation(f: Callable[[Any], Any], variance: float) -> float:
    """Return E[f(z)] for z normal of mean 0."""
    return float(np.sum(WEIGHTS * f(math.sqrt(variance) * POINTS)) / math.sqrt(2 * math.pi))


def mean_field(gain: float) -> tuple[float, float]:
    """Return the factors of Var z and Var dL/dz over the stack for tanh and Var w = gain^2 / n (Poole et al. 2016)."""
    variance = gain**2
    first, slope = variance, 1.0
    for _ in range(DEPTH - 1):
        slope *= gain**2 * expectation(lambda z: np.cosh(z) ** -4, variance)
        variance = gain**2 * expectation(lambda z: np.tanh(z) ** 2, variance)
    return variance / first, slope


@pytest.mark.parametrize("gain", [1.0, 5.0 / 3])
def test_xavier_through_tanh_is_what_mean_field_theory_says(gain):
    forward, backward = mean_field(gain)
    seen = over_seeds(lambda w: init.xavier_normal_(w, gain=gain), torch.tanh, SQUARE)
    assert seen == (near(forward), near(backward))


def test_the_gain_of_tanh_keeps_signals_alive():
    keeps, fades = mean_field(5.0 / 3)[0], mean_field(1.0)[0]
    assert 0.1 < keeps < 1
    assert fades < 0.04


def test_a_small_gain_through_tanh_vanishes():
    forward, backward = over_seeds(lambda w: init.xavier_normal_(w, gain=0.5), torch.tanh, SQUARE)
    assert forward < 1e-9
    assert backward < 1e-9


@pytest.mark.parametrize("fill", [init.lecun_normal_, init.lecun_uniform_])
def test_lecun_keeps_selu_at_mean_0_and_variance_1(fill):
    torch.manual_seed(0)
    x = torch.randn(1000, WIDTH)
    for _ in range(DEPTH):
        x = torch.nn.functional.selu(x @ fill(torch.empty(WIDTH, WIDTH)).T)
    assert abs(float(x.mean())) < 0.15
    assert float(x.var()) == near(1, 1.3)


def test_kaiming_does_not_keep_selu():
    torch.manual_seed(0)
    x = torch.randn(1000, WIDTH)
    for _ in range(DEPTH):
        x = torch.nn.functional.selu(x @ init.kaiming_normal_(torch.empty(WIDTH, WIDTH)).T)
    assert float(x.var()) != near(1, 1.3)


# The rules' own variances ---------------------------------------------------------------------------------------------

FANS = {"fan_in": 300, "fan_out": 200, "fan_avg": 250}


@pytest.mark.parametrize("mode", FANS)
@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_variance_scaling_has_the_variance_it_says(mode, distribution, scale):
    torch.manual_seed(0)
    weight = init.variance_scaling_(torch.empty(200, 300), scale, mode, distribution)
    std = math.sqrt(scale / FANS[mode])
    assert float(weight.std()) == pytest.approx(std, rel=0.01)
    assert abs(float(weight.mean())) < 0.02 * std
    # What no draw goes beyond: nothing for the normal, 2 / 0.8796 and sqrt(3) standard deviations for the others.
    largest = float(weight.abs().max()) / std
    low, high = {"normal": (3.5, 6.0), "truncated_normal": (2.26, 2.2737), "uniform": (1.72, 1.7321)}[distribution]
    assert low < largest < high


def test_variance_scaling_contains_the_named_rules():
    def same(a: Callable[[Any], Any], b: Callable[[Any], Any]) -> bool:
        torch.manual_seed(1)
        first = a(torch.empty(30, 50, dtype=torch.float64))
        torch.manual_seed(1)
        return torch.allclose(first, b(torch.empty(30, 50, dtype=torch.float64)), rtol=1e-14, atol=0.0)

    scaling = init.variance_scaling_
    assert same(init.xavier_normal_, lambda w: scaling(w, 1.0, "fan_avg", "normal"))
    assert same(init.xavier_uniform_, lambda w: scaling(w, 1.0, "fan_avg", "uniform"))
    assert same(init.kaiming_normal_, lambda w: scaling(w, 2.0, "fan_in", "normal"))
    assert same(lambda w: init.kaiming_uniform_(w, mode="fan_out"), lambda w: scaling(w, 2.0, "fan_out", "uniform"))
    assert same(init.lecun_normal_, lambda w: scaling(w, 1.0, "fan_in", "normal"))
    assert same(init.lecun_uniform_, lambda w: scaling(w, distribution="uniform"))
    assert not same(init.lecun_normal_, init.kaiming_normal_)


def test_what_pytorch_lacks_draws_from_its_own_generator():
    for fill in (init.lecun_normal_, init.lecun_uniform_, init.variance_scaling_):
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(3)
        first = fill(torch.empty(4, 5), generator=generator)
        assert not torch.equal(first, fill(torch.empty(4, 5), generator=generator))
        assert torch.equal(first, fill(torch.empty(4, 5), generator=generator.manual_seed(3)))
        assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0.0}, "positive scale, got 0.0"),
        ({"scale": math.nan}, "positive scale, got nan"),
        ({"mode": "fan_mean"}, r"Mode fan_mean not supported, please use one of \['fan_in', 'fan_out', 'fan_avg'\]"),
        ({"distribution": "cauchy"}, "Distribution cauchy not supported"),
    ],
)
def test_variance_scaling_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        init.variance_scaling_(torch.empty(2, 3), **arguments)


@pytest.mark.parametrize("fill", [init.lecun_normal_, init.lecun_uniform_, init.variance_scaling_])
def test_a_vector_has_no_fans(fill):
    with pytest.raises(ValueError, match=r"(?s)fewer than 2 dimensions.*The shape is \(3,\)"):
        fill(torch.empty(3))


def test_nothing_to_fill_is_said_at_the_users_line():
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op") as caught:
        init.lecun_normal_(torch.empty(0, 3))
    assert caught[0].filename == __file__


def test_old_names_warn_at_the_users_line():
    with pytest.warns(FutureWarning, match="deprecated in favor of `nn.init.orthogonal_`") as caught:
        init.orthogonal(torch.empty(2, 2))
    assert caught[0].filename == __file__


def test_dirac_is_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"dirac_ is not part of fanin.*use eye_"):
        init.dirac_(torch.empty(2, 2, 3))
    with pytest.raises(AttributeError, match=r"torch\.nn\.init\.delta_orthogonal_ is not part of fanin"):
        init.delta_orthogonal_  # noqa: B018


def test_sparse_columns_have_as_many_entries_as_said():
    torch.manual_seed(0)
    weight = init.sparse_(torch.empty(50, 40), sparsity=0.9, std=2.0)
    assert (weight != 0).sum(0).tolist() == [5] * 40
    assert float(weight[weight != 0].std()) == pytest.approx(2.0, rel=0.1)


# LSUV -----------------------------------------------------------------------------------------------------------------


def deep(function: type[Any], *sizes: int, **options: Any) -> Any:
    layers: list[Any] = []
    for n, m in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n, m, **options), function()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("function", ["ReLU", "Tanh", "SELU", "Sigmoid", "Softplus"])
def test_lsuv_gives_every_layer_variance_1(function):
    torch.manual_seed(0)
    net = deep(getattr(torch.nn, function), 30, *[64] * 12, 1)
    x = 100 * torch.rand(400, 30)
    report = init.lsuv_(net, x, tolerance=0.01)
    assert report.converged
    assert [layer.name for layer in report.layers] == [str(i) for i in range(0, 26, 2)]
    assert report.layers[0].before > 1000
    z = x
    for layer, part in zip(report.layers, zip(net[::2], [*net[1::2], None], strict=True), strict=True):
        z = part[0](z)
        assert float(z.var()) == pytest.approx(1, abs=0.011)
        assert layer.after == pytest.approx(float(z.var(correction=0)), rel=1e-5)
        assert (layer.iterations == 0) == (abs(layer.before - 1) < 0.01)
        z = z if part[1] is None else part[1](z)


def test_lsuv_starts_from_orthogonal_matrices_and_zero_biases():
    torch.manual_seed(0)
    net = deep(torch.nn.ReLU, 8, 8, 8)
    init.lsuv_(net, torch.randn(300, 8))
    for layer in net[::2]:
        gram = layer.weight @ layer.weight.T
        np.testing.assert_allclose(gram.detach().numpy(), float(gram[0, 0]) * np.eye(8), atol=1e-5)
        assert not layer.bias.any()


def test_lsuv_leaves_a_layer_alone_that_is_within_the_tolerance():
    torch.manual_seed(0)
    layer = torch.nn.Linear(16, 16, bias=False)
    report = init.lsuv_(layer, torch.randn(2000, 16))
    (only,) = report.layers
    assert (only.name, only.iterations, only.before == only.after) == ("", 0, True)


def test_lsuv_works_in_evaluation_mode_and_puts_everything_back():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Dropout(0.5), torch.nn.Linear(6, 2))
    net[1].train()
    net[2].eval()
    weight, version, memory = net[0].weight, net[0].weight._version, net[0].weight.data_ptr()
    generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    batch = torch.tensor(np.random.RandomState(0).randn(200, 4), dtype=torch.float32)
    report = init.lsuv_(net, batch, generator=generator)
    assert torch.equal(before, torch.get_rng_state()), "dropout drew, or the generator was not used"
    assert report.converged
    assert [part.training for part in net] == [True, True, False]
    assert net.training
    assert not any(part._forward_hooks for part in net)
    assert net[0].weight is weight
    assert weight.data_ptr() == memory
    assert weight._version > version
    assert weight.requires_grad
    assert weight.grad_fn is None


def test_lsuv_scales_shared_and_unreached_layers_once_or_never():
    class Shared(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = torch.nn.Linear(5, 5), torch.nn.Linear(5, 5)

        def forward(self, x: Any, y: Any) -> Any:
            return self.used(3 * self.used(x)) + y

    torch.manual_seed(0)
    net = Shared()
    idle = net.idle.weight.clone()
    x = torch.randn(500, 5) * 7
    report = init.lsuv_(net, (x, torch.zeros(1)))
    assert [layer.name for layer in report.layers] == ["used"]
    assert report.layers[0].before == pytest.approx(49, rel=0.1)
    assert float(net.used(x).var()) == pytest.approx(1, abs=0.1)
    assert torch.equal(net.idle.weight, idle)


def test_lsuv_scales_outputs_whose_squares_overflow():
    torch.manual_seed(0)
    layer = torch.nn.Linear(6, 6)
    report = init.lsuv_(layer, torch.randn(100, 6) * 1e25)
    assert report.converged
    assert float((layer(torch.randn(1000, 6) * 1e25)).var()) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("mean", "warned"), [(1.0, False), (2.5, False), (3.5, True), (-3.5, True), (-2.5, False)])
def test_a_cut_far_from_the_mean_is_warned_of(mean, warned):
    """More than two standard deviations outside of [-1, 1]."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        init.trunc_normal_(torch.empty(3), mean, 1.0, -1.0, 1.0)
    assert [str(each.message).startswith("mean is more than 2 std") for each in found] == [True] * warned


def test_lsuv_says_when_it_does_not_get_there():
    class Stubborn(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) / self.weight.norm() * 20  # scaling the weight changes nothing

    torch.manual_seed(0)
    report = init.lsuv_(torch.nn.Sequential(Stubborn(6, 6)), torch.randn(100, 6), max_iterations=3)
    assert not report.converged
    assert report.layers[0].iterations == 3
    assert "not within the tolerance" in str(report)
    assert str(init.lsuv_(torch.nn.Linear(6, 6), torch.randn(99, 6))).startswith("(itself): variance ")


def test_lsuv_refuses():
    net = torch.nn.Linear(3, 2)
    with pytest.raises(ValueError, match="positive tolerance"):
        init.lsuv_(net, torch.ones(2, 3), tolerance=0.0)
    with pytest.raises(ValueError, match="at least one iteration"):
        init.lsuv_(net, torch.ones(2, 3), max_iterations=0)
    with pytest.raises(ValueError, match="none in this ReLU"):
        init.lsuv_(torch.nn.ReLU(), torch.ones(2, 3))
    with pytest.raises(RuntimeError, match=r"layer '1' have variance 0.0 over the batch of \(4, 2\)"):
        init.lsuv_(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2)), -torch.ones(4, 3))


def test_lsuv_trains_where_a_small_start_does_not():
    """The point of it: a deep net whose signals vanish at the start does not learn, and does after LSUV."""
    x = torch.tensor(np.random.RandomState(0).randn(256, 10), dtype=torch.float32)
    y = torch.sin(2 * x[:, :1])

    def final_loss(start: Callable[[Any], Any]) -> float:
        torch.manual_seed(0)
        net = deep(torch.nn.Tanh, 10, *[32] * 12, 1)
        start(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
        for _ in range(150):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
        return loss.item()

    def small(net: Any) -> None:
        for part in net:
            if isinstance(part, torch.nn.Linear):
                init.normal_(part.weight, std=0.01)

    assert final_loss(small) > 0.45
    assert final_loss(lambda net: init.lsuv_(net, x)) < 0.2
