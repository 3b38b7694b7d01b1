"""torch.nn.utils.rnn, whose one use without recurrent networks is padding sequences to one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanin._core.errors import ArgumentError
from fanin._core.missing import refuse
from fanin.tensor.functions.creation import full
from fanin.tensor.functions.joining import cat, stack


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Stack sequences of shapes (L_i, *) into one tensor of shape (max L, B, *), padded to the longest.

    Args:
        sequences: B tensors that differ in their first dimension only.
        batch_first: return (B, max L, *) instead.
        padding_value: what is filled in.
        padding_side: "right" or "left".

    >>> import fanin as torch
    >>> torch.nn.utils.rnn.pad_sequence([torch.ones(3), torch.ones(1)], batch_first=True)
    tensor([[1., 1., 1.],
            [1., 0., 0.]])
    """
    if padding_side not in ("right", "left"):
        raise ArgumentError(f"padding_side should be either 'right' or 'left', but got {padding_side}")
    longest = max(len(sequence) for sequence in sequences)
    padded = [_padded(sequence, longest, padding_value, padding_side) for sequence in sequences]
    return stack(padded, 0 if batch_first else 1)


def _padded(sequence: Any, longest: int, value: float, side: str) -> Any:
    missing = longest - len(sequence)
    if not missing:
        return sequence
    filling = full((missing, *sequence.shape[1:]), value, dtype=sequence.dtype)
    return cat([sequence, filling] if side == "right" else [filling, sequence])


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """Return the sequences that `pad_sequence` padded on the right, given their lengths.

    >>> import fanin as torch
    >>> padded = torch.nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(1)])
    >>> [x.tolist() for x in torch.nn.utils.rnn.unpad_sequence(padded, torch.tensor([2, 1]))]
    [[1.0, 1.0], [1.0]]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(rows, lengths, strict=True)]


__getattr__ = refuse("torch.nn.utils.rnn")
