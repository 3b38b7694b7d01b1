"""Learning from files: as from memory where that suffices; else in pieces, as well, and in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from sklearn.metrics import log_loss

from fanin._core.errors import ArgumentError, TableError
from fanin.tabular import TabularClassifier, TabularRegressor, load_model
from fanin.tabular.files.cleaning import clean, with_numbers
from fanin.tabular.fitting import criteria
from fanin.tabular.inputs import Encoder
from fanin.tabular.streaming import budget, fitting, store
from fanin.tabular.streaming.aside import Aside
from fanin.tabular.streaming.budget import Budget, budget_of
from fanin.tabular.streaming.feed import Stretch
from fanin.tabular.streaming.reservoir import Reservoir
from fanin.tabular.streaming.store import Store
from fanin.tabular.streaming.targets import NumberTarget, goals_of_numbers

ROWS = 3000
IN_PIECES = Budget(whole=0, piece=16_000, sample=80_000, block=8_000)
WHOLE = Budget(whole=1 << 40, piece=0, sample=0, block=0)
QUICK = {"preset": "fast", "hidden": (16,), "random_state": 0, "settings": None}


@pytest.fixture(scope="module")
def frame() -> polars.DataFrame:
    """Sorted by the target, so that rows next to each other say little."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 2))
    colour = rng.choice(["red", "green", "blue"], ROWS)
    z = 2 * x[:, 0] + (colour == "red")
    table = {"a": x[:, 0], "b": x[:, 1], "colour": colour, "y": np.where(z > 0.5, "yes", "no"), "z": z}
    return polars.DataFrame(table).sort("z").with_columns(polars.Series("w", rng.integers(1, 3, ROWS)))


@pytest.fixture(scope="module")
def source(frame: polars.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.write_csv(path)
    return path


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "budget_of", lambda memory: IN_PIECES)
    monkeypatch.setattr("fanin.tabular.files.csv_file.BLOCK", 10_000)


def classified(source: Any, **options: Any) -> Any:
    model = TabularClassifier(**QUICK | {"epochs": 4} | options.pop("model", {}))
    return model.fit_file(source, "y", ignore=["z", "w"], **options)


def test_a_small_table_is_learned_as_by_fit(frame: polars.DataFrame, source: Path) -> None:
    X = frame.drop("y", "z", "w")
    model = classified(source)
    expected = TabularClassifier(**QUICK | {"epochs": 4}).fit(X, frame["y"].to_numpy())
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_sorted_table_is_learned_in_pieces(frame: polars.DataFrame, source: Path, in_pieces: None) -> None:
    told: list[tuple[str, float]] = []
    model = classified(source, progress=lambda what, share: told.append((what, share)))
    X = frame.drop("y", "z", "w")
    assert model.score(X, frame["y"].to_numpy()) > 0.95
    assert model.classes_.tolist() == ["no", "yes"]
    assert list(model.feature_names_in_) == ["a", "b", "colour"]
    assert (model.history_[0]["engine"], model.history_[0]["epochs"], model.n_iter_) == ("native", 4, 4)
    shares = {what: [share for name, share in told if name == what] for what, _ in told}
    assert list(shares) == ["reading", "encoding", "training"]
    assert all(each == sorted(each) and each[-1] <= 1 for each in shares.values())
    assert shares["training"][-1] == 1
    assert len(shares["training"]) >= 4 * 5  # blocks


def test_equal_seeds_give_equal_models(source: Path, frame: polars.DataFrame, in_pieces: None) -> None:
    X = frame.drop("y", "z", "w")
    first, second = (classified(source, model={"epochs": 1}).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = classified(source, model={"epochs": 1, "random_state": 1}).predict_proba(X)
    assert np.abs(first - other).max() > 1e-6


def test_numbers_with_weights_and_quantiles(frame: polars.DataFrame, tmp_path: Path, in_pieces: None) -> None:
    frame.write_parquet(tmp_path / "t.parquet")
    model = TabularRegressor(**QUICK | {"epochs": 6}, quantiles=(0.1, 0.5, 0.9))
    model.fit_file(tmp_path / "t.parquet", "z", ignore=["y"], sample_weight="w")
    X = frame.drop("y", "z", "w")
    z = frame["z"].to_numpy()
    assert model.score(X, z) > 0.95
    low, high = model.predict_interval(X, 0.8).T
    assert 0.7 < ((low <= z) & (z <= high)).mean() < 0.95
    np.testing.assert_allclose(model._centre, np.average(z, weights=frame["w"]), rtol=1e-12)
    assert model._range == (z.min(), z.max())


def test_a_preset_of_several_networks_mixes_one_of_each_and_can_be_saved_and_taught_more(
    source: Path, frame: polars.DataFrame, in_pieces: None, tmp_path: Path
) -> None:
    model = classified(source, model={"preset": "best", "epochs": 2, "hidden": (8,)})
    assert [entry["network"] for entry in model.history_] == ["tabm", "realmlp"]
    X = frame.drop("y", "z", "w")
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    before = log_loss(frame["y"], again.predict_proba(X))
    again.partial_fit(X, frame["y"].to_numpy())
    assert log_loss(frame["y"], again.predict_proba(X)) < before


@pytest.mark.parametrize("shares", [WHOLE, IN_PIECES], ids=["whole", "in pieces"])
def test_rows_that_are_set_aside_are_kept_and_not_learned(
    frame: polars.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: Budget
) -> None:
    monkeypatch.setattr(fitting, "budget_of", lambda memory: shares)
    monkeypatch.setattr("fanin.tabular.files.csv_file.BLOCK", 10_000)
    known = np.arange(ROWS) % 7 > 0
    aside = Aside.drawn(known, 200, 100, 0)
    wild = np.isin(np.arange(1, ROWS + 1), aside.judged)
    table = frame.select(
        "a", "b", z=polars.when(polars.Series(known)).then(polars.col("z") + polars.Series(wild * 1e6))
    )
    table.write_csv(tmp_path / "t.csv")
    model = TabularRegressor(**QUICK | {"epochs": 1})
    with pytest.warns(UserWarning, match="429 rows have no"):
        fitting.fit_file(model, tmp_path / "t.csv", "z", aside=aside)
    assert model._range[1] < 100, "a row was learned from that was set aside"
    for name, rows in (("judged", aside.judged), ("learned", aside.learned)):
        kept = aside.frame(name)
        assert kept is not None
        expected = table[rows - 1].with_columns(polars.all().cast(polars.String))
        np.testing.assert_allclose(kept.cast(polars.Float64).to_numpy(), expected.cast(polars.Float64).to_numpy())
    assert len(set(aside.judged) | set(aside.learned)) == 300
    assert Aside(aside.judged, aside.learned[:0]).frame("learned") is None


def test_rows_are_drawn_from_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanin.tabular.streaming.aside.AT_ONCE", 7)
    known = np.random.default_rng(0).random(100) < 0.3
    every = Aside.drawn(known, int(known.sum()), 0, 0)
    np.testing.assert_array_equal(every.judged, np.flatnonzero(known) + 1)
    times = sum(np.isin(np.flatnonzero(known) + 1, Aside.drawn(known, 5, 3, seed).judged) for seed in range(300))
    assert times.min() > 0.5 * times.mean()


def test_epochs_are_chosen_as_by_fit() -> None:
    (goal,) = goals_of_numbers((), 1)
    assert goal.criterion is criteria.moderate_squared_error


def test_labels_that_are_whole_numbers_become_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i % 3 + 8}\n" for i in range(300)))
    for shares in (WHOLE, IN_PIECES):
        monkeypatch.setattr(fitting, "budget_of", lambda memory, shares=shares: shares)
        model = TabularClassifier(**QUICK | {"epochs": 1}, class_weight="balanced").fit_file(path, "y")
        assert model.classes_.tolist() == [8, 9, 10]


def test_rows_without_a_target_are_told(tmp_path: Path, in_pieces: None) -> None:
    rng = np.random.default_rng(0)
    x = [f"{value:.3f}" for value in rng.normal(size=2000)]
    y = ["yes" if float(value) > 0 else "no" for value in x]
    y[7] = ""
    lines = [f"{a},{b},2020-01-{i % 28 + 1:02}" for i, (a, b) in enumerate(zip(x, y, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,day", *lines]))
    with pytest.warns(UserWarning, match=r't\.csv: 1 row has no "y"; left out'):
        TabularClassifier(**QUICK | {"epochs": 1}).fit_file(tmp_path / "t.csv", "y")


def test_a_text_that_the_sample_lacks_counts_as_missing(
    tmp_path: Path, in_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "IN_SAMPLE", 50)
    lines = [f"{i}.5,{i % 2}" for i in range(3000)]
    lines[2000] = "n/a,1"
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *lines]))
    monkeypatch.setattr(fitting, "budget_of", lambda memory: Budget(0, 16_000, 1, 8_000))
    with pytest.warns(UserWarning, match=r"column \"x\": 1 value, the first of them 'n/a' in row 2001, where a number"):
        TabularClassifier(**QUICK | {"epochs": 1}).fit_file(tmp_path / "t.csv", "y")


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ({"target": "ay"}, r'has no column "ay"; did you mean "y", "a"'),
        ({"target": "y", "ignore": ["a", "b", "colour", "z", "w"]}, "has no column to learn"),
        ({"target": "y", "sample_weight": "colour"}, "but a weight is a number, 0 or more"),
    ],
)
@pytest.mark.parametrize("budget", [WHOLE, IN_PIECES])
def test_what_cannot_be_learned_is_refused(
    source: Path, problem: dict[str, Any], expected: str, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "budget_of", lambda memory: budget)
    with pytest.raises(TableError, match=expected):
        TabularClassifier(**QUICK).fit_file(source, **problem)


@pytest.mark.parametrize("budget", [WHOLE, IN_PIECES])
def test_a_target_that_is_no_number_is_named_with_its_row(
    tmp_path: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "budget_of", lambda memory: budget)
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 500 + "1,soon\n")
    with pytest.raises(TableError, match=r"t\.csv, row 501: 'soon' in column \"y\", but the target of a regressor is"):
        TabularRegressor(**QUICK).fit_file(tmp_path / "t.csv", "y")
    (tmp_path / "t.csv").write_text("x,y\n" + "1,\n" * 500)
    with pytest.raises(TableError, match='no row to learn from: all lack "y"'):
        TabularRegressor(**QUICK).fit_file(tmp_path / "t.csv", "y")


def test_memory_and_folds_that_do_not_go_together(source: Path, in_pieces: None) -> None:
    with pytest.raises(ArgumentError, match="cv is for tables that fit into memory"):
        classified(source, model={"cv": 3})
    with pytest.raises(ArgumentError, match=r"memory='64 MB' leaves too little"):
        budget_of("64 MB")
    with pytest.raises(ArgumentError, match="memory must be bytes above 0"):
        budget_of("much")


def test_what_the_process_happens_to_hold_does_not_change_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for held in (180, 210, 400, 900):
        monkeypatch.setattr(budget, "resident", lambda held=held: held << 20)
        found.append((budget_of(None), budget_of("1 GB") if held < 900 else found[0][1]))
    assert set(found) == {found[0]}
    assert sum((found[0][0].piece, found[0][0].sample, found[0][0].block)) < 200 << 20
    assert budget_of("1200 MB").sample < found[0][0].sample  # where little of it is left


def test_short_of_time_the_sample_is_learned(source: Path, in_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning, match="learning from a random sample of"):
        model = classified(source, model={"time_limit": 1e-3})
    assert model.history_[0]["stopped"] == "time"


# Nothing left behind -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["reading", "encoding", "training"])
def test_an_interruption_leaves_no_file(
    source: Path, tmp_path: Path, in_pieces: None, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held: list[int] = []

    def stop(what: str, share: float) -> None:
        if what == at:
            held.append(len(_held(tmp_path)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classified(source, progress=stop)
    assert held == [0 if at == "reading" else 1]  # the planted wrong answer: while it lasts, a file is held
    assert list(tmp_path.iterdir()) == []
    assert _held(tmp_path) == []


def _held(folder: Path) -> list[str]:
    """Return the files of a folder that this process holds open, removed ones included."""
    found = (entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return [str(each) for each in found if str(each).startswith(str(folder))]


def test_a_full_disk_is_told_before_training(source: Path, in_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(TableError, match=r"needs a temporary file of .* GB, but .* has 0\.0 GB left"):
        classified(source)


# Parts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1 << 20, 300, 90])
def test_a_store_deals_every_row_to_one_block(room: int) -> None:
    rows = np.arange(101)
    like = [np.empty((0, 2), np.float32), np.empty(0, np.int64)]
    made = Store(101, like, room, np.random.default_rng(0))
    blocks = []
    with made.opened():
        for part in np.split(rows, [3, 4, 50]):
            made.add([np.stack([part, -part], axis=1).astype(np.float32), part])
        for block in range(made.blocks):
            made.load(block)
            np.testing.assert_array_equal(made.arrays[0], np.stack([made.arrays[1], -made.arrays[1]], axis=1))
            blocks.append(made.arrays[1].copy())
    found = np.concatenate(blocks)
    assert made.blocks == {1 << 20: 1, 300: 6, 90: 18}[room]
    assert len(set(found.tolist())) == len(found) == made.blocks * made.height
    assert len(found) > 101 - made.blocks
    if made.blocks == 6:
        assert all(block.min() < 50 < block.max() for block in blocks)  # of the whole table each


def test_a_reservoir_takes_each_row_as_often_and_knows_its_place() -> None:
    taken = np.zeros(60)
    for seed in range(400):
        kept = Reservoir(6, np.random.default_rng(seed))
        for part in np.split(np.arange(60), [1, 30]):
            numbers = polars.Series("y", part)
            kept.add(Stretch(polars.DataFrame({"x": numbers}), numbers, part.astype(float)))
        assert kept.rows().tolist() == kept.stretch().target.to_list() == kept.stretch().weights.tolist()
        assert len(kept.rows()) == 6
        taken[kept.rows()] += 1
    assert 15 < taken.min() <= taken.max() < 70  # 40 expected, with a deviation of 6


def test_mean_and_deviation_of_pieces_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    numbers, weights = rng.normal(1e3, 1, 500), rng.random(500)
    model = TabularRegressor()
    target = NumberTarget(model, "t")
    for part in np.split(np.arange(500), [0, 1, 90]):
        series = polars.Series("y", numbers[part])
        target.look(Stretch(polars.DataFrame({"x": series}), series, weights[part]))
    target.settle()
    mean = np.average(numbers, weights=weights)
    deviation = np.sqrt(np.average((numbers - mean) ** 2, weights=weights))
    np.testing.assert_allclose((model._centre, model._spread), ([mean], [deviation]), rtol=1e-12)


def test_texts_become_numbers_where_the_encoder_reads_such() -> None:
    frame = polars.DataFrame({"n": ["1", "+2", None], "code": ["007", "8", "9"], "few": ["1", "1", "2"]})
    assert with_numbers(frame, 1).dtypes == [polars.Float64, polars.String, polars.Float64]
    assert with_numbers(frame, 2).dtypes == [polars.String] * 3  # as many different numbers are names
    encoder = Encoder().fit(polars.DataFrame({"x": [1.0, 2.0, 3.5], "t": ["a", "b", "b"]}))
    cleaned, refused = clean(polars.DataFrame({"x": [" 4", "four", None], "t": ["c", None, "1"]}), encoder)
    assert cleaned["x"].to_list() == [4.0, None, None]
    assert [list(each) for each in refused] == [[(1, "four")]]


# Memory --------------------------------------------------------------------------------------------------------------

PROGRAM = """
import json, sys
from fanin.tabular import TabularClassifier
from fanin.tabular.files import open_table
def largest():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(lines["VmHWM"].split()[0]) >> 10
table, imports = open_table(sys.argv[1]), largest()
model = TabularClassifier("fast", epochs=1, hidden=(8,), batch_size=8192, random_state=0)
model.fit_file(table, "y", memory="420 MB")
print(json.dumps([imports, largest(), table.bytes_in_memory >> 20, model.history_[0]["engine"]]))
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # Long texts of few levels: many bytes, which take little time to learn.
    path = tmp_path / "big.csv"
    rng = np.random.default_rng(0)
    levels = np.array([f"{number:02}".ljust(300, "x") for number in range(20)])
    drawn = rng.integers(0, 20, (20_000, 3))
    columns = {f"c{place}": levels[drawn[:, place]] for place in range(3)}
    piece = polars.DataFrame(columns | {"y": np.where(drawn[:, 0] > 9, "yes", "no")})
    with open(path, "wb") as file:
        for number in range(15):
            piece.write_csv(file, include_header=number == 0)
    command = [sys.executable, "-c", PROGRAM, str(path)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    imports, peak, frame, engine = json.loads(found.stdout.splitlines()[-1])
    assert engine == "native"
    assert peak < 420
    assert imports + frame > 460  # what a reading of the whole would take at least
