"""Several networks that answer as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.nn import Module, ModuleList
from fanin.tensor.functions.norms import softmax

AVERAGES = ("outputs", "probabilities")


class Ensemble(Module):
    r"""The average of several models' outputs: y = 1/k (f_1(x) + ... + f_k(x)).

    Args:
        models: the models; all take the same inputs and give outputs of one shape.
        average: "outputs", or "probabilities" for classifiers: the mean of softmax(f_i(x)) over the last dimension, of
            sigmoid(f_i(x)) where there is one output.

    Shape: as of each model.

    Raises ValueError for no models, or another average.

    Reference: B. Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles",
    2017.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> models = [torch.nn.Linear(2, 3) for _ in range(4)]
    >>> ensemble = torch.Ensemble(models, average="probabilities")
    >>> ensemble(torch.ones(5, 2)).sum(dim=1)
    tensor([1., 1., 1., 1., 1.], grad_fn=<SumBackward1>)
    """

    def __init__(self, models: Iterable[Any], average: str = "outputs") -> None:
        super().__init__()
        self.models = ModuleList(models)
        self.average = average
        if not len(self.models):
            raise ArgumentError("Ensemble: there are no models to average")
        if average not in AVERAGES:
            raise ArgumentError(f"Ensemble: average must be one of {', '.join(AVERAGES)}, not {average!r}")

    def forward(self, *inputs: Any) -> Any:
        """Return the average."""
        outputs = [self._answer(model(*inputs)) for model in self.models]
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return total / len(outputs)

    def _answer(self, output: Any) -> Any:
        if self.average == "outputs":
            return output
        one = output.dim() < 2 or output.shape[-1] == 1
        return output.sigmoid() if one else softmax(output, dim=-1)

    def extra_repr(self) -> str:
        """Return what is averaged."""
        return f"average={self.average!r}"
