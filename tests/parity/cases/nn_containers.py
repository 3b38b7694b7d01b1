"""The containers: Sequential, lists and dicts of modules and of parameters; texts, changes, errors."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tests.parity.harness import case, raises


def _done(torch: Any, make: Any, act: Any) -> str:
    """Return what a container looks like after an action, or which error that raises."""
    container = make()
    error = raises(lambda: act(container))
    return f"{error}: {container}"


@case
def sequential(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())

    actions = [
        lambda s: s.append(nn.ELU()),
        lambda s: s.append(3),
        lambda s: s.insert(0, nn.ELU()),
        lambda s: s.insert(-1, nn.ELU()),
        lambda s: s.insert(3, nn.ELU()),
        lambda s: s.insert(9, nn.ELU()),
        lambda s: s.insert(0, 3),
        lambda s: s.extend([nn.ELU(), nn.GELU()]),
        lambda s: s.extend(3),
        lambda s: s.pop(0),
        lambda s: s.pop(-1),
        lambda s: s.pop(7),
        lambda s: s.__delitem__(0),
        lambda s: s.__delitem__(slice(1, None)),
        lambda s: s.__delitem__(7),
        lambda s: s.__setitem__(0, nn.GELU()),
        lambda s: s.__setitem__(-1, nn.GELU()),
        lambda s: s.__setitem__(0, 3),
        lambda s: s.__iadd__(nn.Sequential(nn.ReLU())),
        lambda s: s.__iadd__([nn.ReLU()]),
        lambda s: s.__imul__(2),
        lambda s: s.__imul__(0),
        lambda s: s.__imul__(1.5),
    ]
    values = [
        lambda s: s[0],
        lambda s: s[-1],
        lambda s: s[0:2],
        lambda s: s + nn.Sequential(nn.ReLU()),
        lambda s: s * 2,
        lambda s: 2 * s,
        lambda s: list(s),
        lambda s: len(s),
    ]
    errors = [
        lambda: make()[3],
        lambda: make()["a"],
        lambda: make() + 3,
        lambda: make() * 0,
        lambda: nn.Sequential(3),
        lambda: nn.Sequential([nn.ReLU()]),
        lambda: nn.Sequential({"a": nn.ReLU()}),
    ]
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    named.append(nn.ELU())
    return {
        "actions": [_done(torch, make, act) for act in actions],
        "values": [str(value(make())) for value in values],
        "errors": [raises(call) for call in errors],
        "named": [str(named), str(named.a), str(named[1]), list(dict(named.named_children()))],
        "empty": [str(nn.Sequential()), nn.Sequential()(3), str(nn.Sequential(nn.ReLU(), None))],
    }


@case
def module_list(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 2), nn.ModuleList([nn.ReLU(), nn.ReLU()])])

    actions = [
        lambda s: s.append(nn.ELU()),
        lambda s: s.append(3),
        lambda s: s.extend([nn.ELU(), nn.ELU()]),
        lambda s: s.extend(3),
        lambda s: s.insert(1, nn.ReLU()),
        lambda s: s.pop(0),
        lambda s: s.pop(9),
        lambda s: s.__delitem__(-1),
        lambda s: s.__delitem__(slice(0, 2)),
        lambda s: s.__setitem__(0, nn.GELU()),
        lambda s: s.__setitem__(0, 3),
        lambda s: s.__iadd__([nn.ELU()]),
        lambda s: s(1),
    ]
    values = [
        lambda s: s[1:3],
        lambda s: s[-1],
        lambda s: s.__add__([nn.ReLU()]),
        lambda s: len(s),
        lambda s: list(s)[2],
    ]
    return {
        "actions": [_done(torch, make, act) for act in actions],
        "values": [str(value(make())) for value in values],
        "errors": [raises(lambda: make()[9]), raises(lambda: make()["0"]), raises(lambda: nn.ModuleList([3]))],
        "texts": [str(nn.ModuleList()), str(nn.ModuleList(nn.ReLU() for _ in range(2))), "0" in dir(make())],
    }


@case
def module_dict(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})

    actions = [
        lambda d: d.update({"c": nn.ELU(), "b": nn.GELU()}),
        lambda d: d.update([("c", nn.ELU())]),
        lambda d: d.update(nn.ModuleDict({"z": nn.ELU()})),
        lambda d: d.update(3),
        lambda d: d.update([3]),
        lambda d: d.update([(1,)]),
        lambda d: d.pop("a"),
        lambda d: d.pop("q"),
        lambda d: d.clear(),
        lambda d: d.__delitem__("a"),
        lambda d: d.__setitem__("x.y", nn.ReLU()),
        lambda d: d.__setitem__("type", nn.ReLU()),
        lambda d: d.__setitem__(1, nn.ReLU()),
        lambda d: d.__setitem__("k", 3),
        lambda d: d["q"],
        lambda d: d(1),
    ]
    d = make()
    seen = [
        len(d),
        "a" in d,
        list(d),
        list(d.keys()),
        [str(v) for v in d.values()],
        [k for k, _ in d.items()],
        str(d["a"]),
    ]
    return [[_done(torch, make, act) for act in actions], seen, str(nn.ModuleDict())]


@case
def parameter_list(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ParameterList([nn.Parameter(torch.ones(2, 3)), torch.ones(2), 3, "x", nn.Linear(1, 1)])

    actions = [
        lambda p: p.append(torch.zeros(1)),
        lambda p: p.extend([torch.zeros(1), 2]),
        lambda p: p.extend(3),
        lambda p: p.extend(torch.ones(2)),
        lambda p: p.extend(p),
        lambda p: p.__setitem__(0, torch.zeros(4)),
        lambda p: p.__setitem__(9, torch.zeros(4)),
        lambda p: p.__iadd__([2]),
        lambda p: p(1),
        lambda p: p[9],
    ]
    p = make()
    seen = [
        len(p),
        p[1],
        p[-3],
        str(p[0:2]),
        list(p.state_dict()),
        [type(v).__name__ for v in p],
        str(nn.ParameterList()),
    ]
    return [[_done(torch, make, act) for act in actions], seen]


@case
def parameter_dict(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ParameterDict(OrderedDict(b=nn.Parameter(torch.ones(2)), a=torch.ones(1), c=3, d="s"))

    actions = [
        lambda d: d.update({"z": torch.ones(1), "y": torch.ones(2)}),
        lambda d: d.update([("z", torch.ones(1)), ("y", 1)]),
        lambda d: d.update(3),
        lambda d: d.update([3]),
        lambda d: d.update([(1, 2, 3)]),
        lambda d: d.pop("a"),
        lambda d: d.pop("q"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("e", torch.ones(1)),
        lambda d: d.__delitem__("b"),
        lambda d: d.__setitem__("a", 3),
        lambda d: d.__setitem__("c", torch.ones(1)),
        lambda d: d.__ior__({"q": torch.ones(1)}),
        lambda d: d["zz"],
        lambda d: d(1),
    ]
    d = make()
    seen = [
        len(d),
        list(d),
        list(reversed(d)),
        list(d.keys()),
        [k for k, _ in d.items()],
        len(list(d.values())),
        "a" in d,
    ]
    seen += [
        list(d.state_dict()),
        d.get("b"),
        d.get("zz", 4),
        str(d.copy()),
        str(d.fromkeys(["x", "y"], 1.0)),
        str(d | d),
    ]
    texts = [str(nn.ParameterDict({"b": torch.ones(1), "a": torch.ones(2, 3)})), str(nn.ParameterDict())]
    return [[_done(torch, make, act) for act in actions], seen, texts]
