"""Schedulers that are used wrongly: errors and warnings."""

from __future__ import annotations

import types
import warnings

from tests.parity.harness import case, raises
from tests.parity.schedulers import CLOSE, optimizer_of

MISTAKES = {
    "not an optimiser": lambda S, o, other: S.StepLR(3, 1),
    "not an optimiser, plateau": lambda S, o, other: S.ReduceLROnPlateau(None),
    "not an optimiser, cyclic": lambda S, o, other: S.CyclicLR("sgd", 0.1, 0.2),
    "not an optimiser, one cycle": lambda S, o, other: S.OneCycleLR([], 0.1, 5),
    "resumed without initial rates": lambda S, o, other: S.StepLR(o, 1, last_epoch=3),
    "too few functions": lambda S, o, other: S.LambdaLR(o, [lambda t: 1]),
    "too few factors": lambda S, o, other: S.MultiplicativeLR(o, [lambda t: 1]),
    "function is a number": lambda S, o, other: S.LambdaLR(o, 3),
    "factor is a number": lambda S, o, other: S.MultiplicativeLR(o, 3),
    "factors are numbers": lambda S, o, other: S.MultiplicativeLR(o, [3, 3]),
    "step size zero": lambda S, o, other: S.StepLR(o, 0),
    "step size zero, stepped": lambda S, o, other: S.StepLR(o, 0).step(),
    "milestones are a number": lambda S, o, other: S.MultiStepLR(o, 3),
    "constant above one": lambda S, o, other: S.ConstantLR(o, 1.5),
    "constant below zero": lambda S, o, other: S.ConstantLR(o, -0.1),
    "constant zero": lambda S, o, other: S.ConstantLR(o, 0.0),
    "constant is text": lambda S, o, other: S.ConstantLR(o, "a"),
    "linear from zero": lambda S, o, other: S.LinearLR(o, 0.0),
    "linear from two": lambda S, o, other: S.LinearLR(o, 2.0),
    "linear to two": lambda S, o, other: S.LinearLR(o, 0.5, 2.0),
    "linear in no steps": lambda S, o, other: S.LinearLR(o, total_iters=0),
    "exponential without a factor": lambda S, o, other: S.ExponentialLR(o),
    "cosine without a length": lambda S, o, other: S.CosineAnnealingLR(o),
    "cosine of length zero": lambda S, o, other: S.CosineAnnealingLR(o, 0).step(),
    "sequence of nothing": lambda S, o, other: S.SequentialLR(o, [], []),
    "sequence of numbers": lambda S, o, other: S.SequentialLR(o, [3], []),
    "sequence with a milestone too many": lambda S, o, other: S.SequentialLR(o, [S.StepLR(o, 1)], [3]),
    "sequence with another's": lambda S, o, other: S.SequentialLR(o, [S.StepLR(other, 1)], []),
    "sequence with a plateau": lambda S, o, other: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []),
    "sequence to an epoch": lambda S, o, other: S.SequentialLR(o, [S.StepLR(o, 1)], []).step(3),
    "chain of nothing": lambda S, o, other: S.ChainedScheduler([]),
    "chain of numbers": lambda S, o, other: S.ChainedScheduler([3]),
    "chain with a number": lambda S, o, other: S.ChainedScheduler([S.StepLR(o, 1), 3]),
    "chain is a number": lambda S, o, other: S.ChainedScheduler(3),
    "chain with another's": lambda S, o, other: S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(other, 1)]),
    "chain for another": lambda S, o, other: S.ChainedScheduler([S.StepLR(o, 1)], other),
    "chain with a plateau": lambda S, o, other: S.ChainedScheduler([S.ReduceLROnPlateau(o)]),
    "plateau factor one": lambda S, o, other: S.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda S, o, other: S.ReduceLROnPlateau(o, mode="least"),
    "plateau threshold mode": lambda S, o, other: S.ReduceLROnPlateau(o, threshold_mode="none"),
    "plateau floors": lambda S, o, other: S.ReduceLROnPlateau(o, min_lr=[0.1]),
    "plateau asked for rates": lambda S, o, other: S.ReduceLROnPlateau(o).get_lr(),
    "cyclic mode": lambda S, o, other: S.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic without momentum": lambda S, o, other: S.CyclicLR(other, 0.1, 0.2),
    "cyclic without momentum, plain": lambda S, o, other: S.CyclicLR(other, 0.1, 0.2, cycle_momentum=False),
    "cyclic low bounds": lambda S, o, other: S.CyclicLR(o, [0.1], 0.2),
    "cyclic high bounds": lambda S, o, other: S.CyclicLR(o, 0.1, [0.2] * 3),
    "cyclic low momentums": lambda S, o, other: S.CyclicLR(o, 0.1, 0.2, base_momentum=[0.8]),
    "cyclic in no steps": lambda S, o, other: S.CyclicLR(o, 0.1, 0.2, step_size_up=0),
    "restarts after none": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 0),
    "restarts after a half": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 1.5),
    "restarts after text": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, "a"),
    "restarts times zero": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 3, 0),
    "restarts times a half": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 3, 1.5),
    "restarts to text": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 3, 1, "a"),
    "restarts to the past": lambda S, o, other: S.CosineAnnealingWarmRestarts(o, 3).step(-1),
    "one cycle of no length": lambda S, o, other: S.OneCycleLR(o, 0.1),
    "one cycle of half a length": lambda S, o, other: S.OneCycleLR(o, 0.1, epochs=3),
    "one cycle of zero steps": lambda S, o, other: S.OneCycleLR(o, 0.1, 0),
    "one cycle of broken steps": lambda S, o, other: S.OneCycleLR(o, 0.1, 1.5),
    "one cycle of zero epochs": lambda S, o, other: S.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=3),
    "one cycle of broken epochs": lambda S, o, other: S.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=1.5),
    "one cycle start": lambda S, o, other: S.OneCycleLR(o, 0.1, 5, pct_start=2.0),
    "one cycle whole start": lambda S, o, other: S.OneCycleLR(o, 0.1, 5, pct_start=1),
    "one cycle strategy": lambda S, o, other: S.OneCycleLR(o, 0.1, 5, anneal_strategy="square"),
    "one cycle bounds": lambda S, o, other: S.OneCycleLR(o, [0.1], 5),
    "one cycle without momentum": lambda S, o, other: S.OneCycleLR(other, 0.1, 5),
    "one cycle too far": lambda S, o, other: _run(S.OneCycleLR(o, 0.1, 3), 4),
    "one cycle one too far": lambda S, o, other: _run(S.OneCycleLR(o, 0.1, 3), 3),
    "one cycle of ten percent of ten": lambda S, o, other: S.OneCycleLR(o, 0.1, 10, pct_start=0.1),
}


def _run(scheduler, steps):
    for _ in range(steps):
        scheduler.step()


@case(params=[(name,) for name in MISTAKES], rtol=CLOSE)
def mistake(torch, name):
    good, without_momentum = optimizer_of(torch), optimizer_of(torch, "Adagrad")
    return raises(lambda: MISTAKES[name](torch.optim.lr_scheduler, good, without_momentum))


def warned(call):
    """Return the category and the first words of each warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [f"{w.category.__name__}: {' '.join(str(w.message).split()[:4])}" for w in caught]


WARNINGS = {
    "right order": lambda S, o: (o.step(), S.StepLR(o, 1)),
    "scheduler first": lambda S, o: S.StepLR(o, 1).step(),
    "scheduler first, later": lambda S, o: _run(S.StepLR(o, 1), 3),
    "trained before": lambda S, o: (o.step(), S.StepLR(o, 1).step()),
    "epoch": lambda S, o: _stepped(S.StepLR(o, 1), o).step(4),
    "plateau epoch": lambda S, o: S.ReduceLROnPlateau(o).step(1.0, 4),
    "plateau alone": lambda S, o: S.ReduceLROnPlateau(o).step(1.0),
    "asked": lambda S, o: S.LinearLR(o).get_lr(),
    "asked, restarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 3).get_lr(),
    "asked, one cycle": lambda S, o: S.OneCycleLR(o, 0.1, 10).get_lr(),
    "restarts first": lambda S, o: S.CosineAnnealingWarmRestarts(o, 3).step(2),
    "overridden": lambda S, o: (S.StepLR(o, 1), _override(o))[0].step(),
    "overridden before": lambda S, o: (_override(o), _stepped(S.StepLR(o, 1), o).step()),
    "second scheduler": lambda S, o: (_stepped(S.StepLR(o, 1), o), S.StepLR(o, 1).step()),
    "chain first": lambda S, o: S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(o, 1)]).step(),
    "sequence first": lambda S, o: S.SequentialLR(o, [S.StepLR(o, 1), S.StepLR(o, 1)], [2]).step(),
}


def _stepped(scheduler, optimizer):
    optimizer.step()
    scheduler.step()
    optimizer.step()
    return scheduler


def _override(optimizer):
    optimizer.step = types.MethodType(lambda self: None, optimizer)


@case(params=[(name,) for name in WARNINGS], rtol=CLOSE)
def warning(torch, name):
    return warned(lambda: WARNINGS[name](torch.optim.lr_scheduler, optimizer_of(torch)))
