"""The parity cases through `compile`: the same values, gradients and states, from graphs and from native code."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

import fanin
from tests.parity import store
from tests.parity.compiled import NotCapturedError, Run
from tests.parity.harness import Case, Entries, differences, load_cases

CASES = load_cases()
# Everything natively, and all the fifty steps of every setting of every optimiser.
ALL = os.environ.get("FANIN_COMPILE_ALL", "") not in ("", "0")

# What a captured function cannot do as eager code does, case by case; each of them must differ, so no entry grows old.
KNOWN = {
    "an error depends on values": [
        "autograd.anomaly", "distributions.mistakes", "distributions.mixtures_that_do_not_fit",
        "nn_layers.embedding_bag_errors", "nn_layers.embedding_errors", "nn_loss.class_mistakes",
        "nn_loss.likelihoods", "nn_loss_words.messages", "nn_margin_loss.margin_mistakes",
        "tensor_arithmetic.integer_division", "tensor_indexing.words_of_writing_errors",
        "tensor_indexing.writing_errors", "torch_modules.Embedding_error_0",
        "tensor_numbers.tensors_that_integers_do_not_hold",
    ],
    "a dtype is refused when the graph is carried out": [
        *(f"tensor_arithmetic.promotion[{name}]" for name in ("floor_divide", "remainder", "fmod", "pow")),
    ],
    "another kind of error": ["tensor_indexing.index_errors"],
    "copies lie in row-major order": [
        "tensor_conversion.copies", "tensor_shapes.copy[clone-", "tensor_indexing.getitem[zero-dim among slices",
    ],
    "Python looks at tensors: copies, texts, lists": [
        "nn_module.copying", "tensor_conversion.default_dtype", "tensor_testing.assert_close",
        "swa_utils.averaged_model_calls", "swa_utils.averaged_model_first_update_copies",
    ],
    "a count of steps is set by hand between compiled steps": ["optim_base.changes_by_hand_between_steps"],
    "several steps in one function round numbers of the state once": [
        f"torch_optimizers.ASGD_{i}[float64" for i in range(7)
    ],
}  # fmt: skip

# Where steps of optimisers follow one another, and Python in between, each step is captured for itself.
STEP_BY_STEP = {"lr_scheduler", "lr_scheduler_mistakes", "optim_base", "optim_rules"}
# At least so many cases are one captured function, and so many calls within the others are captured.
FLOORS = {
    "autograd": (16, 0), "autograd_in_place": (7, 0), "lr_scheduler": (0, 9300), "lr_scheduler_mistakes": (0, 6),
    "nn_activations": (110, 0), "nn_clipping": (16, 0), "nn_hooks": (1, 0), "nn_init": (1, 0), "nn_layers": (28, 0),
    "nn_loss": (56, 0), "nn_loss_words": (1, 0), "nn_margin_loss": (6, 0), "nn_normalisation": (55, 0),
    "optim_rules": (0, 1270), "optim_base": (0, 1070), "swa_utils": (44, 390), "tensor_arithmetic": (164, 0),
    "tensor_conversion": (2, 2), "tensor_creation": (1, 0), "tensor_indexing": (145, 14), "tensor_ordering": (4, 22),
    "tensor_pointwise": (277, 0), "tensor_products": (86, 0), "tensor_programs": (40, 0), "tensor_reductions": (83, 36),
    "tensor_saved": (74, 0), "tensor_shapes": (243, 2), "tensor_special": (38, 0), "torch_modules": (776, 0),
    "torch_optimizers": (68, 12), "worked": (2, 0), "rooms": (2, 0), "distributions": (50, 30), "func": (1, 0),
    "nn_parametrize": (1, 0), "nn_prune": (10, 80),
    # Texts, files, draws, batches: nothing that a captured function could do.
    "nn_containers": (0, 0), "nn_module": (0, 0), "tensor_nodes": (0, 0), "tensor_sampling": (0, 0),
    "tensor_numbers": (0, 0), "tensor_testing": (0, 0), "utils_data": (0, 0),
}  # fmt: skip


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


def natively(case: Case) -> Case:
    """Return the rules for native code, whose functions may end in another bit, which differences enlarge."""
    return dataclasses.replace(case, share=1.0)


def found(run: Run, case: Case) -> list[str]:
    """Return in what a case differs."""
    rules = natively(case) if run.engine == "native" else case
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
    """Return an area's cases; of the long ways of optimisers, one for each rule."""
    cases = list(CASES[area].values())
    if ALL or area not in ("optim_rules", "torch_optimizers"):
        return cases
    if area == "torch_optimizers":
        return [case for case in cases if "float32" not in case.name]
    return [case for case in cases if "steps[" not in case.name or "-default]" in case.name]


@pytest.mark.parametrize("area", CASES)
def test_a_graph_gives_what_torch_gives(area: str) -> None:
    run = Run("numpy")
    sentences = all_found(run, chosen(area))
    assert not sentences, "\n".join(sentences[:20])
    whole, part = FLOORS[area]
    assert run.counts["whole"] >= whole, run.counts
    assert run.counts["part"] >= part, run.counts


# Natively -------------------------------------------------------------------------------------------------------------

# So many cases become one native program: less to compile, and code of different operations side by side.
TOGETHER = 8


def first_of_each(area: str) -> list[Case]:
    """Return PyTorch's first sample of every module or optimiser, in both dtypes."""
    first = [case for case in CASES[area].values() if "_0[" in case.name and "_error_" not in case.name]
    return [case for case in first if not case.name.startswith("LBFGS")]  # its steps are Python's


def batches(cases: list[Case], size: int) -> list[list[Case]]:
    """Return the cases in lists of a size."""
    return [cases[i : i + size] for i in range(0, len(cases), size)]


NATIVE = [*batches(first_of_each("torch_modules"), TOGETHER), *batches(first_of_each("torch_optimizers"), 2)]


def test_every_module_and_optimizer_is_run_natively() -> None:
    names = {case.name.rpartition("_")[0] for batch in NATIVE for case in batch}
    sampled = {name.partition("_")[0] for area in ("torch_modules", "torch_optimizers") for name in CASES[area]}
    assert sampled - names <= {"LBFGS"}
    assert len(names) > 60
    assert all({case.arguments for case in batch} <= {("float32",), ("float64",)} for batch in NATIVE)


@pytest.mark.parametrize("batch", NATIVE, ids=lambda batch: f"{batch[0].name}...{batch[-1].name}")
def test_native_code_gives_what_torch_gives(batch: list[Case]) -> None:
    run = Run("native")
    for case, result in zip(batch, run.whole(*batch), strict=True):
        if reason(case) is None:
            assert differences(natively(case), recorded(case.area)[case.name], result) == []
    assert run.counts["whole"] == len(batch)


if ALL:

    @pytest.mark.parametrize("area", CASES)
    def test_native_code_gives_what_torch_gives_in_every_case(area: str) -> None:
        sentences = all_found(Run("native"), chosen(area))
        assert not sentences, "\n".join(sentences[:20])


# The comparison itself ------------------------------------------------------------------------------------------------


def planted(name: str, change: Any) -> list[str]:
    """Return what is found when a case's results are changed on their way back from the graph."""
    run = Run("numpy")
    computed = run.captured
    run.captured = lambda function: change(computed(function))  # type: ignore[method-assign]
    return found(run, CASES["torch_modules"][name])


def test_a_planted_wrong_gradient_is_found() -> None:
    def change(results: Any) -> Any:
        results[0]["grads"]["weight"][0, 0] += 1e-3
        return results

    assert planted("Linear_0[float32]", lambda results: results) == []
    (sentence,) = planted("Linear_0[float32]", change)
    assert "grads.weight" in sentence


def test_a_case_that_is_not_computed_by_the_graph_is_not_counted() -> None:
    run = Run("numpy")
    assert run.whole(Case("area", "name", lambda torch: {"x": torch.zeros(2) + 1}))[0]["x"].values.tolist() == [1, 1]
    assert (run.counts["whole"], run.counts["constant"]) == (0, 1)


def test_what_cannot_be_captured_runs_as_it_is() -> None:
    def case(torch: Any) -> Any:
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([w], lr=torch.randn(1).item() ** 2)
        w.grad = torch.ones(2)
        optimizer.step()
        return w

    plain, run = Case("area", "name", case), Run("numpy")
    with pytest.raises(NotCapturedError):
        run.whole(plain)
    expected = plain.run(fanin)  # type: ignore[arg-type]
    assert differences(plain, expected, run.parts(plain)) == []
    assert run.counts == {"part": 1}
