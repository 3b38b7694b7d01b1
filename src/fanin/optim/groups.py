"""What an optimiser is given: parameters, named parameters, or groups of them, checked and put in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanin._core.advice import give
from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tensor import Tensor
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.conversion import typename

Params = Iterable[Any]


class _Required:
    """Stands in `defaults` for a value that every group has to give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def listed(params: Any) -> list[dict[str, Any]]:
    """Return the groups in what was given; a plain list of parameters is one group."""
    if isinstance(params, TensorBase):
        raise ArgumentTypeError(
            "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
            f"{typename(params)}",
            remedy="For a single parameter give [parameter].",
        )
    groups = list(params)
    if not groups:
        raise ArgumentError("optimizer got an empty parameter list")
    return groups if isinstance(groups[0], dict) else [{"params": groups}]


def complete(group: Any, defaults: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """Check a group, fill in the defaults, and return it."""
    if not isinstance(group, dict):
        raise ArgumentTypeError(f"param_group must be a dict, but got {type(group)}")
    _separate_names(group)
    for p in group["params"]:
        _check_parameter(p, bool(defaults.get("differentiable")))
    for name, default in defaults.items():
        if default is required and name not in group:
            raise ArgumentError(f"parameter group didn't specify a value of required optimization parameter {name}")
        group.setdefault(name, default)
    _check_distinct(group, others)
    return group


def _separate_names(group: dict[str, Any]) -> None:
    """Make `params` a list of tensors; the names of (name, tensor) pairs go to `param_names`."""
    given = group["params"]
    if isinstance(given, set):
        raise ArgumentTypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    params = [given] if isinstance(given, TensorBase) else list(given)
    names = [p[0] for p in params if isinstance(p, tuple)]
    group["params"] = [p[1] if isinstance(p, tuple) else p for p in params]
    if names:
        if len(names) != len(params):
            raise ArgumentError("all optimizer params should be with/without names. Some param names are missing")
        group["param_names"] = names


def _check_parameter(p: Any, differentiable: bool) -> None:
    if not isinstance(p, Tensor):
        raise ArgumentTypeError(f"optimizer can only optimize Tensors, but one of the params is {typename(p)}")
    if not differentiable and not p.is_leaf and not p._retains_grad:
        raise ArgumentError("can't optimize a non-leaf Tensor")


def _check_distinct(group: dict[str, Any], others: list[dict[str, Any]]) -> None:
    params = set(group["params"])
    if len(group["params"]) != len(params):
        give(
            UserWarning,
            "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
            "each of them is updated as often as it occurs",
        )
    for other in others:
        if ("param_names" in group) != ("param_names" in other):
            with_names = "with names" if "param_names" in group else "without names"
            raise ArgumentError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {with_names} to the optimizer"
            )
    if any(not params.isdisjoint(other["params"]) for other in others):
        raise ArgumentError("some parameters appear in more than one parameter group")
