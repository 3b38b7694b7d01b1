"""Losses of one network or of members side by side, with a weight for each row where there are any.

A target is a tensor, or a pair of it and the weights of the rows, (rows,), whose mean over all training rows is 1.
Outputs are (rows, outputs), or (rows, k, outputs) of k members: the loss is then the mean of theirs.
"""

from __future__ import annotations

from typing import Any

import fanin
from fanin import nn
from fanin.nn import functional as F


class ClassLoss(nn.Module):
    """Cross-entropy of logits against class numbers (rows,).

    Args:
        smoothing: the share of each label that is spread over all classes.

    >>> import fanin as torch
    >>> loss, y = ClassLoss(), torch.tensor([1, 0])
    >>> [round(loss(torch.zeros(*shape), y).item(), 4) for shape in ((2, 3), (2, 5, 3))]
    [1.0986, 1.0986]
    >>> round(loss(torch.zeros(2, 3), (y, torch.tensor([2.0, 0.0]))).item(), 4)
    1.0986
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, output: Any, target: Any) -> Any:
        """Return the mean loss."""
        classes, weights = _apart(target)
        if output.ndim == 3:
            members = output.shape[1]
            classes = classes.unsqueeze(1).expand(-1, members).reshape(-1)
            weights = None if weights is None else weights.unsqueeze(1).expand(-1, members).reshape(-1)
            output = output.reshape(-1, output.shape[2])
        losses = F.cross_entropy(output, classes, reduction="none", label_smoothing=self.smoothing)
        return losses.mean() if weights is None else (losses * weights).mean()


class SquareLoss(nn.Module):
    """Mean squared error against numbers (rows, targets).

    >>> import fanin as torch
    >>> loss, y = SquareLoss(), torch.tensor([[1.0], [3.0]])
    >>> [loss(torch.zeros(*shape), y).item() for shape in ((2, 1), (2, 4, 1))]
    [5.0, 5.0]
    >>> loss(torch.zeros(2, 1), (y, torch.tensor([2.0, 0.0]))).item()
    1.0
    """

    def forward(self, output: Any, target: Any) -> Any:
        """Return the mean loss."""
        numbers, weights = _apart(target)
        wanted = numbers.unsqueeze(1) if output.ndim == 3 else numbers
        return _weighted((output - wanted) ** 2, weights)


class PinballLoss(nn.Module):
    r"""Mean over levels q of max(q e, (q - 1) e), with e = y - output: least where outputs are the quantiles of y.

    Args:
        levels: the quantiles' levels, in (0, 1), one for each output.

    The target is (rows, 1).

    R. Koenker, G. Bassett, "Regression quantiles", 1978.

    >>> import fanin as torch
    >>> loss = PinballLoss((0.1, 0.9))
    >>> round(loss(torch.zeros(1, 2), torch.tensor([[2.0]])).item(), 4)  # (0.1 * 2 + 0.9 * 2) / 2
    1.0
    """

    def __init__(self, levels: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", fanin.tensor(list(levels)))

    def forward(self, output: Any, target: Any) -> Any:
        """Return the mean loss."""
        numbers, weights = _apart(target)
        wanted = numbers.unsqueeze(1) if output.ndim == 3 else numbers
        error = wanted - output
        return _weighted(fanin.maximum(self.levels * error, (self.levels - 1) * error), weights)


def _apart(target: Any) -> tuple[Any, Any]:
    return target if isinstance(target, tuple) else (target, None)


def _weighted(losses: Any, weights: Any) -> Any:
    """Return the mean of losses (rows, ...), each row's times its weight."""
    if weights is None:
        return losses.mean()
    return (losses * weights.reshape(-1, *[1] * (losses.ndim - 1))).mean()
