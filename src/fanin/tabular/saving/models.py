"""Fitted estimators as descriptions and arrays, and back."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

import fanin
from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.estimators import TabularClassifier, TabularRegressor
from fanin.tabular.estimators.base import inputs_of
from fanin.tabular.inputs import Encoder
from fanin.tabular.nets import Inputs
from fanin.tabular.saving.ensembles import Arrays, describe_ensemble, restore_ensemble
from fanin.tabular.saving.folder import damaged, read, write
from fanin.tabular.saving.plain import array_from_plain, array_to_plain, from_plain, to_plain

VERSION = 1
ESTIMATORS: dict[str, Any] = {"TabularClassifier": TabularClassifier, "TabularRegressor": TabularRegressor}
ERRORS = ("errors", "error_weights", "judged_numbers", "judged_quantiles")  # of a regressor; some may be None

Described = tuple[dict[str, Any], Arrays]


def save_model(model: Any, folder: str | os.PathLike[str], force: bool = False) -> None:
    """Save a fitted `TabularClassifier` or `TabularRegressor` in a folder, in place of the model that was there.

    Args:
        model: the estimator.
        folder: is made, with the folders above it.
        force: put the model's files beside whatever else the folder holds.

    Raises TableError, which is a ValueError, when the folder holds something else; TypeError for other objects and for
    labels that are neither numbers, texts, flags nor dates; scikit-learn's NotFittedError.

    >>> import tempfile
    >>> from fanin.tabular import TabularRegressor, load_model
    >>> x = np.arange(40.0)[:, None]
    >>> model = TabularRegressor("fast", epochs=5, random_state=0).fit(x, x[:, 0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, folder + "/line")
    ...     loaded = load_model(folder + "/line")
    >>> bool((loaded.predict(x) == model.predict(x)).all())
    True
    """
    name = type(model).__name__
    if type(model) is not ESTIMATORS.get(name):
        raise ArgumentTypeError(f"{name} is no model for tables: there are {', '.join(ESTIMATORS)}")
    check_is_fitted(model, "n_iter_")
    description, arrays = _describe(model)
    head = {"version": VERSION, "fanin": fanin.__version__, "estimator": name}
    write(Path(folder), head | description, arrays, force)


def load_model(folder: str | os.PathLike[str]) -> Any:
    """Load the estimator that `save_model` saved; it predicts the same to the last bit.

    Raises TableError, which is a ValueError, when the folder holds no model, a damaged one, or one of a later version.
    """
    place = Path(folder)
    description, arrays = read(place)
    version = description.get("version")
    if not isinstance(version, int) or version not in _READERS:
        raise TableError(
            f"{place} has version {version} of the format, this fanin reads {', '.join(map(str, _READERS))}; it was "
            f"saved by fanin {description.get('fanin')}: use that one, or a later one"
        )
    try:
        return _READERS[version](description, arrays)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RuntimeError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
        raise damaged(place, " ".join(what.split()) or type(error).__name__) from None


# Describing -----------------------------------------------------------------------------------------------------------


def _describe(model: Any) -> Described:
    names = getattr(model, "feature_names_in_", None)
    described = {
        "about": {key: to_plain(value) for key, value in getattr(model, "about_", {}).items()},
        "parameters": _parameters(model),
        "columns": [_column(each) for each in model._encoder.describe()],
        "features": {"count": int(model.n_features_in_), "names": None if names is None else [*map(str, names)]},
        "history": [{key: to_plain(value) for key, value in each.items()} for each in model.history_],
        "epochs": int(model.n_iter_),
        "out_of_fold_score": to_plain(getattr(model, "oof_score_", None)),
        "inputs": asdict(model._inputs),
        "encoder": model._encoder.to_dict(),
    }
    own, arrays = (_describe_classes if isinstance(model, TabularClassifier) else _describe_numbers)(model)
    return described | own, arrays


def _parameters(model: Any) -> dict[str, Any]:
    """Return the parameters of the constructor, without those that are objects, as a generator or a splitter."""
    found = {}
    for name, value in model.get_params(deep=False).items():
        try:
            found[name] = to_plain(value)
        except ArgumentTypeError:
            continue
    return found


def _column(column: Any) -> dict[str, str]:
    """Return what a column is, for readers of the file: the encoder's description has it all."""
    told = {"name": column.name, "kind": column.kind, "becomes": column.becomes, "note": column.note}
    return {key: value for key, value in told.items() if value}


def _describe_classes(model: Any) -> Described:
    ensemble, arrays = describe_ensemble(model._ensemble, len(model.classes_), "classes")
    target = {"classes": array_to_plain(model.classes_), "temperature": float(model.temperature_)}
    return {"target": target, "ensembles": {"classes": ensemble}}, arrays


def _describe_numbers(model: Any) -> Described:
    mean, arrays = describe_ensemble(model._ensemble, len(model._spread), "mean")
    target = {"single": bool(model._single), "levels": list(model._levels)}
    target |= {"centre": model._centre.tolist(), "spread": model._spread.tolist()}
    target |= {"low": model._range[0].tolist(), "high": model._range[1].tolist()}
    ensembles = {"mean": mean}
    if model._levels:
        ensembles["quantiles"], more = describe_ensemble(model._quantile_ensemble, len(model._levels), "quantiles")
        target["shifts"] = model._shifts.tolist()
        arrays |= more
    kept = {name: getattr(model, f"_{name}", None) for name in ERRORS}
    arrays |= {name: np.asarray(array, np.float64) for name, array in kept.items() if array is not None}
    return {"target": target, "ensembles": ensembles}, arrays


# Version 1 ------------------------------------------------------------------------------------------------------------


def _read_first(description: Mapping[str, Any], arrays: Arrays) -> Any:
    kind = ESTIMATORS.get(description["estimator"])
    if kind is None:
        raise ValueError(f"no estimator {description['estimator']!r} is known")
    model = kind(**_known(kind, {key: from_plain(value) for key, value in description["parameters"].items()}))
    inputs = description["inputs"]
    model._inputs = Inputs(inputs["numbers"], inputs["flags"], tuple(inputs["sizes"]))
    model._encoder = Encoder.from_dict(description["encoder"])
    model.about_ = {key: from_plain(value) for key, value in description["about"].items()}
    _set_features(model, description["features"])
    _check_encoder(model)
    (_read_classes if kind is TabularClassifier else _read_numbers)(model, description, arrays)
    model.history_ = [{key: from_plain(value) for key, value in each.items()} for each in description["history"]]
    model.n_iter_ = int(description["epochs"])
    model.oof_score_ = from_plain(description["out_of_fold_score"])
    return model


def _known(kind: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    strange = sorted(set(parameters) - set(kind().get_params(deep=False)))
    if strange:
        raise ValueError(f"{kind.__name__} has a parameter {strange[0]!r}, which this fanin does not know")
    return parameters


def _set_features(model: Any, features: Mapping[str, Any]) -> None:
    model.n_features_in_ = int(features["count"])
    if len(model._encoder.plans) != model.n_features_in_:
        raise ValueError(f"the encoder has {len(model._encoder.plans)} columns, where {features['count']} are expected")
    if features["names"] is not None:
        model.feature_names_in_ = np.array(features["names"], object)


def _check_encoder(model: Any) -> None:
    """Raise ValueError where the encoder's parts do not fit together, or it makes other inputs than networks have.

    A row without any value passes through all parts.
    """
    encoder = copy.copy(model._encoder)
    names = None if encoder.feature_names is None else list(map(str, encoder.feature_names))
    if names != (list(model.feature_names_in_) if hasattr(model, "feature_names_in_") else None):
        raise ValueError("the encoder has other names of columns than the model")
    encoder.feature_names = None
    found = inputs_of(encoder.transform(np.full((1, model.n_features_in_), None, object), []))[0]
    if found != model._inputs:
        raise ValueError(f"the encoder makes {found} of a row, where {model._inputs} are expected")


def _read_classes(model: Any, description: Mapping[str, Any], arrays: Arrays) -> None:
    target = description["target"]
    model.classes_ = array_from_plain(target["classes"])
    model.temperature_ = float(target["temperature"])
    model._ensemble = restore_ensemble(description["ensembles"]["classes"], arrays, model._inputs, True, "classes")
    _check_outputs(model._ensemble, len(model.classes_))


def _read_numbers(model: Any, description: Mapping[str, Any], arrays: Arrays) -> None:
    target, ensembles = description["target"], description["ensembles"]
    model._single, model._levels = bool(target["single"]), tuple(target["levels"])
    model._centre, model._spread = (np.array(target[name], np.float64) for name in ("centre", "spread"))
    model._range = np.array(target["low"], np.float64), np.array(target["high"], np.float64)
    if not model._centre.shape == model._spread.shape == model._range[0].shape == model._range[1].shape:
        raise ValueError("the target's centre, spread and range have different lengths")
    model._ensemble = restore_ensemble(ensembles["mean"], arrays, model._inputs, False, "mean")
    _check_outputs(model._ensemble, len(model._spread))
    model._quantile_ensemble = None
    for name in ERRORS[:3]:
        setattr(model, f"_{name}", arrays.get(name))
    needed = ("errors", "judged_numbers", *(("judged_quantiles",) if model._levels else ()))
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ValueError(f"the array {missing[0]} is missing")
    if model._levels:
        model._quantile_ensemble = restore_ensemble(ensembles["quantiles"], arrays, model._inputs, False, "quantiles")
        _check_outputs(model._quantile_ensemble, len(model._levels))
        model._shifts, model._judged_quantiles = np.array(target["shifts"], np.float64), arrays["judged_quantiles"]


def _check_outputs(ensemble: Any, expected: int) -> None:
    outputs = ensemble.held_out.shape[1]
    if outputs != expected:
        raise ValueError(f"networks have {outputs} outputs, where {expected} are expected")


_READERS: dict[Any, Callable[[Mapping[str, Any], Arrays], Any]] = {1: _read_first}
