"""Derivatives of functions as matrices and products: jacobian, hessian, vjp, jvp, hvp, vhp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError, GraphError, ShapeError
from fanin.tensor.backward import grad
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.joining import stack
from fanin.tensor.functions.shaping import reshape
from fanin.tensor.grad_mode import enable_grad
from fanin.tensor.tape import wrap

Func = Callable[..., Any]


def _tuple(value: Any, what: str) -> tuple[Any, ...]:
    values = value if isinstance(value, tuple) else (value,)
    for x in values:
        if not isinstance(x, TensorBase):
            raise ArgumentTypeError(f"the {what} must be a Tensor or a tuple of Tensors, got {type(x).__name__}")
    return values


def _leaves(inputs: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    if create_graph:
        return tuple(reshape(x, tuple(x.shape)) if x.requires_grad else x.detach().requires_grad_() for x in inputs)
    return tuple(x.detach().clone().requires_grad_() for x in inputs)


def _checked(results: tuple[Any, ...], inputs: tuple[Any, ...], strict: bool) -> tuple[Any, ...]:
    if strict and any(r is None for r in results):
        raise GraphError("The output of the user-provided function is independent of one of the inputs (strict=True)")
    return tuple(wrap(np.zeros_like(x._array)) if r is None else r for r, x in zip(results, inputs, strict=True))


def _require_slope(slopes: tuple[Any, ...], said: str) -> None:
    """Raise where a gradient, for one that is wanted to be differentiated in strict mode, is a constant."""
    constant = next((i for i, slope in enumerate(slopes) if not slope.requires_grad), None)
    if constant is not None:
        raise GraphError(said.format(input=f"input {constant}"))


_CONSTANT_JACOBIAN = (
    "The jacobian of the user-provided function is independent of {input}. This is not allowed in strict mode when "
    "create_graph=True."
)
_CONSTANT_GRADIENT = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to {input} is "
    "independent of the input. This is not allowed in strict mode. Leave strict at False to have zeros there."
)


def _grads(y: Any, xs: tuple[Any, ...], v: Any, create_graph: bool, strict: bool) -> tuple[Any, ...]:
    if not y.requires_grad:
        return _checked((None,) * len(xs), xs, strict)
    found = _checked(grad(y, xs, v, retain_graph=True, create_graph=create_graph, allow_unused=True), xs, strict)
    if strict and create_graph:
        _require_slope(found, _CONSTANT_JACOBIAN)
    return found


def jacobian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian J[i, j] = d y_i / d x_j of a function, of shape (*y.shape, *x.shape).

    With several inputs or outputs the result is a tuple, or a tuple of tuples: [output][input].

    >>> import fanin as torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        given = _tuple(inputs, "inputs")
        xs = _leaves(given, create_graph)
        output = func(*xs)
        ys = _tuple(output, "outputs of the function")
        rows = tuple(_jacobian_of(y, xs, create_graph, strict) for y in ys)
    rows = rows if isinstance(inputs, tuple) else tuple(row[0] for row in rows)
    return rows if isinstance(output, tuple) else rows[0]


def _jacobian_of(y: Any, xs: tuple[Any, ...], create_graph: bool, strict: bool) -> tuple[Any, ...]:
    columns: list[tuple[Any, ...]] = []
    for i in range(y.numel()):
        unit = np.zeros(y.numel(), y._array.dtype)
        unit[i] = 1
        columns.append(_grads(y, xs, wrap(unit.reshape(y._array.shape)), create_graph, strict))
    if not columns:
        return tuple(wrap(np.zeros(y._array.shape + x._array.shape, x._array.dtype)) for x in xs)
    shape = tuple(y.shape)
    return tuple(reshape(stack([column[j] for column in columns]), shape + tuple(x.shape)) for j, x in enumerate(xs))


def hessian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian H[i, j] = d^2 y / dx_i dx_j of a function with one scalar output.

    >>> import fanin as torch
    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    given = _tuple(inputs, "inputs")

    def gradient(*xs: Any) -> Any:
        return _slopes(_scalar(func(*xs)), xs, strict)

    rows = jacobian(gradient, given, create_graph=create_graph, strict=False)
    return rows if isinstance(inputs, tuple) else rows[0][0]


def _slopes(y: Any, xs: tuple[Any, ...], strict: bool) -> tuple[Any, ...]:
    """Return a gradient that is to be differentiated."""
    found = _grads(y, xs, None, True, False)
    if strict:
        _require_slope(found, _CONSTANT_GRADIENT)
    return found


def _scalar(y: Any) -> Any:
    if not isinstance(y, TensorBase) or y._array.size != 1:
        raise GraphError("The Tensor returned by the function given to hessian should contain a single element")
    return y


def _weights(v: Any, like: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if v is None:
        if len(like) == 1 and like[0].numel() == 1:
            return (wrap(np.ones_like(like[0]._array)),)
        raise GraphError(f"The vector v can only be None if the {what} is a single Tensor with one element")
    values = _tuple(v, "v")
    for a, b in zip(values, like, strict=True):
        if tuple(a.shape) != tuple(b.shape):
            raise ShapeError(f"v has invalid size: should be {tuple(b.shape)} but got {tuple(a.shape)}")
    return values


def vjp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return the output y and the product v^T J."""
    with enable_grad():
        xs = _leaves(_tuple(inputs, "inputs"), create_graph)
        output = func(*xs)
        ys = _tuple(output, "outputs of the function")
        found = grad(ys, xs, _weights(v, ys, "output"), create_graph=create_graph, allow_unused=True)
        products = _checked(found, xs, strict)
        if strict and create_graph:
            _require_slope(products, _CONSTANT_JACOBIAN)
    return _off_tape(output, create_graph), products if isinstance(inputs, tuple) else products[0]


def jvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return the output y and the product J v, by differentiating v^T J with respect to its weights."""
    with enable_grad():
        given = _tuple(inputs, "inputs")
        xs = _leaves(given, create_graph)
        output = func(*xs)
        ys = _tuple(output, "outputs of the function")
        weights = tuple(wrap(np.zeros_like(y._array)).requires_grad_() for y in ys)
        products = _checked(grad(ys, xs, weights, create_graph=True, allow_unused=True), xs, strict)
        useful = [(p, w) for p, w in zip(products, _weights(v, xs, "input"), strict=True) if p.requires_grad]
        if not useful:
            found: tuple[Any, ...] = (None,) * len(weights)
        else:
            found = grad(
                [p for p, _ in useful], weights, [w for _, w in useful], create_graph=create_graph, allow_unused=True
            )
        result = _checked(found, ys, strict)
        if strict and create_graph and not all(product.requires_grad for product in result):
            raise GraphError(_CONSTANT_JACOBIAN.format(input="its inputs"))
    return _off_tape(output, create_graph), result if isinstance(output, tuple) else result[0]


def vhp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return the output y, a scalar, and the product v^T H with its Hessian."""
    with enable_grad():
        xs = _leaves(_tuple(inputs, "inputs"), create_graph)
        y = _scalar(func(*xs))
        slopes = _slopes(y, xs, strict)
        pairs = [(s, w) for s, w in zip(slopes, _weights(v, xs, "input"), strict=True) if s.requires_grad]
        found: tuple[Any, ...] = (None,) * len(xs)
        if pairs:
            found = grad([s for s, _ in pairs], xs, [w for _, w in pairs], create_graph=create_graph, allow_unused=True)
        products = _checked(found, xs, strict)
    return _off_tape(y, create_graph), products if isinstance(inputs, tuple) else products[0]


def hvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return the output y, a scalar, and the product H v; the Hessian is symmetric, so this is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


def _off_tape(output: Any, create_graph: bool) -> Any:
    if create_graph:
        return output
    return tuple(y.detach() for y in output) if isinstance(output, tuple) else output.detach()
