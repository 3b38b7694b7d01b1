"""Sample inputs of every operation in the table; `test_table.py` walks over them.

A sample is (inputs, attributes). Float arrays are differentiated; anything else among the inputs is a constant. Values
stay away from points where an operation has no derivative: those are pinned in the parity cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Sample = tuple[tuple[Any, ...], dict[str, Any]]


def values(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0, gap: float = 0.05) -> Any:
    """Return numbers in [low, high) that keep `gap` away from zero and from each other's neighbours on a grid."""
    random = np.random.RandomState(seed + 7 * len(shape))
    x = random.uniform(low, high, shape)
    return np.where(np.abs(x) < gap, np.copysign(gap, x) + x, x)


def positive(*shape: int, seed: int = 0) -> Any:
    """Return numbers in [0.2, 3)."""
    return values(*shape, seed=seed, low=0.2, high=3.0)


def inside(*shape: int, seed: int = 0) -> Any:
    """Return numbers in (-0.9, 0.9)."""
    return values(*shape, seed=seed, low=-0.9, high=0.9)


def distinct(*shape: int, seed: int = 0) -> Any:
    """Return numbers no two of which are closer than 0.1, in random order."""
    n = int(np.prod(shape))
    return (np.random.RandomState(seed).permutation(n) * 0.1 - n * 0.05 + 0.013).reshape(shape)


def unary(make: Callable[..., Any] = values) -> list[Sample]:
    """Return one-input samples: a matrix, an odd shape, a scalar, nothing."""
    return [((make(3, 4),), {}), ((make(1, 5, seed=2),), {}), ((make(seed=3),), {}), ((make(0, 3),), {})]


def binary(make: Callable[..., Any] = values, other: Callable[..., Any] | None = None) -> list[Sample]:
    """Return two-input samples: equal shapes, broadcasting both ways, a scalar, a Python number, nothing."""
    other = other or make
    return [
        ((make(3, 4), other(3, 4, seed=1)), {}),
        ((make(3, 1), other(1, 4, seed=1)), {}),
        ((make(4), other(2, 3, 4, seed=1)), {}),
        ((make(2, 3), other(seed=1)), {}),
        ((make(0, 3), other(3, seed=1)), {}),
    ]


def with_number(make: Callable[..., Any], number: float) -> list[Sample]:
    """Return samples with a Python number on either side."""
    return [((make(3), number), {}), ((number, make(3, seed=1)), {})]


def reductions(make: Callable[..., Any] = values, **attrs: Any) -> list[Sample]:
    """Return samples over one, several and all dimensions, kept or not."""
    return [
        ((make(3, 4),), {"dim": (1,), "keepdim": False, **attrs}),
        ((make(2, 3, 4, seed=1),), {"dim": (0, 2), "keepdim": True, **attrs}),
        ((make(2, 3, seed=2),), {"dim": (0, 1), "keepdim": False, **attrs}),
    ]


def along(make: Callable[..., Any] = values) -> list[Sample]:
    """Return samples of operations along one dimension."""
    return [((make(3, 4),), {"dim": 1}), ((make(2, 3, 2, seed=1),), {"dim": 0}), ((make(5, seed=2),), {"dim": 0})]


MASK = np.array([[True, False, True], [False, False, True]])
MASK_4 = np.array([[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])
ROWS = np.array([2, 0, 2])
PLACES = np.array([[0, 1], [3, 0]])
ROW_OPTIONS = [{"padding_idx": p, "by_frequency": f} for p, f in ((None, False), (1, False), (None, True), (3, True))]

POSITIVE_DEFINITE = values(3, 3) @ values(3, 3).T + 3 * np.eye(3)

SAMPLES: dict[str, list[Sample]] = {
    # arithmetic
    "sum_to": [((values(2, 3, 4),), {"shape": (3, 1)}), ((values(2, 3),), {"shape": ()})],
    "expand": [((values(3, 1),), {"shape": (2, 3, 4)}), ((values(),), {"shape": (2,)})],
    "add": binary() + with_number(values, 1.5),
    "sub": binary() + with_number(values, 1.5),
    "mul": binary() + with_number(values, 1.5),
    "div": [*binary(values, positive), ((values(3), 1.5), {}), ((1.5, positive(3)), {})],
    "floor_divide": binary(values, positive),
    "trunc_divide": binary(values, positive),
    "remainder": [((values(3, 4) + 0.01, positive(3, 4, seed=1) + 2), {}), ((values(3), positive(2, 1) + 2), {})],
    "fmod": [((values(3, 4) + 0.01, positive(3, 4, seed=1) + 2), {}), ((values(3), positive(2, 1) + 2), {})],
    "pow": [
        *binary(positive, values),
        ((values(3), 2), {}),
        ((values(3), 3.0), {}),
        ((positive(3), 0.5), {}),
        ((values(3), 0), {}),
        ((2.0, values(3)), {}),
    ],
    "maximum": [((distinct(3, 4), distinct(3, 4, seed=1) + 0.05), {}), ((distinct(3), distinct(2, 1) + 0.02), {})],
    "minimum": [((distinct(3, 4), distinct(3, 4, seed=1) + 0.05), {}), ((distinct(3), distinct(2, 1) + 0.02), {})],
    "atan2": binary(positive, values),
    "exponent": unary(),
    "mantissa": [((values(3, 4) + 0.001,), {}), ((values(seed=3),), {})],
    "xlogy": binary(values, positive),
    "xlog1py": binary(values, positive),
    "fmax": [((distinct(3, 4), distinct(3, 4, seed=1) + 0.05), {}), ((distinct(3), distinct(2, 1) + 0.02), {})],
    "fmin": [((distinct(3, 4), distinct(3, 4, seed=1) + 0.05), {}), ((distinct(3), distinct(2, 1) + 0.02), {})],
    "hypot": binary(),
    "copysign": binary(),
    "heaviside": binary(),
    "nextafter": binary(),
    **{name: [((np.array([6, 4, 9]), np.array([4, 6, 3])), {})] for name in ("gcd", "lcm")},
    "where": [
        ((MASK, values(2, 3), values(2, 3, seed=1)), {}),
        ((MASK, values(3), values(2, 1, seed=1)), {}),
        ((MASK, 1.5, values(2, 3)), {}),
    ],
    "lerp": [
        ((values(3), values(3, seed=1), 0.3), {}),
        ((values(3), values(3, seed=1), 0.7), {}),
        ((values(2, 3), values(3, seed=1), inside(2, 1, seed=2)), {}),
    ],
    "zeros_like": unary(),
    "ones_like": unary(),
    **{name: binary() for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor")},
    **{name: unary() for name in ("logical_not", "isnan", "isinf", "isfinite", "signbit")},
    **{
        name: [((np.array([5, 3, 1]), np.array([1, 2, 3])), {})]
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    "bitwise_not": [((np.array([5, -3]),), {})],
    "bitwise_left_shift": [((np.array([5, 3]), np.array([1, 2])), {})],
    "bitwise_right_shift": [((np.array([5, 3]), np.array([1, 2])), {})],
    # elementwise
    **{
        name: unary()
        for name in (
            "neg",
            "abs",
            "sign",
            "floor",
            "ceil",
            "trunc",
            "frac",
            "exp",
            "exp2",
            "expm1",
            "square",
            "sin",
            "cos",
            "atan",
            "sinh",
            "cosh",
            "asinh",
            "erf",
            "erfc",
            "erfcx",
            "log_ndtr",
            "sinc",
            "clone",
            "nan_to_num",
        )
    },
    **{
        name: unary(positive)
        for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "digamma", "entr")
    },
    **{name: unary(inside) for name in ("tan", "asin", "acos", "atanh", "erfinv")},
    **{name: [((inside(3, 4) ** 2 * 0.9 + 0.05,), {})] for name in ("logit", "ndtri")},
    "lgamma": unary(positive),
    "polygamma": [((positive(3, 4),), {"n": 1}), ((positive(3, seed=1),), {"n": 2})],
    "acosh": [((positive(3, 4) + 1,), {})],
    "round": [((values(3, 4),), {}), ((values(3),), {"decimals": 2}), ((values(3) * 100,), {"decimals": -1})],
    "cast": [((values(3, 4),), {"dtype": np.dtype(np.float64)})],
    "clamp": [
        ((distinct(3, 4), -0.24, 0.26), {}),
        ((distinct(3, 4), None, 0.26), {}),
        ((distinct(3, 4), -0.24, None), {}),
        ((distinct(3, 4), distinct(4, seed=1) * 0.3 - 0.6, distinct(3, 1, seed=2) * 0.3 + 0.6), {}),
    ],
    # shape
    "reshape": [((values(3, 4),), {"shape": (2, 6)}), ((values(1, 1),), {"shape": ()})],
    "transpose": [((values(2, 3, 4),), {"dim0": 0, "dim1": 2})],
    "permute": [((values(2, 3, 4),), {"dims": (2, 0, 1)})],
    "flip": [((values(2, 3),), {"dims": (0, 1)})],
    "roll": [((values(2, 5),), {"shifts": (1, 2), "dims": (0, 1)}), ((values(5),), {"shifts": 2, "dims": 0})],
    "cat": [
        ((values(2, 3), values(2, 1, seed=1), values(2, 2, seed=2)), {"dim": 1}),
        ((values(0), values(2, 3)), {"dim": 0}),
    ],
    "tril": [((values(3, 4),), {"diagonal": 0}), ((values(3, 3),), {"diagonal": -1})],
    "triu": [((values(3, 4),), {"diagonal": 0}), ((values(3, 3),), {"diagonal": 1})],
    "diagonal": [
        ((values(3, 4),), {"offset": 1, "dim1": 0, "dim2": 1}),
        ((values(2, 3, 3),), {"offset": -1, "dim1": 2, "dim2": 1}),
        ((values(2, 3),), {"offset": 7, "dim1": 0, "dim2": 1}),
    ],
    "diagonal_zeros": [((values(2, 3),), {"shape": (4, 2, 4), "offset": 1, "dim1": 0, "dim2": 2})],
    "unfold": [((values(7),), {"dim": 0, "size": 3, "step": 2}), ((values(2, 5),), {"dim": 1, "size": 2, "step": 1})],
    "unfold_sum": [((values(3, 3),), {"shape": (7,), "dim": 0, "size": 3, "step": 2})],
    # index
    "getitem": [
        ((values(4, 3),), {"index": (slice(1, 3),)}),
        ((values(4, 3),), {"index": (2,)}),
        ((values(4, 3),), {"index": (ROWS,)}),
        ((values(2, 3),), {"index": (MASK,)}),
        ((values(4, 3),), {"index": (slice(None), None, np.array([0, 0]))}),
    ],
    "put_zeros": [
        ((values(2, 3),), {"shape": (4, 3), "index": (slice(1, 3),)}),
        ((values(3, 3),), {"shape": (4, 3), "index": (ROWS,)}),
    ],
    "index_put": [
        ((values(4, 3), values(3, seed=1)), {"index": (slice(1, 3),)}),
        ((values(4, 3), values(2, 3, seed=1)), {"index": (np.array([0, 2]),), "accumulate": False}),
        ((values(4, 3), values(3, 3, seed=1)), {"index": (ROWS,), "accumulate": True}),
    ],
    "gather": [((values(4, 3), np.array([[0, 1, 2], [3, 3, 0]])), {"dim": 0})],
    "scatter_add_zeros": [((values(2, 3), np.array([[0, 1, 2], [3, 1, 0]])), {"shape": (4, 3), "dim": 0})],
    "embedding": [((values(4, 3), PLACES), how) for how in ROW_OPTIONS[:1]],
    "read_rows": [((values(4, 3), PLACES), how) for how in ROW_OPTIONS],
    "add_rows": [((values(2, 2, 3), PLACES), {"rows": 4, **how}) for how in ROW_OPTIONS],
    "read_view": [((values(2, 3),), {"positions": np.array([[0, 4], [2, 5]])})],
    "write_view": [((values(2, 3), values(2, 2, seed=1)), {"positions": np.array([[0, 4], [2, 5]])})],
    "overwrite": [
        ((values(3, 4), values(4, seed=1)), {}),
        ((values(2, 3), values(2, 3, seed=1)), {}),
        ((values(3), 2.0), {}),
    ],
    "within": [((PLACES,), {"size": 4}), ((np.arange(30, dtype=np.int32).reshape(3, 10),), {"size": 30})],
    "scatter_combine": [
        (
            (distinct(4, 3), distinct(3, seed=1) + 0.05),
            {"index": (np.array([2, 0, 2]), np.array([0, 1, 0])), "how": how},
        )
        for how in ("amax", "amin", "prod")
    ],
    # reduce
    "sum": reductions(),
    "mean": reductions(),
    "prod": [*reductions(), ((values(3, 4) * MASK_4,), {"dim": (1,)}), ((values(0, 3),), {"dim": (0,)})],
    "amax": reductions(distinct),
    "amin": reductions(distinct),
    "argmax": [((distinct(3, 4),), {"dim": 1}), ((distinct(3, 4),), {"dim": None})],
    "argmin": [((distinct(3, 4),), {"dim": 1}), ((distinct(3, 4),), {"dim": None})],
    "any": reductions(),
    "all": reductions(),
    "var": reductions(correction=1) + reductions(correction=0),
    "cumsum": along(),
    "std": reductions(correction=1) + reductions(correction=0),
    "cumprod": [*along(), ((values(3, 4) * MASK_4,), {"dim": 1})],
    "recurrence": [((values(3, 4), values(3, 4, seed=1)), {"dim": dim}) for dim in (0, 1)],
    "logcumsumexp": along(),
    "logsumexp": reductions(),
    "softmax": along(),
    "log_softmax": along(),
    "argsort": along(distinct),
    # order
    "running_extreme": [((distinct(3, 5),), {"dim": dim, "largest": up}) for dim in (0, 1) for up in (True, False)],
    "most_frequent": [((np.array([[1.0, 2, 2, 3, 3], [5, 5, 1, 1, 0]]),), {"dim": dim}) for dim in (0, 1)],
    "isin": [((PLACES, np.array([3, 1])), {"invert": invert}) for invert in (False, True)],
    "winners_of": [
        ((values(4, 3), np.array([0, 2, 0, 2]), np.array([True, True, True, False])), {"count": 4}),
    ],
    "searchsorted": [
        ((np.array([0.5, 1.0, 2.0]), values(3, 4)), {"side": "left"}),
        ((np.sort(values(3, 4)), values(3, 2, seed=1)), {"side": "right"}),
        ((np.array([1, 3, 3, 5]), np.array(3)), {"side": "right"}),
    ],
    "element_at": [((values(5), np.array(2)), {})],
    "histogram": [
        ((values(3, 4),), {"bins": 3, "low": 0.0, "high": 0.0, "density": False}),
        ((values(3, 4), None, positive(3, 4)), {"bins": 4, "low": -1.0, "high": 1.0, "density": True}),
        ((values(3, 4), np.array([-1.0, 0.0, 1.5])), {"bins": 0, "low": 0.0, "high": 0.0, "density": False}),
    ],
    "histogram_edges": [((values(3, 4),), {"bins": 3, "low": low, "high": 1.0}) for low in (-1.0, 1.0)],
    # linalg
    "matmul": [
        ((values(3, 4), values(4, 2, seed=1)), {}),
        ((values(4), values(4, seed=1)), {}),
        ((values(3, 4), values(4, seed=1)), {}),
        ((values(4), values(4, 2, seed=1)), {}),
        ((values(2, 3, 4), values(4, 2, seed=1)), {}),
        ((values(2, 1, 3, 4), values(5, 4, 2, seed=1)), {}),
        ((values(4), values(2, 4, 3, seed=1)), {}),
        ((values(2, 3, 4), values(4, seed=1)), {}),
        ((values(0, 4), values(4, 2, seed=1)), {}),
    ],
    "linear": [
        ((values(3, 4), values(2, 4, seed=1), values(2, seed=2)), {}),
        ((values(2, 3, 4), values(2, 4, seed=1), values(2, seed=2)), {}),
        ((values(4), values(2, 4, seed=1), values(2, seed=2)), {}),
        ((values(0, 4), values(2, 4, seed=1), values(2, seed=2)), {}),
        ((values(3, 4), values(2, 4, seed=1)), {}),
    ],
    "einsum": [
        ((values(3, 4), values(4, 2, seed=1)), {"equation": "ij,jk->ik"}),
        ((values(3, 4), values(3, seed=1), values(4, seed=2)), {"equation": "ij,i,j->"}),
        ((values(2, 3, 4),), {"equation": "bij->ji"}),
        ((values(1, 4), values(3, 4, seed=1)), {"equation": "ij,ij->ij"}),
    ],
    "norm": [
        ((values(3, 4),), {"p": p, "dim": (1,), "keepdim": keep})
        for p in (2.0, 1.0, 3.0, 0.0)
        for keep in (True, False)
    ]
    + [((distinct(3, 4) + 5,), {"p": p, "dim": (0, 1)}) for p in (np.inf, -np.inf)],
    "inverse": [((values(3, 3) + 3 * np.eye(3),), {})],
    "solve": [((values(3, 3) + 3 * np.eye(3), values(3, 2, seed=1)), {})],
    "sign_of_det": [((values(3, 3),), {}), ((values(2, 3, 3, seed=1),), {})],
    # decomposition
    "qr": [((values(*shape),), {"mode": mode}) for shape in ((5, 3), (2, 3, 4)) for mode in ("reduced", "complete")],
    "svd": [((values(*shape),), {"full": full}) for shape in ((5, 3), (2, 3, 4)) for full in (False, True)],
    "eigh": [((POSITIVE_DEFINITE,), {"uplo": "L"}), ((POSITIVE_DEFINITE,), {"uplo": "U"})],
    "pinv": [((values(2, 5, 3),), {"atol": None, "rtol": None}), ((values(3, 4),), {"atol": 0.3, "rtol": None})],
    "matrix_rank": [
        ((values(2, 5, 3),), {"atol": None, "rtol": None}),
        ((values(3, 1) * np.ones(4),), {"atol": None, "rtol": 1e-3}),
    ],
    "lstsq": [((values(5, 3), values(5, 2, seed=1)), {"rtol": None})],
    "matrix_exp": [((values(3, 3),), {}), ((values(2, 2, 2, seed=1) * 3,), {})],
    "cholesky": [((POSITIVE_DEFINITE,), {})],
    "svdvals": [((values(3, 4),), {})],
    "svd_outer": [((values(3), values(3, 4, seed=1)), {})],
    "eigvalsh": [((POSITIVE_DEFINITE,), {})],
    "eigh_outer": [((values(3), POSITIVE_DEFINITE), {})],
    "det": [((values(3, 3) + 3 * np.eye(3),), {})],
    "log_abs_det": [((values(3, 3) + 3 * np.eye(3),), {})],
    # counter_random
    "random_keep": [
        ((np.array([7, 3], np.uint64),), {"p_keep": p, "shape": shape, "stream": 1})
        for p, shape in ((0.8, (3, 4)), (0.5, (2, 3, 5)), (1.0, ()), (0.0, (0, 3)))
    ],
}
