"""The training loops of the programs here, written as `fit`, leave the weights that the loops leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch
import fanin.nn.functional as F
from fanin import nn, optim
from fanin.optim import lr_scheduler as S
from fanin.utils.data import DataLoader, Dataset, SubsetRandomSampler, TensorDataset, random_split

Train = Callable[..., Any]


def by_hand(
    model: Any,
    loader: Any,
    loss: Any,
    optimizer: Any,
    epochs: int,
    *,
    clip: float | None = None,
    scheduler: Any = None,
    each_batch: bool = False,
) -> None:
    """Train as the programs do."""
    for _ in range(epochs):
        model.train()
        for *inputs, target in loader:
            optimizer.zero_grad()
            loss(model(*inputs), target).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if each_batch:
                scheduler.step()
        if scheduler is not None and not each_batch:
            scheduler.step()


def by_fit(engine: str) -> Train:
    """Return a function that trains with fit instead."""

    def train(
        model: Any,
        loader: Any,
        loss: Any,
        optimizer: Any,
        epochs: int,
        *,
        clip: float | None = None,
        scheduler: Any = None,
        each_batch: bool = False,
    ) -> None:
        given = ("batch" if each_batch else "epoch", scheduler) if scheduler is not None else None
        torch.fit(model, loader, loss, optimizer, epochs, clip_grad_norm=clip, scheduler=given, engine=engine)

    return train


# The programs, each given the way to train; it returns what must agree ------------------------------------------------


def gradient_descent(train: Train) -> list[Any]:
    """07_gradient_descent.py."""
    models = []
    for batch_size, shuffle, epochs in ((1000, False, 10), (1, False, 1), (100, True, 10), (96, True, 5)):
        torch.manual_seed(0)
        x, y = torch.randn(1000, 10), torch.randn(1000, 1)
        loader = DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=shuffle)
        model = nn.Linear(10, 1)
        train(model, loader, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), epochs)
        models.append(model)
    return models


def optimizers(train: Train) -> list[Any]:
    """08_optimizers.py, as long as RMSProp is on its way: once it has arrived, it divides rounding by rounding."""
    torch.manual_seed(0)
    x, y = torch.randn(100, 10), torch.randn(100, 1)
    makers: list[Callable[[Any], Any]] = [
        lambda p: optim.SGD(p, lr=0.01),
        lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
        lambda p: optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.9),
        lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-2),
        lambda p: optim.Adagrad(p, lr=0.01, lr_decay=1e-3),
        lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-8),
        lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
        lambda p: optim.Adam(p, lr=0.01, betas=(0.9, 0.999), eps=1e-8),
        lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
        lambda p: optim.AdamW(p, lr=0.01),
    ]
    models = []
    for make in makers:
        torch.manual_seed(1)
        model = nn.Linear(10, 1)
        train(model, DataLoader(TensorDataset(x, y), batch_size=100), nn.MSELoss(), make(model.parameters()), 20)
        models.append(model)
    return models


def symmetry(train: Train) -> list[Any]:
    """03_symmetry.py, without the start that it warns of."""
    torch.manual_seed(1)
    x, y = torch.randn(64, 3), torch.randn(64, 1)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    train(net, DataLoader(TensorDataset(x, y), 64), F.mse_loss, optim.SGD(net.parameters(), lr=0.1), 50)
    return [net]


class Net(nn.Module):
    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_in, n_hidden)
        self.fc2 = nn.Linear(n_hidden, n_hidden)
        self.out = nn.Linear(n_hidden, n_out)
        nn.init.kaiming_normal_(self.fc1.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc1.bias)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.fc1(x))
        x = x + torch.tanh(self.fc2(x))
        return self.out(x)


def classifier(train: Train) -> list[Any]:
    """10_train_a_classifier.py."""
    torch.manual_seed(42)
    angles = torch.rand(600) * 6.2831853
    labels = torch.arange(600) % 3
    radius = labels.float() + 0.5 + 0.1 * torch.randn(600)
    points = torch.stack([radius * torch.cos(angles), radius * torch.sin(angles)], dim=1)
    part, _ = random_split(TensorDataset(points, labels), [500, 100])
    net = Net(2, 32, 3)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    train(net, DataLoader(part, batch_size=50, shuffle=True), F.cross_entropy, optimizer, 5, clip=5.0)
    return [net]


def random_subset(train: Train) -> list[Any]:
    """courses/early_stopping.py, without the stopping."""
    torch.manual_seed(0)
    x = torch.randn(60, 10)
    y = (x[:, 0] * x[:, 1] + 0.5 * torch.randn(60)).unsqueeze(1)
    loader = DataLoader(TensorDataset(x, y), batch_size=10, sampler=SubsetRandomSampler(list(range(59, 19, -1))))
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    train(model, loader, nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01), 10)
    return [model]


def k_fold(train: Train) -> list[Any]:
    """courses/kfold_ridge.py: double precision, weight decay, four folds."""
    torch.manual_seed(11)
    x = torch.randn(40, 6, dtype=torch.float64)
    y = (x @ torch.arange(1.0, 7).double().reshape(-1, 1) / 10 + 3).exp()
    nets = []
    for wd in (0, 0.1, 10):
        for fold in range(4):
            rows = torch.cat([torch.arange(0, fold * 10), torch.arange(fold * 10 + 10, 40)])
            net = nn.Sequential(nn.Linear(6, 1)).double()
            nn.init.zeros_(net[0].weight)
            nn.init.zeros_(net[0].bias)
            loader = DataLoader(TensorDataset(x[rows], y[rows]), 16, shuffle=True)
            train(net, loader, nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=5, weight_decay=wd), 8)
            nets.append(net)
    return nets


class Patterns(Dataset):
    def __init__(self) -> None:
        self.data = torch.eye(8).repeat(8, 1).repeat_interleave(2, dim=1)

    def __len__(self) -> int:
        return int(self.data.size(0))

    def __getitem__(self, index: int) -> Any:
        clean = self.data[index]
        return clean + torch.randn(clean.size()) * 0.2, clean


class TiedAutoencoder(nn.Module):
    def __init__(self, n_in: int, n_hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_hidden, n_in))
        self.enc_bias = nn.Parameter(torch.zeros(n_hidden))
        self.dec_bias = nn.Parameter(torch.zeros(n_in))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Any) -> Any:
        h = torch.sigmoid(F.linear(x, self.weight, self.enc_bias))
        return torch.sigmoid(F.linear(h, self.weight.t(), self.dec_bias)), h


def sparse(output: Any, clean: Any) -> Any:
    recon, hidden = output
    rho, rho_hat = 0.2, hidden.mean(dim=0)
    sparsity = (rho * torch.log(rho / rho_hat) + (1 - rho) * torch.log((1 - rho) / (1 - rho_hat))).sum()
    return F.binary_cross_entropy(recon, clean) + 1e-3 * sparsity


def autoencoder(train: Train) -> list[Any]:
    """courses/autoencoder_denoise.py: rows made anew at each look, two outputs, a loss of both."""
    torch.manual_seed(123)
    loader = DataLoader(Patterns(), batch_size=16, shuffle=True, drop_last=True)
    model = TiedAutoencoder(16, 6)
    train(model, loader, sparse, optim.Adam(model.parameters(), lr=0.02), 6)
    return [model]


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, 6, mode="mean")
        self.fc = nn.Linear(6, 2)

    def forward(self, text: Any, offsets: Any) -> Any:
        return self.fc(self.embedding(text, offsets))


def bag_of_words(train: Train) -> list[Any]:
    """courses/embedding_classifier.py: texts of different lengths, put together by hand, with the label last."""
    torch.manual_seed(9)
    reviews = [("a great great movie", 1), ("truly bad plot", 0), ("lovely film", 1), ("i hated the story", 0)]
    numbers = {word: i for i, word in enumerate(Counter(w for text, _ in reviews for w in text.split()))}

    def collate(batch: Any) -> Any:
        words = [torch.tensor([numbers[w] for w in text.split()]) for text, _ in batch]
        starts = torch.tensor([0, *[len(w) for w in words][:-1]]).cumsum(dim=0)
        return torch.cat(words), starts, torch.tensor([label for _, label in batch])

    model = TextClassificationModel(len(numbers))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    loader = DataLoader(reviews, batch_size=2, shuffle=True, collate_fn=collate)
    train(model, loader, nn.CrossEntropyLoss(), optimizer, 8, clip=0.1, scheduler=S.StepLR(optimizer, 4, gamma=0.5))
    return [model]


def fine_tuning(train: Train) -> list[Any]:
    """courses/fine_tuning.py: a frozen body, then two groups and one cycle, stepped with every batch."""
    torch.manual_seed(1234)
    x = torch.randn(64, 8)
    y = (x[:, :4].sum(1) * x[:, 4] > 0).long()
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, drop_last=True)
    body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(inplace=True), nn.Linear(32, 16), nn.ReLU(inplace=True))
    model = nn.Sequential(body, nn.Linear(16, 2))
    body.requires_grad_(False)
    train(model, loader, nn.CrossEntropyLoss(), optim.SGD(model[1].parameters(), lr=0.05, momentum=0.9), 3, clip=1.0)
    body.requires_grad_(True)
    groups = [{"params": body.parameters(), "lr": 1e-3}, {"params": model[1].parameters(), "lr": 1e-2}]
    optimizer = optim.AdamW(groups, lr=1e-3, weight_decay=1e-2)
    cycle = S.OneCycleLR(optimizer, max_lr=[1e-2, 5e-2], total_steps=24)
    train(model, loader, nn.CrossEntropyLoss(), optimizer, 3, scheduler=cycle, each_batch=True)
    return [model]


def lazy_layers(train: Train) -> list[Any]:
    """courses/hyperparameter_classes.py: layers that take their width from the first batch."""
    torch.manual_seed(0)
    x = torch.randn(64, 2)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    net(x[:2])
    loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
    train(net, loader, nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=0.1), 4)
    return [net]


def schedules(train: Train) -> list[Any]:
    """courses/lr_schedules.py."""
    torch.manual_seed(3)
    loader = DataLoader(TensorDataset(torch.randn(64, 3), torch.randn(64, 1)), batch_size=64)
    makers: list[Callable[[Any], Any]] = [
        lambda o: S.StepLR(o, step_size=4, gamma=0.5),
        lambda o: S.MultiStepLR(o, milestones=[3, 8], gamma=0.1),
        lambda o: S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
        lambda o: S.LambdaLR(o, lr_lambda=lambda e: 0.9**e),
        lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)]),
        lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, total_iters=3), S.CosineAnnealingLR(o, 8)], milestones=[3]),
    ]
    models = []
    for make in makers:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        train(model, loader, F.mse_loss, optimizer, 12, scheduler=make(optimizer))
        models.append(model)
    return models


PROGRAMS = (
    gradient_descent,
    optimizers,
    symmetry,
    classifier,
    random_subset,
    k_fold,
    autoencoder,
    bag_of_words,
    fine_tuning,
    lazy_layers,
    schedules,
)
ENGINES = ("eager", "numpy", "native")


def differences(train: Train, program: Callable[[Train], list[Any]]) -> list[float]:
    """Return for each model how far the weights are from those of the loop, relative to the largest."""
    expected = program(by_hand)
    state = torch.get_rng_state()
    actual = program(train)
    assert torch.equal(torch.get_rng_state(), state)
    worst = []
    for a, b in zip(actual, expected, strict=True):
        pairs = zip(a.parameters(), b.parameters(), strict=True)
        arrays = [(p.detach().numpy(), q.detach().numpy()) for p, q in pairs]
        worst.append(max(float(np.abs(p - q).max() / max(np.abs(q).max(), 1e-30)) for p, q in arrays))
    return worst


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_fit_leaves_the_weights_of_the_loop(program: Callable[[Train], list[Any]], engine: str) -> None:
    tolerance = 1e-9 if program is k_fold else 1e-5
    assert max(differences(by_fit(engine), program)) <= tolerance


def test_another_clipping_is_seen() -> None:
    def train(*args: Any, clip: float | None = None, **options: Any) -> None:
        by_hand(*args, clip=None if clip is None else clip / 100, **options)

    assert max(differences(train, classifier)) > 1e-3
