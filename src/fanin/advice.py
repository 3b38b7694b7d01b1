"""Warnings about mistakes at which PyTorch stays silent, and how to turn them off; see `fanin._core.advice`."""

from fanin._core.advice import (
    Advice,
    BroadcastLoss,
    GradientsNotZeroed,
    SoftmaxBeforeCrossEntropy,
    SymmetricStart,
    TargetOutOfRange,
    ignore,
    ignored,
    restore,
)

__all__ = [
    "Advice",
    "BroadcastLoss",
    "GradientsNotZeroed",
    "SoftmaxBeforeCrossEntropy",
    "SymmetricStart",
    "TargetOutOfRange",
    "ignore",
    "ignored",
    "restore",
]
