"""Ensembles as a description and arrays: how each network is made, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin.nn import Module
from fanin.tabular.fitting.ensemble import Ensemble, Stage
from fanin.tabular.fitting.members import network_of
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.nets import Inputs
from fanin.tabular.seeding import seeded

Arrays = dict[str, NDArray[Any]]


def describe_ensemble(ensemble: Ensemble, outputs: int, name: str) -> tuple[dict[str, Any], Arrays]:
    """Return the description of an ensemble, and its weights by names that begin with `name`."""
    stages = [
        {"share": stage.share, "networks": len(stage.networks), "settings": asdict(stage.settings)}
        for stage in ensemble.stages
    ]
    arrays = {
        f"{_prefix(name, number, place)}{key}": _narrow(tensor.detach().numpy())
        for number, stage in enumerate(ensemble.stages)
        for place, network in enumerate(stage.networks)
        for key, tensor in network.state_dict().items()
    }
    return {"outputs": outputs, "stages": stages}, arrays


def restore_ensemble(description: Mapping[str, Any], arrays: Arrays, inputs: Inputs, classes: bool, name: str) -> Any:
    """Return the ensemble that `describe_ensemble` was given, without what it predicted for the rows held out.

    Raises ValueError for arrays that are missing or have another shape.
    """
    outputs = int(description["outputs"])
    stages = []
    for number, saved in enumerate(description["stages"]):
        settings = _settings(saved["settings"])
        networks = [
            _network(inputs, outputs, settings, arrays, _prefix(name, number, place))
            for place in range(saved["networks"])
        ]
        stages.append(Stage(tuple(networks), float(saved["share"]), settings))
    if not stages or not all(stage.networks for stage in stages):
        raise ValueError(f"the ensemble {name!r} has no networks")
    return Ensemble(tuple(stages), classes, np.empty(0, np.int64), np.empty((0, outputs)), ())


def _prefix(name: str, stage: int, place: int) -> str:
    return f"{name}.{stage}.{place}."


def _settings(saved: Mapping[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)}
    strange = sorted(set(saved) - known)
    if strange:
        raise ValueError(f"networks have a setting {strange[0]!r}, which this fanin does not know")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    return Settings(**given)


def _network(inputs: Inputs, outputs: int, settings: Settings, arrays: Arrays, prefix: str) -> Module:
    with seeded(0):
        network: Module = network_of(inputs, outputs, settings).eval().double()
    state = {}
    for key, tensor in network.state_dict().items():
        state[key] = fanin.from_numpy(_checked(arrays, prefix + key, tuple(tensor.shape), tensor.numpy().dtype))
    network.load_state_dict(state)
    return network


def _checked(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if name not in arrays:
        raise ValueError(f"the array {name} is missing")
    if arrays[name].shape != shape:
        raise ValueError(f"the array {name} has the shape {arrays[name].shape}, where {shape} is expected")
    return arrays[name].astype(dtype)


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in single precision where they lose nothing: networks learn in it."""
    if array.dtype != np.float64:
        return array
    narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array) else array
