"""What fit reports: histories and their tables, validation, metrics."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import History, nn
from fanin.training import metrics
from fanin.utils.data import DataLoader, TensorDataset
from tests.training.by_hand import Setting, default_state, weights


def test_a_history_goes_through_json() -> None:
    history = History([1.0, 0.5], [2.0, 3.0], {"r2": [0.1, 0.2]}, [0.1, 0.05], [0.01, 0.02], "patience", "eager")
    saved = json.loads(json.dumps(history.to_dict()))
    assert saved["best_epoch"] == 1
    assert History.from_dict(saved) == history


def test_the_best_epoch_is_judged_by_validation() -> None:
    assert History([3.0, 1.0, 2.0]).best_epoch == 2
    assert History([3.0, 1.0, 2.0], [5.0, 4.0, 3.0]).best_epoch == 3
    assert History([1.0, 1.0]).best_epoch == 1
    assert History().best_epoch == 0
    assert math.isnan(History().best_loss)


def test_a_long_history_is_shown_in_part() -> None:
    losses = [1 / (1 + abs(70 - i)) for i in range(100)]
    text = repr(History([-x for x in losses], rates=[0.1] * 100))
    lines = text.splitlines()
    assert lines[0] == "History: 100 epochs, best epoch 71 with loss -1"
    assert len(lines) < 20
    assert any(line.split()[0] == "71" and line.endswith("best") for line in lines[2:])
    assert lines[2].split()[0] == "1"
    assert lines[-1].split()[0] == "100"
    assert len(History([0.5] * 100).summary().splitlines()) == 101


def test_reasons_and_one_epoch() -> None:
    assert repr(History()) == "History: no epochs"
    assert repr(History([1.0], stopped="patience")).startswith("History: 1 epoch, best epoch 1 with loss 1; patience")


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any, Any, Any]:
    model, x, y = Setting(rows=60).prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = torch.fit(
        model,
        (x[:40], y[:40]),
        nn.MSELoss(),
        optimizer,
        epochs=4,
        validation=(x[40:], y[40:]),
        metrics=["mae", "r2", lambda output, target: (output - target).abs().max()],
    )
    return model, x, y, history


def test_validation_is_the_loss_of_all_rows_after_the_epoch(trained: Any) -> None:
    model, x, y, history = trained
    with torch.no_grad():
        expected = nn.MSELoss()(model(x[40:]), y[40:]).item()
    assert history.validation_losses[-1] == expected
    assert len(history.validation_losses) == len(history.seconds) == len(history.rates) == 4
    assert history.stopped == "finished"


def test_metrics_are_those_of_the_validation_rows(trained: Any) -> None:
    model, x, y, history = trained
    output, target = model(x[40:]).detach().numpy().astype(float), y[40:].numpy().astype(float)
    assert set(history.metrics) == {"mae", "r2", "<lambda>"}
    np.testing.assert_allclose(history.metrics["mae"][-1], np.abs(output - target).mean())
    r2 = 1 - ((output - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()
    np.testing.assert_allclose(history.metrics["r2"][-1], r2)


def test_without_validation_metrics_are_those_of_the_training_rows() -> None:
    model, x, y = Setting(model=lambda: nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.9))).prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, metrics="mae")
    assert not history.validation_losses
    expected = (model.eval()(x) - y).abs().mean().item()  # without dropout
    assert math.isclose(history.metrics["mae"][0], expected, rel_tol=1e-6)


def test_a_loader_judges_as_the_rows_do() -> None:
    results = []
    for kind in (0, 1, 2):
        model, x, y = Setting(rows=60).prepare()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        validation: Any = [(x, y), TensorDataset(x, y), DataLoader(TensorDataset(x, y), batch_size=7)][kind]
        history = torch.fit(model, (x, y), nn.L1Loss(), optimizer, epochs=1, validation=validation, shuffle=False)
        results.append(history.validation_losses[0])
    assert results[0] == results[1]
    assert math.isclose(results[0], results[2], rel_tol=1e-6)


def test_many_rows_are_judged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from fanin.training import judging

    monkeypatch.setattr(judging, "ROWS_AT_ONCE", 16)
    seen: list[int] = []

    class Net(nn.Linear):
        def forward(self, x: Any) -> Any:
            if not self.training:
                seen.append(len(x))
            return super().forward(x)

    _, x, y = Setting().prepare()
    model = Net(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, validation=(x, y))
    assert seen == [16, 16, 16, 2]
    assert math.isclose(history.validation_losses[0], nn.MSELoss()(model(x), y).item(), rel_tol=1e-6)


def test_a_fraction_holds_out_the_same_rows_each_time() -> None:
    results = []
    for _ in range(2):
        model, x, y = Setting(rows=50).prepare()
        state = default_state()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, shuffle=False, batch_size=5, validation=0.2)
        assert default_state() != state  # the loader's draw, and nothing else: see below
        results.append((weights(model), history.validation_losses))
    assert results[0][1] == results[1][1]
    held_out = np.sort(torch.randperm(50, generator=torch.Generator().manual_seed(0)).numpy()[:10])
    model, x, y = Setting(rows=50).prepare()
    left = np.setdiff1d(np.arange(50), held_out)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    torch.fit(model, (x[left], y[left]), nn.MSELoss(), optimizer, shuffle=False, batch_size=5)
    after = default_state()
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, results[0][0][name])
    model, x, y = Setting(rows=50).prepare()
    torch.fit(
        model, TensorDataset(x, y), nn.MSELoss(), torch.optim.SGD(model.parameters()), validation=0.2, shuffle=False
    )
    assert default_state() == after


# The metrics themselves, by hand --------------------------------------------------------------------------------------


def test_accuracy_of_classes() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert metrics.accuracy(outputs, np.array([1, 0, 0]), 0.5) == 2 / 3
    one_hot = np.eye(2)[[1, 0, 0]]
    assert metrics.accuracy(outputs, one_hot, 0.5) == 2 / 3
    assert metrics.accuracy(outputs, np.array([[1, 1], [1, 0], [0, 0]]), 0.5, True) == 4 / 6


def test_accuracy_of_one_output_depends_on_the_loss() -> None:
    output, target = torch.tensor([[0.2], [-0.1], [0.7]]), torch.tensor([[1.0], [0.0], [1.0]])
    of = {
        loss: metrics.metrics_of("accuracy", loss)["accuracy"](output, target)
        for loss in (nn.BCEWithLogitsLoss(), nn.BCELoss(), nn.functional.binary_cross_entropy_with_logits)
    }
    assert list(of.values()) == [1.0, 2 / 3, 1.0]


def test_area_under_the_curve() -> None:
    scores, classes = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])
    assert metrics.area_under_curve(scores, classes) == 0.75
    assert metrics.area_under_curve(np.zeros((4, 1)), classes[:, None]) == 0.5
    two = np.stack([-scores, scores], 1)
    assert metrics.area_under_curve(two, classes) == 0.75
    assert math.isnan(metrics.area_under_curve(scores, np.ones(4)))


def test_r2_of_several_columns() -> None:
    targets = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert metrics.r2(targets, targets) == 1.0
    assert metrics.r2(np.array([[1.0, 1.0], [1.0, 2.0]]), targets) == 0.0
    assert metrics.root_mean_squared_error(targets, targets + 2) == 2.0


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="no metric named 'f1'; there are accuracy, mae"):
        metrics.metrics_of("f1", nn.MSELoss())
    with pytest.raises(TypeError, match="must return one number, but it returned Tensor"):
        metrics.metrics_of({"all": lambda o, t: o}, None)["all"](torch.ones(3), torch.ones(3))
    with pytest.raises(ValueError, match=r"mae compares outputs of shape \[3, 1\] with targets of shape \[3\]"):
        metrics.metrics_of("mae", None)["mae"](torch.ones(3, 1), torch.ones(3))
