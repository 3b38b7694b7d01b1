"""Pruned parameters: which entries go, what is kept of the others, how they train, and how it ends."""

from __future__ import annotations

import importlib
from typing import Any

from tests.parity.harness import case, message, raises, sample

WAYS = [
    ("identity",), ("random_unstructured", 5), ("random_unstructured", 0.3), ("l1_unstructured", 0),
    ("l1_unstructured", 7), ("l1_unstructured", 0.25), ("random_structured", 2, 0),
    ("random_structured", 0.5, 1), ("random_structured", 0, -1), ("ln_structured", 2, 2, 0),
    ("ln_structured", 0.5, 1, 1), ("ln_structured", 1, float("inf"), -1),
]  # fmt: skip


def room(torch: Any) -> Any:
    return importlib.import_module(f"{torch.__name__}.nn.utils.prune")


def network(torch: Any) -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))


def trained(torch: Any, net: Any, steps: int = 3) -> list[Any]:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    x, y = sample(torch, 5, 4), sample(torch, 5, 2, seed=1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    net(x)
    return [*losses, *(p.grad for p in net.parameters())]


def described(net: Any) -> Any:
    return [
        [name for name, _ in net.named_parameters()],
        [name for name, _ in net.named_buffers()],
        {name: value.clone() for name, value in net.state_dict().items()},
        net[0].weight.detach().clone(),
    ]


@case(params=WAYS, rtol=3e-6)
def ways(torch: Any, *way: Any) -> Any:
    net, prune = network(torch), room(torch)
    name, *arguments = way
    returned = getattr(prune, name)(net[0], "weight", *arguments)
    before = described(net)
    return [returned is net[0], before, trained(torch, net), described(net), torch.rand(2)]


@case(params=[(first, second) for first in range(1, 12, 2) for second in range(1, 12, 3)], rtol=3e-6)
def one_after_the_other(torch: Any, first: int, second: int) -> Any:
    net, prune = network(torch), room(torch)
    for name, *arguments in (WAYS[first], WAYS[second], ("l1_unstructured", 1)):
        getattr(prune, name)(net[0], "weight", *arguments)
    (hook,) = net[0]._forward_pre_hooks.values()
    kinds = [type(method).__name__ for method in hook]
    return [len(hook), kinds, type(hook[0]).__name__, described(net), trained(torch, net)]


@case(rtol=3e-6)
def ended(torch: Any) -> Any:
    net, prune = network(torch), room(torch)
    untouched = prune.is_pruned(net)
    prune.l1_unstructured(net[0], "weight", 5)
    prune.l1_unstructured(net[0], "bias", 2)
    losses = trained(torch, net)
    pruned, inner = prune.is_pruned(net), prune.is_pruned(net[2])
    kept = net[0].weight_orig
    prune.remove(net[0], "weight")
    flags = [untouched, pruned, inner, net[0].weight is kept, prune.is_pruned(net)]
    return [flags, losses, described(net), trained(torch, net)]


@case(rtol=3e-6)
def together(torch: Any) -> Any:
    net, prune = network(torch), room(torch)
    pairs = [(net[0], "weight"), (net[2], "weight"), (net[2], "bias")]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=0.3)
    first = described(net)
    prune.global_unstructured(pairs[:2], prune.RandomUnstructured, amount=4)
    scores = {(net[2], "weight"): sample(torch, 2, 6, low=0.0, high=0.2)}
    prune.global_unstructured(pairs[:2], prune.L1Unstructured, importance_scores=scores, amount=6)
    return [first, described(net), trained(torch, net), net[2].bias_mask]


@case(rtol=3e-6)
def own_methods(torch: Any) -> Any:
    net, prune = network(torch), room(torch)

    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    hook = EveryOther.apply(net[0], "weight")
    prune.custom_from_mask(net[2], "bias", torch.tensor([True, False]))
    prune.l1_unstructured(net[2], "weight", 3, importance_scores=torch.arange(12.0).view(2, 6))
    found = [type(hook).__name__, described(net)]
    again = EveryOther.apply(net[0], "weight")
    alone = prune.LnStructured(1, 2, 0).prune(sample(torch, 3, 4))
    return [*found, type(again).__name__, described(net), alone, prune.Identity().prune(sample(torch, 2))]


@case
def mistakes(torch: Any) -> Any:
    prune, layer = room(torch), torch.nn.Linear(3, 2)

    def said(call: Any) -> str:
        return message(call, ValueError, TypeError, IndexError)

    pruned = prune.identity(torch.nn.Linear(3, 2), "weight")
    return {
        "share": said(lambda: prune.l1_unstructured(layer, "weight", 1.5)),
        "negative": said(lambda: prune.l1_unstructured(layer, "weight", -1)),
        "many": said(lambda: prune.l1_unstructured(layer, "weight", 7)),
        "kind": said(lambda: prune.random_unstructured(layer, "weight", "3")),
        "vector": said(lambda: prune.ln_structured(layer, "bias", 1, 2, 0)),
        "dim": said(lambda: prune.ln_structured(layer, "weight", 1, 2, 5)),
        "not pruned": said(lambda: prune.remove(layer, "weight")),
        "no name": raises(lambda: prune.identity(layer, "foo")),
        "scores": raises(lambda: prune.l1_unstructured(layer, "weight", 1, importance_scores=torch.ones(2))),
        "no pairs": said(lambda: prune.global_unstructured(3, prune.L1Unstructured, amount=1)),
        "scores of all": said(lambda: prune.global_unstructured([], prune.L1Unstructured, [1], amount=1)),
        "structured": raises(lambda: prune.global_unstructured([(layer, "weight")], prune.LnStructured, amount=1, n=2)),
        "container": said(lambda: prune.PruningContainer().add_pruning_method(3)),
        "as it was": [sorted(name for name, _ in layer.named_parameters()), len(layer._forward_pre_hooks)],
        "weight": raises(lambda: setattr(pruned, "weight", 3)),
    }
