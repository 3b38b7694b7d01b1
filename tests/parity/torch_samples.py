"""PyTorch's own sample inputs for modules and optimisers, written down so that they can be run without PyTorch.

    python -m tests.parity.torch_samples

`torch.testing._internal` holds, for every module and optimiser, the settings and inputs that PyTorch tests itself with,
good ones and such as must be refused. They are stored here as plain data (samples/*.npz); the cases of
`cases/torch_modules.py` and `cases/torch_optimizers.py` bring them to life again in either namespace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.parity import store
from tests.parity.harness import Array, Entries, flatten, live_torch

FOLDER = Path(__file__).parent / "samples"

# What lies outside fully connected networks; fanin must lack every one, so the list cannot grow stale.
MODULES_OUT_OF_SCOPE = frozenset(
    "BatchNorm2d BatchNorm3d CTCLoss FractionalMaxPool2d FractionalMaxPool3d GRU GRUCell InstanceNorm2d "
    "InstanceNorm3d LSTM LSTMCell LinearCrossEntropyLoss LocalResponseNorm MultiheadAttention RNN RNNCell Transformer "
    "TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer".split()
    + [
        f"{kind}{n}d"
        for n in (1, 2, 3)
        for kind in ("AdaptiveAvgPool", "AdaptiveMaxPool", "AvgPool", "LPPool", "MaxPool")
    ]
    + [f"{kind}{n}d" for n in (1, 2, 3) for kind in ("Conv", "ConvTranspose", "LazyConv", "LazyConvTranspose")]
    + [f"{kind}Pad{n}d" for n in (1, 2, 3) for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")]
)
OPTIMIZERS_OUT_OF_SCOPE = frozenset({"Muon", "SparseAdam"})

Samples = dict[str, Entries]


@dataclass
class Writer:
    """Turns values into plain data beside a list of tensors, each tensor once however often it occurs."""

    tensors: list[Any] = field(default_factory=list)

    def plain(self, value: Any) -> Any:
        """Return plain data for a nested value."""
        if hasattr(value, "detach"):
            return {"tensor": self._place(value), "grad": value.requires_grad, "kind": type(value).__name__}
        if isinstance(value, (tuple, list)):
            return {type(value).__name__: [self.plain(v) for v in value]}
        if isinstance(value, dict):
            return {"dict": {key: self.plain(v) for key, v in value.items()}}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"a sample holds a {type(value).__name__}, for which there is no plain form")

    def _place(self, tensor: Any) -> int:
        for i, known in enumerate(self.tensors):
            if known is tensor:
                return i
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def entries(self, **plan: Any) -> Entries:
        """Return a sample as it is stored: its plan as text, and its tensors."""
        text = json.dumps({key: self.plain(value) for key, value in plan.items()})
        arrays = flatten({str(i): tensor for i, tensor in enumerate(self.tensors)})
        return {"plan": text, **arrays}


@dataclass
class Reader:
    """Brings a stored sample to life in one namespace; tensors of float32 are given the dtype asked for."""

    torch: ModuleType
    dtype: str
    sample: Entries
    tensors: dict[int, Any] = field(default_factory=dict)

    def plan(self) -> dict[str, Any]:
        """Return the sample's parts by name."""
        return {key: self.value(v) for key, v in json.loads(self.sample["plan"]).items()}

    def value(self, plain: Any) -> Any:
        """Return what a piece of plain data stands for."""
        if not isinstance(plain, dict):
            return plain
        if "tensor" in plain:
            number = plain["tensor"]
            if number not in self.tensors:
                self.tensors[number] = self._tensor(plain)
            return self.tensors[number]
        if "dict" in plain:
            return {key: self.value(v) for key, v in plain["dict"].items()}
        ((kind, values),) = plain.items()
        if kind == "complex":
            return complex(*values)
        return {"tuple": tuple, "list": list}[kind](self.value(v) for v in values)

    def _tensor(self, plain: dict[str, Any]) -> Any:
        stored: Array = self.sample[str(plain["tensor"])]
        tensor = self.torch.from_numpy(stored.values.copy())
        if stored.dtype == "float32":
            tensor = tensor.to(getattr(self.torch, self.dtype))
        if plain["kind"] == "Parameter":
            return self.torch.nn.Parameter(tensor)
        return tensor.requires_grad_() if plain["grad"] else tensor


def module_samples(torch: ModuleType) -> Samples:
    """Return PyTorch's sample inputs for the modules in scope, good and bad."""
    from torch.testing._internal.common_modules import module_db

    samples: Samples = {}
    for info in module_db:
        name = info.name.removeprefix("nn.")
        if name in MODULES_OUT_OF_SCOPE:
            continue
        for training in (True, False) if info.train_and_eval_differ else (True,):
            torch.manual_seed(0)
            arguments = (info, "cpu", torch.float32, True, training)
            mode = "" if training else "_eval"
            for i, given in enumerate(info.module_inputs_func(*arguments)):
                samples[f"{name}_{i}{mode}"] = _module_sample(name, info.module_cls, given, training)
            for i, given in enumerate(
                info.module_error_inputs_func(*arguments) if info.module_error_inputs_func else ()
            ):
                samples[f"{name}_error_{i}{mode}"] = _module_plan(name, given.module_error_input, training, {})
    return samples


def _module_sample(name: str, cls: Callable[..., Any], given: Any, training: bool) -> Entries:
    module = cls(*given.constructor_input.args, **given.constructor_input.kwargs)
    return _module_plan(name, given, training, dict(module.state_dict()))


def _module_plan(name: str, given: Any, training: bool, state: dict[str, Any]) -> Entries:
    forward = given.forward_input
    return Writer().entries(
        name=name,
        about=given.desc,
        training=training,
        args=given.constructor_input.args,
        kwargs=given.constructor_input.kwargs,
        forward_args=forward.args if forward else (),
        forward_kwargs=forward.kwargs if forward else {},
        state=state,
    )


def optimizer_samples(torch: ModuleType) -> Samples:
    """Return PyTorch's settings of the optimisers in scope, good and bad."""
    from torch.testing._internal.common_optimizers import optim_db

    samples: Samples = {}
    for info in optim_db:
        if info.name in OPTIMIZERS_OUT_OF_SCOPE:
            continue
        torch.manual_seed(0)
        for i, given in enumerate(info.optim_inputs_func(device="cpu")):
            samples[f"{info.name}_{i}"] = _optimizer_plan(info.name, given)
        for i, wrong in enumerate(info.optim_error_inputs_func(device="cpu", dtype=torch.float32)):
            given = wrong.optimizer_error_input
            if not any(p.is_complex() for p in given.params or () if isinstance(p, torch.Tensor)):
                samples[f"{info.name}_error_{i}"] = _optimizer_plan(info.name, given)
    return samples


def _optimizer_plan(name: str, given: Any) -> Entries:
    return Writer().entries(name=name, about=given.desc, params=given.params, kwargs=given.kwargs)


SOURCES: dict[str, Callable[[ModuleType], Samples]] = {"modules": module_samples, "optimizers": optimizer_samples}


def stored(kind: str) -> Iterator[tuple[str, Entries]]:
    """Yield the stored samples of "modules" or "optimizers" with their names."""
    yield from store.read(kind, FOLDER).items()


def main() -> None:
    """Write the samples anew."""
    torch = live_torch()
    for kind, source in SOURCES.items():
        samples = source(torch)
        changed = store.write(kind, samples, FOLDER)
        print(f"{kind}: {len(samples)} samples, {'written' if changed else 'unchanged'}")


if __name__ == "__main__":
    main()
