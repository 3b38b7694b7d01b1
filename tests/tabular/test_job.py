"""The whole job from Python: scores, what the split keeps apart, saving and loading."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars
import pytest

import fanin
from fanin._core.errors import ArgumentError, TableError
from fanin.tabular import Model, Options, Result, Table, load_model, prepare, save_model, train
from fanin.tabular.report import as_text, describe_data, describe_result
from fanin.tabular.scores import ClassScores, NumberScores
from fanin.tabular.store import check_destination, is_model
from fanin.tabular.target import NumberTarget

QUICK = {"hidden": (32, 32), "epochs": 40, "rate": 5e-3}


def mixed(rows: int = 1200, seed: int = 0) -> polars.DataFrame:
    """Numbers with gaps, two levels, few levels, many levels, dates; y depends on most of them, not linearly."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=rows), rng.uniform(-2, 2, size=rows)
    shop, day = rng.integers(0, 30, size=rows), rng.integers(0, 700, size=rows)
    side = rng.choice(["left", "right"], rows)
    y = np.abs(x) * 3 + z**2 + np.where(side == "left", 2, -2) + shop / 10 + 0.1 * rng.normal(size=rows)
    return polars.DataFrame(
        {
            "x": x,
            "z": [None if n % 17 == 0 else float(value) for n, value in enumerate(z)],
            "side": side,
            "colour": rng.choice(["red", "green", "blue"], rows),
            "shop": [f"shop {n}" for n in shop],
            "when": polars.Series(np.datetime64("2023-01-01") + day),
            "same": ["-"] * rows,
            "y": y,
        }
    )


@pytest.fixture(scope="module")
def regression() -> Result:
    return train(prepare(Table("mixed", mixed()), "y", Options(settings=QUICK)))


@pytest.fixture(scope="module")
def classes() -> Result:
    frame = mixed().with_columns(
        y=polars.when(polars.col("y") > 5).then(polars.lit("high")).otherwise(polars.lit("low"))
    )
    return train(prepare(Table("mixed", frame), "y", Options(settings=QUICK)))


def test_the_network_beats_the_linear_model_and_that_the_constant(regression: Result) -> None:
    constant, linear, network = regression.scores.values()
    assert isinstance(constant, NumberScores)
    assert constant.r2 < 0.05
    assert constant.rmse > linear.rmse > network.rmse
    assert network.r2 > 0.8


def test_classes_are_told_apart(classes: Result) -> None:
    constant, linear, network = classes.scores.values()
    assert isinstance(network, ClassScores)
    assert constant.log_loss > linear.log_loss > network.log_loss
    assert network.accuracy > 0.85
    assert sum(network.support) == len(classes.prepared.split.held_out)


def test_the_linear_model_is_the_least_squares_solution(regression: Result) -> None:
    prepared = regression.prepared
    rows = np.sort(np.concatenate([prepared.split.train, prepared.split.validation]))
    inputs = prepared.encoded.numbers.astype(np.float64)
    levels = np.eye(prepared.encoded.codes.max() + 1)[prepared.encoded.codes[:, 0]]
    design = np.column_stack([inputs, levels, np.ones(len(inputs))])
    solution, *_ = np.linalg.lstsq(design[rows], prepared.goal.values[rows], rcond=None)
    held_out = prepared.split.held_out
    error = design[held_out] @ solution - prepared.goal.values[held_out]
    assert regression.scores["linear model"].rmse == pytest.approx(np.sqrt((error**2).mean()), rel=0.005)


def test_a_network_does_not_guess_beyond_what_it_saw(regression: Result) -> None:
    far = Table("far", mixed(50).with_columns(x=polars.lit(1e9)))
    target = regression.model.target
    values = regression.model.predict(far).values
    assert isinstance(target, NumberTarget)
    assert target.low <= values.min() <= values.max() <= target.high


def test_the_best_epoch_is_kept(regression: Result) -> None:
    losses = [epoch.validation_loss for epoch in regression.fitted.history]
    assert regression.fitted.best.validation_loss == min(losses)
    prepared = regression.prepared
    part = prepared.part(prepared.split.validation)
    outputs = regression.model.outputs(part.encoded)
    assert float(((outputs - part.target) ** 2).mean()) == pytest.approx(min(losses), rel=1e-5)


def test_the_same_seed_gives_the_same_model() -> None:
    frame = mixed(120)
    options = Options(settings={"hidden": (8,), "epochs": 3})
    one, two = (train(prepare(Table("mixed", frame), "y", options)).model.predict(Table("mixed", frame)) for _ in "ab")
    assert np.array_equal(one.values, two.values)


def test_training_leaves_the_default_generator_alone() -> None:
    fanin.manual_seed(7)
    expected = fanin.rand(3).tolist()
    fanin.manual_seed(7)
    train(prepare(Table("mixed", mixed(120)), "y", Options(settings={"hidden": (8,), "epochs": 1})))
    assert fanin.rand(3).tolist() == expected


def test_held_out_and_validation_rows_do_not_shape_the_encoder_or_the_target() -> None:
    frame = mixed()
    before = prepare(Table("mixed", frame), "y")
    others = np.sort(np.concatenate([before.split.validation, before.split.held_out])).tolist()
    spoilt = frame.with_row_index("n").with_columns(
        x=polars.when(polars.col("n").is_in(others)).then(1e6).otherwise(polars.col("x")),
        shop=polars.when(polars.col("n").is_in(others))
        .then(polars.lit("shop of others"))
        .otherwise(polars.col("shop")),
        y=polars.when(polars.col("n").is_in(others)).then(-1e6).otherwise(polars.col("y")),
    )
    after = prepare(Table("mixed", spoilt.drop("n")), "y")
    assert after.plans == before.plans
    assert after.target == before.target
    assert np.array_equal(after.encoded.numbers[before.split.train], before.encoded.numbers[before.split.train])


def test_held_out_rows_do_not_change_the_trained_network() -> None:
    frame, options = mixed(200), Options(settings={"hidden": (8,), "epochs": 3})
    before = prepare(Table("mixed", frame), "y", options)
    held_out = before.split.held_out.tolist()
    row = polars.int_range(polars.len())
    spoilt = frame.with_columns(y=polars.when(row.is_in(held_out)).then(-1e6).otherwise(polars.col("y")))
    one, two = train(before), train(prepare(Table("mixed", spoilt), "y", options))
    assert np.array_equal(one.model.predict(Table("m", frame)).values, two.model.predict(Table("m", frame)).values)
    assert one.scores["network"] != two.scores["network"]


def test_options_choose_columns() -> None:
    frame = mixed().with_columns(code=polars.Series([n % 3 for n in range(1200)]))
    prepared = prepare(Table("mixed", frame), "y", Options(categories=("code",), ignore=("x", "shop")))
    kinds = {column.name: column.kind for column in prepared.columns}
    assert kinds["code"] == "category"
    assert not {"x", "shop", "y"} & set(kinds)
    with pytest.raises(TableError, match='has no column "cod"; did you mean "code"'):
        prepare(Table("mixed", frame), "y", Options(categories=("cod",)))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, 'm has no column to learn "y" from: it has no other column'),
        ({"a": ["x"] * 40, "b": [1.0] * 40}, 'm has no column to learn "y" from: all other columns are constant'),
        (
            {"id": list(range(40)), "b": [1.0] * 40},
            'm has no column to learn "y" from: "id" is a row number, "b" is one value',
        ),
    ],
)
def test_nothing_to_learn_from(columns: dict[str, list[object]], expected: str) -> None:
    table = Table("m", polars.DataFrame(columns | {"y": ["p", "q"] * 20}))
    with pytest.raises(TableError) as caught:
        prepare(table, "y")
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 0}, {"hidden": ()}, {"hidden": (0,)}, {"dropout": 1.0}, {"rate": 0.0}, {"rate": float("nan")}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        prepare(Table("mixed", mixed(40)), "y", Options(settings=settings))


@pytest.mark.parametrize("which", ["regression", "classes"])
def test_a_saved_model_predicts_the_same_to_the_bit(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model = request.getfixturevalue(which).model
    save_model(model, tmp_path / "m")
    fresh = Table("new", mixed(50, seed=1).with_columns(side=polars.lit("up")))
    loaded = load_model(tmp_path / "m")
    one, two = model.predict(fresh), loaded.predict(fresh)
    assert np.array_equal(one.values, two.values)
    assert one.labels() == two.labels()
    assert one.unknown == two.unknown != ()
    if which == "classes":
        assert np.array_equal(one.probabilities, two.probabilities)
    assert (loaded.plans, loaded.target, loaded.missing) == (model.plans, model.target, model.missing)


def test_the_folder_holds_a_description_and_arrays_only(regression: Result, tmp_path: Path) -> None:
    save_model(regression.model, tmp_path / "deep" / "m")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["m"]
    assert sorted(path.name for path in (tmp_path / "deep" / "m").iterdir()) == ["model.json", "weights.npz"]
    description = json.loads((tmp_path / "deep" / "m" / "model.json").read_text())
    assert (description["format"], description["version"]) == ("fanin table model", 1)
    assert [column["name"] for column in description["columns"]] == ["x", "z", "side", "colour", "shop", "when"]
    with np.load(tmp_path / "deep" / "m" / "weights.npz", allow_pickle=False) as arrays:
        assert "head.weight" in arrays.files


def test_a_model_replaces_a_model_but_nothing_else(regression: Result, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    save_model(regression.model, folder)
    save_model(regression.model, folder)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(TableError, match="holds something that is no fanin model"):
        save_model(regression.model, precious)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    save_model(regression.model, precious, force=True)
    assert (precious / "thesis.txt").read_text() == "years of work"
    assert load_model(precious).plans == regression.model.plans
    with pytest.raises(TableError, match="is not a folder"):
        check_destination(precious / "thesis.txt", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "precious"]


def test_a_failure_while_saving_leaves_the_model_that_was_there(
    regression: Result, classes: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    save_model(regression.model, folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(classes.model, folder)
    monkeypatch.undo()
    assert load_model(folder).target == regression.model.target
    assert os.listdir(tmp_path) == ["m"]


def spoil(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damaged_models_are_refused(regression: Result, tmp_path: Path) -> None:
    model, folder = regression.model, tmp_path / "m"
    with pytest.raises(TableError, match="no such model folder"):
        load_model(folder)
    folder.mkdir()
    with pytest.raises(TableError, match=r"is not a model that fanin saved \(no model.json"):
        load_model(folder)
    assert not is_model(folder)
    save_model(model, folder)
    spoil(folder, version=99, fanin="9.9")
    with pytest.raises(
        TableError, match=r"has version 99 of the format, this fanin reads 1; it was saved by fanin 9\.9"
    ):
        load_model(folder)
    save_model(model, folder)
    (folder / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(TableError, match=r"damaged model \(ValueError: weights.npz is not the file"):
        load_model(folder)
    save_model(model, folder)
    spoil(folder, columns=[{"name": "x"}])
    with pytest.raises(TableError, match="damaged model"):
        load_model(folder)


def test_report_of_a_regression(regression: Result) -> None:
    data, result = (as_text(describe_data(regression.prepared)), as_text(describe_result(regression)))
    assert "  same    left out        0          1  one value in all rows\n" in data
    assert "  shop    category        0         30  a learned vector for each of 30 levels\n" in data
    assert "  table   mixed: 1,200 rows, 6 columns to learn from, 1 left out\n" in data
    assert "  task    regression (the target holds 1,200 different numbers)\n" in data
    assert "816 to train on, 144 to choose the best epoch, 240 held out for the score" in data
    assert f"best epoch  {regression.fitted.best.number} of 40 (validation loss" in result
    network = regression.scores["network"]
    line = next(line for line in result.splitlines() if line.startswith("  network"))
    assert line.split()[1] == f"{network.r2:.4f}"


def test_report_of_classes(classes: Result) -> None:
    text = as_text(describe_result(classes))
    assert "accuracy  log-loss  errors\n" in text
    assert [line.split()[0] for line in text.splitlines()[-2:]] == ["high", "low"]
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_model_can_be_made_of_its_parts(classes: Result) -> None:
    model = Model(classes.model.plans, classes.model.target, classes.model.network)
    table = Table("mixed", mixed(30))
    assert model.predict(table).labels() == classes.model.predict(table).labels()
