"""torch.special, and the special functions that torch has beside it."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises
from tests.parity.tensors import over_shapes

# Which of the functions of torch.special are there, and on what they are tried.
DOMAINS = {
    **dict.fromkeys("expit ndtr erf erfc exp2 expm1 sinc".split(), (-2.0, 2.0)),
    **dict.fromkeys("log_ndtr entr gammaln log1p".split(), (0.1, 3.0)),
    **dict.fromkeys("ndtri logit".split(), (0.05, 0.95)),
    "erfinv": (-0.9, 0.9),
}


@case(params=[(name, dtype) for name in DOMAINS for (dtype,) in DTYPES], rtol={"float32": 1e-5, "float64": 1e-10})
def function(torch: Any, name: str, dtype: str) -> Any:
    return over_shapes(torch, getattr(torch.special, name), dtype, *DOMAINS[name])


@case(params=[(n, dtype) for n in (0, 1, 2, 3) for (dtype,) in DTYPES], rtol={"float32": 1e-5, "float64": 1e-8})
def polygamma(torch: Any, n: int, dtype: str) -> Any:
    return over_shapes(torch, lambda x: torch.polygamma(n, x), dtype, 0.5, 3.0)


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
