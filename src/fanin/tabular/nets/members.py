"""Layers of an ensemble whose members share their weights."""

from __future__ import annotations

from typing import Any

import fanin
from fanin import nn

FEW = 4  # outputs of a head that are sums of products, not a product of matrices


class MemberLinear(nn.Module):
    r"""A linear layer of k members, which share the matrix and have factors and biases of their own (BatchEnsemble).

    .. math:: y_m = ((x_m \odot r_m)\, W) \odot s_m + b_m

    Args:
        members: k.
        in_features, out_features: the widths.
        signs: whether r starts as random signs, which tells the members apart; without, as ones.

    Shape: (rows, k, in_features) to (rows, k, out_features); an input (rows, 1, in_features) is given to all members.
    `weight` is (in_features, out_features), `r` (k, in_features), `s` and `bias` (k, out_features). Rows come first, so
    that the product is one of (rows k, in) by (in, out), and the native code can cut it by rows.

    Start: W and b uniform within 1/sqrt(in_features), b the same for all members; s ones.

    Y. Wen, D. Tran, J. Ba, "BatchEnsemble", arXiv 2002.06715; Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM",
    arXiv 2410.24210.

    >>> import fanin as torch
    >>> MemberLinear(4, 3, 2)(torch.zeros(5, 1, 3)).shape
    torch.Size([5, 4, 2])
    """

    def __init__(self, members: int, in_features: int, out_features: int, signs: bool = False) -> None:
        super().__init__()
        self.members, self.in_features, self.out_features = members, in_features, out_features
        bound = in_features**-0.5
        self.weight = nn.Parameter(bound * (2 * fanin.rand(in_features, out_features) - 1))
        start = 2.0 * fanin.randint(0, 2, (members, in_features)) - 1 if signs else fanin.ones(members, in_features)
        self.r = nn.Parameter(start)
        self.s = nn.Parameter(fanin.ones(members, out_features))
        self.bias = nn.Parameter((bound * (2 * fanin.rand(1, out_features) - 1)).repeat(members, 1))

    def forward(self, x: Any) -> Any:
        """Return the members' outputs."""
        product = (x * self.r).reshape(-1, self.in_features) @ self.weight
        return product.reshape(-1, self.members, self.out_features) * self.s + self.bias

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"members={self.members}, in_features={self.in_features}, out_features={self.out_features}"


class MemberHead(nn.Module):
    r"""A linear layer of k members that share nothing: :math:`y_m = x_m W_m + b_m`.

    Args:
        members: k.
        in_features, out_features: the widths.

    Shape: (rows, k, in_features) to (rows, k, out_features). `weight` is (k, in_features, out_features), `bias`
    (k, out_features), both uniform within 1/sqrt(in_features).

    >>> import fanin as torch
    >>> MemberHead(4, 3, 2)(torch.zeros(5, 4, 3)).shape
    torch.Size([5, 4, 2])
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = in_features**-0.5
        self.weight = nn.Parameter(bound * (2 * fanin.rand(members, in_features, out_features) - 1))
        self.bias = nn.Parameter(bound * (2 * fanin.rand(members, out_features) - 1))

    def forward(self, x: Any) -> Any:
        """Return the members' outputs."""
        if self.weight.shape[2] > FEW or not self.training:
            return fanin.matmul(x.transpose(0, 1), self.weight).transpose(0, 1) + self.bias
        # Row by row, so that a step computes it with the layer before: one of 8 members took 1.2 times as long
        # with a product of matrices, whose rows are no longer those of the batch.
        return (x.unsqueeze(2) * self.weight.transpose(1, 2)).sum(3) + self.bias
