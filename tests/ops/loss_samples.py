"""Sample inputs of the losses' operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples import Sample, distinct, positive, values

REDUCTIONS = ("none", "mean", "sum")


def chance(*shape: int, seed: int = 0) -> Any:
    """Return numbers in (0.1, 0.9)."""
    return values(*shape, seed=seed, low=0.1, high=0.9)


def compared(**attrs: Any) -> list[Sample]:
    """Return pairs for every reduction: equal shapes, broadcasting both ways, scalars, nothing."""
    pairs = [
        (distinct(3, 4), distinct(3, 4, seed=1) + 0.03),
        (distinct(3, 1), distinct(4, seed=1) + 0.03),
        (values(), values(seed=1)),
    ]
    samples: list[Sample] = [(pair, {"reduction": r, **attrs}) for pair in pairs for r in REDUCTIONS]
    nothing = (values(0, 3), values(0, 3))
    return [*samples, *((nothing, {"reduction": r, **attrs}) for r in ("none", "sum"))]


def probabilities(first: Any, *others: Any) -> list[Sample]:
    """Return inputs of one shape for every reduction."""
    return [((first, *others), {"reduction": r}) for r in REDUCTIONS]


CLASSES = np.array([2, 0, 3, 2, 0])
SOME_IGNORED = np.array([2, -100, 3, 2, -100])
LOGITS, WEIGHT = values(5, 4), positive(4, seed=1)


def by_class(*before: Any, **attrs: Any) -> list[Sample]:
    """Return class numbers with and without weights and ignored rows, for every reduction."""
    return [
        ((*(make(r) for make in before), LOGITS, *rest), {"reduction": r, "ignore_index": ignored, **attrs})
        for r in REDUCTIONS
        for rest, ignored in (
            ((CLASSES,), -100),
            ((CLASSES, WEIGHT), -100),
            ((SOME_IGNORED,), -100),
            ((CLASSES, WEIGHT), 2),
        )
    ]


def incoming(reduction: str) -> Any:
    """Return the gradient that flows into a loss."""
    return values(5, seed=4) if reduction == "none" else values(seed=4)


TARGETS = {"classes": 4, "ignore_index": -100, "label_smoothing": 0.2, "dtype": np.dtype(np.float64)}
SAMPLES: dict[str, list[Sample]] = {
    "mse_loss": compared(),
    "l1_loss": compared(),
    "huber_loss": compared(delta=0.7) + compared(delta=0.31),
    "binary_cross_entropy": probabilities(chance(3, 4), chance(3, 4, seed=1)) + probabilities(chance(2), chance(3, 1)),
    "binary_cross_entropy_with_logits": [
        *probabilities(values(3, 4), chance(3, 4, seed=1)),
        *probabilities(values(2), chance(3, 1, seed=1)),
        *probabilities(values(3, 4), chance(3, 4, seed=1), positive(4, seed=2)),
        *probabilities(values(3, 4), chance(3, 4, seed=1), positive(3, 4, seed=2)),
    ],
    "class_target": [((SOME_IGNORED,), TARGETS), ((SOME_IGNORED, WEIGHT), TARGETS)],
    "class_counts": [
        ((target,), {"classes": classes, "ignore_index": ignored})
        for target, classes, ignored in (
            (CLASSES, 4, -100),
            (SOME_IGNORED, 4, -100),
            (SOME_IGNORED[:, None].repeat(9, axis=1), 4, -100),
            (np.array([0, 9, 200], np.uint8), 201, 9),
        )
    ],
    "class_total": [
        ((SOME_IGNORED,), {"ignore_index": -100, "dtype": np.dtype(np.float64)}),
        ((SOME_IGNORED, WEIGHT), {"ignore_index": -100, "dtype": np.dtype(np.float64)}),
    ],
    "cross_entropy": by_class(label_smoothing=0.0) + by_class(label_smoothing=0.3),
    "cross_entropy_slope": by_class(incoming, label_smoothing=0.0) + by_class(incoming, label_smoothing=0.3),
    "nll_loss": by_class(),
    "nll_loss_slope": [((g, *rest), {**attrs, "classes": 4}) for (g, _, *rest), attrs in by_class(incoming)],
}
