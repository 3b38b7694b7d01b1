"""What all optimisers share: groups, names, saving, hooks, closures, rates that are tensors, and refusals."""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Any

from tests.parity.cases.optim_rules import SETTINGS
from tests.parity.harness import DTYPES, case, message, raises, sample

RULES = [(name,) for name in SETTINGS]
TOLERANCE: dict[str, Any] = {"rtol": {"float32": 1e-5, "float64": 1e-11}, "atol": {"float32": 1e-6, "float64": 1e-12}}


def leaves(torch: Any, dtype: str = "float32", first_seed: int = 0) -> list[Any]:
    shapes = [(3, 2), (4,), (1,)]
    return [sample(torch, *s, dtype=dtype, seed=first_seed + i, requires_grad=True) for i, s in enumerate(shapes)]


def descend(torch: Any, optimizer: Any, params: list[Any], steps: int, start: int = 0) -> None:
    for t in range(start, start + steps):
        for i, p in enumerate(params):
            p.grad = p.detach() - sample(torch, *p.shape, dtype=str(p.dtype)[6:], seed=50 + 10 * t + i)
        optimizer.step()


def outcome(optimizer: Any, params: list[Any]) -> Any:
    return {"params": params, "saved": optimizer.state_dict()}


@case(params=RULES)
def text(torch: Any, rule: str) -> Any:
    a, b, c = leaves(torch)
    return str(getattr(torch.optim, rule)([{"params": [a, b]}, {"params": c, "lr": 0.5}]))


@case(params=[*RULES, ("LBFGS",)])
def defaults(torch: Any, rule: str) -> Any:
    optimizer = getattr(torch.optim, rule)(leaves(torch))
    return {"defaults": {k: str(v) for k, v in optimizer.defaults.items()}, "saved": optimizer.state_dict()}


@case(params=[(rule, dtype) for (rule,) in RULES for (dtype,) in DTYPES], **TOLERANCE)
def groups(torch: Any, rule: str, dtype: str) -> Any:
    a, b, c = leaves(torch, dtype)
    optimizer = getattr(torch.optim, rule)([{"params": [a], "lr": 0.02}, {"params": iter([b, c])}], lr=0.005)
    descend(torch, optimizer, [a, b, c], 4)
    d = sample(torch, 2, dtype=dtype, seed=7, requires_grad=True)
    optimizer.add_param_group({"params": d, "maximize": True})
    optimizer.param_groups[0]["lr"] = 0.1
    descend(torch, optimizer, [a, b, c, d], 4, start=4)
    return outcome(optimizer, [a, b, c, d])


@case(params=[(rule, label) for rule, all_ in SETTINGS.items() for label in all_], **TOLERANCE)
def saved_and_loaded(torch: Any, rule: str, label: str) -> Any:
    settings = SETTINGS[rule][label]
    first = leaves(torch)
    optimizer = getattr(torch.optim, rule)(first, **settings)
    descend(torch, optimizer, first, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    descend(torch, optimizer, first, 2, start=50)
    second = leaves(torch, first_seed=20)
    other = getattr(torch.optim, rule)(second, lr=7.0)
    other.load_state_dict(saved)
    descend(torch, other, second, 3, start=3)
    return [outcome(optimizer, first), outcome(other, second)]


# The state was computed in single precision. (PyTorch keeps the counts of NAdam and ASGD in double from here on.)
@case(params=[(rule,) for rule in ("SGD", "Adam", "RMSprop", "NAdam", "ASGD", "Adagrad", "Rprop")], rtol=1e-6)
def loaded_into_double(torch: Any, rule: str) -> Any:
    single, double = leaves(torch), leaves(torch, "float64")
    optimizer = getattr(torch.optim, rule)(single)
    descend(torch, optimizer, single, 3)
    other = getattr(torch.optim, rule)(double)
    other.load_state_dict(optimizer.state_dict())
    loaded = other.state_dict()["state"]
    types = {str(k): {n: str(v.dtype) for n, v in s.items()} for k, s in loaded.items()}
    descend(torch, other, double, 3, start=3)
    arrays = {str(k): {n: v for n, v in s.items() if v.shape} for k, s in loaded.items()}
    return [types, double, arrays]


@case(params=RULES, **TOLERANCE)
def rate_as_tensor(torch: Any, rule: str) -> Any:
    params = leaves(torch)
    rate = torch.tensor(0.02)
    optimizer = getattr(torch.optim, rule)(params, lr=rate)
    descend(torch, optimizer, params, 3)
    rate.fill_(0.01)
    descend(torch, optimizer, params, 3, start=3)
    return [params, optimizer.param_groups[0]["lr"], str(optimizer)]


@case(**TOLERANCE)
def betas_as_tensors(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.Adam(params, lr=torch.tensor([0.02]), betas=(torch.tensor(0.8), torch.tensor([0.9])))
    descend(torch, optimizer, params, 3)
    return [params, [b.shape == () for b in optimizer.param_groups[0]["betas"]]]


@case(params=RULES, **TOLERANCE)
def mixed_dtypes(torch: Any, rule: str) -> Any:
    params = leaves(torch) + leaves(torch, "float64", first_seed=5)
    optimizer = getattr(torch.optim, rule)(params, lr=0.02)
    descend(torch, optimizer, params, 4)
    return outcome(optimizer, params)


@case(params=RULES, **TOLERANCE)
def counts_in_double_by_default(torch: Any, rule: str) -> Any:
    torch.set_default_dtype(torch.float64)
    params = leaves(torch, "float64")
    optimizer = getattr(torch.optim, rule)(params, lr=0.02)
    descend(torch, optimizer, params, 2)
    state = optimizer.state_dict()["state"]
    return [outcome(optimizer, params), {str(k): {n: str(v.dtype) for n, v in s.items()} for k, s in state.items()}]


@case
def names(torch: Any) -> Any:
    a, b, c = leaves(torch)
    optimizer = torch.optim.SGD([("a", a), ("b", b)], lr=0.1)
    refused = raises(lambda: optimizer.add_param_group({"params": [c]}))
    optimizer.add_param_group({"params": [("c", c)], "lr": 0.2})
    other = torch.optim.SGD([{"params": [("x", a), ("y", b)]}, {"params": [("z", c)]}], lr=1.0)
    other.load_state_dict(optimizer.state_dict())
    nameless = torch.optim.SGD([{"params": [a, b]}, {"params": [c]}], lr=1.0)
    nameless.load_state_dict(optimizer.state_dict())
    return [refused, str(optimizer), optimizer.state_dict(), other.state_dict(), nameless.state_dict()]


@case
def gradients_are_cleared(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.Adam(params, lr=0.1)
    (params[0].sum() * 2 + params[1].sum()).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    zeroed = [p.grad if p.grad is None else p.grad.clone() for p in params]
    optimizer.step()
    optimizer.zero_grad()
    return [zeroed, [p.grad is None for p in params], outcome(optimizer, params)]


@case
def hooks_see_each_step(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.SGD(params, lr=0.1)
    base = import_module(f"{torch.__name__}.optim.optimizer")
    seen: list[Any] = []
    handles = [
        optimizer.register_step_pre_hook(
            lambda o, args, kwargs: seen.append(["pre", o is optimizer, len(args), list(kwargs)])
        ),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(["post", o is optimizer])),
        base.register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all pre")),
        base.register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all post")),
    ]
    descend(torch, optimizer, params, 1)
    for handle in handles[:2]:
        handle.remove()
    descend(torch, optimizer, params, 1)
    for handle in handles[2:]:
        handle.remove()
    descend(torch, optimizer, params, 1)
    return [seen, params]


@case
def hooks_around_saving(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.SGD(params, lr=0.1)
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("before saving"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("before that"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, saved: {**saved, "extra": 3})
    optimizer.register_load_state_dict_pre_hook(lambda o, saved: {k: v for k, v in saved.items() if k != "extra"})
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    return [seen, saved["extra"], optimizer.param_groups[0]["lr"]]


@case
def hooks_may_change_the_arguments(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.SGD(params, lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 5.0), {}))
    wrong = torch.optim.SGD(params, lr=0.1)
    wrong.register_step_pre_hook(lambda o, args, kwargs: 3)
    return [optimizer.step(), raises(wrong.step)]


@case
def closures_compute_gradients(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    return [loss, w, optimizer.step(lambda: 3.5)]


@case(**TOLERANCE)
def changes_by_hand_between_steps(torch: Any) -> Any:
    params = leaves(torch)
    a, b, c = params
    optimizer = torch.optim.Adam(params, lr=0.05)
    descend(torch, optimizer, params, 3)
    with torch.no_grad():
        a.mul_(0.5)
        b[1] = 7.0
    optimizer.state[a]["exp_avg"].zero_()
    optimizer.state[b]["step"].fill_(1.0)
    optimizer.state[b]["exp_avg_sq"] = torch.ones(4)
    descend(torch, optimizer, params, 2, start=3)
    c.data = torch.full((1,), 3.0)
    optimizer.state[a] = {}
    descend(torch, optimizer, params, 2, start=5)
    b.data = b.data.clone()
    optimizer.param_groups[0]["betas"] = (0.5, 0.6)
    optimizer.param_groups[0]["weight_decay"] = 0.1
    descend(torch, optimizer, params, 2, start=7)
    return outcome(optimizer, params)


@case
def memory_is_shared_after_a_step(torch: Any) -> Any:
    base = torch.arange(6.0)
    w = base[1:5].requires_grad_()
    column = torch.arange(6.0).reshape(3, 2)[:, 1].requires_grad_()
    seen = [w.detach(), column.detach(), w.detach().numpy()]
    optimizer = torch.optim.SGD([w, column], lr=1.0)
    descend(torch, optimizer, [w, column], 2)
    return [base.detach(), w, column, *seen]


@case
def switched_on_later(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.SGD(params, lr=0.1)
    descend(torch, optimizer, params, 2)
    optimizer.param_groups[0]["momentum"] = 0.9
    optimizer.param_groups[0]["dampening"] = 0.5
    descend(torch, optimizer, params, 2, start=2)
    optimizer.param_groups[0]["nesterov"] = True
    optimizer.param_groups[0]["maximize"] = True
    descend(torch, optimizer, params, 2, start=4)
    return outcome(optimizer, params)


@case
def nothing_to_do(torch: Any) -> Any:
    params = leaves(torch)
    optimizer = torch.optim.Adam(params)
    return [optimizer.step(), outcome(optimizer, params)]


# PyTorch computes 1 - beta**t in single precision here, and so loses four digits.
@case(params=[(rule,) for rule in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta")], rtol=1e-4, atol=1e-4)
def gradients_through_a_step(torch: Any, rule: str) -> Any:
    start = sample(torch, 4, requires_grad=True)
    w = start.clone()
    optimizer = getattr(torch.optim, rule)([w], lr=0.1, differentiable=True, weight_decay=0.1)
    for t in range(2):
        w.grad = start * start * (t + 1) + 0.5
        optimizer.step()
    w.sum().backward()
    return [w, start.grad]


@case
def refusals(torch: Any) -> Any:
    optim, (a, b, c) = torch.optim, leaves(torch)
    results = {
        "tensor": lambda: optim.SGD(a),
        "nothing": lambda: optim.SGD([]),
        "text": lambda: optim.SGD(["weight"]),
        "number": lambda: optim.SGD([1.0]),
        "set": lambda: optim.SGD([{"params": {a}}]),
        "non-leaf": lambda: optim.SGD([a * 2]),
        "group": lambda: optim.SGD([a]).add_param_group([b]),
        "no params": lambda: optim.SGD([{"lr": 1.0}]),
        "twice": lambda: optim.SGD([a]).add_param_group({"params": [b, a]}),
        "some names": lambda: optim.SGD([("a", a), b]),
        "fewer groups": lambda: optim.SGD([a]).load_state_dict(optim.SGD([{"params": a}, {"params": b}]).state_dict()),
        "fewer parameters": lambda: optim.SGD([a]).load_state_dict(optim.SGD([a, b]).state_dict()),
        "no groups": lambda: optim.SGD([a]).load_state_dict({"state": {}}),
        "two groups": lambda: optim.LBFGS([{"params": a}, {"params": b}]),
        "no closure": lambda: optim.LBFGS([c]).step(),
        "no rule": lambda: optim.Optimizer([a], {}).step(),
        "required": lambda: optim.Optimizer([a], {"lr": import_module(f"{torch.__name__}.optim.optimizer").required}),
        "fused and foreach": lambda: optim.Adam([a], fused=True, foreach=True),
        "fused and differentiable": lambda: optim.SGD([a], fused=True, differentiable=True),
        "nesterov": lambda: optim.SGD([a], nesterov=True),
        "nesterov dampened": lambda: optim.SGD([a], momentum=0.9, dampening=0.1, nesterov=True),
        "betas of int": lambda: optim.Adam([a], betas=(0, 0.9)),
        "line search": lambda: optim.LBFGS([c], line_search_fn="none").step(lambda: ((c**2).sum().backward(), 1.0)[1]),
    }
    return {name: raises(call) for name, call in results.items()}


WRONG = {
    "lr": (-1.0, list(SETTINGS)),
    "weight_decay": (-1.0, [r for r in SETTINGS if r != "Rprop"]),
    "eps": (-1.0, ["Adagrad", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta"]),
    "betas": ((0.9, 1.0), ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]),
    "momentum": (-0.1, ["SGD", "RMSprop"]),
    "alpha": (-0.1, ["RMSprop", "ASGD"]),
    "rho": (-0.1, ["Adadelta"]),
    "lr_decay": (-0.1, ["Adagrad"]),
    "initial_accumulator_value": (-0.1, ["Adagrad"]),
    "momentum_decay": (-0.1, ["NAdam"]),
    "etas": ((1.1, 1.2), ["Rprop"]),
    "beta2_decay": (0.1, ["Adafactor"]),
    "d": (0.5, ["Adafactor"]),
}


@case(params=[((-1e-3, 1e-3),), ((None, -1e-3),)])
def epsilons_of_adafactor(torch: Any, eps: Any) -> Any:
    return message(lambda: torch.optim.Adafactor(leaves(torch), eps=eps), ValueError)


@case(params=[(rule, name) for name, (_, rules) in WRONG.items() for rule in rules])
def outside_the_domain(torch: Any, rule: str, name: str) -> Any:
    try:
        getattr(torch.optim, rule)(leaves(torch), **{name: WRONG[name][0]})
    except ValueError as error:
        return f"ValueError: {error}"
    return "accepted"


@case
def wrapped_without_init(torch: Any) -> Any:
    """Wrappers such as Lookahead leave Optimizer.__init__ out, and hand over to the optimiser that they hold."""

    class Slow(torch.optim.Optimizer):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any) -> None:
            self.inner, self.param_groups, self.state, self.calls = inner, inner.param_groups, inner.state, 0

        def step(self, closure: Any = None) -> Any:
            self.calls += 1
            return self.inner.step(closure)

    params = leaves(torch)
    slow = Slow(torch.optim.Adam(params, lr=0.1))
    descend(torch, slow, params, 3)
    return [*params, slow.calls, len(slow.state)]
