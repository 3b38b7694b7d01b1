"""Functions of one tensor, element by element: values, gradients, shapes, dtypes, special numbers."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.tensors import attempt, of_integers, over_shapes, special

DOMAINS = {
    **dict.fromkeys(
        "abs neg sign floor ceil trunc frac exp exp2 expm1 square sin cos tan atan sinh cosh asinh erf erfc sinc "
        "sigmoid tanh relu deg2rad rad2deg round nan_to_num positive".split(),
        (-2.0, 2.0),
    ),
    **dict.fromkeys("log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma".split(), (0.2, 3.0)),
    **dict.fromkeys("asin acos atanh erfinv".split(), (-0.9, 0.9)),
    "acosh": (1.1, 3.0),
    "logit": (0.05, 0.95),
}
# PyTorch cannot differentiate these changes in place of a result.
NOT_THROUGH_A_CHANGE = {"acosh", "asinh", "atanh"}
FUNCTIONS = [(name, dtype) for name in DOMAINS for (dtype,) in DTYPES]
# PyTorch's derivative of digamma is good to nine digits only.
EXACT = [(name, dtype) for name, dtype in FUNCTIONS if name != "digamma"]
ALIASES = "absolute negative fix sgn arcsin arccos arctan arcsinh arccosh arctanh clip".split()


@case(params=EXACT, rtol={"float32": 4e-6, "float64": 1e-11})
def function(torch: Any, name: str, dtype: str) -> Any:
    low, high = DOMAINS[name]
    return over_shapes(torch, getattr(torch, name), dtype, low, high)


@case(params=DTYPES, rtol={"float32": 4e-6, "float64": 1e-9})
def digamma(torch: Any, dtype: str) -> Any:
    return over_shapes(torch, torch.digamma, dtype, *DOMAINS["digamma"])


@case(params=[(name,) for name in DOMAINS], rtol={"float32": 4e-6})
def of_integers_and_bools(torch: Any, name: str) -> Any:
    return of_integers(torch, getattr(torch, name))


@case(params=FUNCTIONS, rtol={"float32": 4e-6, "float64": 1e-11})
def special_numbers(torch: Any, name: str, dtype: str) -> Any:
    return getattr(torch, name)(special(torch, dtype))


@case(params=[(name,) for name in DOMAINS], rtol={"float32": 4e-6})
def forms(torch: Any, name: str) -> Any:
    low, high = DOMAINS[name]
    x = sample(torch, 3, 2, low=low, high=high)
    changed = x.clone()
    in_place = attempt(lambda: getattr(changed, name + "_")())
    leaf = x.clone().requires_grad_()
    return {
        "method": getattr(x, name)(),
        "in place": in_place,
        "changed": changed,
        "out": attempt(lambda: getattr(torch, name)(x, out=torch.empty(0))),
        "leaf in place": raises(lambda: getattr(leaf, name + "_")()),
        "no tensor": raises(lambda: getattr(torch, name)([1.0])),
        "number": raises(lambda: getattr(torch, name)(1.0)),
        "through a change": name in NOT_THROUGH_A_CHANGE
        or attempt(lambda: with_gradients(torch, lambda w: getattr(w * 1, name + "_")(), leaf)),
        "name": type(getattr(leaf, name)().grad_fn).__name__ if torch.__name__ == "torch" else grad_name(leaf, name),
    }


def grad_name(leaf: Any, name: str) -> str:
    """Return the name of the node that made a result, as PyTorch's class of nodes has it."""
    node = getattr(leaf, name)().grad_fn
    return "NoneType" if node is None else node.name()


@case(params=[(name,) for name in ALIASES])
def alias(torch: Any, name: str) -> Any:
    x = sample(torch, 4, low=1.1, high=1.2) if name == "arccosh" else sample(torch, 4, low=-0.5, high=0.5)
    arguments = (-0.2, 0.3) if name == "clip" else ()
    return getattr(torch, name)(x, *arguments), getattr(x, name)(*arguments)


@case(params=DTYPES)
def round_to_decimals(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, low=-300, high=300)
    return {n: torch.round(x, decimals=n) for n in (-2, -1, 0, 1, 2, 3)}


@case(params=DTYPES)
def clamp(torch: Any, dtype: str) -> Any:
    x = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    low = sample(torch, 7, dtype=dtype, low=-1.5, high=-0.5, seed=1, requires_grad=True)
    high = sample(torch, 5, 1, dtype=dtype, low=0.5, high=1.5, seed=2, requires_grad=True)
    nan = special(torch, dtype)
    return {
        "numbers": with_gradients(torch, lambda a: torch.clamp(a, -1, 1), x),
        "floats": with_gradients(torch, lambda a: a.clamp(min=-0.5, max=0.25), x),
        "min": with_gradients(torch, lambda a: a.clamp(min=0), x),
        "max": with_gradients(torch, lambda a: a.clamp(max=0.5), x),
        "tensors": with_gradients(torch, torch.clamp, x, low, high),
        "tensor min": with_gradients(torch, lambda a, b: a.clamp(min=b), x, low),
        "crossed": torch.clamp(x, 1, -1),
        "clamp_min": with_gradients(torch, lambda a: torch.clamp_min(a, 0.1), x),
        "clamp_max": with_gradients(torch, lambda a: torch.clamp_max(a, 0.1), x),
        "nan": torch.clamp(nan, -2, 2),
        "in place": x.detach().clone().clamp_(-1, 1),
        "in place min": x.detach().clone().clamp_min_(0.0),
        "integers": torch.tensor([-3, 0, 5]).clamp(-1, 2),
        "integers to float": torch.tensor([-3, 0, 5]).clamp(-1.5, 2.5),
        "at the bound": with_gradients(
            torch, lambda a: a.clamp(-1, 1), torch.tensor([-1.0, 1.0, 0.0, 2.0], requires_grad=True)
        ),
        "neither": raises(lambda: torch.clamp(x)),
        "shape": raises(lambda: torch.clamp(x, torch.ones(2))),
    }


@case(params=DTYPES)
def nan_to_num_arguments(torch: Any, dtype: str) -> Any:
    x = special(torch, dtype)
    return [
        torch.nan_to_num(x),
        torch.nan_to_num(x, 1.5),
        torch.nan_to_num(x, nan=2.0, posinf=3.0, neginf=-3.0),
        x.nan_to_num(posinf=1.0),
        with_gradients(torch, torch.nan_to_num, x.clone().requires_grad_()),
    ]


@case(params=DTYPES)
def logit_eps(torch: Any, dtype: str) -> Any:
    x = torch.tensor([0.0, 0.001, 0.5, 0.999, 1.0], dtype=getattr(torch, dtype), requires_grad=True)
    return with_gradients(torch, lambda a: torch.logit(a, eps=0.01), x)


@case(params=DTYPES)
def second_derivatives(torch: Any, dtype: str) -> Any:
    found = {}
    for name in "exp log sqrt sin tanh sigmoid square reciprocal atan erf rsqrt expm1 log1p".split():
        x = sample(torch, 4, dtype=dtype, low=0.3, high=1.5, requires_grad=True)
        (first,) = torch.autograd.grad(getattr(torch, name)(x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad((first * first).sum(), x)
        found[name] = second
    return found
