"""The small examples that textbooks work by hand."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case


@case
def cross_entropy_of_two_rows(torch: Any) -> Any:
    logits = torch.tensor([[1.5, 2.0, 0.5], [0.5, 1.0, 1.5]], requires_grad=True)
    classes = torch.tensor([1, 2])
    each = torch.nn.CrossEntropyLoss(reduction="none")(logits, classes)
    mean = torch.nn.CrossEntropyLoss()(logits, classes)
    mean.backward()
    return {"each": each, "mean": mean, "text": str(mean), "grad": logits.grad}


@case
def binary_cross_entropy_of_four(torch: Any) -> Any:
    p = torch.tensor([0.7, 0.2, 0.9, 0.7])
    truth = torch.tensor([1.0, 0.0, 1.0, 0.0])
    return {
        "each": torch.nn.BCELoss(reduction="none")(p, truth),
        "mean": torch.nn.BCELoss()(p, truth),
        "from logits": torch.nn.BCEWithLogitsLoss()(torch.log(p / (1 - p)), truth),
    }


@case
def second_derivative_of_a_cube(torch: Any) -> Any:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (first,) = torch.autograd.grad((w**3).sum(), w, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), w)
    return first, second
