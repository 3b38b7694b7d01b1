"""Random networks, losses and optimisers, described so that the same one can be built again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

import fanin as torch
from fanin import nn
from tests.parity.cases.optim_rules import SETTINGS

WIDTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 65)
ACTIVATIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    *((name, ()) for name in "ReLU ReLU6 Tanh Sigmoid SiLU Mish Softsign Tanhshrink LogSigmoid Hardsigmoid".split()),
    *((name, ()) for name in "Hardswish SELU Identity PReLU Softmin".split()),
    *(("GELU", (how,)) for how in ("none", "tanh")),
    ("LeakyReLU", (0.1,)),
    ("ELU", (1.3,)),
    ("CELU", (0.7,)),
    ("Softplus", (2.0,)),
    ("Hardtanh", (-0.8, 1.2)),
    ("Hardshrink", (0.1,)),
    ("Softshrink", (0.1,)),
    ("Threshold", (0.1, 0.3)),
    ("Softmax", (-1,)),
    ("LogSoftmax", (-1,)),
)
NORMS = ("BatchNorm1d", "LayerNorm", "RMSNorm", "GroupNorm")
BLOCKS = ("linear", "residual", "shared", "ensemble", "einsum", "periodic", "glu", "bilinear")
LOSSES = (
    "MSELoss L1Loss SmoothL1Loss HuberLoss CrossEntropyLoss CrossEntropyOfChances NLLLoss BCELoss BCEWithLogitsLoss "
    "KLDivLoss PoissonNLLLoss GaussianNLLLoss HingeEmbeddingLoss SoftMarginLoss MultiMarginLoss MultiLabelMarginLoss "
    "MultiLabelSoftMarginLoss CosineEmbeddingLoss MarginRankingLoss TripletMarginLoss"
).split()
REDUCTIONS = ("mean", "sum")


class Choices(Protocol):
    """What draws: hypothesis, or a random generator."""

    def one(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""

    def chance(self, of: int) -> bool:
        """Return True once in so many times."""


class Random:
    """Choices from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def one(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[int(self.random.integers(len(options)))]

    def chance(self, of: int) -> bool:
        """Return True once in so many times."""
        return int(self.random.integers(of)) == 0


@dataclass(frozen=True)
class Case:
    """A training to be done in several ways.

    features, categories: what the inputs are; outputs: columns of each head.
    layers:    (kind, arguments) one after the other.
    losses:    for each head the name and the arguments.
    batches:   the rows of each step.
    """

    dtype: str
    features: int
    categories: tuple[int, ...]
    layers: tuple[tuple[str, tuple[Any, ...]], ...]
    outputs: tuple[int, ...]
    losses: tuple[tuple[str, Any], ...]
    optimizer: str
    settings: tuple[tuple[str, Any], ...]
    groups: bool
    clip: float | None
    batches: tuple[int, ...]

    @property
    def draws(self) -> bool:
        """Whether masks are drawn, which differ between compiled and eager code."""
        return any(kind == "Dropout" for kind, _ in self.layers)


# Drawing a case -------------------------------------------------------------------------------------------------------


def draw_case(c: Choices, most_layers: int = 5) -> Case:
    """Return a random training."""
    features = c.one(WIDTHS)
    categories = tuple(c.one((2, 3, 7)) for _ in range(c.one((0, 0, 1, 3))))
    width = features + 3 * len(categories)
    layers: list[tuple[str, tuple[Any, ...]]] = []
    for _ in range(c.one(range(1, most_layers + 1))):
        width = _draw_layer(c, layers, width)
    losses = tuple((c.one(LOSSES), c.one(REDUCTIONS)) for _ in range(2 if c.chance(4) else 1))
    outputs = tuple(_outputs(c, name) for name, _ in losses)
    optimizer = c.one(sorted(SETTINGS))
    settings = SETTINGS[optimizer][c.one(sorted(SETTINGS[optimizer]))]
    return Case(
        dtype=c.one(("float32", "float64")),
        features=features,
        categories=categories,
        layers=tuple(layers),
        outputs=outputs,
        losses=losses,
        optimizer=optimizer,
        settings=tuple(settings.items()),
        groups=c.chance(4),
        clip=c.one((None, None, 0.1, 10.0)),
        batches=_draw_batches(c, layers),
    )


def _draw_layer(c: Choices, layers: list[tuple[str, tuple[Any, ...]]], width: int) -> int:
    kind = c.one(BLOCKS)
    after = c.one(WIDTHS)
    if kind in ("residual", "shared"):
        after = width
    if kind == "periodic":
        width, after = width, width * 2
        if width > 40:
            kind, after = "linear", c.one(WIDTHS)
    layers.append((kind, (width, after, not c.chance(4))))
    if c.chance(3):
        layers.append(_draw_norm(c, after))
    if not c.chance(4):
        layers.append(c.one(ACTIVATIONS))
    if c.chance(5):
        layers.append(("Dropout", (c.one((0.1, 0.5)),)))
    return after


def _draw_norm(c: Choices, width: int) -> tuple[str, tuple[Any, ...]]:
    # Over one or two numbers, a normalised value hardly depends on them: its gradient is rounding errors.
    kind = c.one(NORMS if width > 2 else ("BatchNorm1d", "RMSNorm"))
    if kind == "GroupNorm":
        return kind, (c.one([g for g in (1, 2, 3, 5) if width % g == 0 and width // g > 2]), width)
    return kind, (width,)


def _outputs(c: Choices, loss: str) -> int:
    if loss in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "CrossEntropyOfChances", "MultiLabelMarginLoss"):
        return int(c.one((2, 3, 5, 10, 17)))
    if loss == "CosineEmbeddingLoss":  # of one column it is 1 or -1
        return int(c.one((2, 3, 9)))
    return int(c.one((1, 2, 3, 9)))


def _draw_batches(c: Choices, layers: list[tuple[str, tuple[Any, ...]]]) -> tuple[int, ...]:
    least = 4 if any(kind == "BatchNorm1d" for kind, _ in layers) else 1
    batch = c.one([n for n in (1, 2, 3, 5, 8, 16, 32, 33, 64) if n >= least])
    last = c.one([n for n in (1, 3, 7) if n >= least])
    return (batch, batch, batch, last, batch)


# Building it ----------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """The network of a case."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.kinds = [kind for kind, _ in case.layers]
        self.embeddings = nn.ModuleList([nn.Embedding(n, 3) for n in case.categories])
        self.parts = nn.ModuleList([_part(kind, args) for kind, args in case.layers])
        width = next((args[1] for kind, args in reversed(case.layers) if kind in BLOCKS), case.features)
        self.heads = nn.ModuleList([nn.Linear(width, n) for n in case.outputs])

    def forward(self, x: Any, index: Any = None) -> Any:
        """Return the result of each head."""
        if index is not None:
            x = torch.cat([x, *(e(index[:, i]) for i, e in enumerate(self.embeddings))], 1)
        for part in self.parts:
            x = part(x)
        return [head(x) for head in self.heads]


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, width + 3, bias), nn.Linear(width + 3, width)

    def forward(self, x: Any) -> Any:
        return x + self.down(torch.relu(self.up(x)))


class Shared(nn.Module):
    """One layer three times, the last time without its bias, on half of the columns of twice the rows."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width, bias)

    def forward(self, x: Any) -> Any:
        x = torch.tanh(self.layer(torch.tanh(self.layer(x))))
        return torch.cat([x, -x]).matmul(self.layer.weight)[: len(x)] * 0.5 + x


class Ensemble(nn.Module):
    """k members which share a layer: (B, F) -> (B, k, F) -> their mean."""

    def __init__(self, width: int, after: int, k: int = 4) -> None:
        super().__init__()
        self.r, self.s = nn.Parameter(torch.randn(k, width)), nn.Parameter(torch.randn(k, after))
        self.bias, self.layer = nn.Parameter(torch.randn(k, after)), nn.Linear(width, after, bias=False)

    def forward(self, x: Any) -> Any:
        return torch.tanh(self.layer(x[:, None] * self.r) * self.s + self.bias).mean(1)


class Members(nn.Module):
    """k members with weights of their own, 'bki,kio->bko'."""

    def __init__(self, width: int, after: int, k: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(k, width, after) * 0.3)
        self.bias = nn.Parameter(torch.randn(k, after))

    def forward(self, x: Any) -> Any:
        x = torch.stack([x, x * 0.5, -x], 1)
        return torch.tanh(torch.einsum("bki,kio->bko", x, self.weight) + self.bias).mean(1)


class Periodic(nn.Module):
    """cos and sin of every feature at several frequencies, then a small product for each feature."""

    def __init__(self, width: int, frequencies: int = 3, after: int = 2) -> None:
        super().__init__()
        self.f = nn.Parameter(torch.randn(width, frequencies) * 0.5)
        self.weight = nn.Parameter(torch.randn(width, 2 * frequencies, after) * 0.3)

    def forward(self, x: Any) -> Any:
        v = x[..., None] * self.f
        v = torch.cat([torch.cos(v), torch.sin(v)], -1)
        v = (v.transpose(0, 1) @ self.weight).transpose(0, 1)
        return torch.relu(v).flatten(1)


class Gated(nn.Module):
    """a * sigmoid(b)."""

    def __init__(self, width: int, after: int, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 2 * after, bias)

    def forward(self, x: Any) -> Any:
        return nn.functional.glu(self.layer(x))


class TwoSided(nn.Module):
    """x^T A y of both halves."""

    def __init__(self, width: int, after: int, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Bilinear(width, 2, after, bias)

    def forward(self, x: Any) -> Any:
        return self.layer(x, torch.sigmoid(x[:, [0, -1]]))


def _part(kind: str, args: tuple[Any, ...]) -> Any:
    if kind not in BLOCKS:
        return getattr(nn, kind)(*args)
    width, after, bias = args
    makers: dict[str, Callable[[], Any]] = {
        "linear": lambda: nn.Linear(width, after, bias),
        "residual": lambda: Residual(width, bias),
        "shared": lambda: Shared(width, bias),
        "ensemble": lambda: Ensemble(width, after),
        "einsum": lambda: Members(width, after),
        "periodic": lambda: Periodic(width),
        "glu": lambda: Gated(width, after, bias),
        "bilinear": lambda: TwoSided(width, after, bias),
    }
    return makers[kind]()


def data_of(case: Case, spoil: float = 0.0) -> list[tuple[Any, ...]]:
    """Return for each batch the inputs and for each head the targets; `spoil` is a relative change of the inputs."""
    generator, noise = np.random.default_rng(3), np.random.default_rng(4)
    batches = []
    for rows in case.batches:
        x = generator.normal(size=(rows, case.features))
        x = (x * (1 + spoil * noise.choice([-1, 1], x.shape))).astype(case.dtype)
        index = np.stack([generator.integers(0, n, rows) for n in case.categories], 1) if case.categories else None
        targets = [
            _targets(name, rows, columns, case.dtype, generator)
            for (name, _), columns in zip(case.losses, case.outputs, strict=True)
        ]
        batches.append(tuple(_tensor(t) for t in (x, index, *targets)))
    return batches


def _tensor(x: Any) -> Any:
    return None if x is None else torch.from_numpy(np.ascontiguousarray(x))


def _targets(name: str, rows: int, columns: int, dtype: str, generator: Any) -> Any:
    if name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        return generator.integers(0, columns, rows)
    if name == "MultiLabelMarginLoss":
        chosen = np.stack([generator.permutation(columns) for _ in range(rows)])
        chosen[:, columns // 2 :] = -1
        return chosen
    if name in ("BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"):
        return generator.integers(0, 2, (rows, columns)).astype(dtype)
    if name in ("HingeEmbeddingLoss", "SoftMarginLoss", "MarginRankingLoss"):
        return generator.choice([-1.0, 1.0], (rows, columns)).astype(dtype)
    if name == "CosineEmbeddingLoss":
        return generator.choice([-1.0, 1.0], rows).astype(dtype)
    if name in ("KLDivLoss", "CrossEntropyOfChances"):
        chances = generator.uniform(0.1, 1, (rows, columns))
        return (chances / chances.sum(1, keepdims=True)).astype(dtype)
    if name == "PoissonNLLLoss":
        return generator.poisson(2.0, (rows, columns)).astype(dtype)
    return generator.normal(size=(rows, columns)).astype(dtype)


def loss_of(name: str, reduction: str, out: Any, target: Any) -> Any:
    """Return a loss of a head's result."""
    if name == "CrossEntropyOfChances":
        return nn.CrossEntropyLoss(reduction=reduction, label_smoothing=0.1)(out, target)
    loss = getattr(nn, name)
    if name == "BCELoss":
        return loss(reduction=reduction)(torch.sigmoid(out), target)
    if name in ("NLLLoss", "KLDivLoss"):
        return loss(reduction=reduction)(torch.log_softmax(out, 1), target)
    if name == "GaussianNLLLoss":
        return loss(reduction=reduction)(out, target, nn.functional.softplus(out.flip(0)) + 0.1)
    if name == "MarginRankingLoss":
        return loss(margin=0.3, reduction=reduction)(out, out.flip(1) * 0.5, target)
    if name == "CosineEmbeddingLoss":
        return loss(reduction=reduction)(out, torch.cos(out) + 0.1, target)
    if name == "TripletMarginLoss":
        return loss(reduction=reduction)(out, target, torch.sin(out) - target)
    if name == "CrossEntropyLoss":
        return loss(reduction=reduction, ignore_index=1)(out, target) if out.shape[1] > 2 else loss()(out, target)
    return loss(reduction=reduction)(out, target)


def _optimizer(case: Case, net: Any) -> Any:
    make = getattr(torch.optim, case.optimizer)
    settings = dict(case.settings)
    parameters = list(net.parameters())
    if case.groups and len(parameters) > 1:
        half = len(parameters) // 2
        groups = [{"params": parameters[:half]}, {"params": parameters[half:], "lr": 0.002}]
        return make(groups, **settings)
    return make(parameters, **settings)


def _spoil(net: Any, spoil: float, noise: Any) -> None:
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    scale = max(float(g.abs().max()) for g in grads if g.numel())
    for g in grads:
        g.add_(torch.from_numpy(noise.choice([-spoil, spoil], g.shape).astype(g.numpy().dtype)) * scale)


@dataclass
class Trained:
    """What a training leaves: losses, parameters, buffers and the optimiser's state, as arrays."""

    losses: list[Any]
    arrays: dict[str, Any]
    captures: int


def train(case: Case, engine: str | None, spoil: float = 0.0) -> Trained:
    """Train a case: compiled for an engine, or eagerly (None).

    spoil: how much inputs and gradients are changed at random, relative to the largest; eager only.
    """
    torch.manual_seed(5)
    noise = np.random.default_rng(6)
    net = Net(case).to(getattr(torch, case.dtype))
    optimizer = _optimizer(case, net)

    def step(x: Any, index: Any, *targets: Any) -> Any:
        optimizer.zero_grad()
        outs = net(x, index)
        parts = [loss_of(*how, out, t) for how, out, t in zip(case.losses, outs, targets, strict=True)]
        loss = parts[0] if len(parts) == 1 else parts[0] + 0.5 * parts[1]
        loss.backward()
        if spoil:
            _spoil(net, spoil, noise)
        if case.clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), case.clip)
        optimizer.step()
        return loss

    run = step if engine is None else torch.compile(step, engine=engine)
    losses = [run(*batch).item() for batch in data_of(case, spoil)]
    arrays = {name: t.detach().numpy() for name, t in net.state_dict().items()}
    for key, state in optimizer.state_dict()["state"].items():
        arrays.update({f"{key}.{name}": np.asarray(t) for name, t in state.items() if hasattr(t, "numpy")})
    return Trained(losses, arrays, 0 if engine is None else run.captures)
