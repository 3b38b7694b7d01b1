"""Gradients as a whole: clipped by norm and by value; parameters as one vector."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample


def _with_grads(torch: Any, dtype: str) -> list[Any]:
    parameters = [
        torch.nn.Parameter(torch.zeros(3, 4)),
        torch.nn.Parameter(torch.zeros(2)),
        torch.nn.Parameter(torch.zeros(1)),
    ]
    parameters = [torch.nn.Parameter(p.detach().to(getattr(torch, dtype))) for p in parameters]
    for i, parameter in enumerate(parameters[:2]):
        parameter.grad = sample(torch, *parameter.shape, dtype=dtype, seed=i)
    return parameters


@case(params=[(p, dtype) for p in (2.0, 1.0, 3.0, 0.5, 0.0, float("inf"), -float("inf")) for (dtype,) in DTYPES])
def clipping_by_norm(torch: Any, p: float, dtype: str) -> Any:
    utils, results = torch.nn.utils, []
    for limit in (0.5, 100.0, 0.0, -1.0):
        parameters = _with_grads(torch, dtype)
        norm = utils.clip_grad_norm_(parameters, limit, p)
        results.append([norm, *(q.grad for q in parameters)])
    one = _with_grads(torch, dtype)[0]
    return [
        *results,
        utils.clip_grad_norm_(one, 1.0, p),
        one.grad,
        utils.clip_grad_norm_(iter([one]), 0.1, foreach=True),
    ]


@case
def clipping_what_is_not_finite(torch: Any) -> Any:
    utils, results = torch.nn.utils, []
    for odd in (float("nan"), float("inf")):
        parameter = torch.nn.Parameter(torch.zeros(3))
        parameter.grad = torch.tensor([1.0, odd, 2.0])
        error = raises(lambda p=parameter: utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True))
        results.append([error, utils.clip_grad_norm_(parameter, 1.0), parameter.grad])
    nothing = torch.nn.Parameter(torch.zeros(3))
    return [*results, utils.clip_grad_norm_(nothing, 1.0), utils.clip_grad_norm_([], 1.0), utils.get_total_norm([])]


@case(params=DTYPES)
def clipping_by_value(torch: Any, dtype: str) -> Any:
    utils, parameters = torch.nn.utils, _with_grads(torch, dtype)
    utils.clip_grad_value_(parameters, 0.5)
    norm = utils.get_total_norm([q.grad for q in parameters[:2]], 3.0)
    utils.clip_grads_with_norm_(parameters, 0.1, norm)
    return [norm, *(q.grad for q in parameters)]


@case
def parameters_as_a_vector(torch: Any) -> Any:
    utils, net = torch.nn.utils, torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    vector = utils.parameters_to_vector(net.parameters())
    utils.vector_to_parameters(torch.arange(11.0), net.parameters())
    errors = [
        lambda: utils.vector_to_parameters([1.0], net.parameters()),
        lambda: utils.vector_to_parameters(torch.ones(2), net.parameters()),
    ]
    return [vector, vector.requires_grad, OrderedDict(net.state_dict()), [raises(call) for call in errors]]
