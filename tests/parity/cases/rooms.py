"""Small modules that scripts import by habit: accelerator, types, checkpoint, helpers of modules, autocast's state."""

from __future__ import annotations

import importlib
from typing import Any

from tests.parity.harness import case, raises, sample, with_gradients


def module(torch: Any, name: str) -> Any:
    return importlib.import_module(f"{torch.__name__}.{name}")


@case
def accelerator(torch: Any) -> Any:
    room = torch.accelerator
    device = room.current_accelerator().type if room.is_available() else "cpu"
    return {
        "device": torch.ones(2, device=device),
        "current": str(room.current_accelerator()),
        "count": room.device_count(),
        "synchronize": raises(lambda: room.synchronize()),
        "index": raises(lambda: room.current_device_index()),
        "set": raises(lambda: room.set_device_index(0)),
    }


@case
def types(torch: Any) -> Any:
    room = module(torch, "types")
    return [isinstance(value, room.Number) for value in (1, 2.0, True, "a")] + [room._size is not None]


@case(params=[("float32",), ("float64",)])
def checkpoint(torch: Any, dtype: str) -> Any:
    room = module(torch, "utils.checkpoint")
    x = sample(torch, 3, 4, dtype=dtype, requires_grad=True)
    w = sample(torch, 4, 4, dtype=dtype, seed=1, requires_grad=True)
    layers = [torch.tanh, torch.exp, torch.sin]

    def block(x, w, *, scale):
        return torch.tanh(x @ w) * scale

    return {
        "one": with_gradients(torch, lambda x, w: room.checkpoint(block, x, w, scale=2.0, use_reentrant=False), x, w),
        "in a row": with_gradients(
            torch, lambda x: room.checkpoint_sequential(layers, 2, x, use_reentrant=False), x.detach().requires_grad_()
        ),
        "keyword": raises(lambda: room.checkpoint(block, x, w, scale=2.0, use_reentrant=True)),
    }


@case
def prefixes(torch: Any) -> Any:
    room = module(torch, "nn.modules.utils")
    inner = torch.nn.Sequential(torch.nn.Linear(2, 1))
    state = torch.nn.Sequential(inner).state_dict()
    room.consume_prefix_in_state_dict_if_present(state, "0.")
    plain = {"module.a": 1, "b": 2}
    room.consume_prefix_in_state_dict_if_present(plain, "module.")
    return {
        "names": sorted(state),
        "metadata": sorted(state._metadata),
        "loaded": str(inner.load_state_dict(state)),
        "plain": sorted(plain),
        "pairs": [room._pair(3), room._pair((1, 2)), room._single(4), room._triple(5)],
    }


@case
def states(torch: Any) -> Any:
    with torch.autograd.set_detect_anomaly(True):
        inside = torch.is_anomaly_enabled()
    return [torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu"), inside, torch.is_anomaly_enabled()]


@case
def modules_without_values(torch: Any) -> Any:
    skip = torch.nn.utils.skip_init
    torch.manual_seed(1)
    layer = skip(torch.nn.Linear, 3, 2)
    return [
        list(layer.weight.shape),
        layer.weight.requires_grad,
        torch.rand(2),
        raises(lambda: skip(3)),
        raises(lambda: skip(dict)),
    ]


@case
def names_of_types(torch: Any) -> Any:
    objects = (torch.ones(1), torch.arange(2), 1, [], list, int)
    return [torch.typename(x) for x in objects]
