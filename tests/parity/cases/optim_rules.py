"""Every optimiser in many settings: values and state after one step and after fifty, with gaps in the gradients."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, sample

LR: dict[str, dict[str, Any]] = {"lr": {"lr": 0.03}, "maximize": {"maximize": True}}
DECAY: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.1},
    "climb": {"weight_decay": 0.1, "maximize": True},
}
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {
        "default": {},
        **LR,
        **DECAY,
        "momentum": {"lr": 0.01, "momentum": 0.9},
        "dampening": {"lr": 0.01, "momentum": 0.9, "dampening": 0.9},
        "nesterov": {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
        "all": {"lr": 0.01, "momentum": 0.5, "dampening": 0.3, "weight_decay": 0.05, "maximize": True},
    },
    "Adagrad": {
        "default": {},
        **LR,
        **DECAY,
        "lr_decay": {"lr": 0.1, "lr_decay": 0.2},
        "start": {"initial_accumulator_value": 0.5},
        "eps": {"eps": 0.1},
    },
    "RMSprop": {
        "default": {},
        **LR,
        **DECAY,
        "alpha": {"alpha": 0.9},
        "short": {"alpha": 0.2, "centered": True},
        "momentum": {"momentum": 0.7},
        "centered": {"centered": True},
        "all": {"alpha": 0.8, "momentum": 0.5, "centered": True, "weight_decay": 0.1, "eps": 1e-3, "maximize": True},
    },
    "Adam": {
        "default": {},
        **LR,
        **DECAY,
        "betas": {"betas": (0.8, 0.9)},
        "no_memory": {"betas": (0.0, 0.5)},
        "short": {"betas": (0.4, 0.3), "lr": 0.02},
        "amsgrad": {"amsgrad": True, "betas": (0.9, 0.5)},
        "eps": {"eps": 0.1},
        "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    },
    "AdamW": {
        "default": {},
        **LR,
        **DECAY,
        "no_decay": {"weight_decay": 0.0},
        "amsgrad": {"amsgrad": True, "weight_decay": 0.3, "lr": 0.02},
    },
    "Adamax": {"default": {}, **LR, **DECAY, "betas": {"betas": (0.4, 0.9)}, "eps": {"eps": 0.1}},
    "NAdam": {
        "default": {},
        **LR,
        **DECAY,
        "betas": {"betas": (0.4, 0.9)},
        "momentum_decay": {"momentum_decay": 0.1},
        "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    },
    "RAdam": {
        "default": {},
        **LR,
        **DECAY,
        "betas": {"betas": (0.4, 0.9)},
        "eps": {"eps": 0.1},
        "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    },
    "Adadelta": {"default": {}, **LR, **DECAY, "rho": {"rho": 0.3}, "eps": {"eps": 0.1}},
    "ASGD": {
        "default": {},
        **LR,
        **DECAY,
        "averaging": {"t0": 5, "lambd": 0.01, "lr": 0.05},
        "from_the_start": {"t0": 0, "alpha": 0.3},
    },
    "Adafactor": {
        "default": {},
        **LR,
        **DECAY,
        "beta2_decay": {"beta2_decay": -0.3},
        "no_memory": {"beta2_decay": 0},
        "eps": {"eps": (0.1, 0.5)},
        "d": {"d": 3.0},
    },
    "Rprop": {"default": {}, **LR, "etas": {"etas": (0.3, 1.7)}, "step_sizes": {"step_sizes": (1e-3, 0.05)}},
}
SHAPES = [(3, 4), (5,), (), (0, 3), (2, 1), (2,)]
# PyTorch's Adafactor divides by the size of a parameter; several matrices, instead of an empty one.
FILLED = {(0, 3): (2, 3, 4)}
STEPS = 50
# Rounding errors of fifty steps; one step is compared eight digits deep.
TOLERANCE: dict[str, Any] = {"rtol": {"float32": 2e-5, "float64": 1e-11}, "atol": {"float32": 2e-6, "float64": 1e-12}}
# A parameter near zero has the rounding error of the size it came from.
ONE_STEP: dict[str, Any] = {"atol": {"float32": 5e-8}}


def parameters(torch: Any, rule: str, dtype: str) -> list[Any]:
    shapes = [FILLED.get(shape, shape) if rule == "Adafactor" else shape for shape in SHAPES]
    leaves = [sample(torch, *shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
    leaves.append(sample(torch, 3, 2, dtype=dtype, seed=8).t())
    return [p.requires_grad_() for p in leaves]


def give_gradients(torch: Any, params: list[Any], dtype: str, t: int) -> None:
    """Pull every parameter towards 0.5, shakily; the last but one never has a gradient, the second every other time."""
    for i, p in enumerate(params):
        absent = i == len(SHAPES) - 1 or (i == 1 and t % 2)
        noise = sample(torch, *p.shape, dtype=dtype, seed=100 + 10 * t + i)
        p.grad = None if absent else (p.detach() - 0.5) * (1 + i) / 3 + noise


def run(torch: Any, rule: str, settings: dict[str, Any], dtype: str, steps: int) -> Any:
    params = parameters(torch, rule, dtype)
    optimizer = getattr(torch.optim, rule)(params, **settings)
    for t in range(steps):
        give_gradients(torch, params, dtype, t)
        optimizer.step()
    saved = optimizer.state_dict()["state"]
    return {"params": params, "state": saved, "keys": {str(k): list(v) for k, v in saved.items()}}


def _declare(rule: str, label: str, settings: dict[str, Any]) -> None:
    name = f"{rule}-{label}"
    case(lambda torch, dtype: run(torch, rule, settings, dtype, 1), name=f"one_step[{name}]", params=DTYPES, **ONE_STEP)
    case(
        lambda torch, dtype: run(torch, rule, settings, dtype, STEPS), name=f"steps[{name}]", params=DTYPES, **TOLERANCE
    )


for _rule, _settings in SETTINGS.items():
    for _label, _kwargs in _settings.items():
        _declare(_rule, _label, _kwargs)
