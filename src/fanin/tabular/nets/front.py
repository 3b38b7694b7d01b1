"""What stands before the hidden layers: embeddings of all kinds of columns, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fanin
from fanin import nn
from fanin._core.errors import ArgumentError
from fanin.tabular.nets.levels import LevelEmbedding
from fanin.tabular.nets.periodic import PeriodicEmbedding


@dataclass(frozen=True)
class Inputs:
    """What a network is given for each row.

    numbers: scaled numbers; flags: columns of zeros and ones (or plus and minus one); sizes: levels of each column that
    is embedded. A network is called with the parts that are not empty, in this order.

    >>> Inputs(3, 2, (7,)).parts
    ('numbers', 'flags', 'levels')
    >>> Inputs(0, 2, ()).parts
    ('flags',)
    """

    numbers: int
    flags: int
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.parts:
            raise ArgumentError("a network needs at least one input column, but there are none")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that are not empty."""
        counts = (("numbers", self.numbers), ("flags", self.flags), ("levels", len(self.sizes)))
        return tuple(name for name, count in counts if count)


class Front(nn.Module):
    """Numbers through their periodic embedding, flags as they are, levels through theirs: one row of all.

    Args:
        inputs: the parts.
        periodic: whether numbers are embedded; without, they stand alone.
        level_width: the numbers of a level's vector.

    Shape: the parts of `inputs`, (rows, ...) each, to (rows, width).

    >>> import fanin as torch
    >>> front = Front(Inputs(3, 2, (4,)))
    >>> front(torch.zeros(5, 3), torch.zeros(5, 2), torch.zeros(5, 1, dtype=torch.int64)).shape, front.width
    (torch.Size([5, 22]), 22)
    """

    def __init__(self, inputs: Inputs, periodic: bool = True, level_width: int = 8) -> None:
        super().__init__()
        self.parts = inputs.parts
        self.numbers = PeriodicEmbedding(inputs.numbers) if periodic and inputs.numbers else None
        self.levels = LevelEmbedding(inputs.sizes, level_width) if inputs.sizes else None
        width = inputs.numbers if self.numbers is None else inputs.numbers * self.numbers.width
        self.width = width + inputs.flags + level_width * len(inputs.sizes)

    def forward(self, *parts: Any) -> Any:
        """Return the parts as one row each."""
        named: dict[str, Any] = dict(zip(self.parts, parts, strict=True))
        if self.numbers is not None:
            named["numbers"] = self.numbers(named["numbers"])
        if self.levels is not None:
            named["levels"] = self.levels(named["levels"])
        return next(iter(named.values())) if len(named) == 1 else fanin.cat(list(named.values()), dim=1)

    def embeddings(self) -> Sequence[Any]:
        """Return the parameters of the periodic embedding."""
        return () if self.numbers is None else tuple(self.numbers.parameters())


class FrontScale(nn.Module):
    """One learned factor for each input, so that training can weigh columns quickly: y = x s.

    Args:
        width: the inputs.

    Shape: (rows, width), the same comes out; `scale` is (width,) and starts at 1.

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default", arXiv 2407.04491, section 3.

    >>> import fanin as torch
    >>> FrontScale(2)(torch.tensor([[3.0, 4.0]])).tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(fanin.ones(width))

    def forward(self, x: Any) -> Any:
        """Return the inputs, each times its factor."""
        return x * self.scale
