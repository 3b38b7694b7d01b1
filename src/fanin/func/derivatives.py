"""Derivatives of functions as functions: grad, vjp, jvp, jacobians and Hessians, which nest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError, OperationError
from fanin.func.trees import flatten, map_leaves
from fanin.tensor.backward import grad as gradients_of
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.joining import stack
from fanin.tensor.functions.shaping import reshape
from fanin.tensor.grad_mode import enable_grad
from fanin.tensor.tape import Node, edge_of, wrap
from fanin.tensor.walking import reachable

Func = Callable[..., Any]


class _Level:
    """One transform at work: the tensors it differentiates with respect to, and what of its results stays connected."""

    def __init__(self, nested: Any) -> None:
        given, self.rebuild = flatten(nested)
        for x in given:
            if not isinstance(x, TensorBase):
                raise ArgumentTypeError(f"the inputs to differentiate must be Tensors, got {type(x).__name__}")
        # What an outer transform, or the caller, differentiates stays connected to it.
        self.inputs = [reshape(x, tuple(x.shape)) if x._requires_grad else x.detach().requires_grad_() for x in given]
        self._fresh = [x for x in self.inputs if x._node is None]

    def settle(self, nested: Any) -> Any:
        """Return results without what ties them to the inputs of this level alone, which are at rest from here on.

        What a surrounding level differentiates may have this level's inputs in its history: they are nobody's there.
        """
        settled = map_leaves(self._settle, nested)
        self._require(False)
        return settled

    def _require(self, required: bool) -> None:
        for x in self._fresh:
            x._requires_grad = required

    def _settle(self, x: Any) -> Any:
        if not isinstance(x, TensorBase) or not x._requires_grad or self._is_tied_elsewhere(x):
            return x
        return x.detach()  # type: ignore[attr-defined]

    def _is_tied_elsewhere(self, x: Any) -> bool:
        root = edge_of(x)
        edges = [root, *(edge for node in reachable([root]) for edge in node.edges)]
        leaves = (edge for edge in edges if edge is not None and not isinstance(edge, Node))
        return any(leaf._requires_grad and not any(leaf is own for own in self._fresh) for leaf in leaves)

    def gradients(self, y: Any, v: Any = None) -> list[Any]:
        """Return v^T dy/dx for every input; zeros where y does not depend on it."""
        found: Any = [None] * len(self.inputs)
        self._require(True)
        if y._requires_grad and self.inputs:
            found = gradients_of(y, self.inputs, v, create_graph=True, allow_unused=True)
        return [_zeros_like(x) if g is None else g for g, x in zip(found, self.inputs, strict=True)]


def _zeros_like(x: Any) -> Any:
    return wrap(np.zeros_like(x._array))


def _units(y: Any) -> list[Any]:
    """Return a tensor for every element of y, in order: y's shape, 1 there and 0 elsewhere."""
    rows = np.eye(y._array.size, dtype=y._array.dtype)
    return [wrap(row.reshape(y._array.shape)) for row in rows]


def _chosen(args: tuple[Any, ...], argnums: int | tuple[int, ...]) -> Any:
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if not isinstance(number, int) or not -len(args) <= number < len(args):
            raise OperationError(f"Got argnum={number}, but only {len(args)} positional inputs")
    return tuple(args[n] for n in numbers) if isinstance(argnums, tuple) else args[argnums]


def _replaced(args: tuple[Any, ...], argnums: int | tuple[int, ...], chosen: Any) -> list[Any]:
    full = list(args)
    numbers, values = (argnums, chosen) if isinstance(argnums, tuple) else ((argnums,), (chosen,))
    for number, value in zip(numbers, values, strict=True):
        full[number] = value
    return full


def _split(result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise OperationError("has_aux=True: the function must return a tuple (output, aux)")
    return result


def grad_and_value(func: Func, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Func:
    """Return a function that returns the gradient of func, and what func returned.

    >>> import fanin as torch
    >>> torch.func.grad_and_value(lambda x: (x ** 2).sum())(torch.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    def both(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            level = _Level(_chosen(args, argnums))
            returned = func(*_replaced(args, argnums, level.rebuild(level.inputs)), **kwargs)
            output, aux = _split(returned, has_aux)
            _require_scalar(output)
            found = level.rebuild(level.gradients(output))
            value = level.settle((output, aux) if has_aux else output)
            return level.settle(found), value

    return both


def _require_scalar(output: Any) -> None:
    if not isinstance(output, TensorBase):
        raise OperationError(f"grad_and_value(f)(*args): Expected f(*args) to return a tensor, got {type(output)}")
    if output._array.ndim:
        raise OperationError(
            "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
            f"{output._array.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )


def grad(func: Func, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Func:
    """Return the function that returns the gradient of func, whose result must be a scalar tensor.

    argnums: with respect to which arguments: a number, or a tuple, for which a tuple is returned. An argument may be a
             nest of tensors, such as a dictionary of parameters; so is its gradient.
    has_aux: whether func returns (result, anything else), which is then returned beside the gradient.

    >>> import fanin as torch
    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(1.0))  # -sin(1)
    tensor(-0.8415)
    """

    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(func: Func, *primals: Any, has_aux: bool = False) -> Any:
    """Return func's result and a function of v that returns v^T J, one for each of the inputs.

    >>> import fanin as torch
    >>> result, pull_back = torch.func.vjp(torch.exp, torch.tensor([0.0, 1.0]))
    >>> pull_back(torch.tensor([2.0, 0.0]))
    (tensor([2., 0.]),)
    """
    with enable_grad():
        level = _Level(primals)
        output, aux = _split(func(*level.rebuild(level.inputs)), has_aux)

    def pull_back(cotangents: Any, *more: Any) -> Any:
        (ys, _), (vs, _) = flatten(output), flatten((cotangents, *more) if more else cotangents)
        with enable_grad():
            parts = [level.gradients(y, v) for y, v in zip(ys, vs, strict=True)]
            return level.settle(tuple(level.rebuild([sum(each[1:], each[0]) for each in zip(*parts, strict=True)])))

    settled = level.settle(output)
    return (settled, pull_back, level.settle(aux)) if has_aux else (settled, pull_back)


def jvp(func: Func, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return func's result and its derivative J v in the direction of the tangents.

    >>> import fanin as torch
    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple):
        raise OperationError(f"jvp: expected primals to be a tuple, got {type(primals)}")
    with enable_grad():
        level = _Level(primals)
        output, aux = _split(func(*level.rebuild(level.inputs)), has_aux)
        derivative = map_leaves(lambda y: _forward(level, y, flatten(tangents)[0]), output)
        return level.settle((output, derivative, aux) if has_aux else (output, derivative))


def _forward(level: _Level, y: Any, tangents: list[Any]) -> Any:
    # J v is the derivative of u^T J v with respect to u, so a second step backwards goes forwards.
    u = _zeros_like(y).requires_grad_()
    product = sum((g * t).sum() for g, t in zip(level.gradients(y, u), tangents, strict=True))
    if not isinstance(product, TensorBase) or not product._requires_grad:
        return _zeros_like(y)
    (found,) = gradients_of(product, (u,), create_graph=True, allow_unused=True)
    return _zeros_like(y) if found is None else found


def linearize(func: Func, *primals: Any) -> tuple[Any, Func]:
    """Return func's result and the function v -> J v at this point.

    >>> import fanin as torch
    >>> result, push_forward = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> push_forward(torch.tensor(2.0))
    tensor(2.)
    """

    def push_forward(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return func(*primals), push_forward


def jacrev(
    func: Func,
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Func:
    """Return the function that returns the Jacobian J[i, j] = d y_i / d x_j, of shape (*y.shape, *x.shape).

    >>> import fanin as torch
    >>> torch.func.jacrev(lambda x: x ** 2)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def jacobian(*args: Any) -> Any:
        with enable_grad():
            level = _Level(_chosen(args, argnums))
            returned = func(*_replaced(args, argnums, level.rebuild(level.inputs)))
            output, aux = _split(returned, has_aux)
            found = level.settle(map_leaves(lambda y: level.rebuild(_rows(level, y)), output))
            return (found, level.settle(aux)) if has_aux else found

    return jacobian


def _rows(level: _Level, y: Any) -> list[Any]:
    rows = [level.gradients(y, unit) for unit in _units(y)]
    if not rows:
        return [wrap(np.zeros(y._array.shape + x._array.shape, x._array.dtype)) for x in level.inputs]
    return [reshape(stack([row[at] for row in rows]), (*y.shape, *x.shape)) for at, x in enumerate(level.inputs)]


def jacfwd(
    func: Func,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Func:
    """Return the function that returns the Jacobian, as `jacrev`; fanin goes backwards in both.

    >>> import fanin as torch
    >>> torch.func.jacfwd(lambda x: x**2)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Func, argnums: int | tuple[int, ...] = 0) -> Func:
    """Return the function that returns the second derivatives, of shape (*y.shape, *x.shape, *x.shape).

    >>> import fanin as torch
    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
