"""The state of an optimiser as plain dictionaries, in PyTorch's layout, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap


def packed(groups: list[dict[str, Any]], state: dict[Any, Any]) -> dict[str, Any]:
    """Return state and groups with a number in place of each parameter, counted through all groups."""
    numbers: dict[Any, int] = {}
    packed_groups = []
    start = 0
    for group in groups:
        for i, p in enumerate(group["params"], start):
            numbers.setdefault(p, i)
        start += len(group["params"])
        packed_groups.append(
            {**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[p] for p in group["params"]]}
        )
    return {
        "state": {numbers[k] if isinstance(k, TensorBase) else k: v for k, v in state.items()},
        "param_groups": packed_groups,
    }


def unpacked(saved: dict[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `state` and `param_groups` as an optimiser holds them, from a saved dictionary."""
    saved_groups = deepcopy(saved["param_groups"])
    if len(groups) != len(saved_groups):
        raise ArgumentError(
            f"loaded state dict has a different number of parameter groups ({len(saved_groups)}, and the optimizer has "
            f"{len(groups)})"
        )
    for i, (group, saved_group) in enumerate(zip(groups, saved_groups, strict=True)):
        if len(group["params"]) != len(saved_group["params"]):
            raise ArgumentError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
                remedy=f"Group {i} was saved with {len(saved_group['params'])} parameters, and the optimiser has "
                f"{len(group['params'])}.",
            )
    numbers = chain.from_iterable(g["params"] for g in saved_groups)
    owners = dict(
        zip(
            numbers,
            ((p, g) for group, g in zip(groups, saved_groups, strict=True) for p in group["params"]),
            strict=True,
        )
    )
    state: defaultdict[Any, dict[Any, Any]] = defaultdict(dict)
    for key, value in saved["state"].items():
        if key in owners:
            p, group = owners[key]
            state[p] = _owned(value, p, group)
        else:
            state[key] = value
    return {"state": state, "param_groups": [_with_params(g, s) for g, s in zip(groups, saved_groups, strict=True)]}


def _with_params(group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    saved["params"] = group["params"]
    if "param_names" in group:
        saved.setdefault("param_names", group["param_names"])
    return saved


def _owned(value: Any, p: Any, group: dict[str, Any], key: Any = None) -> Any:
    """Return a copy of a saved value, its tensors in the parameter's dtype (a count of steps keeps its own)."""
    if isinstance(value, TensorBase):
        return wrap(np.array(value._array, dtype=_dtype(value, p, group, key)))
    if isinstance(value, dict):
        return {k: _owned(v, p, group, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_owned(v, p, group) for v in value)  # type: ignore[call-arg]
    return value


def _dtype(value: Any, p: Any, group: dict[str, Any], key: Any) -> Any:
    if key == "step":
        return np.float32 if group.get("capturable") or group.get("fused") else value._array.dtype
    return p._array.dtype if p._array.dtype.kind == "f" else value._array.dtype
