"""Estimators that are saved and loaded: the same predictions, and one error for everything that is no such folder."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fanin._core.errors import TableError
from fanin.tabular import TabularClassifier, TabularRegressor, load_model, save_model
from fanin.tabular.saving import check_destination, is_model
from tests.tabular.saving.tables import TINY, classifier, labels, numbers, regressor, table

FIXTURES = Path(__file__).parent / "fixtures"
X = table()
LEFT_OUT = {"_started", "oof_predictions_"}  # of a fitted estimator, what a saved one does without


@pytest.fixture(scope="module")
def classes() -> TabularClassifier:
    return classifier()


@pytest.fixture(scope="module")
def quantiles() -> TabularRegressor:
    return regressor()


def through(model: Any, folder: Path) -> Any:
    save_model(model, folder / "m")
    return load_model(folder / "m")


def same_bits(one: NDArray[Any], two: NDArray[Any]) -> bool:
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def test_the_comparison_sees_one_bit() -> None:
    assert same_bits(np.array([1.0]), np.array([1.0]))
    assert not same_bits(np.array([1.0]), np.nextafter([1.0], 2))
    assert not same_bits(np.array([0.0]), np.array([-0.0]))


# What comes back ------------------------------------------------------------------------------------------------------


def test_probabilities_to_the_bit(classes: TabularClassifier, tmp_path: Path) -> None:
    loaded = through(classes, tmp_path)
    assert type(loaded) is TabularClassifier
    assert same_bits(loaded.predict_proba(X), classes.predict_proba(X))
    assert loaded.predict(X).tolist() == classes.predict(X).tolist()


def test_numbers_quantiles_and_intervals_to_the_bit(quantiles: TabularRegressor, tmp_path: Path) -> None:
    loaded = through(quantiles, tmp_path)
    assert same_bits(loaded.predict(X), quantiles.predict(X))
    assert same_bits(loaded.predict_quantiles(X, (0.1, 0.3)), quantiles.predict_quantiles(X, (0.1, 0.3)))
    assert same_bits(loaded.predict_interval(X, 0.8), quantiles.predict_interval(X, 0.8))


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (lambda y: y, {}),
        (lambda y: y, {"epochs": 40, "batch_size": 4}),  # enough steps for native code
        (lambda y: np.stack([y, -(y**2)], axis=1), {}),
        (lambda y: y, {"preset": "best", "epochs": 1}),  # two kinds of networks, on folds
    ],
    ids=["one", "native", "two targets", "folds"],
)
def test_regressors(change: Callable[..., Any], settings: dict[str, Any], tmp_path: Path) -> None:
    weights = np.linspace(0, 1, 60)
    model = TabularRegressor(**TINY | settings).fit(X, change(numbers()), weights)
    loaded = through(model, tmp_path)
    assert same_bits(loaded.predict(X), model.predict(X))
    if model._single:
        assert same_bits(loaded.predict_interval(X), model.predict_interval(X))


@pytest.mark.parametrize(
    "y",
    [
        labels().astype(str),
        (labels() == "low"),
        np.where(labels() == "low", -3, 12).astype(np.int16),
        np.where(labels() == "low", 1.0, 2.0),
        np.array([f"{row % 3}" for row in range(60)], np.dtypes.StringDType()).astype(object),
        np.array([bool(row % 2) for row in range(60)], object).astype(bool),
    ],
    ids=["texts", "flags", "whole numbers", "floats", "objects", "bools"],
)
def test_labels_of_every_kind(y: NDArray[Any], tmp_path: Path) -> None:
    model = TabularClassifier(**TINY).fit(X, y)
    loaded = through(model, tmp_path)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert type(loaded.predict(X)[0]) is type(model.predict(X)[0])


@pytest.mark.parametrize("frame", [X.to_pandas(), X.to_arrow(), X.select("number", "gaps").to_numpy()])
def test_tables_of_other_libraries(frame: Any, tmp_path: Path) -> None:
    model = TabularClassifier(**TINY).fit(frame, labels())
    loaded = through(model, tmp_path)
    assert same_bits(loaded.predict_proba(frame), model.predict_proba(frame))
    assert hasattr(loaded, "feature_names_in_") == hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match=r"feature"):
        loaded.predict(frame[:, :1] if isinstance(frame, np.ndarray) else X.select("few").to_pandas())


def test_every_fitted_attribute_is_saved_or_known_to_be_left_out(
    classes: TabularClassifier, quantiles: TabularRegressor, tmp_path: Path
) -> None:
    for number, model in enumerate((classes, quantiles)):
        loaded = through(model, tmp_path / str(number))
        assert set(vars(model)) - set(vars(loaded)) <= LEFT_OUT
        assert loaded.get_params() == model.get_params()
        for name in ("n_features_in_", "n_iter_", "history_", "oof_score_"):
            assert getattr(loaded, name) == getattr(model, name), name


def test_what_is_known_of_the_table_comes_along(classes: TabularClassifier, tmp_path: Path) -> None:
    assert through(classes, tmp_path).about_ == {}
    model = pickle.loads(pickle.dumps(classes))
    model.about_ = {"target": "y", "missing": ["NA", "?"]}
    assert through(model, tmp_path).about_ == {"target": "y", "missing": ["NA", "?"]}


def test_a_loaded_model_is_an_estimator_like_any_other(classes: TabularClassifier, tmp_path: Path) -> None:
    loaded = through(classes, tmp_path)
    copied = pickle.loads(pickle.dumps(loaded))
    assert same_bits(copied.predict_proba(X), classes.predict_proba(X))
    again = through(loaded, tmp_path / "again")
    assert same_bits(again.predict_proba(X), classes.predict_proba(X))
    fresh = clone(loaded)
    assert not hasattr(fresh, "n_iter_")
    assert same_bits(fresh.fit(X, labels()).predict_proba(X), classes.predict_proba(X))


def test_parameters_that_are_objects_are_left_at_their_defaults(tmp_path: Path) -> None:
    model = TabularClassifier(
        **TINY | {"random_state": np.random.RandomState(0), "class_weight": {"low": 2.0, "high": 1}}
    )
    loaded = through(model.fit(X, labels()), tmp_path)
    assert loaded.random_state is None
    assert loaded.class_weight == {"low": 2.0, "high": 1}
    assert loaded.hidden == (4,)


def test_loading_draws_no_numbers(classes: TabularClassifier, tmp_path: Path) -> None:
    import fanin

    save_model(classes, tmp_path / "m")
    fanin.manual_seed(7)
    load_model(tmp_path / "m")
    drawn = fanin.rand(3).tolist()
    fanin.manual_seed(7)
    assert fanin.rand(3).tolist() == drawn


def test_texts_that_are_broken(tmp_path: Path) -> None:
    broken = np.array([[("\ud800", "\u5217", 'a\n"b')[row % 3], row] for row in range(60)], object)
    model = TabularRegressor(**TINY).fit(broken, numbers())
    assert same_bits(through(model, tmp_path).predict(broken), model.predict(broken))


# The folder -----------------------------------------------------------------------------------------------------------


def test_the_folder_holds_json_and_plain_arrays(classes: TabularClassifier, tmp_path: Path) -> None:
    classes.save(tmp_path / "deep" / "m")
    folder = tmp_path / "deep" / "m"
    assert sorted(os.listdir(folder)) == ["model.json", "weights.safetensors"]
    assert os.listdir(tmp_path / "deep") == ["m"]
    description = json.loads((folder / "model.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert (description["format"], description["version"]) == ("fanin tabular model", 1)
    assert [column["name"] for column in description["columns"]] == X.columns
    assert description["target"]["classes"]["values"] == ["high", "low"]
    # The format of the file, read by hand: the length of a header of JSON, and the header.
    content = (folder / "weights.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    kinds = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    assert kinds == {"F32", "I64"}  # what was learned in single precision is saved in it


def test_a_model_replaces_a_model_with_its_report_but_nothing_else(classes: TabularClassifier, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    save_model(classes, folder)
    (folder / "report.txt").write_text("of the first")
    save_model(classes, folder)
    assert sorted(os.listdir(folder)) == ["model.json", "weights.safetensors"]
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(TableError, match="holds something that is no fanin model"):
        save_model(classes, precious)
    assert os.listdir(precious) == ["thesis.txt"]
    save_model(classes, precious, force=True)
    assert (precious / "thesis.txt").read_text() == "years of work"
    assert load_model(precious).classes_.tolist() == ["high", "low"]
    with pytest.raises(TableError, match="is not a folder"):
        check_destination(precious / "thesis.txt", force=True)
    assert sorted(os.listdir(tmp_path)) == ["m", "precious"]


def test_a_failure_leaves_the_model_that_was_there(
    classes: TabularClassifier, quantiles: TabularRegressor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(classes, tmp_path / "m")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(quantiles, tmp_path / "m")
    monkeypatch.undo()
    assert type(load_model(tmp_path / "m")) is TabularClassifier
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("model", [object(), TabularClassifier, "model"])
def test_what_is_no_estimator_is_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="is no model for tables"):
        save_model(model, tmp_path / "m")


def test_a_model_that_is_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        save_model(TabularClassifier(), tmp_path / "m")
    assert os.listdir(tmp_path) == []


# Damage ---------------------------------------------------------------------------------------------------------------


def spoil(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the description."""
    path = folder / "model.json"
    description = json.loads(path.read_text("utf-8"))
    change(description)
    path.write_text(json.dumps(description), "utf-8")


def spoil_weights(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the arrays, and the digest with them."""
    arrays = load((folder / "weights.safetensors").read_bytes())
    change(arrays)
    content = save(arrays)
    (folder / "weights.safetensors").write_bytes(content)
    spoil(folder, lambda d: d["weights"].update(sha256=hashlib.sha256(content).hexdigest()))


def cut(name: str) -> Callable[[Path], Any]:
    """Return what cuts a file in two."""
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


def described(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    return lambda folder: spoil(folder, change)


def weighed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    return lambda folder: spoil_weights(folder, change)


def levelled(description: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of the first column of categories that become flags."""
    return next(plan for plan in description["encoder"]["plans"] if plan.get("levels") and plan.get("flags"))


HEAD = "mean.0.0.head.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut("model.json"), "damaged model.*model.json is no JSON"),
        (cut("weights.safetensors"), "weights.safetensors is not the file that model.json belongs to"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors: No such file"),
        (lambda folder: (folder / "model.json").unlink(), "is not a model that fanin saved"),
        (lambda folder: (folder / "model.json").write_text("[1]"), "is not a model that fanin saved"),
        (weighed(lambda a: a.pop(HEAD)), f"the array {HEAD} is missing"),
        (weighed(lambda a: a.update({HEAD: a[HEAD][:1]})), f"the array {HEAD} has the shape .*, where .* is expected"),
        (weighed(lambda a: a.pop("errors")), "the array errors is missing"),
        (weighed(lambda a: a.pop("judged_quantiles")), "the array judged_quantiles is missing"),
        (described(lambda d: d.update(version=99, fanin="9.9")), r"has version 99 .* saved by fanin 9\.9"),
        (described(lambda d: d.pop("version")), "has version None of the format"),
        (described(lambda d: d.update(format="fanin table model")), r"saved by fanin 0\.1.* train it again"),
        (described(lambda d: d.update(format="other")), "is not a model that fanin saved"),
        (described(lambda d: d.pop("weights")), "weights.safetensors is not the file"),
        (described(lambda d: d.pop("encoder")), "damaged model \\('encoder' is missing"),
        (described(lambda d: d["encoder"].update(format=9)), "a saved encoder of format 9"),
        (described(lambda d: d["encoder"]["plans"].pop()), "the encoder has 5 columns, where 6 are expected"),
        (described(lambda d: d.update(estimator="Forest")), "no estimator 'Forest' is known"),
        (described(lambda d: d["parameters"].update(depth=3)), "has a parameter 'depth', which this fanin"),
        (
            described(lambda d: d["ensembles"]["mean"]["stages"][0]["settings"].update(depth=3)),
            "networks have a setting 'depth', which this fanin does not know",
        ),
        (described(lambda d: d["ensembles"]["mean"].update(stages=[])), "the ensemble 'mean' has no networks"),
        (described(lambda d: d["target"].update(spread=[1.0, 1.0])), "centre, spread and range have different lengths"),
        (described(lambda d: d["inputs"].update(numbers=99)), "the encoder makes Inputs.* of a row, where Inputs.*99"),
        (described(lambda d: d["inputs"].update(flags=10**12)), "the encoder makes Inputs.* of a row, where Inputs"),
        (described(lambda d: d.update(version=[1])), r"has version \[1\] of the format"),
        (
            described(lambda d: d["features"]["names"].reverse()),
            "the encoder has other names of columns than the model",
        ),
        (described(lambda d: d["encoder"]["block"]["scale"]["factor"].pop()), "could not be broadcast"),
        (described(lambda d: d["encoder"]["known"]["low"].pop()), "could not be broadcast"),
        (described(lambda d: levelled(d)["flags"].pop()), "levels and .* flags, which do not fit"),
        (described(lambda d: levelled(d)["levels"].__setitem__(0, 7)), "levels and .* flags, which do not fit"),
    ],
)
def test_a_damaged_folder_is_one_clear_error(
    quantiles: TabularRegressor, damage: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    save_model(quantiles, folder)
    damage(folder)
    with pytest.raises(TableError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such model folder"):
        load_model(tmp_path / "gone")
    with pytest.raises(TableError, match="is not a model that fanin saved"):
        load_model(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(TableError, match="is not a model that fanin saved"):
        load_model(tmp_path / "file")
    assert not is_model(tmp_path)
    assert not is_model(tmp_path / "file")


# Earlier versions -----------------------------------------------------------------------------------------------------


def test_models_of_version_1_are_read() -> None:
    """They were saved when the version was new, and are never written again."""
    expected = json.loads((FIXTURES / "expected-1.json").read_text())
    some, classes, model = X.head(5), load_model(FIXTURES / "classes-1"), load_model(FIXTURES / "numbers-1")
    found = {
        "predict_proba": classes.predict_proba(some),
        "predict": model.predict(some),
        "predict_quantiles": model.predict_quantiles(some, (0.5,)),
        "predict_interval": model.predict_interval(some, 0.8),
    }
    assert set(found) == set(expected)
    for name, value in found.items():
        # Another machine's products are rounded otherwise.
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, err_msg=name)


def test_a_loaded_model_learns_on(tmp_path: Path) -> None:
    model = TabularClassifier(**TINY).partial_fit(X, labels(), classes=["high", "low"])
    loaded = through(model, tmp_path)
    assert set(vars(model)) - set(vars(loaded)) <= LEFT_OUT | {"_learner"}
    before = loaded.predict_proba(X)
    loaded.partial_fit(X, labels())
    assert not same_bits(loaded.predict_proba(X), before)
