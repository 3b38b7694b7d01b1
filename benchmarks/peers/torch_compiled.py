"""PyTorch with the step compiled by TorchInductor, which writes C++ and needs a compiler for it."""

from __future__ import annotations

import logging
import shutil

import torch

from peers import torch_eager
from peers.cases import Case, Data, Job

VERSION = torch.__version__
# Each way costs half a minute of compiling: one small network, whose optimiser weighs much, and one of the middle.
WAYS = {"small": ["loss", "loss and optimiser"], "classes": ["loss"]}


def start(threads: int) -> None:
    torch.set_num_threads(threads)
    torch._logging.set_logs(all=logging.ERROR)
    if not any(shutil.which(compiler) for compiler in ("g++", "clang++", "c++")):
        raise RuntimeError("torch.compile needs a C++ compiler")


def variants(case: Case) -> list[str]:
    return WAYS.get(case.name, [])


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    torch._dynamo.reset()
    model = torch_eager.network(case, data)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    criterion = torch.nn.CrossEntropyLoss() if case.classes else torch.nn.MSELoss()
    forward = torch.compile(lambda inputs, targets: criterion(model(inputs), targets), dynamic=False)
    rule = torch_eager.optimizer_of(case, model, "fused" if variant == "loss" else "default")
    update = rule.step if variant == "loss" else torch.compile(rule.step, dynamic=False)
    epoch = torch_eager.batches_of(case, x, y, "hand")

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for inputs, targets in epoch():
                rule.zero_grad()
                forward(inputs, targets).backward()
                update()

    def loss() -> float:
        with torch.no_grad():
            return float(criterion(model(x), y))

    return Job(train, case.steps, loss)
