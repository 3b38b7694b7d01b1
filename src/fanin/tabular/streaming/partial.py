"""`partial_fit` of the estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, check_random_state, compute_class_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import _check_sample_weight

from fanin._core.errors import ArgumentError
from fanin.tabular.checking import checked_factors, checked_labels, checked_numbers, checked_table
from fanin.tabular.estimators.base import inputs_of
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.calibration import temperature
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.given import recipe_of
from fanin.tabular.fitting.losses import ClassLoss
from fanin.tabular.fitting.members import Part
from fanin.tabular.fitting.presets import Recipe
from fanin.tabular.fitting.settings import Settings, tabm
from fanin.tabular.inputs import Encoder
from fanin.tabular.streaming.learner import Learner
from fanin.tabular.streaming.targets import goals_of_numbers

Weights = NDArray[np.float64] | None


def partial_fit_classes(model: Any, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
    """Let a classifier learn from a piece of a table."""
    first = not hasattr(model, "n_iter_")
    y = checked_labels(y)
    if first:
        model.__dict__.pop("classes_", None)  # those of a first call that failed
    _check_partial_fit_first_call(model, classes)
    try:
        X = checked_table(model, X, reset=first)
        check_consistent_length(X, y)
        numbers = _numbers_of(y, model.classes_)
        weights = _class_weights(model, numbers, _weights(sample_weight, X))
        goal = Goal(len(model.classes_), ClassLoss, criteria.log_loss, classes=True)
        learner, judged = _learn(model, X, numbers, weights, [goal], first)
    except BaseException:
        if first:
            del model.classes_
        raise
    (model._ensemble,) = learner.ensembles(judged)
    model.temperature_ = temperature(model._ensemble.held_out, judged.target, judged.weights)
    _note(model)


def partial_fit_numbers(model: Any, X: Any, y: Any, sample_weight: Any) -> None:
    """Let a regressor learn from a piece of a table."""
    first = not hasattr(model, "n_iter_")
    X = checked_table(model, X, reset=first)
    y = checked_numbers(model, y)
    check_consistent_length(X, y)
    weights = _weights(sample_weight, X)
    _scale(model, y, weights, first)
    y = y.reshape(len(y), -1)
    scaled = ((y - model._centre) / model._spread).astype(np.float32)
    goals = goals_of_numbers(model._levels, y.shape[1])
    learner, judged = _learn(model, X, scaled, weights, goals, first)
    ensembles = learner.ensembles(judged)
    model._ensemble = ensembles[0]
    model._learn_errors(ensembles, judged.target * model._spread + model._centre, judged.weights)
    _note(model)


def _learn(
    model: Any, X: Any, target: NDArray[Any], weights: Weights, goals: list[Goal], first: bool
) -> tuple[Learner, Part]:
    """Encode the rows, by what the first ones were, learn from them, and return what to calibrate by."""
    if first:
        model._encoder = Encoder().fit(X)
    else:
        model._encoder.widen(X)
    inputs, arrays = inputs_of(model._encoder.transform(X))
    if first:
        model._inputs = inputs
    part = Part(arrays, target, None if weights is None else weights.astype(np.float32))
    if weights is not None:
        used = weights > 0
        if not used.any():
            raise ArgumentError("all rows have the weight 0: sample_weight leaves nothing to learn from")
        part = part if used.all() else part[used]
    model._learner = learner = _learner(model, goals, part, first)
    return learner, learner.learn(part)


def _learner(model: Any, goals: list[Goal], part: Part, first: bool) -> Learner:
    """Return the learner of the calls before, or one that goes on with what `fit` has trained."""
    if not first:
        kept: Learner | None = getattr(model, "_learner", None)
        if kept is not None and kept.result and kept.result[0] is model._ensemble:
            return kept
    seed = int(check_random_state(model.random_state).randint(2**31 - 1))
    if first:
        return Learner.new(goals, _settings(model), model._inputs, part, seed)
    ensembles = [model._ensemble, *([model._quantile_ensemble] if len(goals) > 1 else [])]
    return Learner.of(goals, ensembles, seed)


def _settings(model: Any) -> Settings:
    """Return those of a network whose rate is steady, as nobody knows how many steps there will be."""
    plan = Recipe((tabm(hidden=(128, 128), members=8, dropout=0.0),))
    plan = recipe_of(model.settings, replace(plan, stages=(replace(plan.stages[0], **model._changes()),)), model._task)
    return plan.stages[0]


def _numbers_of(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    strange = np.setdiff1d(y, classes)
    if len(strange):
        known = ", ".join(map(repr, classes[:10].tolist())) + (", ..." if len(classes) > 10 else "")
        raise ArgumentError(
            f"y has the label {strange[0].item()!r}, which is none of the classes of the first call of partial_fit: "
            f"{known}"
        )
    return np.searchsorted(classes, y).astype(np.int64)


def _class_weights(model: Any, numbers: NDArray[np.int64], weights: Weights) -> Weights:
    if model.class_weight is None:
        return weights
    if model.class_weight == "balanced":
        raise ArgumentError(
            'class_weight="balanced" is not for partial_fit, which does not see all rows at once',
            remedy="give a dictionary, as sklearn.utils.compute_class_weight returns weights for some rows",
        )
    found = compute_class_weight(model.class_weight, classes=model.classes_, y=model.classes_)
    factors = checked_factors(model.class_weight, found)[numbers]
    return factors if weights is None else weights * factors


def _weights(sample_weight: Any, X: Any) -> Weights:
    if sample_weight is None:
        return None
    rows = np.empty((len(X), 1))
    found = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    return np.asarray(found, np.float64)


def _scale(model: Any, y: NDArray[np.float64], weights: Weights, first: bool) -> None:
    """Learn the scale of the first rows; of later ones only their range."""
    rows = y.reshape(len(y), -1)
    if first:
        model._single = y.ndim == 1
        model._levels = model._checked_levels(rows)
        model._learn_scale(rows, weights if weights is not None and weights.sum() > 0 else None)
        return
    if rows.shape[1] != len(model._spread):
        raise ArgumentError(f"y has {rows.shape[1]} targets, but there were {len(model._spread)} before")
    low, high = model._range
    model._range = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))


def _note(model: Any) -> None:
    model.history_ = [*model._learner.result[0].record]
    model.n_iter_ = getattr(model, "n_iter_", 0) + 1
    for name in ("oof_predictions_", "oof_score_"):  # of networks that are others now
        model.__dict__.pop(name, None)


__all__ = ["partial_fit_classes", "partial_fit_numbers"]
