"""The shape of a tensor, as PyTorch prints it."""

from __future__ import annotations

from typing import Any


class Size(tuple[int, ...]):
    """A tuple of sizes, one for each dimension.

    >>> import fanin as torch
    >>> torch.zeros(2, 3).shape
    torch.Size([2, 3])
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements: the product of the sizes."""
        total = 1
        for n in self:
            total *= n
        return total

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        item = super().__getitem__(index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other: Any) -> Any:
        return Size(tuple(self) + tuple(other))

    def __mul__(self, times: Any) -> Any:
        repeated = super().__mul__(times)
        return repeated if repeated is NotImplemented else Size(repeated)

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (tuple(self),)
