"""The same numbers as scikit-learn: weights, curves, scores and counts of the same settings and seed."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network as theirs
from scipy import sparse
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning

import fanin.sklearn as ours
from fanin.sklearn import blocks, loop

CLASSES, REGRESSION = "MLPClassifier", "MLPRegressor"
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(kind: str) -> tuple[Any, Any]:
    """Return inputs and targets of a kind."""
    if kind in ("numbers", "pairs", "counts"):
        x, y = make_regression(90, 6, n_targets=2 if kind == "pairs" else 1, random_state=0)
        return x, np.round(np.abs(y) / 50) if kind == "counts" else y / 50
    x, y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
    targets = {
        "three": y,
        "two": y > 0,
        "names": np.array(["a", "b", "c"])[y],
        "labels": np.c_[y > 0, y > 1].astype(int),
    }
    return x, targets[kind]


def public(estimator: Any) -> dict[str, Any]:
    """Return what fitting has learned, by name."""
    return {k: v for k, v in vars(estimator).items() if k.endswith("_") and not k.startswith("_")}


def check_same(ours: Any, theirs: Any, rtol: float = 1e-6) -> None:
    """Raise AssertionError unless all public attributes of theirs are the same in ours."""
    mine = public(ours)
    for name, value in public(theirs).items():
        assert name in mine, name
        if value is None or isinstance(value, str):
            assert mine[name] == value, name
            continue
        parts = zip(mine[name], value, strict=True) if name in ("coefs_", "intercepts_") else [(mine[name], value)]
        for got, wanted in parts:
            got, wanted = np.asarray(got), np.asarray(wanted)
            assert got.shape == wanted.shape, (name, got.shape, wanted.shape)
            assert got.dtype.kind == wanted.dtype.kind, (name, got.dtype, wanted.dtype)
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(got, wanted, rtol=rtol, atol=1e-3 * rtol, err_msg=name)
            else:
                assert (got == wanted).all(), name


def both(kind: str, **settings: Any) -> tuple[Any, Any]:
    """Return our estimator and theirs, not fitted."""
    settings = {"hidden_layer_sizes": (9,), "max_iter": 12, "random_state": 3, **settings}
    return getattr(ours, kind)(**settings), getattr(theirs, kind)(**settings)


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "three classes": (CLASSES, "three", {}),
    "two classes": (CLASSES, "two", {}),
    "names": (CLASSES, "names", {"hidden_layer_sizes": (5, 4)}),
    "several labels": (CLASSES, "labels", {}),
    "numbers": (REGRESSION, "numbers", {}),
    "several numbers": (REGRESSION, "pairs", {"alpha": 0.5}),
    "counts": (REGRESSION, "counts", {"loss": "poisson"}),
    "no hidden layer": (CLASSES, "three", {"hidden_layer_sizes": ()}),
    "logistic": (CLASSES, "two", {"activation": "logistic", "alpha": 0}),
    "logistic without a hidden layer": (REGRESSION, "numbers", {"activation": "logistic", "hidden_layer_sizes": ()}),
    "tanh": (REGRESSION, "numbers", {"activation": "tanh", "hidden_layer_sizes": [4, 3]}),
    "identity": (REGRESSION, "numbers", {"activation": "identity", "hidden_layer_sizes": 4}),
    "batches": (CLASSES, "three", {"batch_size": 40, "max_iter": 30}),
    "batches in a row": (REGRESSION, "numbers", {"batch_size": 40, "max_iter": 30, "shuffle": False}),
    "momentum": (REGRESSION, "pairs", {"solver": "sgd", "learning_rate_init": 0.05}),
    "plain momentum": (CLASSES, "two", {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.1}),
    "invscaling": (
        CLASSES,
        "three",
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "batch_size": 40, "max_iter": 30},
    ),
    "adaptive": (
        REGRESSION,
        "numbers",
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2, "max_iter": 200},
    ),
    "an end by the loss": (CLASSES, "two", {"tol": 0.02, "n_iter_no_change": 3, "max_iter": 300}),
    "no end": (CLASSES, "two", {"n_iter_no_change": np.inf, "batch_size": 40}),
    "an end by the score": (CLASSES, "two", {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 60}),
    "a score of numbers": (REGRESSION, "pairs", {"early_stopping": True, "validation_fraction": 0.2}),
    "a score of labels": (CLASSES, "labels", {"early_stopping": True}),
    "coefficients of Adam": (CLASSES, "two", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "lbfgs": (CLASSES, "three", {"solver": "lbfgs"}),
    "lbfgs of numbers": (REGRESSION, "pairs", {"solver": "lbfgs", "alpha": 0.1}),
}


@pytest.mark.parametrize("name", CASES)
def test_fit(name: str) -> None:
    kind, data, settings = CASES[name]
    x, y = table(data)
    mine, other = both(kind, **settings)
    mine.fit(x, y)
    other.fit(x, y)
    check_same(mine, other)
    if kind == CLASSES:
        np.testing.assert_allclose(mine.predict_proba(x), other.predict_proba(x), rtol=1e-5)
        np.testing.assert_allclose(mine.predict_log_proba(x), other.predict_log_proba(x), rtol=1e-4, atol=1e-9)
        assert (mine.predict(x) == other.predict(x)).all()
    else:
        np.testing.assert_allclose(mine.predict(x), other.predict(x), rtol=1e-5, atol=1e-8)
    assert mine.score(x, y) == pytest.approx(other.score(x, y), rel=1e-6)


@pytest.mark.parametrize("change", [{"alpha": 0.01}, {"random_state": 4}, {"max_iter": 11}, {"beta_2": 0.998}])
def test_another_setting_is_not_the_same(change: dict[str, Any]) -> None:
    x, y = table("three")
    mine, other = both(CLASSES)
    mine.set_params(**change).fit(x, y)
    with pytest.raises(AssertionError):
        check_same(mine, other.fit(x, y))


def test_every_parameter_of_theirs_is_here_with_its_default() -> None:
    for kind in (CLASSES, REGRESSION):
        mine, other = getattr(ours, kind)(), getattr(theirs, kind)()
        wanted = other.get_params()
        assert {name: mine.get_params()[name] for name in wanted} == wanted


@pytest.mark.parametrize("kind", [CLASSES, REGRESSION])
@pytest.mark.parametrize("settings", [{}, {"batch_size": 40}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_weights_of_rows(kind: str, settings: dict[str, Any]) -> None:
    x, y = table("two" if kind == CLASSES else "pairs")
    weights = np.random.default_rng(0).uniform(0.5, 3, len(x))
    mine, other = both(kind, **settings)
    check_same(mine.fit(x, y, sample_weight=weights), other.fit(x, y, sample_weight=weights))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_going_on(solver: str) -> None:
    x, y = table("three")
    mine, other = both(CLASSES, solver=solver, warm_start=True, learning_rate_init=0.01)
    for _ in range(3):
        check_same(mine.fit(x, y), other.fit(x, y))


@pytest.mark.parametrize("settings", [{}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_partial_fit(settings: dict[str, Any]) -> None:
    x, y = table("three")
    mine, other = both(CLASSES, **settings)
    weights = np.linspace(1, 2, 50)
    for start in (0, 40, 0):
        rows = slice(start, start + 50)
        for estimator in (mine, other):
            estimator.partial_fit(x[rows], y[rows], weights if start else None, classes=[0, 1, 2])
        check_same(mine, other)


def test_partial_fit_of_numbers() -> None:
    x, y = table("pairs")
    mine, other = both(REGRESSION)
    for _ in range(3):
        check_same(mine.partial_fit(x, y), other.partial_fit(x, y))


def test_weights_that_a_user_sets_count() -> None:
    x, y = table("numbers")
    mine, other = both(REGRESSION, warm_start=True)
    for estimator in (mine, other):
        estimator.fit(x, y)
        estimator.coefs_ = [0.5 * coef for coef in estimator.coefs_]
    np.testing.assert_allclose(mine.predict(x), other.predict(x), rtol=1e-6)
    check_same(mine.fit(x, y), other.fit(x, y))


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows(form: Any) -> None:
    x, y = table("two")
    x = form(np.where(np.abs(x) > 1, x, 0))
    mine, other = both(CLASSES, early_stopping=True)
    check_same(mine.fit(x, y), other.fit(x, y))
    np.testing.assert_allclose(mine.predict_proba(x), other.predict_proba(x), rtol=1e-6)


def test_half_the_digits() -> None:
    x, y = table("numbers")
    mine, other = both(REGRESSION)
    check_same(mine.fit(x.astype(np.float32), y), other.fit(x.astype(np.float32), y), rtol=1e-3)
    assert {coef.dtype for coef in mine.coefs_} == {np.dtype(np.float32)}
    assert mine.predict(x.astype(np.float32)).dtype == np.float32


def test_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = table("two")
    said = []
    for estimator in both(CLASSES, verbose=True, early_stopping=True, n_iter_no_change=2, max_iter=100):
        estimator.fit(x, y)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "Stopping." in said[0]


def test_the_warning_at_the_end() -> None:
    x, y = table("two")
    for estimator in both(CLASSES):
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(12\) reached"):
            estimator.fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both(CLASSES, tol=1.0, max_iter=50)[0].fit(x, y)


@pytest.mark.parametrize("settings", [{"hidden_layer_sizes": -1}, {"alpha": -1}, {"activation": "ghost"}, {"tol": "x"}])
def test_the_same_errors(settings: dict[str, Any]) -> None:
    x, y = table("two")
    messages = []
    for estimator in both(CLASSES, **settings):
        with pytest.raises(ValueError) as caught:
            estimator.fit(x, y)
        messages.append(str(caught.value).split(" Got ")[-1] if "ghost" in str(caught.value) else str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("settings", [{"max_iter": 3}, {"max_fun": 2}])
def test_the_warning_of_lbfgs(settings: dict[str, Any]) -> None:
    x, y = table("three")
    messages = []
    for estimator in both(CLASSES, solver="lbfgs", **settings):
        with pytest.warns(ConvergenceWarning) as caught:
            estimator.fit(x, y)
        messages.append(str(caught[0].message))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("kind", ["two", "three", "labels"])
@pytest.mark.parametrize("settings", [{}, {"batch_size": 40, "max_iter": 30}])
def test_the_loss_of_certain_and_wrong_rows(kind: str, settings: dict[str, Any]) -> None:
    x, y = table(kind)
    x = np.round(x * 2**16)  # columns that nobody scaled
    mine, other = both(CLASSES, **settings)
    assert mine.fit(x, y).loss_curve_ == pytest.approx(other.fit(x, y).loss_curve_, rel=2e-3)
    assert max(other.loss_curve_) > 5
    for got, wanted in zip(mine.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize(("shape", "place"), [((90,), "y[7] is -0.25"), ((90, 2), "y[7, 1] is -0.25")])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_negative_counts(shape: Any, place: str, solver: str) -> None:
    y = np.ones(shape)
    y[(7, 1)[: len(shape)]] = -0.25
    with pytest.raises(ValueError, match=re.escape(place)):
        ours.MLPRegressor(loss="poisson", solver=solver).fit(table("numbers")[0], y)


def test_a_loss_that_grows_without_limit() -> None:
    x, y = table("numbers")
    settings = {"solver": "sgd", "learning_rate_init": 1e3, "activation": "identity", "max_iter": 40}
    mine, other = both(REGRESSION, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of overflow
        for estimator in (mine, other):
            with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
                estimator.fit(x, y)
        stopped = [e.set_params(early_stopping=True).fit(x, y) for e in (mine, other)]
    assert np.isnan(stopped[0].validation_scores_[-1])
    for got, wanted in zip(stopped[0].coefs_, stopped[1].coefs_, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["an end by the loss", "adaptive", "invscaling"])
@pytest.mark.parametrize("ahead", [0.0, 100.0])
def test_epochs_that_are_taken_ahead_leave_no_trace(name: str, ahead: float, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, data, settings = CASES[name]
    x, y = table(data)
    mine, other = both(kind, **{**settings, "tol": 0.03, "n_iter_no_change": 2, "max_iter": 250})
    undone: list[Any] = []
    undo = blocks.DrawnBlocks.undo
    monkeypatch.setattr(blocks.DrawnBlocks, "undo", lambda *args: undone.append(undo(*args)))
    monkeypatch.setattr(loop, "AHEAD", ahead)
    monkeypatch.setattr(loop, "LOOK", 1000.0)
    check_same(mine.fit(x, y), other.fit(x, y))
    assert mine.n_iter_ < 250
    assert bool(undone) == (ahead > 0)
