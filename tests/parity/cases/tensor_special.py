"""torch.special, and the special functions that torch has beside it."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, with_gradients
from tests.parity.tensors import over_shapes

# Which of the functions of torch.special are there, and on what they are tried.
DOMAINS = {
    **dict.fromkeys("expit ndtr erf erfc exp2 expm1 sinc".split(), (-2.0, 2.0)),
    **dict.fromkeys("entr gammaln log1p".split(), (0.1, 3.0)),
    **dict.fromkeys("erfcx log_ndtr".split(), (-4.0, 4.0)),
    **dict.fromkeys("ndtri logit".split(), (0.05, 0.95)),
    "erfinv": (-0.9, 0.9),
}


@case(params=[(name, dtype) for name in DOMAINS for (dtype,) in DTYPES], rtol={"float32": 1e-5, "float64": 1e-10})
def function(torch: Any, name: str, dtype: str) -> Any:
    return over_shapes(torch, getattr(torch.special, name), dtype, *DOMAINS[name])


@case(params=[(n, dtype) for n in (0, 1, 2, 3) for (dtype,) in DTYPES], rtol={"float32": 1e-5, "float64": 1e-8})
def polygamma(torch: Any, n: int, dtype: str) -> Any:
    return over_shapes(torch, lambda x: torch.polygamma(n, x), dtype, 0.5, 3.0)


# Where a function is steep, flat, 0 or infinite: arguments at which values and derivatives are to be PyTorch's.
ENDS = {
    "erfcx": [-8.0, -1.0, 0.0, 0.46875, 4.0, 20.0, 1e8, float("inf"), float("nan")],
    "log_ndtr": [-100.0, -38.0, -20.0, -1.0, 0.0, 3.0, 5.0, float("inf"), float("nan")],
    "ndtri": [-0.1, 0.0, 1e-30, 1e-10, 0.001, 0.5, 0.999, 1.0, 1.5, float("nan")],
    "entr": [-1.0, -0.0, 0.0, 1e-30, 1.0, float("inf"), float("nan")],
    "logit": [-0.5, 0.0, 1e-30, 1.0, 2.0, float("nan")],
    "sinc": [0.0, 1e-25, -1e-200, 1.0, 1e6],
}


@case(params=[(name, dtype) for name in ENDS for (dtype,) in DTYPES], rtol={"float32": 2e-4, "float64": 1e-9})
def ends(torch: Any, name: str, dtype: str) -> Any:
    x = torch.tensor(ENDS[name], dtype=getattr(torch, dtype), requires_grad=True)
    return with_gradients(torch, getattr(torch.special, name), x)


@case(params=[(n, dtype) for n in (1, 2, 3) for (dtype,) in DTYPES], rtol={"float32": 1e-4, "float64": 1e-7})
def polygamma_below_zero(torch: Any, n: int, dtype: str) -> Any:
    x = torch.tensor([0.0, -0.3, -0.75, -1.5, -7.3, -20.25], dtype=getattr(torch, dtype))
    return torch.polygamma(n, x)


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-8})
def digamma_below_zero(torch: Any, dtype: str) -> Any:
    x = torch.tensor([0.0, -0.3, -0.75, -1.5, -7.3, -20.25], dtype=getattr(torch, dtype), requires_grad=True)
    return with_gradients(torch, torch.digamma, x)


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-12})
def xlog1py(torch: Any, dtype: str) -> Any:
    a = torch.tensor([0.0, 0.0, 0.0, 1e-10, 2.0, 2.0, -1.0, 0.0], dtype=getattr(torch, dtype), requires_grad=True)
    b = torch.tensor(
        [-1.0, -2.0, 0.5, 1e-10, 1e-12, -1.0, float("inf"), float("nan")], dtype=a.dtype, requires_grad=True
    )
    return with_gradients(torch, torch.special.xlog1py, a, b)


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-8})
def others(torch: Any, dtype: str) -> Any:
    x = torch.tensor([2.5, 3.0, 7.25], dtype=getattr(torch, dtype))
    zeros = torch.tensor([0.0, 0.0, 1.0], dtype=x.dtype)
    mantissa, exponent = torch.frexp(torch.tensor([0.0, 1.0, -3.5, 100.0], dtype=x.dtype))
    return {
        "mvlgamma": [torch.mvlgamma(x, 2), x.mvlgamma(3), torch.special.multigammaln(x, 2)],
        "psi": torch.special.psi(x),
        "method": x.polygamma(1),
        "xlogy": torch.special.xlogy(zeros, zeros),
        "xlog1py": torch.special.xlog1py(x, zeros),
        "softmax": [torch.special.softmax(x, 0), torch.special.log_softmax(x, 0), torch.special.logsumexp(x, 0)],
        "round": torch.special.round(x, decimals=1),
        "entr at the ends": torch.special.entr(torch.tensor([-1.0, 0.0, 1.0], dtype=x.dtype)),
        "frexp": [mantissa, exponent],
        "negative order": raises(lambda: torch.polygamma(-1, x)),
        "no dimensions": raises(lambda: torch.mvlgamma(x, 0)),
    }
