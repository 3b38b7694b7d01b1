"""scikit-learn's own checks, and what its users do: clone, pickle, pipelines, cross-validation."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    RepeatedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from fanin.sklearn import MLPClassifier
from fanin.tabular import TabularClassifier, TabularRegressor
from fanin.tabular.fitting import members

# A row of weight 2 is to be as good as two rows. But rows are held out at random, and networks take batches in random
# order: more rows are other draws. scikit-learn expects this check to fail for its own MLPClassifier, too.
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": "training is stochastic"}
QUICK: dict[str, Any] = {"preset": "fast", "epochs": 12, "hidden": (32,), "learning_rate": 0.02, "random_state": 0}


@pytest.mark.parametrize("estimator", [TabularClassifier, TabularRegressor])
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator: Any) -> None:
    results = check_estimator(estimator(**QUICK), expected_failed_checks=EXPECTED, on_skip=None)
    assert len(results) > 50
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXPECTED)


def rows(count: int = 120) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 3))
    return X, np.where(X[:, 0] > 0, "up", "down")


def test_clone_and_pickle() -> None:
    X, y = rows()
    model = TabularClassifier(**QUICK).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


def frame(count: int = 120) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    X = pandas.DataFrame(
        {"number": rng.normal(size=count), "noise": rng.normal(size=count), "text": rng.choice(["a", "b", "c"], count)}
    )
    return X, np.where((X["text"] == "a") | (X["number"] > 1), "yes", "no")


def test_a_file_of_joblib(tmp_path: Any) -> None:
    X, y = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    assert np.array_equal(joblib.load(tmp_path / "model.joblib").predict_proba(X), model.predict_proba(X))


def test_a_search_in_two_processes_finds_the_same() -> None:
    X, y = frame()
    grid = {"learning_rate": [1e-5, 0.02]}
    found = [GridSearchCV(TabularClassifier(**QUICK), grid, cv=2, n_jobs=jobs).fit(X, y) for jobs in (1, 2)]
    assert found[0].best_params_ == found[1].best_params_ == {"learning_rate": 0.02}
    assert np.array_equal(found[0].predict_proba(X), found[1].predict_proba(X))


@pytest.mark.parametrize(("cv", "function"), [(None, "fit"), (2, "fit_many")])
def test_a_fit_takes_the_threads_that_are_its_own(cv: Any, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joblib tells its processes how many these are."""
    told, real = [], getattr(members, function)

    def noted(*arguments: Any, threads: Any, **options: Any) -> Any:
        told.append(threads)
        return real(*arguments, threads=threads, **options)

    monkeypatch.setattr(members, function, noted)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    X, y = rows()
    TabularClassifier(**QUICK, cv=cv).fit(X, y)
    joblib.Parallel(2, backend="threading")(joblib.delayed(TabularClassifier(**QUICK, cv=cv).fit)(X, y) for _ in "ab")
    assert told == [3, 1, 1]


def test_fits_in_threads_are_those_of_one_thread() -> None:
    """They draw from one generator, with each other and with the drop-ins of scikit-learn's networks."""
    X, y = rows()
    beside = {"max_iter": 12, "dropout": 0.2, "hidden_layer_sizes": (8,), "n_iter_no_change": np.inf, "random_state": 0}

    def answer(number: int) -> Any:
        table = TabularClassifier(**{**QUICK, "epochs": 3, "random_state": number})
        model = table if number % 3 else MLPClassifier(**beside)
        return model.fit(X, y).predict_proba(X)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = [answer(number) for number in range(6)]
        switching = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)  # many turns within a fit
        try:
            together = joblib.Parallel(3, backend="threading")(joblib.delayed(answer)(number) for number in range(6))
        finally:
            sys.setswitchinterval(switching)
    assert [np.array_equal(a, b) for a, b in zip(alone, together, strict=True)] == [True] * 6
    assert not np.array_equal(alone[1], alone[2])


def test_one_width_is_that_of_the_only_layer() -> None:
    X, y = rows()
    found = [TabularClassifier(**{**QUICK, "hidden": hidden}).fit(X, y).predict_proba(X) for hidden in (8, [8])]
    assert np.array_equal(*found)


def test_numbers_of_numpy_are_those_of_python() -> None:
    """As randomised searches draw them."""
    X, y = rows()
    drawn = {"epochs": np.int64(4), "batch_size": np.int32(16), "hidden": (np.int64(8),)}
    plain = {"epochs": 4, "batch_size": 16, "hidden": (8,)}
    found = [TabularClassifier(**{**QUICK, **given}).fit(X, y).predict_proba(X) for given in (drawn, plain)]
    assert np.array_equal(*found)
    counts = np.arange(2, 4)
    spread = {"epochs": counts, "settings": [{"members": count, "patience": count} for count in counts]}
    assert np.isfinite(RandomizedSearchCV(TabularClassifier(**QUICK), spread, n_iter=2, cv=2).fit(X, y).best_score_)


def test_a_name_is_no_target() -> None:
    X, y = frame()
    for kind in (TabularClassifier, TabularRegressor):
        with pytest.raises(TypeError, match="y is the text 'label', where the targets of all rows are expected"):
            kind(**QUICK).fit(X.assign(label=y), "label")


def test_pipelines_with_frames() -> None:
    X, y = frame()
    columns = make_column_transformer((StandardScaler(), ["number"]), remainder="passthrough")
    steps = make_pipeline(columns.set_output(transform="pandas"), TabularClassifier(**QUICK)).fit(X, y)
    assert steps.score(X, y) > 0.85
    assert list(steps[-1].feature_names_in_) == ["standardscaler__number", "remainder__noise", "remainder__text"]
    assert "TabularClassifier" in steps._repr_html_()
    assert "learning_rate=0.02" in repr(steps)


def test_names_of_columns() -> None:
    X, y = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    assert [(column.name, column.kind) for column in model.columns_] == [
        ("number", "number"), ("noise", "number"), ("text", "category")
    ]  # fmt: skip
    assert not hasattr(TabularClassifier(), "columns_")
    with pytest.raises(ValueError, match="names should match"):
        model.predict(X.rename(columns={"noise": "loud"}))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(X[["text", "number", "noise"]])
    with pytest.warns(UserWarning, match="valid feature names, but TabularClassifier was fitted") as told:
        model.predict(X.to_numpy())
    assert len(told) == 1


def test_permutation_importance() -> None:
    X, y = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert found.argmax() == 2
    assert found[1] < 0.1 < found[2]


@pytest.mark.parametrize(
    "around",
    [
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: VotingClassifier([("a", model), ("b", clone(model).set_params(random_state=1))], voting="soft"),
        lambda model: StackingClassifier([("a", model)], LogisticRegression(), cv=2),
    ],
    ids=["calibrated", "voting", "stacking"],
)
def test_estimators_around_ours(around: Any) -> None:
    X, y = frame()
    assert around(TabularClassifier(**QUICK)).fit(X, y).score(X, y) > 0.8


@pytest.fixture
def routing() -> Iterator[None]:
    sklearn.set_config(enable_metadata_routing=True)
    yield
    sklearn.set_config(enable_metadata_routing=False)


@pytest.mark.usefixtures("routing")
def test_weights_and_groups_are_routed() -> None:
    X, y = rows()
    weight, groups = np.linspace(0.1, 2, len(X)), np.arange(len(X)) // 10
    model = TabularClassifier(**QUICK, cv=GroupKFold(2)).set_fit_request(sample_weight=True, groups=True)
    steps = make_pipeline(MinMaxScaler(), model).fit(X, y, sample_weight=weight, groups=groups)
    alone = clone(model).fit(MinMaxScaler().fit_transform(X), y, sample_weight=weight, groups=groups)
    assert np.array_equal(steps[-1].oof_predictions_, alone.oof_predictions_)
    scored = clone(model).set_score_request(sample_weight=True)
    given = {"sample_weight": weight, "groups": groups}
    assert (cross_validate(scored, X, y, params=given, cv=GroupKFold(2))["test_score"] > 0.7).all()


# Folds ----------------------------------------------------------------------------------------------------------------

GROUPS = np.repeat(np.arange(12), 10)


@pytest.mark.parametrize(
    ("cv", "networks", "unseen"),
    [
        (3, 3, 0),
        (KFold(4), 4, 0),
        (TimeSeriesSplit(3), 3, 30),
        (GroupKFold(3), 3, 0),
        (LeaveOneGroupOut(), 12, 0),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), 4, 0),
        ([(np.arange(60), np.arange(60, 120))], 1, 60),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_each_fold_is_predicted_by_the_others(cv: Any, networks: int, unseen: int) -> None:
    X, _ = rows()
    y = X[:, 0] + 0.1 * X[:, 1]
    model = TabularRegressor(**{**QUICK, "hidden": (16,), "learning_rate": 0.03}, cv=cv).fit(X, y, groups=GROUPS)
    assert len(model.history_) == networks
    found = model.oof_predictions_
    assert found.shape == y.shape
    assert np.isnan(found).sum() == unseen
    seen = ~np.isnan(found)
    rest = 1 - np.square(found - y)[seen].sum() / np.square(y[seen] - y[seen].mean()).sum()
    assert model.oof_score_ == pytest.approx(rest)
    assert model.oof_score_ > 0.4


def test_a_fold_does_not_learn_from_its_own_rows() -> None:
    """What cannot be learned is not known out of fold, even by networks that fit it."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 3)), rng.integers(0, 2, 120)
    wide = {**QUICK, "epochs": 40, "hidden": (64,), "settings": {"patience": None, "dropout": 0.0}}
    model = TabularClassifier(**wide, cv=4).fit(X, y)
    assert 0.35 < model.oof_score_ < 0.65


def test_no_group_is_on_both_sides() -> None:
    """Rows of a group are alike: a network that has seen some knows the others."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 12)
    X, y = np.eye(12)[GROUPS] + 0.1 * rng.normal(size=(120, 12)), labels[GROUPS]
    quick = {**QUICK, "epochs": 30}
    free = TabularClassifier(**quick, cv=4).fit(X, y).oof_score_
    for cv in (4, None):
        apart = TabularClassifier(**quick, cv=cv).fit(X, y, groups=GROUPS)
        assert apart.oof_score_ < 0.75 < free
        seen = ~np.isnan(apart.oof_predictions_[:, 0])
        assert not {*GROUPS[seen]} & {*GROUPS[~seen]}


def test_rows_of_weight_0_have_no_prediction_and_lists_name_the_tables_rows() -> None:
    X, y = rows()
    weight = (np.arange(120) % 3).astype(float)
    model = TabularClassifier(**QUICK, cv=StratifiedKFold(3)).fit(X, y, sample_weight=weight)
    assert np.array_equal(np.isnan(model.oof_predictions_[:, 0]), weight == 0)
    model = TabularClassifier(**QUICK, cv=[(np.arange(60), np.arange(60, 120))]).fit(X, y, sample_weight=weight)
    assert np.array_equal(np.isnan(model.oof_predictions_[:, 0]), (weight == 0) | (np.arange(120) < 60))


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (1, "cv must be 2 folds or more, not 1"),
        ("five", "cv must be a number of folds, a splitter of scikit-learn or a list of splits, not 'five'"),
        (True, "cv must be a number of folds"),
        ([], "cv yields no splits"),
        ([(np.arange(3), [])], "split 1 of cv is judged by no row"),
        ([(np.arange(3), [3]), ([500], [4])], "split 2 of cv learns from row 500, but the table has 120 rows"),
        ([(np.arange(3), [4, -7])], "split 1 of cv is judged by row -7, but the table has 120 rows"),
        (KFold(200), "n_splits=200"),
    ],
)
def test_what_are_no_folds(cv: Any, message: str) -> None:
    X, y = rows()
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**QUICK, cv=cv).fit(X, y)


def test_groups_have_to_fit() -> None:
    X, y = rows()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TabularClassifier(**QUICK).fit(X, y, groups=GROUPS[:5])
    for lacking in ([None, *GROUPS[1:]], ["a"] * 119 + [np.nan], np.where(GROUPS[0] == GROUPS, np.nan, GROUPS)):
        with pytest.raises(ValueError, match=r"Input groups contains NaN, .* has no group"):
            TabularClassifier(**QUICK).fit(X, y, groups=lacking)
    for cv in (None, 2):
        with pytest.raises(ValueError, match="of 1 group"):
            TabularClassifier(**QUICK, cv=cv).fit(X, y, groups=np.zeros(120))


def test_cross_validation() -> None:
    X, y = rows()
    assert cross_val_score(TabularClassifier(**QUICK), X, y, cv=2).mean() > 0.8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "good"}, "preset must be one of fast, default, best, not 'good'"),
        ({"time_limit": 0}, "time_limit must be above 0 seconds"),
        ({"validation_fraction": 1.0}, "must lie between 0 and 1, not 1.0"),
        ({"time_limit": "5m"}, "time_limit must be above 0 seconds, or None, not '5m'"),
        ({"epochs": 0}, "epochs must be a whole number of 1 or more, not 0"),
        ({"batch_size": 32.5}, "batch_size must be a whole number of 1 or more, not 32.5"),
        ({"hidden": (8, 0)}, "the width of a hidden layer must be a whole number of 1 or more, not 0"),
        ({"hidden": "wide"}, "the width of a hidden layer must be a whole number of 1 or more, not 'wide'"),
        ({"settings": {"members": "x"}}, "members must be a whole number of 1 or more, not 'x'"),
        ({"learning_rate": "small"}, "the learning rate must be above 0, not 'small'"),
        ({"time_limit": np.inf}, "time_limit must be above 0 seconds, or None, not inf"),
        ({"epochs": True}, "epochs must be a whole number of 1 or more, not True"),
        ({"settings": {"patience": 0}}, "patience must be a whole number of 1 or more, not 0"),
        ({"settings": {"weight_decay": -1}}, "weight_decay must be 0 or more, not -1"),
        ({"settings": {"dropout": 1}}, "dropout must be a share from 0 to below 1, not 1"),
        ({"class_weight": {"up": -1.0}}, "class_weight are finite factors of 0 or more, not {'up': -1.0}"),
        ({"class_weight": {"up": np.nan}}, "class_weight are finite factors of 0 or more, not {'up': nan}"),
        ({"class_weight": {"down": 0, "up": 0}}, "the weight 0: class_weight leaves nothing to learn from"),
    ],
)
def test_parameters_outside_their_domain(parameters: Any, message: str) -> None:
    X, y = rows(20)
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**{**QUICK, **parameters}).fit(X, y)
