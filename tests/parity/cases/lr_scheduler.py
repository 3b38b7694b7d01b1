"""Every scheduler under many settings: rates, changes by hand, saved states, combinations."""

from __future__ import annotations

import copy

from tests.parity.harness import case, raises
from tests.parity.schedulers import CLOSE, optimizer_of

STEPS = 30


class Power:
    """A function with something to save."""

    def __init__(self, base):
        self.base = base

    def __call__(self, x):
        """Return the power of the base."""
        return self.base**x


# Name: a scheduler from the module of schedulers and an optimiser with two groups; `k` are further arguments.
SETTINGS = {
    "lambda": lambda S, o, **k: S.LambdaLR(o, lambda t: 1 / (1 + t), **k),
    "lambda_each": lambda S, o, **k: S.LambdaLR(o, [lambda t: 0.9**t, Power(0.8)], **k),
    "multiplicative": lambda S, o, **k: S.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * t, **k),
    "multiplicative_each": lambda S, o, **k: S.MultiplicativeLR(o, (lambda t: 0.95, Power(0.99)), **k),
    "step": lambda S, o, **k: S.StepLR(o, 3, gamma=0.5, **k),
    "step_default": lambda S, o, **k: S.StepLR(o, 10, **k),
    "step_every": lambda S, o, **k: S.StepLR(o, 1, 0.7, **k),
    "multistep": lambda S, o, **k: S.MultiStepLR(o, [2, 6, 6, 20], gamma=0.3, **k),
    "multistep_unordered": lambda S, o, **k: S.MultiStepLR(o, (20, 5), **k),
    "multistep_none": lambda S, o, **k: S.MultiStepLR(o, [], **k),
    "constant": lambda S, o, **k: S.ConstantLR(o, **k),
    "constant_half": lambda S, o, **k: S.ConstantLR(o, factor=0.5, total_iters=12, **k),
    "constant_one": lambda S, o, **k: S.ConstantLR(o, factor=1, total_iters=1, **k),
    "linear": lambda S, o, **k: S.LinearLR(o, **k),
    "linear_down": lambda S, o, **k: S.LinearLR(o, 1.0, 0.1, 20, **k),
    "linear_to_zero": lambda S, o, **k: S.LinearLR(o, 0.5, 0.0, 8, **k),
    "exponential": lambda S, o, **k: S.ExponentialLR(o, 0.9, **k),
    "exponential_up": lambda S, o, **k: S.ExponentialLR(o, gamma=1.1, **k),
    "polynomial": lambda S, o, **k: S.PolynomialLR(o, **k),
    "polynomial_square": lambda S, o, **k: S.PolynomialLR(o, 25, 2.0, **k),
    "polynomial_root": lambda S, o, **k: S.PolynomialLR(o, total_iters=10, power=0.5, **k),
    "cosine": lambda S, o, **k: S.CosineAnnealingLR(o, 10, **k),
    "cosine_floor": lambda S, o, **k: S.CosineAnnealingLR(o, T_max=7, eta_min=0.01, **k),
    "cosine_one": lambda S, o, **k: S.CosineAnnealingLR(o, 1, **k),
    "restarts": lambda S, o, **k: S.CosineAnnealingWarmRestarts(o, 4, **k),
    "restarts_longer": lambda S, o, **k: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.01, **k),
    "cyclic": lambda S, o, **k: S.CyclicLR(o, 0.01, 0.1, 4, **k),
    "cyclic_halved": lambda S, o, **k: S.CyclicLR(o, 0.01, 0.1, 3, 5, mode="triangular2", **k),
    "cyclic_range": lambda S, o, **k: S.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.95, **k),
    "cyclic_each": lambda S, o, **k: S.CyclicLR(
        o, [0.01, 0.02], (0.1, 0.4), 4, base_momentum=[0.7, 0.75], max_momentum=[0.8, 0.99], **k
    ),
    "cyclic_function": lambda S, o, **k: S.CyclicLR(
        o, 0.01, 0.1, 4, scale_fn=Power(0.9), scale_mode="iterations", cycle_momentum=False, **k
    ),
    "cyclic_function_cycle": lambda S, o, **k: S.CyclicLR(o, 0.01, 0.1, 4, mode="none", scale_fn=lambda x: 1 / x, **k),
    "one_cycle": lambda S, o, **k: S.OneCycleLR(o, 0.1, total_steps=32, **k),
    "one_cycle_linear": lambda S, o, **k: S.OneCycleLR(
        o, 0.1, epochs=4, steps_per_epoch=8, anneal_strategy="linear", **k
    ),
    "one_cycle_three": lambda S, o, **k: S.OneCycleLR(o, [0.1, 0.3], 40, three_phase=True, pct_start=0.4, **k),
    "one_cycle_plain": lambda S, o, **k: S.OneCycleLR(
        o, 0.1, 33, pct_start=0.25, cycle_momentum=False, div_factor=10.0, final_div_factor=100.0, **k
    ),
    "one_cycle_only_down": lambda S, o, **k: S.OneCycleLR(o, 0.1, 33, pct_start=0.0, base_momentum=0.5, **k),
    "one_cycle_only_up": lambda S, o, **k: S.OneCycleLR(o, 0.1, 33, pct_start=1.0, max_momentum=[0.6, 0.7], **k),
}
EVERY = [(name,) for name in SETTINGS]
# What can be told to start at a step, or go to one.
RESUMABLE = [(name,) for name in SETTINGS if not name.startswith("one_cycle")]


def snapshot(torch, optimizer, scheduler):
    """Return the rates in the groups, the momentums, and the rates that the scheduler says it wrote."""
    row = [float(group["lr"]) for group in optimizer.param_groups]
    row += [float(group.get("momentum", group.get("betas", [0.0])[0])) for group in optimizer.param_groups]
    return row + [float(rate) for rate in scheduler.get_last_lr()]


def followed(torch, optimizer, scheduler, steps=STEPS, before_step=lambda step: None):
    """Return the snapshots of `steps` steps, the first before any."""
    rows = []
    for step in range(steps):
        rows.append(snapshot(torch, optimizer, scheduler))
        before_step(step)
        optimizer.step()
        scheduler.step()
    rows.append(snapshot(torch, optimizer, scheduler))
    return torch.tensor(rows, dtype=torch.float64)


def plain(value):
    """Return a saved state as lists, dictionaries, numbers and texts."""
    if isinstance(value, dict):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


@case(params=EVERY, rtol=CLOSE)
def rates(torch, name):
    optimizer = optimizer_of(torch)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)
    result = {"rates": followed(torch, optimizer, scheduler), "state": plain(scheduler.state_dict())}
    if not hasattr(scheduler, "T_0"):
        result["steps"] = scheduler._step_count
    initial = [float(group["initial_lr"]) for group in optimizer.param_groups]
    return {**result, "initial": initial, "base": plain(scheduler.base_lrs), "last": scheduler.last_epoch}


@case(params=EVERY, rtol=CLOSE)
def rates_changed_by_hand(torch, name):
    optimizer = optimizer_of(torch)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)

    def change(step):
        if step in (3, 7, 18):
            optimizer.param_groups[step % 2]["lr"] = 0.3
        if step == 11:
            optimizer.param_groups[0]["initial_lr"] = 0.2
            scheduler.base_lrs[1] = 0.6

    return followed(torch, optimizer, scheduler, before_step=change)


@case(params=EVERY, rtol=CLOSE)
def rates_from_a_saved_state(torch, name):
    make = SETTINGS[name]
    first = optimizer_of(torch)
    scheduler = make(torch.optim.lr_scheduler, first)
    before = followed(torch, first, scheduler, 11)
    second = optimizer_of(torch, lr=0.123)
    again = make(torch.optim.lr_scheduler, second)
    second.load_state_dict(first.state_dict())
    again.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    return {"before": before, "after": followed(torch, second, again, 11), "last": again.last_epoch}


@case(params=EVERY, rtol=CLOSE)
def rates_of_steps_to_an_epoch(torch, name):
    optimizer = optimizer_of(torch)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)
    rows = []
    for epoch in (5, 2, 9, 0, 27, 3):
        optimizer.step()
        scheduler.step(epoch)
        rows.append([*snapshot(torch, optimizer, scheduler), float(scheduler.last_epoch)])
        scheduler.step()
        rows.append([*snapshot(torch, optimizer, scheduler), float(scheduler.last_epoch)])
    return torch.tensor(rows, dtype=torch.float64)


@case(params=[(t_mult, epoch) for t_mult in (1, 2, 3) for epoch in (0.25, 2.5, 3, 8.9, 40)], rtol=CLOSE)
def restarts_between_steps(torch, t_mult, epoch):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, t_mult)
    scheduler.step(epoch)
    there = [scheduler.get_last_lr(), float(scheduler.T_cur), scheduler.T_i, scheduler.last_epoch]
    return {"there": there, "on": followed(torch, optimizer, scheduler, 5)}


@case(params=RESUMABLE, rtol=CLOSE)
def rates_from_a_last_epoch(torch, name):
    result = {}
    for last_epoch in (0, 1, 2, 4, 6, 11):
        optimizer = optimizer_of(torch)
        for group in optimizer.param_groups:
            group["initial_lr"] = 2 * group["lr"]
        scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer, last_epoch=last_epoch)
        result[str(last_epoch)] = followed(torch, optimizer, scheduler, 9)
    return result


@case(rtol=CLOSE)
def one_cycle_from_a_last_epoch(torch):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    S.OneCycleLR(optimizer, 0.1, 30)
    scheduler = S.OneCycleLR(optimizer, 0.1, 30, last_epoch=7)
    fresh = raises(lambda: S.OneCycleLR(optimizer_of(torch), 0.1, 30, last_epoch=7))
    return {"rates": followed(torch, optimizer, scheduler, 20), "fresh": fresh}


# ---------------------------------------------------------------------------------------------- combinations


@case(params=EVERY, rtol=CLOSE)
def second_in_a_sequence(torch, name):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    parts = [S.LinearLR(optimizer, 0.1, total_iters=4), SETTINGS[name](S, optimizer)]
    scheduler = S.SequentialLR(optimizer, parts, milestones=[4])
    return {"rates": followed(torch, optimizer, scheduler, 20), "state": plain(scheduler.state_dict())}


@case(params=EVERY, rtol=CLOSE)
def first_in_a_sequence(torch, name):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    parts = [SETTINGS[name](S, optimizer), S.ExponentialLR(optimizer, 0.5), S.CosineAnnealingLR(optimizer, 5)]
    scheduler = S.SequentialLR(optimizer, parts, [4, 7])
    return {"rates": followed(torch, optimizer, scheduler, 20), "last": scheduler.last_epoch}


@case(params=EVERY, rtol=CLOSE)
def in_a_chain(torch, name):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    parts = [SETTINGS[name](S, optimizer), S.ExponentialLR(optimizer, 0.9), S.ConstantLR(optimizer, 0.5, 3)]
    scheduler = S.ChainedScheduler(parts)
    return {"rates": followed(torch, optimizer, scheduler, 20), "state": plain(scheduler.state_dict())}


@case(params=EVERY, rtol=CLOSE)
def sequence_from_a_saved_state(torch, name):
    S = torch.optim.lr_scheduler

    def make(optimizer):
        parts = [S.ConstantLR(optimizer, 0.1, 4), S.ChainedScheduler([SETTINGS[name](S, optimizer)])]
        return S.SequentialLR(optimizer, [S.ChainedScheduler(parts[:1]), SETTINGS[name](S, optimizer)], [4])

    first = optimizer_of(torch)
    scheduler = make(first)
    followed(torch, first, scheduler, 7)
    second = optimizer_of(torch)
    again = make(second)
    second.load_state_dict(first.state_dict())
    again.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    return followed(torch, second, again, 9)


@case(rtol=CLOSE)
def composites_of_composites(torch):
    S = torch.optim.lr_scheduler

    def run(make):
        optimizer = optimizer_of(torch)
        return followed(torch, optimizer, make(optimizer), 12)

    def sequence(o, milestone=3):
        return S.SequentialLR(o, [S.ExponentialLR(o, 0.5), S.ConstantLR(o, 0.5, 2)], [milestone])

    return {
        "sequence in chain": run(lambda o: S.ChainedScheduler([sequence(o), S.StepLR(o, 3)], optimizer=o)),
        "sequence first": run(lambda o: S.SequentialLR(o, [sequence(o), S.StepLR(o, 3)], [5])),
        "chain first": run(lambda o: S.SequentialLR(o, [S.ChainedScheduler([S.StepLR(o, 2)]), S.StepLR(o, 3)], [5])),
        "chain in chain": run(lambda o: S.ChainedScheduler([S.ChainedScheduler([S.StepLR(o, 2)]), sequence(o, 1)])),
        "sequence second": raises(lambda: run(lambda o: S.SequentialLR(o, [S.StepLR(o, 3), sequence(o)], [5]))),
        "chain second": raises(
            lambda: run(lambda o: S.SequentialLR(o, [S.StepLR(o, 3), S.ChainedScheduler([S.StepLR(o, 2)])], [5]))
        ),
    }


@case(
    params=[(str(m), m, last) for m in ([0], [3], [3, 5], [2, 2], [0, 0], [18, 0], [-1, 2]) for last in (-1, 2, 4)],
    rtol=CLOSE,
)
def milestones(torch, name, milestones, last_epoch):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    parts = [S.ExponentialLR(optimizer, 0.9 - 0.1 * i) for i in range(len(milestones) + 1)]
    scheduler = S.SequentialLR(optimizer, parts, milestones, last_epoch=last_epoch)
    rows = followed(torch, optimizer, scheduler, 9)
    return {"rates": rows, "last": [scheduler.last_epoch, *(p.last_epoch for p in parts)]}


@case(rtol=CLOSE)
def two_schedulers_on_one_optimiser(torch):
    S = torch.optim.lr_scheduler
    optimizer = optimizer_of(torch)
    first, second = S.CosineAnnealingLR(optimizer, 8), S.LinearLR(optimizer, 0.2, total_iters=4)
    rows = []
    for _ in range(10):
        optimizer.step()
        first.step()
        second.step()
        rows.append(first.get_last_lr() + second.get_last_lr())
    return torch.tensor(rows, dtype=torch.float64)


# ---------------------------------------------------------------------------------------------- plateau

NAN, INF = float("nan"), float("inf")
METRICS = [1.0, 0.9, 0.95, 0.9, 0.899, 0.8999, NAN, 1.0, 2.0, 3.0, INF, -1.0, -0.9999, -1.00005, 0.0, 0.0]
PLATEAUS = {
    "defaults": {},
    "impatient": {"patience": 0, "factor": 0.5},
    "patient": {"patience": 2},
    "max": {"patience": 1, "mode": "max"},
    "max_abs": {"patience": 0, "mode": "max", "threshold_mode": "abs", "threshold": 0.01},
    "abs": {"patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
    "cooldown": {"patience": 1, "cooldown": 2, "factor": 0.7},
    "floor": {"patience": 0, "factor": 0.5, "min_lr": 0.02},
    "floor_each": {"patience": 0, "factor": 0.5, "min_lr": [0.1, 0.01]},
    "eps": {"patience": 0, "factor": 0.5, "eps": 0.02},
    "loose": {"patience": 0, "threshold": 0.2},
    "to_zero": {"patience": 3, "factor": 0},
}


def _after(metric, optimizer, scheduler):
    scheduler.step(metric)
    counts = [scheduler.best, float(scheduler.num_bad_epochs), float(scheduler.cooldown_counter)]
    rates = [float(group["lr"]) for group in optimizer.param_groups] + scheduler.get_last_lr()
    return [*rates, *counts, float(scheduler.in_cooldown), float(scheduler.last_epoch)]


@case(params=[(name,) for name in PLATEAUS], rtol=CLOSE)
def plateau(torch, name):
    optimizer = optimizer_of(torch)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **PLATEAUS[name])
    start = plain(scheduler.state_dict())
    rows = [_after(metric, optimizer, scheduler) for metric in METRICS]
    has_initial = "initial_lr" in optimizer.param_groups[0]
    return {
        "rows": torch.tensor(rows, dtype=torch.float64),
        "start": start,
        "end": plain(scheduler.state_dict()),
        "initial": has_initial,
    }


@case(params=[(name,) for name in PLATEAUS], rtol=CLOSE)
def plateau_from_a_saved_state(torch, name):
    make = torch.optim.lr_scheduler.ReduceLROnPlateau
    first = optimizer_of(torch)
    scheduler = make(first, **PLATEAUS[name])
    for metric in METRICS[:6]:
        scheduler.step(torch.tensor(metric))
    second = optimizer_of(torch)
    again = make(second, mode="max", threshold=3.0, threshold_mode="abs")
    second.load_state_dict(first.state_dict())
    again.load_state_dict(scheduler.state_dict())
    return torch.tensor([_after(metric, second, again) for metric in METRICS[6:]], dtype=torch.float64)


@case(rtol=CLOSE)
def plateau_with_a_group_added(torch):
    optimizer = optimizer_of(torch)
    S = torch.optim.lr_scheduler
    extends = S.ReduceLROnPlateau(optimizer, patience=0)
    fails = S.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.0])
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 3.0})
    for _ in range(3):
        extends.step(1.0)
    fails.step(1.0)
    return {"rates": extends.get_last_lr(), "floors": extends.min_lrs, "fails": raises(lambda: fails.step(1.0))}


@case(rtol=CLOSE)
def plateau_numbers(torch):
    S = torch.optim.lr_scheduler

    def step(metric):
        return raises(lambda: S.ReduceLROnPlateau(optimizer_of(torch)).step(metric))

    good = [step(m) for m in (1, True, "1.5", torch.tensor([2.0]), torch.tensor(3))]
    return {"good": good, "bad": [step(m) for m in ("a", None, torch.zeros(2), [1.0])]}


# ---------------------------------------------------------------------------------------------- optimisers


WITH_MOMENTUM = ("cyclic", "cyclic_each", "one_cycle", "one_cycle_three")


@case(params=[(kind, name) for kind in ("Adam", "AdamW", "RMSprop", "NAdam") for name in WITH_MOMENTUM], rtol=CLOSE)
def momentum_cycles(torch, kind, name):
    optimizer = optimizer_of(torch, kind)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)
    rows = followed(torch, optimizer, scheduler)
    group = optimizer.param_groups[1]
    betas = [float(b) for b in group.get("betas", [])]
    return {"rates": rows, "betas": betas, "bounds": [group["base_momentum"], group["max_momentum"]]}


@case(params=EVERY, rtol=CLOSE)
def tensor_rate(torch, name):
    rate = torch.tensor(0.5, dtype=torch.float64)
    optimizer = optimizer_of(torch, lr=rate)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)
    rows = followed(torch, optimizer, scheduler, 12)
    kept = optimizer.param_groups[0]["lr"] is rate
    return {"rates": rows, "kept": kept, "apart": scheduler.get_last_lr()[0] is not rate}


@case(params=EVERY, rtol=CLOSE)
def group_added(torch, name):
    optimizer = optimizer_of(torch)
    scheduler = SETTINGS[name](torch.optim.lr_scheduler, optimizer)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.2, "momentum": 0.1})

    def step():
        optimizer.step()
        scheduler.step()

    # Where there are too few rates PyTorch writes those and then raises; a half-written state is not worth having.
    error = raises(step)
    written = [float(group["lr"]) for group in optimizer.param_groups] if error == "nothing raised" else []
    return {"raises": error, "rates": written}


@case(rtol=CLOSE)
def training_with_rates(torch):
    S = torch.optim.lr_scheduler
    weight = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    scheduler = S.OneCycleLR(optimizer, 0.2, total_steps=15)
    for _ in range(15):
        optimizer.zero_grad()
        (weight**4).sum().backward()
        optimizer.step()
        scheduler.step()
    return weight


@case(rtol=CLOSE)
def own_scheduler(torch):
    S = torch.optim.lr_scheduler

    class Own(S.LRScheduler):
        def __init__(self, optimizer, power, last_epoch=-1):
            self.power = power
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            return [base / (1 + self.last_epoch) ** self.power for base in self.base_lrs]

        def _get_closed_form_lr(self):
            return [10.0 * base for base in self.base_lrs]

    class Old(S._LRScheduler):
        def get_lr(self):
            return [group["lr"] * 0.5 for group in self.optimizer.param_groups]

    class Short(S.LRScheduler):
        def get_lr(self):
            return [1.0]

    optimizer, other = optimizer_of(torch), optimizer_of(torch)
    own, old = Own(optimizer, 0.5), Old(other)
    result = {"own": followed(torch, optimizer, own, 5), "old": followed(torch, other, old, 5)}
    own.step(3)
    return {
        **result,
        "closed": own.get_last_lr(),
        "state": plain(own.state_dict()),
        "none": raises(lambda: S.LRScheduler(optimizer)),
        "short": raises(lambda: Short(optimizer)),
        "is one": [isinstance(S.StepLR(optimizer, 1), S.LRScheduler), issubclass(S._LRScheduler, S.LRScheduler)],
    }


@case(rtol=CLOSE)
def saved_functions(torch):
    S = torch.optim.lr_scheduler
    scheduler = S.LambdaLR(optimizer_of(torch), [Power(2.0), lambda t: 1.0])
    state = scheduler.state_dict()
    text = str(state["lr_lambdas"])
    state["lr_lambdas"][0]["base"] = 7.0
    scheduler.load_state_dict(state)
    cyclic = S.CyclicLR(optimizer_of(torch), 0.1, 0.2, scale_fn=Power(0.5))
    saved = cyclic.state_dict()
    saved["_scale_fn_custom"]["base"] = 3.0
    cyclic.load_state_dict(dict(saved))
    names = ("triangular", "triangular2", "exp_range")
    modes = [S.CyclicLR(optimizer_of(torch), 0.1, 0.2, mode=name, gamma=0.5) for name in names]
    return {
        "saved": text,
        "base": scheduler.lr_lambdas[0].base,
        "kept": "lr_lambdas" in state,
        "cyclic": cyclic.scale_fn(2),
        "modes": [[float(m.scale_fn(x)) for x in (1, 2, 3)] + [m.scale_mode] for m in modes],
        "missing": raises(lambda: scheduler.load_state_dict({"last_epoch": 3})),
        "unknown": raises(lambda: S.ReduceLROnPlateau(optimizer_of(torch)).load_state_dict({"mode": "least"})),
    }
