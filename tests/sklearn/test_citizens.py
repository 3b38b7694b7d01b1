"""What scikit-learn's tools do with the estimators: search, pipelines, copies, files, weights, names, threads."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

import fanin
from fanin.sklearn import FocalLoss, MLPClassifier, MLPRegressor, QuantileError, base, blocks, epochs
from fanin.training import threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = make_classification(80, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 15, "learning_rate_init": 0.02, "random_state": 0}
NATIVE: dict[str, Any] = {**SMALL, "batch_size": 40, "max_iter": 30}  # enough steps for compiled ones


def same(a: Any, b: Any) -> bool:
    return all((u == v).all() for u, v in zip([*a.coefs_, *a.intercepts_], [*b.coefs_, *b.intercepts_], strict=True))


def test_clones_have_the_parameters_and_nothing_else() -> None:
    given = MLPClassifier(**SMALL, loss=FocalLoss(1.5), activation=[fanin.nn.ELU(0.5)], solver=fanin.optim.AdamW)
    copied = clone(given.fit(X, Y))
    assert not hasattr(copied, "coefs_")
    assert copied.loss.gamma == 1.5
    assert same(copied.fit(X, Y), given)


@pytest.mark.parametrize("extras", [{}, {"batch_norm": True, "dropout": 0.2, "activation": "silu"}])
def test_files_hold_all_that_going_on_needs(extras: dict[str, Any], tmp_path: Path) -> None:
    fitted = MLPClassifier(**SMALL, **extras).fit(X, Y)
    joblib.dump(fitted, tmp_path / "network")
    for copied in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "network")):
        assert (copied.predict_proba(X) == fitted.predict_proba(X)).all()
        twin = pickle.loads(pickle.dumps(fitted))
        assert same(copied.partial_fit(X, Y), twin.partial_fit(X, Y))
        assert not same(copied, fitted)


@pytest.mark.parametrize("extras", [{}, {"batch_norm": True, "solver": "adamw"}, {"early_stopping": True}])
def test_what_is_mapped_to_memory_can_go_on(extras: dict[str, Any], tmp_path: Path) -> None:
    fitted = MLPClassifier(**SMALL, **extras).fit(X, Y)
    joblib.dump(fitted, tmp_path / "network")
    mapped, twin = joblib.load(tmp_path / "network", mmap_mode="r"), pickle.loads(pickle.dumps(fitted))
    assert (mapped.predict_proba(X) == fitted.predict_proba(X)).all()
    assert same(mapped.partial_fit(X, Y), twin.partial_fit(X, Y))
    again = joblib.load(tmp_path / "network", mmap_mode="r").set_params(warm_start=True)
    assert same(again.fit(X, Y), fitted.set_params(warm_start=True).fit(X, Y))


def test_a_fitted_one_can_be_copied_and_go_on() -> None:
    fitted = MLPClassifier(**SMALL, warm_start=True).fit(X, Y)
    twin = copy.deepcopy(fitted)
    assert same(fitted.partial_fit(X, Y), twin.partial_fit(X, Y))
    assert same(fitted.fit(X, Y), twin.fit(X, Y))


def test_search_in_processes() -> None:
    steps = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    grid = {"mlpclassifier__alpha": [1e-4, 10.0], "mlpclassifier__activation": ["relu", "silu"]}
    found = [GridSearchCV(steps, grid, cv=2, n_jobs=jobs).fit(X, Y) for jobs in (1, 2)]
    scores = [search.cv_results_["mean_test_score"] for search in found]
    assert (scores[0] == scores[1]).all()
    assert found[0].best_score_ > 0.7
    assert found[0].score(X, Y) > 0.8


def test_processes_do_not_take_more_threads_than_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    told = joblib.Parallel(n_jobs=2)(joblib.delayed(threads.threads_to_use)() for _ in range(2))
    assert all(number in range(1, max(1, joblib.cpu_count() // 2) + 1) for number in told), told
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.threads_to_use() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    assert threads.threads_to_use() is None
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(threads.threads_to_use).result() == 1


@pytest.mark.parametrize("extras", [{}, {"dropout": 0.3}])
def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch, extras: dict[str, Any]) -> None:
    fitted = []
    for number in (1, 2, 3):
        monkeypatch.setattr(base, "threads_to_use", lambda number=number: number)
        fitted.append(MLPClassifier(**{**NATIVE, "hidden_layer_sizes": (64,)}, **extras).fit(X, Y))
    assert same(fitted[0], fitted[1])
    assert same(fitted[0], fitted[2])


def test_fits_in_threads_are_those_of_one_thread() -> None:
    seeds = range(6)
    settings = {**NATIVE, "dropout": 0.2, "initializer": "kaiming_normal"}
    alone = [MLPClassifier(**{**settings, "random_state": seed}).fit(X, Y) for seed in seeds]
    with ThreadPoolExecutor(3) as pool:
        beside = list(pool.map(lambda seed: MLPClassifier(**{**settings, "random_state": seed}).fit(X, Y), seeds))
    assert all(same(a, b) for a, b in zip(alone, beside, strict=True))
    assert not same(alone[0], alone[1])


def test_streams_of_others_are_left_alone() -> None:
    fanin.manual_seed(5)
    np.random.seed(5)
    wanted = fanin.rand(3).tolist(), np.random.rand(3).tolist()
    fanin.manual_seed(5)
    np.random.seed(5)
    MLPClassifier(**SMALL, dropout=0.2, initializer="kaiming_normal").fit(X, Y)
    assert (fanin.rand(3).tolist(), np.random.rand(3).tolist()) == wanted


def test_a_fit_within_a_callback() -> None:
    inner: list[Any] = []
    callback = lambda training: inner.append(MLPClassifier(**SMALL).fit(X, Y)) if training.epoch == 2 else None  # noqa: E731
    outer = MLPClassifier(**SMALL, callbacks=callback).fit(X, Y)
    assert same(outer, inner[0])


def test_names_of_columns() -> None:
    frame = polars.DataFrame(X, schema=list("abcde")).with_columns(kind=polars.Series(np.array(["u", "v"])[Y]))
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["kind"]), remainder=StandardScaler(), verbose_feature_names_out=False
    ).set_output(transform="polars")
    model = make_pipeline(columns, MLPClassifier(**SMALL, early_stopping=True)).fit(frame, Y)
    assert model[-1].feature_names_in_.tolist() == ["kind_u", "kind_v", *"abcde"]
    assert model.score(frame, Y) > 0.9
    fitted = MLPClassifier(**SMALL).fit(frame[list("abcde")], Y)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame[list("edcba")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)


def test_weights_find_their_way() -> None:
    weights = np.where(Y == 0, 1.0, 5.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SMALL).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        asked = get_routing_for_object(model).fit.requests
        assert {name for name, value in asked.items() if value} == {"sample_weight", "X_val", "y_val"}
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, model).fit(X, Y, sample_weight=weights)
        scores = cross_val_score(
            MLPClassifier(**SMALL).set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
            X, Y, cv=2, params={"sample_weight": weights},
        )  # fmt: skip
    direct = MLPClassifier(**SMALL).fit(StandardScaler().fit_transform(X), Y, sample_weight=weights)
    assert same(routed[-1], direct)
    assert scores.shape == (2,)
    assert (scores > 0.5).all()


def test_what_a_notebook_shows() -> None:
    shown = MLPRegressor(loss=QuantileError(0.9), dropout=0.1)._repr_html_()
    assert "MLPRegressor" in shown
    assert "QuantileError" in shown
    assert repr(MLPClassifier(dropout=0.1)) == "MLPClassifier(dropout=0.1)"


def test_what_counts() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    fitted = MLPRegressor(**{**SMALL, "max_iter": 40}).fit(x, 3 * x[:, 1])
    importance = permutation_importance(fitted, x, 3 * x[:, 1], n_repeats=3, random_state=0).importances_mean
    assert importance.argmax() == 1
    assert importance[1] > 0.5 > max(importance[0], importance[2])


def test_compiled_and_eager_steps_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []
    for few in (0, 10**9):
        monkeypatch.setattr(epochs, "FEW", few)
        fitted.append(MLPClassifier(**NATIVE, batch_norm=True, activation="gelu").fit(X, Y))
    for a, b in zip(fitted[0].coefs_, fitted[1].coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert not same(*fitted)  # or one engine ran twice


def test_a_second_fit_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from fanin.compiler.native import target

    MLPClassifier(**NATIVE).fit(X, Y)
    monkeypatch.setattr(target, "compiled", lambda *_: pytest.fail("code was compiled again"))
    MLPClassifier(**{**NATIVE, "random_state": 1, "alpha": 0.5, "learning_rate_init": 0.1}).fit(X, Y)


def test_a_block_that_is_interrupted_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the third block of epochs: it is undone, its orders are drawn again, and going on gives the same."""
    wanted = MLPClassifier(**NATIVE).fit(X, Y)
    run, calls = blocks.Blocks.run, []

    def interrupted(self: Any, count: int) -> Any:
        losses = run(self, count)
        calls.append(count)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(blocks.Blocks, "run", interrupted)
    taken: list[Any] = []
    take = epochs.Epochs.run

    def again(self: Any, *args: Any) -> Any:
        try:
            taken.append(take(self, *args))
        except KeyboardInterrupt:
            taken.append(take(self, *args))
        return taken[-1]

    monkeypatch.setattr(epochs.Epochs, "run", again)
    assert same(MLPClassifier(**NATIVE).fit(X, Y), wanted)
    assert len(calls) > 2


def test_from_one_solver_to_another() -> None:
    model = MLPClassifier(**SMALL, solver="lbfgs", warm_start=True).fit(X, Y)
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        model.partial_fit(X, Y)
    model.set_params(solver="adam").fit(X, Y)
    assert len(model.loss_curve_) == model.n_iter_ > 0
