"""Arithmetic of two and three tensors: broadcasting, promotion, gradients, forms, errors."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.tensors import attempt, special

# Which values the two sides take.
SIDES = {
    **dict.fromkeys(
        "add sub mul maximum minimum fmax fmin atan2 logaddexp logaddexp2 hypot copysign".split(), ("any", "any")
    ),
    **dict.fromkeys("div true_divide floor_divide remainder fmod".split(), ("any", "far")),
    "pow": ("positive", "any"),
    "float_power": ("positive", "any"),
    "xlogy": ("any", "positive"),
    "heaviside": ("any", "any"),
    "ldexp": ("any", "any"),
    "nextafter": ("any", "any"),
    **dict.fromkeys("eq ne lt le gt ge".split(), ("any", "any")),
    **dict.fromkeys("logical_and logical_or logical_xor".split(), ("any", "any")),
}
RANGE = {"any": (-2.0, 2.0), "positive": (0.2, 2.0), "far": (1.5, 3.0)}
WITHOUT_GRADIENT = set("floor_divide heaviside nextafter eq ne lt le gt ge logical_and logical_or logical_xor".split())
FUNCTIONS = [(name, dtype) for name in SIDES for (dtype,) in DTYPES]
TENSORS_ONLY = {
    "nextafter",
    "hypot",
    "heaviside",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "atan2",
    "logical_and",
    "logical_or",
    "logical_xor",
}


def side(torch: Any, kind: str, *shape: int, dtype: str, seed: int = 0, grad: bool = True) -> Any:
    low, high = RANGE[kind]
    return sample(torch, *shape, dtype=dtype, low=low, high=high, seed=seed, requires_grad=grad)


@case(params=FUNCTIONS, rtol={"float32": 4e-6, "float64": 1e-11})
def function(torch: Any, name: str, dtype: str) -> Any:
    f, (left, right) = getattr(torch, name), SIDES[name]
    grad = name not in WITHOUT_GRADIENT
    pairs = {
        "same": ((5, 7), (5, 7)),
        "row": ((5, 7), (7,)),
        "both": ((5, 1), (1, 7)),
        "scalar": ((2, 3), ()),
        "scalars": ((), ()),
        "empty": ((0, 3), (3,)),
        "deep": ((4,), (2, 3, 4)),
    }
    found = {}
    for key, (a, b) in pairs.items():
        x = side(torch, left, *a, dtype=dtype, grad=grad)
        y = side(torch, right, *b, dtype=dtype, seed=1, grad=grad)
        found[key] = with_gradients(torch, f, x, y) if grad else f(x, y)
    x = side(torch, left, 5, 7, dtype=dtype, grad=grad)
    y = side(torch, right, 7, 5, dtype=dtype, seed=1, grad=grad)
    found["turned"] = with_gradients(torch, lambda a, b: f(a, b.t()), x, y) if grad else f(x, y.t())
    return found


@case(params=[(name,) for name in SIDES], rtol={"float32": 4e-6})
def forms(torch: Any, name: str) -> Any:
    f, (left, right) = getattr(torch, name), SIDES[name]
    x, y = (side(torch, kind, 2, 3, dtype="float32", seed=i, grad=False) for i, kind in enumerate((left, right)))
    changed, leaf, other = x.clone(), x.clone().requires_grad_(), y.clone().requires_grad_()
    found = {
        "method": getattr(x, name)(y),
        "number": attempt(lambda: f(x, 1.5)),
        "integer": attempt(lambda: f(x, 2)),
        "out": attempt(lambda: f(x, y, out=torch.empty(0))),
        "in place": attempt(lambda: getattr(changed, name + "_")(y)),
        "changed": changed,
        "leaf in place": name.startswith("logical") or raises(lambda: getattr(leaf, name + "_")(y)),
        "shape": raises(lambda: f(x, torch.ones(4))),
        "shape in place": raises(lambda: getattr(torch.ones(3), name + "_")(torch.ones(2, 3))),
        "text": raises(lambda: f(x, "a")),
    }
    if name not in WITHOUT_GRADIENT:
        found["through a change"] = attempt(
            lambda: with_gradients(torch, lambda a, b: getattr(a * 1, name + "_")(b), leaf, other)
        )
    return found


@case(params=[(name,) for name in SIDES], rtol={"float32": 4e-6, "float64": 1e-11})
def promotion(torch: Any, name: str) -> Any:
    f = getattr(torch, name)
    kinds = {
        "bool": torch.tensor([True, False, True]),
        "uint8": torch.tensor([1, 2, 3], dtype=torch.uint8),
        "int32": torch.tensor([1, 2, 3], dtype=torch.int32),
        "int64": torch.tensor([3, 2, 1]),
        "float32": torch.tensor([1.5, 2.0, 3.0]),
        "float64": torch.tensor([1.0, 2.5, 3.0], dtype=torch.float64),
        "zero-dim int": torch.tensor(2),
        "zero-dim double": torch.tensor(2.5, dtype=torch.float64),
        "number": 2,
        "float": 2.5,
        "true": True,
    }
    found: dict[str, Any] = {}
    for a, x in kinds.items():
        for b, y in kinds.items():
            if not (hasattr(x, "dtype") and hasattr(y, "dtype")) and (name in TENSORS_ONLY or not hasattr(x, "dtype")):
                continue
            if (name in ("nextafter", "heaviside") and a != b) or (name, b) == ("pow", "true"):
                continue
            if name == "ldexp" and (b == "bool" or a == "zero-dim double"):
                continue
            found[f"{a} and {b}"] = attempt(lambda x=x, y=y: f(x, y))
    return found


@case(
    params=[
        (name, dtype)
        for name in "add sub mul div floor_divide remainder fmod pow maximum fmax atan2 eq lt".split()
        for (dtype,) in DTYPES
    ],
    rtol={"float32": 4e-6, "float64": 1e-11},
)
def special_numbers(torch: Any, name: str, dtype: str) -> Any:
    x = special(torch, dtype)
    return getattr(torch, name)(x.reshape(-1, 1), x)


@case
def integer_division(torch: Any) -> Any:
    x, y = torch.tensor([7, -7, 7, -7, 0]), torch.tensor([2, 2, -2, -2, 5])
    zero = torch.tensor(0)
    return {
        "floor": x // y,
        "div floor": torch.div(x, y, rounding_mode="floor"),
        "div trunc": torch.div(x, y, rounding_mode="trunc"),
        "div": x / y,
        "remainder": x % y,
        "fmod": torch.fmod(x, y),
        "by zero": raises(lambda: x // zero),
        "remainder by zero": raises(lambda: x % zero),
        "trunc by zero": raises(lambda: torch.div(x, zero, rounding_mode="trunc")),
        "mode": raises(lambda: torch.div(x, y, rounding_mode="up")),
        "negative power": raises(lambda: x**-1),
        "power": x**2,
        "power of tensors": torch.tensor([2, 3]) ** torch.tensor([3, 2]),
        "int8 wraps": torch.tensor([100, 100], dtype=torch.int8) + torch.tensor([100, 27], dtype=torch.int8),
        "uint8 wraps": torch.tensor([3], dtype=torch.uint8) - 5,
    }


@case(params=DTYPES)
def rounding_modes(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, low=-9, high=9, requires_grad=True)
    y = sample(torch, 7, dtype=dtype, low=1.5, high=3, seed=1, requires_grad=True)
    return {
        "floor": torch.div(x, y, rounding_mode="floor").detach(),
        "trunc": with_gradients(torch, lambda a, b: torch.div(a, b, rounding_mode="trunc") + a, x, y),
        "in place": x.detach().clone().div_(y.detach(), rounding_mode="floor"),
    }


@case(params=DTYPES)
def alpha(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    y = sample(torch, 7, dtype=dtype, seed=1, requires_grad=True)
    return {
        "add": with_gradients(torch, lambda a, b: torch.add(a, b, alpha=2.5), x, y),
        "sub": with_gradients(torch, lambda a, b: a.sub(b, alpha=3), x, y),
        "rsub": with_gradients(torch, lambda a, b: torch.rsub(a, b, alpha=3), x, y),
        "add_": x.detach().clone().add_(y.detach(), alpha=0.5),
        "sub_": x.detach().clone().sub_(1, alpha=2),
        "number": torch.add(x, 2, alpha=3).detach(),
        "integers": raises(lambda: torch.tensor([1]).add(torch.tensor([1]), alpha=1.5)),
        "integers in place": torch.tensor([1, 2]).add_(torch.tensor([1, 1]), alpha=3),
    }


@case(params=DTYPES)
def three_operands(torch: Any, dtype: str) -> Any:
    x, y, z, w = (sample(torch, 5, 7, dtype=dtype, low=0.5, high=2, seed=i, requires_grad=True) for i in range(4))
    row = sample(torch, 7, dtype=dtype, low=0.1, high=0.9, seed=5, requires_grad=True)
    mask = sample(torch, 5, 7, seed=6) > 0
    return {
        "addcmul": with_gradients(torch, lambda a, b, c: torch.addcmul(a, b, c, value=0.5), x, y, z),
        "addcdiv": with_gradients(torch, lambda a, b, c: torch.addcdiv(a, b, c, value=2), x, y, z),
        "addcmul row": with_gradients(torch, torch.addcmul, x, row, z),
        "addcdiv row": with_gradients(torch, torch.addcdiv, row, x, y),
        "lerp number": with_gradients(torch, lambda a, b: torch.lerp(a, b, 0.3), x, y),
        "lerp far": with_gradients(torch, lambda a, b: torch.lerp(a, b, 0.8), x, y),
        "lerp tensor": with_gradients(torch, torch.lerp, x, y, row),
        "where": with_gradients(torch, lambda a, b: torch.where(mask, a, b), x, y),
        "where row": with_gradients(torch, lambda a, b: torch.where(mask, a, b), x, row),
        "where number": with_gradients(torch, lambda a: torch.where(mask, a, 0.5), x),
        "where method": with_gradients(torch, lambda a, b: a.where(mask, b), x, y),
        "in place": [
            w.detach().clone().addcmul_(y.detach(), z.detach(), value=2),
            w.detach().clone().addcdiv_(y.detach(), z.detach(), value=2),
            w.detach().clone().lerp_(y.detach(), 0.3),
        ],
    }


@case
def where_promotion_and_errors(torch: Any) -> Any:
    mask = torch.tensor([True, False])
    return {
        "numbers": torch.where(mask, 1, 2),
        "floats": torch.where(mask, 1.0, 2.0),
        "mixed": torch.where(mask, 1, 2.5),
        "int and float": torch.where(mask, torch.tensor([1, 2]), 0.5),
        "float and int": torch.where(mask, torch.tensor([1.5, 2.5]), 0),
        "dtypes": torch.where(mask, torch.tensor([1, 2]), torch.tensor([1.5, 2.5])),
        "alone": torch.where(mask),
        "alone 2d": torch.where(torch.tensor([[0, 1], [2, 0]])),
        "condition": raises(lambda: torch.where(torch.tensor([1.0, 0.0]), 1, 2)),
        "shape": raises(lambda: torch.where(mask, torch.ones(3), torch.ones(3))),
        "addcdiv of integers": raises(lambda: torch.addcdiv(torch.tensor([1]), torch.tensor([1]), torch.tensor([1]))),
        "lerp dtype": raises(lambda: torch.lerp(torch.ones(2), torch.ones(2).double(), 0.5)),
    }


@case(params=DTYPES)
def operators(torch: Any, dtype: str) -> Any:
    x = sample(torch, 3, 4, dtype=dtype, low=0.5, high=2, requires_grad=True)
    y = sample(torch, 4, dtype=dtype, low=0.5, high=2, seed=1, requires_grad=True)
    operations = {
        "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
        "%": lambda a, b: a % b, "**": lambda a, b: a**b,
    }  # fmt: skip
    found: dict[str, Any] = {}
    for sign, operation in operations.items():
        found[sign] = with_gradients(torch, operation, x, y)
        found[sign + " number"] = with_gradients(torch, lambda a, operation=operation: operation(a, 3), x)
        if sign == "%":
            continue  # PyTorch has no derivative of number % tensor
        found["number " + sign] = with_gradients(torch, lambda a, operation=operation: operation(3, a), x)
    found["unary"] = [(-x).detach(), (+x).detach(), abs(x).detach()]
    found["//"] = [(x // 0.4).detach(), (3 // x).detach(), (x // y).detach()]
    return found


@case
def operators_in_place(torch: Any) -> Any:
    found = []
    for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"):
        x = sample(torch, 3, low=1, high=4)
        same = x
        x = getattr(x, f"__{name}__")(2)
        found.append([x, x is same])
    integers = torch.tensor([5, 6])
    return found, raises(lambda: integers.__itruediv__(2)), raises(lambda: integers.__iadd__(1.5))


@case
def operators_on_integers_and_bools(torch: Any) -> Any:
    a, b = torch.tensor([6, 3, -5]), torch.tensor([3, 5, 1])
    p, q = torch.tensor([True, True, False]), torch.tensor([True, False, False])
    return {
        "bits": [a & b, a | b, a ^ b, ~a, a << 2, a >> 1, a & 1, 7 | a, 7 & b],
        "bools": [p & q, p | q, p ^ q, ~p, p + q, p * q, p == q, p & True],
        "compare": [a < b, a <= 3, a > b, a >= 3, a == b, a != b, 3 < a],
        "functions": [
            torch.bitwise_and(a, b),
            torch.bitwise_or(a, 1),
            torch.bitwise_xor(a, b),
            torch.bitwise_not(a),
            torch.bitwise_left_shift(a, b),
            torch.bitwise_right_shift(a, b),
        ],
        "in place": [a.clone().bitwise_and_(b), a.clone().bitwise_or_(b), p.clone().bitwise_not_()],
        "minus": raises(lambda: p - q),
        "negated": raises(lambda: -p),
        "float bits": raises(lambda: torch.ones(2) & torch.ones(2)),
        "float not": raises(lambda: ~torch.ones(2)),
        "gcd": [torch.gcd(a, b), torch.lcm(a, b)],
        "with none": [(a == None), (a != None)],  # noqa: E711
        "with text": [(a == "x"), (a != "x")],
        "order with text": raises(lambda: a < "x"),
        "plus text": raises(lambda: a + "x"),
        "plus none": raises(lambda: a + None),
    }


@case
def with_numpy(torch: Any) -> Any:
    import numpy as np

    x = torch.tensor([1.0, 2.0])
    return {
        "scalar right": x * np.float64(2.5),
        "scalar left": np.float64(2.5) * x,
        "float32 left": np.float32(2.5) * x,
        "int left": np.int64(2) * x,
        "int right": x + np.int32(3),
        "array right": x + np.array([1.0, 2.0]),
    }


@case
def predicates(torch: Any) -> Any:
    x = special(torch, "float32")
    integers = torch.tensor([-1, 0, 1])
    names = "isnan isinf isfinite isposinf isneginf isreal signbit logical_not".split()
    return {
        **{name: [getattr(torch, name)(x), getattr(torch, name)(integers), getattr(x, name)()] for name in names},
        "signbit bool": torch.signbit(torch.tensor([True, False])),
        "logical_not bool": torch.logical_not(torch.tensor([True, False])),
        "logical in place": x.clone().logical_not_(),
    }


@case
def closeness(torch: Any) -> Any:
    nan, inf = float("nan"), float("inf")
    x = torch.tensor([1.0, 1.0, nan, inf, inf, 0.0])
    y = torch.tensor([1.0 + 1e-6, 1.1, nan, inf, -inf, 1e-9])
    return {
        "isclose": torch.isclose(x, y),
        "nan": torch.isclose(x, y, equal_nan=True),
        "tolerance": x.isclose(y, rtol=0.2),
        "atol": torch.isclose(x, y, atol=1e-3),
        "zero tolerance": torch.isclose(x, y, rtol=0, atol=0),
        "integers": torch.isclose(torch.tensor([1, 100]), torch.tensor([1, 101]), rtol=0.02),
        "bools": torch.isclose(torch.tensor([True, False]), torch.tensor([True, True])),
        "allclose": [torch.allclose(x, y), torch.allclose(x[:1], y[:1]), x.allclose(x, equal_nan=True)],
        "broadcast": torch.allclose(torch.ones(2, 3), torch.ones(3)),
        "equal": [torch.equal(x, x), torch.equal(x[:2], y[:2]), x[:1].equal(x[:1]), torch.equal(x[:1], x[:2])],
        "dtypes": raises(lambda: torch.isclose(x, x.double())),
        "negative": raises(lambda: torch.isclose(x, y, rtol=-1)),
        "shape": raises(lambda: torch.isclose(torch.ones(2), torch.ones(3))),
        "no tensor": raises(lambda: torch.equal(x, 1)),
    }


@case
def out_arguments(torch: Any) -> Any:
    x = torch.tensor([1.0, 2.0])
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    target = torch.zeros(2)
    returned = torch.add(x, x, out=target)
    return {
        "same object": returned is target,
        "value": target,
        "resized": torch.mul(x, x, out=torch.empty(0)),
        "double": torch.add(x, 1, out=torch.empty(2, dtype=torch.float64)),
        "gradient": raises(lambda: torch.add(w, 1, out=torch.empty(2))),
        "into integers": raises(lambda: torch.add(x, 1, out=torch.empty(2, dtype=torch.int64))),
        "comparison": torch.gt(x, 1, out=torch.empty(2, dtype=torch.bool)),
        "comparison into floats": torch.gt(x, 1, out=torch.empty(2)),
    }


@case
def promotion_functions(torch: Any) -> Any:
    kinds = [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64]
    return {
        "promote": [str(torch.promote_types(a, b)) for a in kinds for b in kinds],
        "can_cast": [torch.can_cast(a, b) for a in kinds for b in kinds],
        "result_type": [
            str(torch.result_type(torch.tensor([1]), 1.0)),
            str(torch.result_type(torch.tensor([1.0]), torch.tensor(1, dtype=torch.float64))),
            str(torch.result_type(torch.tensor([1], dtype=torch.uint8), torch.tensor(1))),
            str(torch.result_type(torch.tensor([True]), 1)),
            str(torch.result_type(1, 2.0)),
        ],
    }


@case
def equal_of_different_dtypes(torch: Any) -> Any:
    t = torch.tensor
    single, double = t([0.1, 0.2]), t([0.1, 0.2], dtype=torch.float64)
    return [
        torch.equal(t([1, 2]), t([1.0, 2.0])),
        torch.equal(t([1]), t([1.5])),
        torch.equal(single, single.double()),
        torch.equal(single, double),
        torch.equal(double, single),
        torch.equal(t([True]), t([1])),
        torch.equal(t([True]), t([2])),
        torch.equal(t([44], dtype=torch.uint8), t([300])),
        torch.equal(t(16777217), t(16777216.0)),
        t([1.0]).equal(t([1, 1])),
    ]


@case
def half_of_a_choice(torch):
    x = sample(torch, 3)
    return [
        raises(lambda: torch.where(x > 0, x)),
        raises(lambda: torch.where(x > 0, other=x)),
        raises(lambda: torch.where(x > 0, None, x)),
        torch.where(x > 0)[0],
    ]


@case
def angle_at_the_origin(torch: Any) -> Any:
    y, x = (torch.tensor(values, requires_grad=True) for values in ([0.0, 1.0, 0.0], [0.0, 2.0, -1.0]))
    return with_gradients(torch, torch.atan2, y, x)


@case
def dtypes_refused(torch: Any) -> Any:
    mask, small, real = torch.eye(2, dtype=torch.bool), torch.tensor([1, 2, 3]).byte(), torch.tensor([2.0])
    calls = {
        "matmul": lambda: mask @ mask,
        "mv": lambda: mask @ mask[0],
        "batches": lambda: torch.bmm(mask[None], mask[None]),
        "addmm": lambda: torch.addmm(mask, mask, mask),
        "unsigned power": lambda: small**-1,
        "unsigned powers": lambda: small.pow(-2),
        "gcd": lambda: torch.gcd(real, real),
        "lcm": lambda: torch.lcm(real.double(), real.double()),
        "gcd of bools": lambda: torch.gcd(mask, mask),
    }
    return {name: raises(call) for name, call in calls.items()}


INF, NAN = float("inf"), float("nan")


@case(params=[(name, dtype) for name in ("maximum", "minimum", "logaddexp", "logaddexp2") for (dtype,) in DTYPES])
def ends(torch: Any, name: str, dtype: str) -> Any:
    a = torch.tensor([0.0, NAN, NAN, 1.0, INF, 2.0, -INF, 1e6, 1e30], dtype=getattr(torch, dtype), requires_grad=True)
    b = torch.tensor([NAN, 0.0, NAN, 1.0, 3.0, INF, 1.0, 1e6, 1e30], dtype=a.dtype, requires_grad=True)
    return with_gradients(torch, getattr(torch, name), a, b)


@case(params=DTYPES)
def powers_of_zero(torch: Any, dtype: str) -> Any:
    x = torch.tensor([-1.5, -1.0, -0.0, 0.0, 0.5, 2.0], dtype=getattr(torch, dtype), requires_grad=True)
    zeros = torch.zeros(6, dtype=x.dtype)
    return [with_gradients(torch, lambda x: 0.0**x, x), with_gradients(torch, lambda x: zeros**x, x)]
