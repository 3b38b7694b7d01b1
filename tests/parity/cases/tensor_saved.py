"""Which values a backward pass reads: changing one of them in place in between is an error, changing another is none.

Left out are prod, gather, einsum, logaddexp and 2 / x, whose derivatives are written with other values than PyTorch's.
"""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, raises, sample

ONE = """
exp log sqrt sin cos tan tanh sigmoid relu abs neg square reciprocal rsqrt log1p expm1 erf asin atan sinh cosh floor
sign frac sum mean amax var std logsumexp cumsum cumprod clone double t flatten unsqueeze sort norm softmax
log_softmax roll flip repeat tril
""".split()
ARGUMENTS = {
    **dict.fromkeys("softmax log_softmax cumsum cumprod logsumexp unsqueeze flip amax".split(), (0,)),
    "roll": (1,),
    "repeat": (2, 2),
}
FORMS = {
    "x + 1": lambda t, x, y: x + 1,
    "x * 2": lambda t, x, y: x * 2,
    "x / 2": lambda t, x, y: x / 2,
    "x ** 2": lambda t, x, y: x**2,
    "x ** 3": lambda t, x, y: x**3,
    "2 ** x": lambda t, x, y: 2**x,
    "x % 2": lambda t, x, y: x % 2,
    "clamp": lambda t, x, y: x.clamp(-1, 1),
    "x[0]": lambda t, x, y: x[0] * 1,
    "x[index]": lambda t, x, y: x[[0, 1]],
    "masked_fill": lambda t, x, y: x.masked_fill(x > 0, 0.0),
    "where": lambda t, x, y: t.where(x > 0, x, y),
    "max": lambda t, x, y: x.max(1).values,
    "max of all": lambda t, x, y: x.max(),
    "topk": lambda t, x, y: x.topk(2).values,
    "x + y": lambda t, x, y: x + y,
    "x - y": lambda t, x, y: x - y,
    "x * y": lambda t, x, y: x * y,
    "x / y": lambda t, x, y: x / y,
    "x ** y": lambda t, x, y: x.abs() ** y,
    "x @ y": lambda t, x, y: x @ y.t(),
    "maximum": lambda t, x, y: t.maximum(x, y),
    "atan2": lambda t, x, y: t.atan2(x, y),
    "cat": lambda t, x, y: t.cat([x, y]),
    "stack": lambda t, x, y: t.stack([x, y]),
    "addmm": lambda t, x, y: t.addmm(x, x[:, :2], y),
    "lerp": lambda t, x, y: x.lerp(y, 0.3),
    "bmm": lambda t, x, y: t.bmm(x[None], y.t()[None]),
    "dot": lambda t, x, y: t.dot(x[0], y[0]),
    "hypot": lambda t, x, y: t.hypot(x, y),
}


def outcomes(torch: Any, function: Any) -> dict[str, str]:
    """Return what backward raises after an in-place change of the input, of the other one, or of the result."""
    found = {}
    for changed in ("x", "y", "out", "y without gradient", "x beside data"):
        w = sample(torch, 2, 3, low=0.2, high=0.9, requires_grad=True)
        v = sample(torch, 2, 3, low=0.2, high=0.9, seed=1, requires_grad=changed != "x beside data")
        x, y = w * 1, v * 1
        if changed == "y without gradient":
            y = y.detach()
        if changed == "x beside data":
            y = v
        out = function(torch, x, y)
        {"x": x, "y": y, "out": out, "y without gradient": y, "x beside data": x}[changed].add_(0)
        found[changed] = raises(lambda out=out: out.sum().backward())
    return found


@case(params=[(name,) for name in ONE])
def of_one(torch: Any, name: str) -> Any:
    arguments = ARGUMENTS.get(name, ())

    def function(t: Any, x: Any, y: Any) -> Any:
        result = getattr(x, name)(*arguments)
        return result.values if name == "sort" else result

    return outcomes(torch, function)


@case(params=[(name,) for name in FORMS])
def of_more(torch: Any, name: str) -> Any:
    return outcomes(torch, FORMS[name])
