"""Warnings about mistakes at which PyTorch stays silent, each with its remedy.

A piece of advice is a class of warning. It goes to the standard error, once for each place in the program, so that what
a program prints stays what PyTorch would print. It is turned off in any of these ways:

    fanin.advice.ignore(fanin.advice.SymmetricStart)     # one piece, from here on; ignore() turns all off
    with fanin.advice.ignored(fanin.advice.Advice): ...  # for a block
    FANIN_ADVICE=off python program.py                   # all, or names: FANIN_ADVICE=SymmetricStart,BroadcastLoss
    warnings.filterwarnings("ignore", category=...)      # as any warning of Python's
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Advice(UserWarning):
    """Base of all advice."""


class SoftmaxBeforeCrossEntropy(Advice):
    """Cross-entropy was given probabilities, of which it takes the softmax a second time."""


class BroadcastLoss(Advice):
    """A loss compares every prediction with every target, because their shapes differ and broadcast."""


class TargetOutOfRange(Advice):
    """A probability that is to be learned lies outside [0, 1]."""


class GradientsNotZeroed(Advice):
    """A step uses the sum of new gradients and of those that an earlier step has used."""


class SymmetricStart(Advice):
    """The units of a hidden layer start equal, get equal gradients and stay equal."""


KINDS: tuple[type[Advice], ...] = (
    SoftmaxBeforeCrossEntropy,
    BroadcastLoss,
    TargetOutOfRange,
    GradientsNotZeroed,
    SymmetricStart,
)
_PACKAGE = __name__.partition(".")[0]


def _from_environment(value: str) -> set[type[Advice]]:
    if value.strip().lower() in ("off", "0", "none"):
        return {Advice}
    names = {name.strip() for name in value.split(",")}
    return {kind for kind in KINDS if kind.__name__ in names}


_ignored: set[type[Advice]] = _from_environment(os.environ.get("FANIN_ADVICE", ""))


def ignore(kind: type[Advice] = Advice) -> None:
    """Turn one kind of advice off; all of it when none is named."""
    _ignored.add(kind)


def restore() -> None:
    """Turn all advice on again."""
    _ignored.clear()


@contextmanager
def ignored(kind: type[Advice] = Advice) -> Iterator[None]:
    """Turn one kind of advice, or all, off for a block."""
    before = set(_ignored)
    _ignored.add(kind)
    try:
        yield
    finally:
        _ignored.clear()
        _ignored.update(before)


def wanted(kind: type[Advice]) -> bool:
    """Say whether a kind of advice is on; checks that cost time ask first."""
    return not _ignored or not (kind in _ignored or Advice in _ignored)


def give(kind: type[Warning], message: str) -> None:
    """Warn at the line of the user's program that led here."""
    if issubclass(kind, Advice) and not wanted(kind):
        return
    frame = _users_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__", "<unknown>")
    warnings.warn_explicit(message, kind, frame.f_code.co_filename, frame.f_lineno, module, registry)


def _users_frame() -> FrameType:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return frame


def non_leaf_grad() -> None:
    """Warn, as PyTorch does, that the .grad of a result is asked for, which is never filled."""
    give(
        UserWarning,
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf "
        "Tensor, use .retain_grad() on the non-leaf Tensor.",
    )
