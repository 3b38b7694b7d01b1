"""What scikit-learn's users asked for and were refused."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.datasets import make_classification, make_regression
from sklearn.utils.class_weight import compute_sample_weight

import fanin
from fanin import nn, optim
from fanin.sklearn import FocalLoss, HuberError, MLPClassifier, MLPRegressor, QuantileError
from fanin.sklearn.losses import AbsoluteError, LogLoss, Objective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = make_classification(90, 5, n_informative=4, n_redundant=0, n_classes=3, class_sep=2.0, random_state=0)
XR, YR = make_regression(90, 5, random_state=0)
YR = YR / 50
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 20, "learning_rate_init": 0.02, "random_state": 0}


def same(a: Any, b: Any, rtol: float = 1e-9) -> bool:
    return all(np.allclose(u, v, rtol=rtol, atol=rtol) for u, v in zip(a.coefs_, b.coefs_, strict=True))


# Losses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("absolute_error", np.median),
        ("quantile", np.median),
        (QuantileError(0.9), lambda y: np.quantile(y, 0.9)),
        ("squared_error", np.mean),
        ("poisson", np.mean),
        (nn.L1Loss(), np.median),
        (lambda output, target: ((output - target) ** 2).mean(), np.mean),
    ],
)
def test_a_constant_becomes_what_the_loss_asks_for(loss: Any, wanted: Any) -> None:
    y = np.random.default_rng(0).exponential(2.0, size=60)
    model = MLPRegressor(
        loss=loss, hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, max_iter=500, tol=1e-9, random_state=0
    )
    if "error" in repr(loss).lower() or "L1" in repr(loss) or loss == "quantile":
        model.set_params(solver="adam", learning_rate_init=0.01, max_iter=1500, n_iter_no_change=np.inf)
    model.fit(np.zeros((60, 1)), y)
    assert model.predict([[0.0]])[0] == pytest.approx(wanted(y), abs=0.1)


def test_losses_by_hand() -> None:
    output, target = fanin.tensor([[0.0], [3.0]]), fanin.tensor([[1.0], [1.0]])
    assert AbsoluteError()(output, target).tolist() == [1.0, 2.0]
    assert HuberError(1.0)(output, target).tolist() == [0.5, 1.5]
    assert QuantileError(0.75)(output, target).tolist() == [0.75, 0.5]
    p = 1 / (1 + np.exp(-3.0))
    wanted = [0.25 * np.log(2), (1 - p) ** 2 * -np.log(p)]
    np.testing.assert_allclose(FocalLoss(2.0)(output, target).tolist(), wanted, rtol=1e-4)
    classes = fanin.tensor([[0.0, 0.0], [0.0, 3.0]]), fanin.tensor([0, 1])
    np.testing.assert_allclose(FocalLoss(2.0)(*classes).tolist(), wanted, rtol=1e-4)


def test_focal_loss_without_focus_is_the_log_loss() -> None:
    for y in (Y, Y > 0):
        plain = MLPClassifier(**SMALL).fit(X, y)
        assert same(MLPClassifier(**SMALL, loss=FocalLoss(0.0)).fit(X, y), plain)
        assert not same(MLPClassifier(**SMALL, loss="focal").fit(X, y), plain)


def test_modules_of_torch_are_taken() -> None:
    plain = MLPClassifier(**SMALL).fit(X, Y)
    assert same(MLPClassifier(**SMALL, loss=nn.CrossEntropyLoss()).fit(X, Y), plain)
    two = MLPClassifier(**SMALL, loss=nn.CrossEntropyLoss(label_smoothing=0.1)).fit(X, np.where(Y > 0, "b", "a"))
    assert two.n_outputs_ == 2
    assert two.predict_proba(X).shape == (90, 2)
    np.testing.assert_allclose(two.predict_proba(X).sum(axis=1), 1)
    assert set(two.predict(X)) == {"a", "b"}
    binary = MLPClassifier(**SMALL, loss=nn.BCEWithLogitsLoss()).fit(X, Y > 0)
    assert same(binary, MLPClassifier(**SMALL).fit(X, Y > 0))


def test_own_losses() -> None:
    def rows(output: Any, target: Any) -> Any:
        return 0.5 * ((output - target) ** 2).sum(dim=1)

    plain = MLPRegressor(**SMALL).fit(XR, YR)
    assert same(MLPRegressor(**SMALL, loss=rows).fit(XR, YR), plain)
    assert same(MLPRegressor(**SMALL, loss=lambda z, y: rows(z, y).mean()).fit(XR, YR), plain)
    weights = np.linspace(1, 2, 90)
    weighted = MLPRegressor(**SMALL).fit(XR, YR, weights)
    assert same(MLPRegressor(**SMALL, loss=rows).fit(XR, YR, weights), weighted)
    with pytest.raises(ValueError, match="weights need a loss that gives one number for each row"):
        MLPRegressor(**SMALL, loss=lambda z, y: rows(z, y).mean()).fit(XR, YR, weights)
    with pytest.raises(TypeError, match="loss is the class L1Loss; give an object of it"):
        MLPRegressor(**SMALL, loss=nn.L1Loss).fit(XR, YR)


def test_a_loss_that_branches_runs_eagerly_and_says_so() -> None:
    def loss(output: Any, target: Any) -> Any:
        error = (output - target) ** 2
        return error.mean() if float(error.mean()) > 0.1 else error.sum()

    with pytest.warns(UserWarning, match="the steps run eagerly"):
        model = MLPRegressor(**SMALL, loss=loss, batch_size=30).fit(XR, YR)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_a_batch_of_rows_that_do_not_count() -> None:
    objective = Objective(LogLoss(), [fanin.ones(2, 2)], 0.0, True)
    output, target = fanin.zeros(2, 2), fanin.tensor([0, 1])
    assert objective(output, (target, fanin.zeros(2))).item() == 0
    assert objective(output, (target, fanin.ones(2))).item() == pytest.approx(np.log(2))


# Layers ---------------------------------------------------------------------------------------------------------------


def test_an_activation_for_each_layer() -> None:
    model = MLPRegressor(**{**SMALL, "hidden_layer_sizes": (7, 6)}, activation=["tanh", nn.LeakyReLU(0.2)]).fit(XR, YR)
    hidden = np.tanh(XR @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1] + model.intercepts_[1]
    wanted = np.where(hidden > 0, hidden, 0.2 * hidden) @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_allclose(model.predict(XR), wanted.ravel(), rtol=1e-9)
    with pytest.raises(ValueError, match="activation has 1 entries, but there are 2 hidden layers"):
        MLPRegressor(hidden_layer_sizes=(7, 6), activation=["tanh"]).fit(XR, YR)
    with pytest.raises(ValueError, match="no activation 'sine'"):
        MLPRegressor(activation=["sine"]).fit(XR, YR)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.datetime64("2020-01-01") + np.arange(40), "dates"),
        (np.arange(40).astype("m8[D]"), "durations"),
        (np.arange(40).astype(str), "texts"),
    ],
)
def test_what_is_no_number_is_no_target_of_a_regressor(y: Any, kind: str) -> None:
    X = np.arange(40.0)[:, None]
    with pytest.raises(TypeError):
        sklearn.neural_network.MLPRegressor(max_iter=1).fit(X, y)
    with pytest.raises(TypeError, match=f"y holds {kind}, and numbers are learned"):
        MLPRegressor(max_iter=1).fit(X, y)


@pytest.mark.parametrize("sizes", [(3.5,), 3.5, ["8"]])
def test_widths_are_whole_numbers(sizes: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="hidden_layer_sizes"):
        MLPRegressor(hidden_layer_sizes=sizes).fit(XR, YR)


def test_batch_normalisation() -> None:
    model = MLPRegressor(**SMALL, batch_norm=True, batch_size=30).fit(XR, YR)
    norm = model._network.stages[0][0]
    hidden = XR @ model.coefs_[0] + model.intercepts_[0]
    mean, var = norm.running_mean.numpy(), norm.running_var.numpy()
    hidden = (hidden - mean) / np.sqrt(var + norm.eps) * norm.weight.detach().numpy() + norm.bias.detach().numpy()
    wanted = np.maximum(hidden, 0) @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.predict(XR), wanted.ravel(), rtol=1e-6)
    assert model.score(XR, YR) > 0.9


def test_no_row_is_alone_in_a_batch_that_is_normalised() -> None:
    model = MLPRegressor(**SMALL, batch_norm=True, batch_size=40)
    assert [model._rows_of_a_batch(rows) for rows in (81, 80, 41, 40)] == [41, 40, 41, 40]
    model.set_params(batch_size="auto")
    assert [model._rows_of_a_batch(rows) for rows in (401, 201, 3, 2)] == [201, 201, 3, 2]
    with pytest.raises(ValueError, match="batch_norm needs 2 rows or more"):
        model.fit(XR[:1], YR[:1])


def test_dropout() -> None:
    plain = MLPClassifier(**SMALL).fit(X, Y)
    dropped = [MLPClassifier(**SMALL, dropout=share).fit(X, Y) for share in (0.5, [0.5])]
    assert same(*dropped)
    assert not same(dropped[0], plain)
    assert (dropped[0].predict_proba(X) == dropped[0].predict_proba(X)).all()
    assert dropped[0].score(X, Y) > 0.7
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), not 1"):
        MLPClassifier(dropout=[1.0]).fit(X, Y)


@pytest.mark.parametrize("initializer", ["zeros", lambda weight: nn.init.constant_(weight, 0.25)])
def test_initialisers(initializer: Any) -> None:
    # A rate so small that the starting values can still be seen.
    model = MLPRegressor(**{**SMALL, "max_iter": 1, "learning_rate_init": 1e-12}, initializer=initializer)
    with pytest.warns(UserWarning, match="same"):  # that all units are alike is worth a warning
        model.fit(XR, YR)
    wanted = 0 if initializer == "zeros" else 0.25
    np.testing.assert_allclose(model.coefs_[0], wanted, atol=1e-9)
    np.testing.assert_allclose(model.intercepts_[0], 0, atol=1e-9)


def test_an_initialiser_draws_from_the_random_state() -> None:
    first, again, other = (
        MLPRegressor(**{**SMALL, "random_state": seed}, initializer="orthogonal").fit(XR, YR) for seed in (0, 0, 1)
    )
    assert same(first, again)
    assert not same(first, other)


# Steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "adagrad", "adadelta", "adafactor", "adamax", "nadam", "radam"])
def test_optimisers_by_name(solver: str) -> None:
    model = MLPRegressor(**SMALL, solver=solver).fit(XR, YR)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_optimisers_by_class_and_function() -> None:
    named = MLPRegressor(**SMALL, solver="adamw").fit(XR, YR)
    assert same(MLPRegressor(**SMALL, solver=optim.AdamW).fit(XR, YR), named)
    made = functools.partial(optim.AdamW, lr=0.02)
    assert same(MLPRegressor(**SMALL, solver=made).fit(XR, YR), named)
    with pytest.raises(ValueError, match=r"solver: .* makes a list, which is no optimizer"):
        MLPRegressor(solver=lambda parameters: list(parameters)).fit(XR, YR)


def test_a_schedule() -> None:
    rates: list[float] = []
    model = MLPRegressor(
        **SMALL,
        learning_rate=functools.partial(optim.lr_scheduler.ExponentialLR, gamma=0.5),
        callbacks=lambda training: rates.append(training.optimizer.param_groups[0]["lr"]),
    ).fit(XR, YR)
    np.testing.assert_allclose(rates[:4], 0.02 * 0.5 ** np.arange(1, 5))
    blind = MLPRegressor(**SMALL, learning_rate=functools.partial(optim.lr_scheduler.ExponentialLR, gamma=0.5))
    assert same(blind.fit(XR, YR), model)


def test_half_the_digits_for_any_input() -> None:
    x = XR.round(1)  # no number in it is one of float32
    model = MLPRegressor(**SMALL, dtype="float32").fit(x, YR)
    assert same(model, MLPRegressor(**SMALL).fit(x.astype(np.float32), YR))
    assert {coef.dtype for coef in model.coefs_} == {np.dtype(np.float32)}
    doubled = MLPRegressor(**SMALL, dtype="float64").fit(x.astype(np.float32), YR)
    assert {coef.dtype for coef in doubled.coefs_} == {np.dtype(np.float64)}
    np.testing.assert_allclose(model.predict(x), doubled.predict(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("extras", [{}, {"batch_norm": True, "activation": "gelu"}])
def test_inputs_of_another_dtype(extras: dict[str, Any]) -> None:
    """Validation, prediction and going on with float64 after a fit on float32, and the other way round."""
    for kinds in (("float32", "float64"), ("float64", "float32")):
        first, second = (XR.astype(kind) for kind in kinds)
        model = MLPRegressor(**SMALL, **extras, early_stopping=True, warm_start=True)
        model.fit(first, YR, YR**2, X_val=second, y_val=YR)
        assert model.score(second, YR) == pytest.approx(model.score(first, YR), rel=1e-4)
        model.fit(second, YR, X_val=first, y_val=YR)
        model.partial_fit(second, YR, X_val=first, y_val=YR)
        assert {coef.dtype.name for coef in model.coefs_} == {kinds[0]}
    labels = MLPClassifier(**SMALL, **extras, early_stopping=True)
    labels.fit(X.astype("float32"), Y > 0, X_val=X, y_val=Y > 0).partial_fit(X, Y > 0)
    assert labels.score(X, Y > 0) > 0.6


def test_a_schedule_goes_on_from_call_to_call() -> None:
    halving = functools.partial(optim.lr_scheduler.ExponentialLR, gamma=0.5)
    model = MLPRegressor(**SMALL, learning_rate=halving)
    for call in range(1, 4):
        model.partial_fit(XR, YR)
        assert model._optimizer.param_groups[0]["lr"] == pytest.approx(0.02 * 0.5**call)
    whole = MLPRegressor(**{**SMALL, "max_iter": 3}, learning_rate=halving, shuffle=False).fit(XR, YR)
    parts = MLPRegressor(**SMALL, learning_rate=halving, shuffle=False)
    for _ in range(3):
        parts.partial_fit(XR, YR)
    assert same(whole, parts)


# Classes and rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 3.0, 2: 0.5}])
def test_weights_of_classes_are_weights_of_their_rows(class_weight: Any) -> None:
    own = np.linspace(1, 2, 90)
    model = MLPClassifier(**SMALL, class_weight=class_weight).fit(X, Y, own)
    by_rows = MLPClassifier(**SMALL).fit(X, Y, own * compute_sample_weight(class_weight, Y))
    assert same(model, by_rows)
    assert not same(model, MLPClassifier(**SMALL).fit(X, Y, own))


def test_classes_cannot_be_balanced_batch_by_batch() -> None:
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


# Validation -----------------------------------------------------------------------------------------------------------


def test_own_validation_rows_are_watched() -> None:
    model = MLPClassifier(**SMALL).fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:])
    assert same(model, MLPClassifier(**SMALL).fit(X[:60], Y[:60]))
    assert model.validation_scores_[-1] == model.score(X[60:], Y[60:])
    right = model.predict_proba(X[60:])[np.arange(30), Y[60:]]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(right).mean())
    assert len(model.validation_loss_curve_) == model.n_iter_
    weights = np.linspace(0, 1, 30)
    weighted = MLPClassifier(**SMALL).fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:], sample_weight_val=weights)
    assert weighted.validation_scores_[-1] == pytest.approx(model.score(X[60:], Y[60:], weights))


def test_own_validation_rows_decide_when_to_stop() -> None:
    model = MLPRegressor(**{**SMALL, "max_iter": 400}, early_stopping=True, n_iter_no_change=3)
    model.fit(XR[:60], YR[:60], X_val=XR[60:], y_val=YR[60:])
    assert model.n_iter_ < 400
    assert model.t_ == 60 * model.n_iter_  # no rows were held out
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(XR[60:], YR[60:]) == pytest.approx(model.best_validation_score_)


def test_validation_rows_need_their_targets() -> None:
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        MLPRegressor(**SMALL).fit(XR, YR, X_val=XR)
    with pytest.raises(ValueError, match="sample_weight_val needs X_val and y_val"):
        MLPRegressor(**SMALL).fit(XR, YR, sample_weight_val=YR)
    with pytest.raises(ValueError, match="classes not in"):
        MLPClassifier(**SMALL).fit(X, Y, X_val=X[:3], y_val=[0, 1, 7])


def test_callbacks() -> None:
    seen: list[Any] = []

    class Watching(fanin.training.Callback):
        def on_train_begin(self, training: Any) -> None:
            seen.append("begin")

        def on_epoch_end(self, training: Any) -> bool:
            seen.append((training.epoch, training.history.losses[-1]))
            return training.epoch == 4

        def on_train_end(self, training: Any) -> None:
            seen.append("end")

    model = MLPRegressor(**SMALL, callbacks=[Watching()]).fit(XR, YR)
    assert seen == ["begin", *zip(range(1, 5), model.loss_curve_, strict=True), "end"]
    assert model.n_iter_ == 4
    with pytest.raises(TypeError, match="is no callback"):
        MLPRegressor(callbacks=[3]).fit(XR, YR)


def test_partial_fit_stops_early() -> None:
    model = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=3, validation_fraction=0.3)
    for _ in range(300):
        model.partial_fit(X, Y, classes=[0, 1, 2])
        if model.converged_:
            break
    assert model.converged_
    assert len(model.validation_scores_) < 300
    assert model.best_validation_score_ == max(model.validation_scores_)
    before = [coef.copy() for coef in model.coefs_]
    model.partial_fit(X, Y)
    assert all((a == b).all() for a, b in zip(before, model.coefs_, strict=True))
    assert model.fit(X, Y).n_iter_ > 1
    assert model.partial_fit(X, Y).n_iter_ == 1  # after `fit` it begins to look anew


def test_partial_fit_with_own_validation_rows_learns_from_all_others() -> None:
    model = MLPRegressor(**SMALL, early_stopping=True)
    plain = MLPRegressor(**SMALL)
    for _ in range(3):
        model.partial_fit(XR[:60], YR[:60], X_val=XR[60:], y_val=YR[60:])
        plain.partial_fit(XR[:60], YR[:60])
    assert same(model, plain)
    assert model.validation_scores_[-1] == pytest.approx(plain.score(XR[60:], YR[60:]))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_ends_training_and_keeps_what_there_is(early_stopping: bool) -> None:
    def press(training: Any) -> None:
        if training.epoch == 5:
            raise KeyboardInterrupt

    model = MLPRegressor(**SMALL, early_stopping=early_stopping, callbacks=press)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(XR, YR)
    assert model.n_iter_ == 5
    assert np.isfinite(model.predict(XR)).all()
    assert not model.converged_
