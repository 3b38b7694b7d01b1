"""What cases of schedulers share: an optimiser of two groups, and how close its rates must be."""

from __future__ import annotations

from typing import Any

# Rates are double precision whatever the weights are.
CLOSE = {"number": 1e-12, "float64": 1e-12}


def optimizer_of(torch: Any, kind: str = "SGD", **options: Any) -> Any:
    """Return an optimiser of two groups with rates 0.5 and 0.05."""
    weights = [torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)]
    if kind == "SGD":
        options = {"momentum": 0.9, **options}
    groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.05}]
    return getattr(torch.optim, kind)(groups, **{"lr": 0.5, **options})
