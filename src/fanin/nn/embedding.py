"""Tables of vectors that are looked up by number."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentConflictError
from fanin.nn import functional as F
from fanin.nn.functional.embedding import padding_row
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter
from fanin.nn.starting_values import fill_normal
from fanin.tensor.functions.creation import empty


class _Table(Module):
    """What the two kinds of tables share: the rows and how they start."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool
    weight: Any

    def _set_table(self, given: Any, frozen: bool, device: Any, dtype: Any) -> None:
        shape = (self.num_embeddings, self.embedding_dim)
        if given is None:
            self.weight = Parameter(empty(shape, device=device, dtype=dtype), requires_grad=not frozen)
            self.reset_parameters()
            return
        if tuple(given.shape) != shape:
            raise ArgumentConflictError("Shape of weight does not match num_embeddings and embedding_dim")
        self.weight = Parameter(given, requires_grad=not frozen)

    def reset_parameters(self) -> None:
        """Draw new rows from N(0, 1); the padding row is zero."""
        fill_normal(self.weight)
        if self.padding_idx is not None:
            self.weight._array[self.padding_idx] = 0


class Embedding(_Table):
    """A table of vectors: number i stands for row i.

    Args:
        num_embeddings: rows of the table, n.
        embedding_dim: size of each row, d.
        padding_idx: the row that stays as it is: it starts as zeros and gets no gradient.
        max_norm: rows that are used and longer are first shortened, in place, to this length.
        norm_type: p of that length.
        scale_grad_by_freq: divide a row's gradient by how often the row is used.
        sparse: accepted; gradients are dense.

    Shape: (*) of int64 or int32 to (*, d). weight is (n, d) and starts as draws from N(0, 1).

    Raises AssertionError for a padding_idx outside the table.

    >>> import fanin as torch
    >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2], [4, 5]])).shape
    torch.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_row(padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._set_table(_weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Return a table with given rows.

        Args:
            embeddings: (n, d).
            freeze: whether the rows stay as they are in training.
            padding_idx: see the class.
            max_norm: see the class.
            norm_type: see the class.
            scale_grad_by_freq: see the class.
            sparse: see the class.

        Raises AssertionError unless there are two dimensions.

        >>> import fanin as torch
        >>> torch.nn.Embedding.from_pretrained(torch.ones(2, 3))
        Embedding(2, 3)
        """
        if embeddings.dim() != 2:
            raise ArgumentConflictError("Embeddings parameter is expected to be 2-dimensional")
        rows, size = embeddings.shape
        return cls(
            rows, size, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings, _freeze=freeze
        )

    def forward(self, input: Any) -> Any:
        """Return the rows with the numbers in input."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        """Return the sizes, and the settings that are not the usual ones."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        if self.sparse:
            parts.append("sparse=True")
        return ", ".join(parts)


class EmbeddingBag(_Table):
    """A table of vectors of which the mean, sum or maximum over each bag of numbers is taken.

    Args:
        num_embeddings: rows of the table, n.
        embedding_dim: size of each row, d.
        max_norm: rows that are used and longer are first shortened, in place, to this length.
        norm_type: p of that length.
        scale_grad_by_freq: divide a row's gradient by how often the row is used.
        mode: "mean", "sum" or "max".
        sparse: accepted; gradients are dense.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: the row that does not count.

    Shape: (bags, length), or (numbers,) with offsets (bags,), to (bags, d).

    >>> import fanin as torch
    >>> bag = torch.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bag(torch.tensor([1, 2, 4]), torch.tensor([0, 2])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = padding_row(padding_idx, num_embeddings)
        self._set_table(_weight, False, device, dtype)
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """Return one row for each bag."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the sizes, and the settings that are not the usual ones."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        parts.append(f"mode={self.mode!r}")
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts)
