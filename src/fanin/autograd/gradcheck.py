"""Compare derivatives with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, GraphError
from fanin.tensor.backward import grad
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap


class GradcheckError(GraphError):
    """A derivative that disagrees with finite differences."""


def _checked_inputs(inputs: Any) -> tuple[Any, ...]:
    values = (inputs,) if isinstance(inputs, TensorBase) else tuple(inputs)
    if not any(isinstance(x, TensorBase) and x._requires_grad for x in values):
        raise ArgumentError(
            "gradcheck expects at least one input tensor to require gradient, but none have requires_grad=True."
        )
    return values


def _outputs(result: Any) -> tuple[Any, ...]:
    values = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(y for y in values if isinstance(y, TensorBase) and y.is_floating_point())  # type: ignore[attr-defined]


def numerical_jacobian(func: Callable[..., Any], inputs: tuple[Any, ...], x: Any, eps: float) -> list[Any]:
    """Return, for each output, dy/dx by central differences: (y(x + eps) - y(x - eps)) / (2 eps), (y.size, x.size)."""
    flat = x._array.flat  # writes through, whatever the memory order
    columns: list[list[Any]] = []
    for j in range(x._array.size):
        kept = flat[j]
        sides = []
        for step in (eps, -eps):
            flat[j] = kept + step
            sides.append([y._array.copy() for y in _outputs(func(*inputs))])
        flat[j] = kept
        columns.append([(up - down).reshape(-1) / (2 * eps) for up, down in zip(*sides, strict=True)])
    if not columns:
        return [np.zeros((y._array.size, 0)) for y in _outputs(func(*inputs))]
    return [np.stack(parts, axis=1) for parts in zip(*columns, strict=True)]


def analytical_jacobian(y: Any, x: Any) -> Any:
    """Return dy/dx by one backward pass for each element of y, as (y.size, x.size)."""
    rows = np.zeros((y._array.size, x._array.size), x._array.dtype)
    for i in range(y._array.size if y.requires_grad else 0):
        unit = np.zeros(y._array.size, y._array.dtype)
        unit[i] = 1
        (g,) = grad(y, x, wrap(unit.reshape(y._array.shape)), retain_graph=True, allow_unused=True)
        if g is not None:
            rows[i] = g._array.reshape(-1)
    return rows


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    **unused: Any,
) -> bool:
    """Compare the derivatives of func with central differences; float64 inputs are needed for these tolerances.

    Returns True when |analytical - numerical| <= atol + rtol * |numerical| everywhere; otherwise raises, or returns
    False when raise_exception is False.

    Raises RuntimeError (GradcheckError) on a disagreement.

    >>> import fanin as torch
    >>> x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(lambda x: x.sin() * x, x)
    True
    """
    values = _checked_inputs(inputs)
    message = _disagreement(func, values, eps, atol, rtol)
    if message is None:
        return True
    if raise_exception:
        raise GradcheckError(message)
    return False


def _disagreement(
    func: Callable[..., Any], values: tuple[Any, ...], eps: float, atol: float, rtol: float
) -> str | None:
    outputs = _outputs(func(*values))
    for position, x in enumerate(values):
        if not isinstance(x, TensorBase) or not x._requires_grad:
            continue
        numerical = numerical_jacobian(func, values, x, eps)
        for number, y in enumerate(outputs):
            analytical = analytical_jacobian(y, x)
            difference = np.abs(analytical - numerical[number])
            bad = ~(difference <= atol + rtol * np.abs(numerical[number]))
            if bad.any():
                row, column = np.argwhere(bad)[0]
                return (
                    f"Jacobian mismatch for output {number} with respect to input {position},\n"
                    f"at element ({row}, {column}): numerical {numerical[number][row, column]}, "
                    f"analytical {analytical[row, column]}"
                )
    return None


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **unused: Any,
) -> bool:
    """Compare the derivatives of func's gradients with central differences.

    grad_outputs: the gradients that flow in, as tensors; random ones from a fixed seed when None.

    Raises RuntimeError (GradcheckError) on a disagreement.
    """
    values = _checked_inputs(inputs)
    outputs = _outputs(func(*values))
    if grad_outputs is None:
        stream = np.random.default_rng(0)
        weights = tuple(wrap(np.asarray(stream.normal(size=y._array.shape), y._array.dtype)) for y in outputs)
        weights = tuple(w.requires_grad_() for w in weights)
    else:
        weights = (grad_outputs,) if isinstance(grad_outputs, TensorBase) else tuple(grad_outputs)
    wanted = [i for i, x in enumerate(values) if isinstance(x, TensorBase) and x._requires_grad]

    def gradients(*args: Any) -> tuple[Any, ...]:
        xs, vs = args[: len(values)], args[len(values) :]
        ys = _outputs(func(*xs))
        found = grad(ys, [xs[i] for i in wanted], vs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(gradients, values + weights, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)
