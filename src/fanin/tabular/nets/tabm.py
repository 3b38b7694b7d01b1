"""TabM: an ensemble in one network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fanin import nn
from fanin.nn import functional as F
from fanin.tabular.nets.front import Front, Inputs
from fanin.tabular.nets.members import MemberHead, MemberLinear


class TabM(nn.Module):
    """An ensemble of k multilayer perceptrons that share their matrices, with a head for each.

    Args:
        inputs: what a row has.
        outputs: logits, or numbers.
        hidden: the widths of the hidden layers.
        members: k.
        dropout: the probability that a unit is dropped, for all members at once.
        periodic: whether numbers have a periodic embedding.

    Shape: the parts of `inputs`, (rows, ...) each, to (rows, k, outputs). A member is trained by its own loss, and
    members are averaged for a prediction.

    Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: advancing tabular deep learning with parameter-efficient
    ensembling", arXiv 2410.24210.

    >>> import fanin as torch
    >>> TabM(Inputs(3, 2), 4, hidden=(8, 8), members=5)(torch.zeros(6, 3), torch.zeros(6, 2)).shape
    torch.Size([6, 5, 4])
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        hidden: Sequence[int] = (512, 512, 512),
        members: int = 32,
        dropout: float = 0.1,
        periodic: bool = True,
    ) -> None:
        super().__init__()
        self.front = Front(inputs, periodic)
        self.dropout = dropout
        widths = [self.front.width, *hidden]
        pairs = pairwise(widths)
        self.hidden = nn.ModuleList(MemberLinear(members, a, b, signs=i == 0) for i, (a, b) in enumerate(pairs))
        self.head = MemberHead(members, widths[-1], outputs)

    def forward(self, *parts: Any) -> Any:
        """Return the members' outputs."""
        x = self.front(*parts).unsqueeze(1)
        for layer in self.hidden:
            # A unit is dropped for all members of a row: masks of their own took half of the time of a small step, and
            # no score told them apart.
            dropped = F.dropout1d(F.relu(layer(x)).transpose(1, 2), self.dropout, self.training)
            x = dropped.transpose(1, 2)
        return self.head(x)

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters by how fast they learn: `rate` and `decay` are factors of the network's own."""
        return [{"params": list(self.parameters()), "rate": 1.0, "decay": 1.0}]
