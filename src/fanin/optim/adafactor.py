"""Adafactor: the squares of a matrix's gradients are kept as one factor for its rows and one for its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.ops.arithmetic import greater, maximum, where
from fanin.ops.elementwise import rsqrt
from fanin.ops.linalg import norm
from fanin.ops.reduce import count, mean
from fanin.optim.engine.memory import STEP, Scalar, Shaped, Start
from fanin.optim.groups import Params
from fanin.optim.optimizer import Optimizer
from fanin.tensor.base import TensorBase

Shape = tuple[int, ...]


class Adafactor(Optimizer):
    r"""Adafactor, whose state is small: for a matrix of n x m numbers it has n + m.

    .. math::
        \beta_t &= 1 - t^\tau, \qquad \rho_t = \min(\eta, 1 / \sqrt{t}), \qquad
        \alpha_t = \max(\epsilon_2, \mathrm{RMS}(\theta_{t-1}))\, \rho_t \\
        R_t &= \beta_t R_{t-1} + (1 - \beta_t)\, \mathrm{mean}_\mathrm{rows}(g_t^2), \qquad
        C_t = \beta_t C_{t-1} + (1 - \beta_t)\, \mathrm{mean}_\mathrm{columns}(g_t^2) \\
        V_t &= \frac{R_t C_t}{\max(\mathrm{mean}(R_t), \epsilon_1)}, \qquad
        U_t = \frac{g_t}{\sqrt{\max(V_t, \epsilon_1^2)}} \\
        \theta_t &= (1 - \eta\lambda)\, \theta_{t-1} - \alpha_t \frac{U_t}{\max(1, \mathrm{RMS}(U_t) / d)}

    Parameters of one dimension, or none, keep :math:`V_t = \beta_t V_{t-1} + (1 - \beta_t) g_t^2` itself; with more
    than two, the last two are those of the matrices.

    Args:
        params: parameters, (name, parameter) pairs, or groups of them
        lr: :math:`\eta`, the largest step relative to the size of a parameter
        beta2_decay: :math:`\tau`, how fast the memory of the squares becomes longer; not positive
        eps: :math:`(\epsilon_1, \epsilon_2)`; None stands for the distance of 1 to the next number of the dtype
        d: the size of an update, as a root of the mean square, from which on it is made smaller; at least 1
        weight_decay: :math:`\lambda`, shrinks the parameters by :math:`1 - \eta\lambda`
        foreach: accepted; there is one implementation
        maximize: climb instead of descend

    Raises:
        ValueError: an argument outside its domain

    Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018, with PyTorch's use of
    :math:`\epsilon_1`.

    >>> import fanin as torch
    >>> w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = torch.optim.Adafactor([w], lr=0.1)
    >>> (w ** 2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.7879, 1.7000],
            [2.7154, 3.7317]], requires_grad=True)
    >>> {name: tuple(value.shape) for name, value in optimizer.state[w].items()}
    {'step': (), 'row_var': (2, 1), 'col_var': (1, 2)}
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, TensorBase) and lr._array.size != 1:
            raise ArgumentError(f"Tensor lr must be 1-element, got shape {list(lr._array.shape)}")
        _require(lr >= 0.0, "Learning rate should be >= 0", lr)
        _require(beta2_decay <= 0.0, "beta2_decay should be <= 0", beta2_decay)
        _require(eps[0] is None or eps[0] >= 0.0, "epsilon1 should be >= 0", eps[0])
        _require(eps[1] >= 0.0, "epsilon2 should be >= 0", eps[1])
        _require(d >= 1.0, "Clipping threshold d should be >= 1", d)
        _require(weight_decay >= 0.0, "weight_decay should be >= 0", weight_decay)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of the two factors of a matrix, and of the squares of a vector."""
        return {STEP: Scalar(), "row_var": Shaped(_of_rows), "col_var": Shaped(_of_columns), "variance": Shaped(_whole)}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return this step's scalars."""
        (eps1, eps2), lr = group["eps"], float(group["lr"])
        weight = step ** group["beta2_decay"]
        return {
            "rate": np.minimum(lr, 1 / step**0.5),
            "beta2": 1 - weight,
            "one_minus_beta2": weight,
            # None, which depends on the dtype, is settled where the parameter is known.
            "eps1": eps1,
            "eps1_squared": None if eps1 is None else eps1 * eps1,
            "eps2": eps2,
            "d": group["d"],
            "shrink": 1 - lr * group["weight_decay"],
            "decays": bool(group["weight_decay"] != 0),
        }

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter, and the new factors or squares."""
        rate = _at_least(hyper["eps2"], _root_mean_square(param)) * hyper["rate"]
        if hyper["decays"]:
            param = param * hyper["shrink"]
        eps1, eps1_squared = hyper["eps1"], hyper["eps1_squared"]
        if eps1 is None:
            eps1 = float(np.finfo(param.dtype).eps)
            eps1_squared = eps1 * eps1
        squares = grad * grad
        old, new = hyper["beta2"], hyper["one_minus_beta2"]
        if "variance" in state:
            estimate = old * state["variance"] + new * squares
            changed = {"variance": estimate}
        else:
            last = len(param.shape) - 1
            rows = old * state["row_var"] + new * mean(squares, dim=(last,), keepdim=True)
            columns = old * state["col_var"] + new * mean(squares, dim=(last - 1,), keepdim=True)
            changed = {"row_var": rows, "col_var": columns}
            estimate = rows * columns / maximum(mean(rows, dim=(last - 1,), keepdim=True), eps1)
        update = rsqrt(maximum(estimate, eps1_squared)) * grad
        return param - rate / _at_least(1.0, _root_mean_square(update) / hyper["d"]) * update, changed


def _require(condition: Any, domain: str, value: Any) -> None:
    if not condition:
        raise ArgumentError(f"{domain} but is: {value}")


def _of_rows(shape: Shape) -> Shape | None:
    return (*shape[:-1], 1) if len(shape) > 1 else None


def _of_columns(shape: Shape) -> Shape | None:
    return (*shape[:-2], 1, shape[-1]) if len(shape) > 1 else None


def _whole(shape: Shape) -> Shape | None:
    return shape if len(shape) < 2 else None


def _root_mean_square(x: Any) -> Any:
    dims = tuple(range(len(x.shape)))
    return norm(x, p=2, dim=dims, keepdim=True) / count(x.shape, dims) ** 0.5


def _at_least(floor: Any, value: Any) -> Any:
    """Return the larger of two numbers, and the first for a value of nan, as Python's `max` does for PyTorch."""
    return where(greater(value, floor), value, floor)
