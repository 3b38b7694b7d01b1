"""The solver without batches: SciPy's L-BFGS-B over the loss of all rows and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.utils.optimize import _check_optimize_result

import fanin
from fanin.autograd import grad
from fanin.tensor.in_place import store
from fanin.tensor.tape import wrap
from fanin.training.threads import product_threads

# Products of rows and weights from which on compiling, some 0.2 s, pays: the tape takes about as long as NumPy.
WORTH_COMPILING = 5_000_000


def minimise(estimator: Any, X: Any, targets: Any, weights: Any) -> None:
    """Train the network of an estimator on all rows at once."""
    network = estimator._network
    network.train()
    parameters = [*(layer.weight for layer in network.layers), *(layer.bias for layer in network.layers)]
    evaluate = _evaluation(estimator, parameters, X, targets, weights)
    start = np.concatenate([p._array.ravel() for p in parameters]).astype(np.float64)
    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    with product_threads(1):  # sums in an order that does not depend on the number of cores
        result = minimize(evaluate, start, method="L-BFGS-B", jac=True, options=options)
    _put(parameters, result.x)
    estimator.n_iter_ = int(_check_optimize_result("lbfgs", result, estimator.max_iter))
    estimator.loss_ = float(result.fun)
    if estimator.verbose:
        print(f"L-BFGS-B: {estimator.n_iter_} iterations, loss = {estimator.loss_:.8f}")  # noqa: T201


def _evaluation(estimator: Any, parameters: list[Any], X: Any, targets: Any, weights: Any) -> Callable[[Any], Any]:
    """Return a function from all weights in a row to the loss and its gradient."""
    network, objective = estimator._network, estimator._objective(weights is not None)
    dtype = parameters[0]._array.dtype
    inputs = wrap(np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X, dtype))
    target: Any = wrap(targets)
    if weights is not None:
        target = (target, wrap(np.asarray(weights, dtype)))

    def step(inputs: Any, target: Any) -> Any:
        loss = objective(network(inputs), target)
        return loss, *grad(loss, parameters)

    if len(targets) * sum(p._array.size for p in parameters) > WORTH_COMPILING:
        step = fanin.compile(step)

    def evaluate(flat: Any) -> Any:
        _put(parameters, flat)
        loss, *gradients = step(inputs, target)
        return float(loss), np.concatenate([g._array.ravel() for g in gradients]).astype(np.float64)

    return evaluate


def _put(parameters: list[Any], flat: Any) -> None:
    """Write numbers in a row into the parameters."""
    first = 0
    for p in parameters:
        last = first + p._array.size
        store(p, flat[first:last].reshape(p._array.shape).astype(p._array.dtype))
        first = last
