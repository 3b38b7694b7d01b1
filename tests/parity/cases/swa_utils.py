"""Averages of weights, the statistics of BatchNorm afterwards, and the rates of the averaging phase."""

from __future__ import annotations

import copy

from tests.parity.harness import DTYPES, case, raises, sample

FUNCTIONS = {
    "default": lambda U: {},
    "avg_swa": lambda U: {"avg_fn": U.get_swa_avg_fn()},
    "multi_swa": lambda U: {"multi_avg_fn": U.get_swa_multi_avg_fn()},
    "avg_ema": lambda U: {"avg_fn": U.get_ema_avg_fn(0.9)},
    "avg_ema_default": lambda U: {"avg_fn": U.get_ema_avg_fn()},
    "multi_ema": lambda U: {"multi_avg_fn": U.get_ema_multi_avg_fn(0.9)},
    "multi_ema_low": lambda U: {"multi_avg_fn": U.get_ema_multi_avg_fn(decay=0.2)},
    "ema_of_all": lambda U: {"avg_fn": U.get_ema_avg_fn(1.0)},
    "ema_of_none": lambda U: {"multi_avg_fn": U.get_ema_multi_avg_fn(0.0)},
    "own": lambda U: {"avg_fn": lambda average, value, n: average + value / (n + 2)},
}


def network(torch, dtype="float32"):
    """Return a small network with batch normalisation and known weights."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    model = model.to(getattr(torch, dtype))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(sample(torch, *parameter.shape, dtype=dtype, seed=i))
    return model


def moved(torch, model, steps, dtype="float32"):
    """Run the model over `steps` batches, changing its weights, and yield after each."""
    for step in range(steps):
        model(sample(torch, 6, 3, dtype=dtype, seed=100 + step))
        with torch.no_grad():
            for i, parameter in enumerate(model.parameters()):
                parameter.add_(sample(torch, *parameter.shape, dtype=dtype, seed=10 * step + i), alpha=0.1)
        yield step


# PyTorch cannot take the equal average of a list of integers, and BatchNorm's count of batches is one.
AVERAGES = [
    (name, *dtype, use_buffers)
    for name in FUNCTIONS
    for dtype in DTYPES
    for use_buffers in (False, True)
    if not (name == "multi_swa" and use_buffers)
]


# PyTorch weighs the equal average of a list with a float32 number, whatever the dtype of the tensors.
@case(params=AVERAGES, rtol={"float32": 2e-6, "float64": 1e-7})
def averaged_model(torch, name, dtype, use_buffers):
    utils = torch.optim.swa_utils
    model = network(torch, dtype)
    average = utils.AveragedModel(model, use_buffers=use_buffers, **FUNCTIONS[name](utils))
    for _ in moved(torch, model, 5, dtype):
        average.update_parameters(model)
    average.eval()
    output = average(sample(torch, 2, 3, dtype=dtype))
    return {"state": dict(average.state_dict()), "output": output, "n": average.n_averaged}


@case
def averaged_model_structure(torch):
    utils = torch.optim.swa_utils
    model = network(torch)
    average = utils.AveragedModel(model)
    other = utils.AveragedModel(network(torch))
    average.update_parameters(model)
    loaded = other.load_state_dict(average.state_dict())
    return {
        "text": str(average),
        "keys": list(average.state_dict()),
        "n": average.n_averaged,
        "loaded n": other.n_averaged,
        "loaded": str(loaded),
        "own copy": average.module is not model and average.module[0].weight is not model[0].weight,
        "parameters": [p.requires_grad for p in average.parameters()],
        "training": [average.training, average.module.training],
        "buffers": average.use_buffers,
        "names": [name for name, _ in average.named_buffers()],
    }


@case
def averaged_model_first_update_copies(torch):
    utils = torch.optim.swa_utils
    model = network(torch)
    average = utils.AveragedModel(model, avg_fn=lambda *_: 1 / 0)
    for _ in moved(torch, model, 1):
        average.update_parameters(model)
    return dict(average.state_dict())


@case
def averaged_model_calls(torch):
    utils = torch.optim.swa_utils
    seen, lists = [], []

    def own(average, value, n):
        seen.append([str(tuple(average.shape)), int(n), average.requires_grad, value.requires_grad])
        return value

    def own_multi(averages, values, n):
        lists.append([int(n), len(averages), len(values)])

    for options in ({"avg_fn": own}, {"multi_avg_fn": own_multi}, {"multi_avg_fn": own_multi, "use_buffers": True}):
        model = network(torch)
        average = utils.AveragedModel(model, **options)
        for _ in moved(torch, model, 3):
            average.update_parameters(model)
    # The lists are split by dtype, in an order that nobody promises.
    return {"one by one": seen, "lists": sorted(lists)}


@case
def averages_of_tensors(torch):
    utils = torch.optim.swa_utils
    a, b = sample(torch, 3), sample(torch, 3, seed=1)
    lists = [[a.clone(), a.clone() * 2], [a.clone(), b.clone()], [torch.tensor([7, -7]), torch.tensor([3])]]
    utils.get_swa_multi_avg_fn()(lists[0], [b, b * 2], 2)
    utils.get_ema_multi_avg_fn(0.7)(lists[1], [b, a], torch.tensor(2))
    utils.get_ema_multi_avg_fn(0.7)(lists[2], [torch.tensor([12, -12]), torch.tensor([5])], 2)
    equal = utils.get_swa_avg_fn()
    single = [equal(a, b, 3), equal(a, b, torch.tensor(3)), utils.get_ema_avg_fn(0.25)(a, b, 3)]
    return {"lists": lists, "single": single}


@case(params=[(str(form), form) for form in ("tensor", "pair", "list", "none", "loader")], rtol={"float32": 2e-6})
def update_bn(torch, name, form):
    model = network(torch).eval()
    model[1].momentum = 0.3
    rows = sample(torch, 24, 3)
    batches = [rows[:10], rows[10:16], rows[16:]]
    loader = {
        "tensor": batches,
        "pair": [(batch, torch.zeros(1)) for batch in batches],
        "list": [[batch] for batch in batches],
        "none": [],
    }.get(form)
    if form == "loader":
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows), batch_size=8)
    torch.optim.swa_utils.update_bn(loader, model)
    return {"state": dict(model.state_dict()), "momentum": model[1].momentum, "training": model.training}


@case
def update_bn_leaves_the_rest(torch):
    utils = torch.optim.swa_utils
    plain = torch.nn.Linear(3, 2)
    utils.update_bn([None], plain)
    untracked = torch.nn.BatchNorm1d(3, track_running_stats=False)
    utils.update_bn([sample(torch, 4, 3)], untracked)
    average = utils.AveragedModel(network(torch))
    average.train(False)
    average.module.train(True)
    utils.update_bn([sample(torch, 4, 3)], average)
    modes = [average.training, average.module.training]
    return {"modes": modes, "mean": average.module[1].running_mean, "grad": average.module[0].weight.grad is None}


SWALRS = {
    "cos": {},
    "linear": {"anneal_strategy": "linear"},
    "short": {"anneal_epochs": 3},
    "one": {"anneal_epochs": 1, "anneal_strategy": "linear"},
    "at once": {"anneal_epochs": 0},
    "at once, linear": {"anneal_epochs": 0, "anneal_strategy": "linear"},
}


def two_groups(torch, lr=0.5):
    """Return SGD with two groups."""
    weights = [torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)]
    return torch.optim.SGD([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.05}], lr=lr)


def followed(torch, optimizer, scheduler, steps, before_step=lambda step: None):
    """Return the rates over some steps."""
    rows = [list(scheduler.get_last_lr())]
    for step in range(steps):
        before_step(step)
        optimizer.step()
        scheduler.step()
        rows.append([float(group["lr"]) for group in optimizer.param_groups])
    return torch.tensor(rows, dtype=torch.float64)


@case(params=[(name,) for name in SWALRS])
def swa_rates(torch, name):
    optimizer = two_groups(torch)
    scheduler = torch.optim.swa_utils.SWALR(optimizer, 0.02, **SWALRS[name])
    rows = followed(torch, optimizer, scheduler, 14)
    each = two_groups(torch)
    scheduler_each = torch.optim.swa_utils.SWALR(each, [0.02, 0.3], **SWALRS[name])
    state = {k: v for k, v in scheduler.state_dict().items() if k != "anneal_func"}
    return {
        "rates": rows,
        "each": followed(torch, each, scheduler_each, 14),
        "state": state,
        "targets": [group["swa_lr"] for group in each.param_groups],
        "alpha": [float(scheduler.anneal_func(t)) for t in (0.0, 0.25, 1.0)],
    }


@case(params=[(name,) for name in SWALRS])
def swa_rates_changed_by_hand(torch, name):
    optimizer = two_groups(torch)
    scheduler = torch.optim.swa_utils.SWALR(optimizer, 0.02, **SWALRS[name])

    def change(step):
        if step in (2, 5, 11):
            optimizer.param_groups[step % 2]["lr"] = 0.7

    return followed(torch, optimizer, scheduler, 14, change)


@case(params=[(name,) for name in SWALRS])
def swa_rates_from_a_saved_state(torch, name):
    utils = torch.optim.swa_utils
    first = two_groups(torch)
    scheduler = utils.SWALR(first, 0.02, **SWALRS[name])
    followed(torch, first, scheduler, 4)
    second = two_groups(torch, 0.9)
    again = utils.SWALR(second, 0.5, 7)
    second.load_state_dict(first.state_dict())
    again.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    return followed(torch, second, again, 9)


@case
def swa_rates_after_another(torch):
    optimizer = two_groups(torch)
    main = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    swa = torch.optim.swa_utils.SWALR(optimizer, 0.05, anneal_epochs=3)
    rows = []
    for epoch in range(12):
        optimizer.step()
        (swa if epoch >= 6 else main).step()
        rows.append([group["lr"] for group in optimizer.param_groups])
    return torch.tensor(rows, dtype=torch.float64)


@case
def swa_in_composites(torch):
    S, utils = torch.optim.lr_scheduler, torch.optim.swa_utils

    def run(make):
        optimizer = two_groups(torch)
        return followed(torch, optimizer, make(optimizer), 12)

    return {
        "second": run(lambda o: S.SequentialLR(o, [S.ExponentialLR(o, 0.9), utils.SWALR(o, 0.05, 3)], [5])),
        "first": run(lambda o: S.SequentialLR(o, [utils.SWALR(o, 0.05, 3), S.ExponentialLR(o, 0.9)], [5])),
        "chain": run(lambda o: S.ChainedScheduler([utils.SWALR(o, 0.05, 3), S.ExponentialLR(o, 0.9)])),
        "epoch": run(lambda o: utils.SWALR(o, 0.05, 3, last_epoch=-1)),
    }


@case
def mistakes(torch):
    utils = torch.optim.swa_utils
    model = network(torch)
    average = utils.AveragedModel(model)
    optimizer = two_groups(torch)
    calls = {
        "both functions": lambda: utils.AveragedModel(
            model, None, utils.get_swa_avg_fn(), utils.get_swa_multi_avg_fn()
        ),
        "decay above one": lambda: utils.get_ema_avg_fn(1.5),
        "decay below zero": lambda: utils.get_ema_multi_avg_fn(-0.1),
        "another structure": lambda: average.update_parameters(torch.nn.Linear(3, 4)),
        "another shape": lambda: average.update_parameters(
            torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))
        ),
        "too many rates": lambda: utils.SWALR(optimizer, [0.1] * 3),
        "strategy": lambda: utils.SWALR(optimizer, 0.1, anneal_strategy="square"),
        "negative epochs": lambda: utils.SWALR(optimizer, 0.1, -1),
        "broken epochs": lambda: utils.SWALR(optimizer, 0.1, 1.5),
        "not an optimiser": lambda: utils.SWALR(3, 0.1),
        "no rate": lambda: utils.SWALR(optimizer),
        "batch is no tensor": lambda: utils.update_bn([{"x": 1}], model),
    }
    return {name: raises(call) for name, call in calls.items()}
