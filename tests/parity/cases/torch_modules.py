"""PyTorch's own sample inputs for its modules: outputs, gradients and state, or the error that is due."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, Entries, case, raises, sample
from tests.parity.torch_samples import Reader, stored

# 1 - y * y, and g - sum(g * y): what is subtracted is about 1, so the difference has the rounding error of 1.
SATURATING = ("Tanh", "Sigmoid", "Softmax", "Softmin", "LogSoftmax")
ATOL = {"float32": 3e-7}
# A gradient less its mean and less its part along the input, of a few numbers, over their deviation: what is left is
# small, and PyTorch's own error in it, measured against float64, is up to 6e-7; in the sums over a batch, up to 6e-6.
NORMALISING = ("BatchNorm1d", "GroupNorm", "InstanceNorm1d", "LayerNorm", "RMSNorm")
NORMALISING_ATOL = {"float32": 5e-6}


def _module(torch: Any, plan: dict[str, Any], dtype: str) -> Any:
    module = getattr(torch.nn, plan["name"])(*plan["args"], **plan["kwargs"]).to(getattr(torch, dtype))
    module.load_state_dict(plan["state"])
    return module.train(plan["training"])


def _leaves(plan: dict[str, Any]) -> dict[str, Any]:
    given = {**dict(enumerate(plan["forward_args"])), **plan["forward_kwargs"]}
    return {str(key): value for key, value in given.items() if getattr(value, "requires_grad", False)}


def run(torch: Any, stored_sample: Entries, dtype: str) -> Any:
    """Run one good sample and return everything that can be seen of it."""
    plan = Reader(torch, dtype, stored_sample).plan()
    module = _module(torch, plan, dtype)
    out = module(*plan["forward_args"], **plan["forward_kwargs"])
    inputs, parameters = _leaves(plan), dict(module.named_parameters())
    weights = 1 + sample(torch, *out.shape, dtype=dtype, seed=9) / 4
    leaves = [*inputs.values(), *parameters.values()]
    grads = torch.autograd.grad((out * weights).sum(), leaves, allow_unused=True) if leaves else ()
    names = [*inputs, *parameters]
    return {"out": out, "grads": dict(zip(names, grads, strict=True)), "state": dict(module.state_dict())}


def refuse(torch: Any, stored_sample: Entries) -> Any:
    """Run one bad sample and return which error its construction and its call raise."""
    plan = Reader(torch, "float32", stored_sample).plan()
    build = lambda: getattr(torch.nn, plan["name"])(*plan["args"], **plan["kwargs"])  # noqa: E731
    call = lambda: build()(*plan["forward_args"], **plan["forward_kwargs"])  # noqa: E731
    return {"construction": raises(build), "call": raises(call)}


def _declare(name: str, stored_sample: Entries) -> None:
    if "_error_" in name:
        case(lambda torch: refuse(torch, stored_sample), name=name)
    else:
        atol = ATOL if name.startswith(SATURATING) else NORMALISING_ATOL if name.startswith(NORMALISING) else None
        case(lambda torch, dtype: run(torch, stored_sample, dtype), name=name, params=DTYPES, atol=atol)


for _name, _sample in stored("modules"):
    _declare(_name, _sample)
