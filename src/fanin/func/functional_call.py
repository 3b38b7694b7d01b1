"""A module as a function of its parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError, OperationError
from fanin.nn.module import Module
from fanin.tensor.base import Changes
from fanin.tensor.functions.joining import stack


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return what a module computes with other parameters and buffers, given by name; those left out are its own.

    parameter_and_buffer_dicts: a dictionary, or several without a name in common.
    args, kwargs:               the arguments of the call; one that is no tuple is passed alone.
    tie_weights:                whether a tensor that the module holds under several names is replaced under all.
    strict:                     whether names that are missing, or not the module's, are a RuntimeError.

    >>> import fanin as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, torch.ones(3, 2)).sum()
    tensor(6.)
    """
    if not isinstance(module, Module):
        raise ArgumentTypeError(f"expected a torch.nn.Module, got {type(module).__name__}")
    others = _together(parameter_and_buffer_dicts)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    own = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    if strict:
        _require_same_names(own, others)
    if tie_weights:
        others = _tied(own, others)
    with _replaced(module, others):
        return module(*args, **(kwargs or {}))


def _together(dicts: Any) -> dict[str, Any]:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence) or not all(isinstance(d, dict) for d in dicts):
        raise ArgumentError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts).__name__}"
        )
    names = [name for d in dicts for name in d]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"{name} appears in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: value for d in dicts for name, value in d.items()}


def _require_same_names(own: dict[str, Any], others: dict[str, Any]) -> None:
    parts = []
    if unexpected := [name for name in others if name not in own]:
        parts.append("Unexpected key(s): " + ", ".join(unexpected))
    if missing := [name for name in own if name not in others]:
        parts.append("Missing key(s): " + ", ".join(missing))
    if parts:
        raise OperationError("Error(s) in reparametrizing: " + "; ".join(parts) + ".")


def _tied(own: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    replaced = {id(own[name]): value for name, value in others.items() if name in own and own[name] is not None}
    return others | {name: replaced[id(x)] for name, x in own.items() if id(x) in replaced and name not in others}


@contextlib.contextmanager
def _replaced(module: Module, others: dict[str, Any]) -> Iterator[None]:
    """Let tensors stand where the module and its parts hold theirs, for the time of a block."""
    undo: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for path, tensor in others.items():
            parent, _, name = path.rpartition(".")
            held = _holder(module, parent, name)
            if held is None:
                continue
            undo.append((held, name, held[name]))
            held[name] = tensor
        Changes.count += 1
        yield
    finally:
        for held, name, former in reversed(undo):
            held[name] = former
        Changes.count += 1


def _holder(module: Module, parent: str, name: str) -> dict[str, Any] | None:
    """Return where a module keeps a parameter or a buffer; None for a name that it does not have."""
    try:
        part = module.get_submodule(parent)
    except AttributeError:
        return None
    return next((held for held in (part._parameters, part._buffers) if name in held), None)


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the buffers of several modules of one kind, by name, stacked along a first dimension.

    Raises RuntimeError when there are none, or they differ in class or mode.

    >>> import fanin as torch
    >>> parameters, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 1) for _ in range(3)])
    >>> parameters["weight"].shape
    torch.Size([3, 1, 2])
    """
    if len(models) == 0:
        raise OperationError("stack_module_state: Expected at least one model, got 0.")
    if any(model.training != models[0].training for model in models):
        raise OperationError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(model) is not type(models[0]) for model in models):
        raise OperationError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(states: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for name, first in states[0].items():
        found[name] = stack([state[name].detach() for state in states]).requires_grad_(first.requires_grad)
    return found
