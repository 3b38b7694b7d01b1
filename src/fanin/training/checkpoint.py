"""A training run in a file: whole at every moment, and enough to go on from as if nothing had happened."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanin._core.errors import CheckpointError, MissingDirectoryError, StateError
from fanin.random.generator import Generator, default_generator
from fanin.serialization import load, save
from fanin.tensor.tape import wrap
from fanin.training.weights import Kept

FORMAT = 1
SHARE = 0.1  # of the time, at most, that is spent on writing


class CheckpointFile:
    """A file that is replaced by a newer state, whole or not at all.

    The state is written to a temporary file in the same folder and brought to the disk, which then takes the place of
    the old one; the change of name is brought to the disk, too. So a process, or a computer, that stops at any moment
    leaves a file that loads.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.realpath(os.fspath(path))
        self._folder, name = os.path.split(self.path)
        # One name, not a random one: what a killed process leaves behind is written over by the next.
        self._temporary = os.path.join(self._folder, f".{name}.part")
        self._seconds = self._written = -1.0
        if not os.path.isdir(self._folder):
            raise MissingDirectoryError(f"fit: the folder of the checkpoint does not exist: {self._folder}")
        if os.path.isdir(self.path):
            raise CheckpointError(f"fit: the checkpoint is a folder, not a file: {self.path}")

    def exists(self) -> bool:
        """Say whether there is a file."""
        return os.path.exists(self.path)

    def is_due(self) -> bool:
        """Say whether writing now keeps to its share of the time; the first time always does."""
        return self._written < 0 or (time.monotonic() - self._written) * SHARE >= self._seconds

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file."""
        started = time.monotonic()
        with open(self._temporary, "wb") as file:
            save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._temporary, self.path)
        _sync_folder(self._folder)
        self._written = time.monotonic()
        self._seconds = self._written - started

    def read(self) -> dict[str, Any]:
        """Return what was written.

        Raises CheckpointError for a file that `fit` did not write.
        """
        state = load(self.path)
        if not isinstance(state, dict) or state.get("fanin_fit") != FORMAT:
            raise CheckpointError(
                f"fit: {self.path} is no checkpoint of fit's",
                remedy="Give checkpoint another path, or remove the file.",
            )
        return state


def _sync_folder(folder: str) -> None:
    """Bring a change of name to the disk, where the system lets folders be opened for that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except (OSError, AttributeError):
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


# What goes into it ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """What a run changes, and what therefore is saved.

    streams: the random generators besides the default one. loss: which may be trained, too.
    """

    model: Any
    optimizer: Any
    scheduler: Any
    streams: tuple[Any, ...]
    loss: Any = None

    @property
    def kept(self) -> Kept:
        """A copy, empty yet, of all that is trained."""
        return Kept(self.model, self.loss, self.optimizer)

    def state(self) -> dict[str, Any]:
        """Return the state of all, as data that `load` reads without trust."""
        return {
            "model": self.model.state_dict(),
            # Buffers that a state_dict leaves out count as well, and parameters of the loss.
            "tensors": {name: tensor.detach() for name, tensor in self.kept.tensors().items()},
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "generators": [wrap(Generator.get_state(stream)) for stream in (default_generator, *self.streams)],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self.model.load_state_dict(state["model"])
        kept = self.kept
        kept.load(state["tensors"])
        kept.put_back()
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        for stream, saved in zip((default_generator, *self.streams), state["generators"], strict=True):
            Generator.set_state(stream, saved._array)


# What it must agree with ----------------------------------------------------------------------------------------------

# What a scheduler writes into the groups of an optimiser.
_SCHEDULED = {"lr", "initial_lr", "max_lr", "min_lr", "momentum", "betas", "base_momentum", "max_momentum"}


def fingerprint(parts: Parts, loss: Any, source: Any, clip: float | None) -> dict[str, Any]:
    """Return what two runs must have in common for one to go on where the other stopped."""
    tensors = {name: f"{list(t.shape)} {t.dtype}" for name, t in parts.kept.tensors().items()}
    loader = source.loader
    return {
        "model": tensors,
        "optimizer": type(parts.optimizer).__name__,
        "options": _options(parts.optimizer, parts.scheduler is not None),
        "scheduler": type(parts.scheduler).__name__,
        "loss": getattr(loss, "__name__", type(loss).__name__),
        "rows": _length(source),
        "batch_size": _batch_size(loader),
        "drop_last": bool(getattr(loader, "drop_last", False)),
        "order": type(getattr(loader, "sampler", None)).__name__,
        "clip_grad_norm": clip,
        "generators": len(parts.streams),
    }


def _options(optimizer: Any, scheduled: bool) -> list[dict[str, str]]:
    hidden = {"params", "param_names", *(_SCHEDULED if scheduled else {"initial_lr"})}
    groups = optimizer.param_groups
    return [{key: _text(value) for key, value in group.items() if key not in hidden} for group in groups]


def _text(value: Any) -> str:
    array = getattr(value, "_array", None)
    return repr(value) if array is None else repr(array.tolist())


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


def _batch_size(loader: Any) -> int | None:
    size = getattr(loader, "batch_size", None)
    return size if size is not None else getattr(getattr(loader, "batch_sampler", None), "batch_size", None)


def check_same(saved: Mapping[str, Any], present: Mapping[str, Any], path: str) -> None:
    """Raise StateError, which names the differences, unless the two fingerprints are equal."""
    differences = [
        f"{name}: the checkpoint has {_short(saved.get(name), value)}, this run {_short(value, saved.get(name))}"
        for name, value in present.items()
        if saved.get(name) != value
    ]
    if differences:
        raise StateError(
            f"fit: the checkpoint {path} was written by another run, and cannot be resumed by this one:\n  "
            + "\n  ".join(differences),
            remedy="Make model, optimizer and data as they were, give another checkpoint path, or resume=False to "
            "begin anew (which replaces the file).",
        )


def _short(value: Any, other: Any) -> str:
    """Return the entries in which a dictionary differs from another one; other values as they are."""
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other) == 1:
        value, other = value[0], other[0]
    if isinstance(value, dict) and isinstance(other, dict):
        differing = {name: entry for name, entry in value.items() if other.get(name) != entry}
        listed = ", ".join(f"{name} {entry}" for name, entry in list(differing.items())[:4]) or "none of these"
        return listed + (", ..." if len(differing) > 4 else "")
    return str(value)


def streams_of(source: Any, generator: Any) -> tuple[Any, ...]:
    """Return the random generators that a source draws from, besides the default one, each once."""
    loader = source.loader
    holders = [loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)]
    holders.append(getattr(holders[-1], "sampler", None))
    found: list[Any] = []
    for stream in (generator, *(getattr(holder, "generator", None) for holder in holders)):
        if isinstance(stream, Generator) and stream is not default_generator:
            found += [] if any(stream is known for known in found) else [stream]
    return tuple(found)
