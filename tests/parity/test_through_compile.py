"""The parity cases through `compile`: the same values, gradients and states, from graphs and from native code."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from tests.parity import store
from tests.parity.compiled import NotCapturedError, Run
from tests.parity.harness import Case, Entries, differences, load_cases

CASES = load_cases()
# Everything natively, and all the fifty steps of every setting of every optimiser.
ALL = os.environ.get("FANIN_COMPILE_ALL", "") not in ("", "0")

# What a captured function cannot do as eager code does, case by case; each of them must differ, so no entry grows old.
KNOWN = {
    "an error depends on values": [
        "autograd.anomaly", "nn_layers.embedding_errors", "nn_loss.class_mistakes", "nn_loss.likelihoods",
        "nn_loss.messages", "nn_margin_loss.margin_mistakes", "tensor_arithmetic.integer_division",
        "tensor_indexing.writing_errors", "torch_modules.Embedding_error_0[",
    ],
    "a dtype is refused when the graph is carried out": [
        *(f"tensor_arithmetic.promotion[{name}]" for name in ("floor_divide", "remainder", "fmod", "pow")),
        *(f"tensor_pointwise.of_integers_and_bools[{n}]" for n in ("abs", "floor", "ceil", "trunc", "frac", "round")),
    ],
    "another kind of error": ["tensor_indexing.index_errors"],
    "copies lie in row-major order": [
        "tensor_creation.copies", "tensor_shapes.copy[clone-", "tensor_indexing.getitem[zero-dim among slices",
    ],
    "Python looks at tensors: copies, texts, lists": [
        "nn_module.copying", "tensor_creation.default_dtype", "tensor_testing.assert_close",
        "swa_utils.averaged_model_calls", "swa_utils.averaged_model_first_update_copies",
    ],
    "a count of steps is set by hand between compiled steps": ["optim_base.changes_by_hand_between_steps"],
    "several steps in one function round numbers of the state once": [f"torch_optimizers.ASGD_{i}[float64" for i in range(7)],
}  # fmt: skip

# Where steps of optimisers follow one another, and Python in between, each step is captured for itself.
STEP_BY_STEP = {"lr_scheduler", "optim_base", "optim_rules"}
# At least so many cases are one captured function, and so many calls within the others are captured.
FLOORS: dict[str, tuple[int, int]] = {}


@cache
def recorded(area: str) -> dict[str, Entries]:
    return store.read(area)


def reason(case: Case) -> str | None:
    """Return why a case is known to differ."""
    return next((why for why, names in KNOWN.items() if any(str(case).startswith(name) for name in names)), None)


def results(run: Run, case: Case) -> Entries:
    """Return the results of a case, captured as a whole where that can be, else in parts."""
    if case.area not in STEP_BY_STEP:
        try:
            return run.whole(case)[0]
        except NotCapturedError:
            pass
    return run.parts(case)


def found(run: Run, case: Case) -> list[str]:
    """Return in what a case differs."""
    # The last bit of a function may be another one in native code, and derivatives take differences of such numbers.
    rules = dataclasses.replace(case, share=1.0) if run.engine == "native" else case
    try:
        return differences(rules, recorded(case.area)[case.name], results(run, case))
    except Exception as error:
        return [f"{case}: {type(error).__name__}: {error}"]


def all_found(run: Run, cases: Iterable[Case]) -> list[str]:
    """Return in what cases differ that should not, and which do not differ that are known to."""
    sentences = []
    for case in cases:
        differs, why = found(run, case), reason(case)
        if why is None:
            sentences += differs
        elif not differs:
            sentences.append(f"{case} agrees, although {why}: take it from KNOWN")
    return sentences


def chosen(area: str) -> list[Case]:
    """Return an area's cases; of the long ways of optimisers, those in double precision."""
    cases = list(CASES[area].values())
    if ALL or area != "optim_rules":
        return cases
    return [case for case in cases if not (case.name.startswith("steps[") and "float32" in case.name)]


@pytest.mark.parametrize("area", CASES)
def test_a_graph_gives_what_torch_gives(area: str) -> None:
    run = Run("numpy")
    sentences = all_found(run, chosen(area))
    assert not sentences, "\n".join(sentences[:20])
    whole, part = FLOORS.get(area, (0, 0))
    assert run.counts["whole"] >= whole, run.counts
    assert run.counts["part"] >= part, run.counts
