"""A model's folder: written whole or not at all, and read with care.

It is written beside its place under a temporary name and then renamed, so that a reader never meets half a model, and
a failure leaves the model that was there before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fanin._core.errors import TableError

FORMAT = "fanin tabular model"
FORMER = "fanin table model"  # of fanin 0.1, whose networks no longer exist
DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"
REPORTS = ("report.txt", "report.html")  # that lie beside a model, and go when another takes its place

Arrays = Mapping[str, NDArray[Any]]


def is_model(folder: Path) -> bool:
    """Whether the folder holds a model that fanin saved, of whatever version."""
    try:
        return _format_of(folder) in (FORMAT, FORMER)
    except (OSError, ValueError):
        return False


def check_destination(folder: Path, force: bool = False) -> None:
    """Raise TableError when a model may not be saved at `folder`: a file, or a folder with other things in it."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise TableError(f"{folder} is not a folder; choose another place for the model")
    if folder.is_dir() and any(folder.iterdir()) and not is_model(folder) and not force:
        raise TableError(
            f"{folder} holds something that is no fanin model; choose another place, or force the model into it"
        )
    parent = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    if not os.access(parent, os.W_OK):
        raise TableError(f"{folder} cannot be written: no permission to write in {parent}")


def write(folder: Path, description: Mapping[str, Any], arrays: Arrays, force: bool) -> None:
    """Write a model, in place of the one that was there; whatever else is in the folder stays.

    Raises TableError when `folder` holds something else, unless forced.
    """
    check_destination(folder, force)
    # ascontiguousarray makes a vector of a single number.
    weights = save({name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()})
    named = {"format": FORMAT, **description, "weights": {"file": WEIGHTS, "sha256": _digest(weights)}}
    text = _json(named)
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
    try:
        (fresh / WEIGHTS).write_bytes(weights)
        (fresh / DESCRIPTION).write_text(text, "utf-8")
        fresh.chmod(0o755)
        _put(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return description and arrays of a model.

    Raises TableError when the folder holds none, a damaged one, or one of fanin 0.1.
    """
    if not folder.exists():
        raise TableError(f"no such model folder: {folder}")
    try:
        found = _format_of(folder)
    except OSError:
        found = None
    except ValueError as error:
        raise damaged(folder, f"{DESCRIPTION} is no JSON: {error}") from None
    if found == FORMER:
        raise TableError(f"{folder} was saved by fanin 0.1, whose models this one cannot read: train it again")
    if found != FORMAT:
        raise TableError(f"{folder} is not a model that fanin saved (no {DESCRIPTION} of the format {FORMAT!r})")
    description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    return description, _read_arrays(folder, description)


def damaged(folder: Path, what: str) -> TableError:
    """Return the error that says how a model is damaged."""
    return TableError(f"{folder} is a damaged model ({what}); save it again")


def _format_of(folder: Path) -> str | None:
    description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    return str(description.get("format")) if isinstance(description, dict) else None


def _read_arrays(folder: Path, description: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise damaged(folder, f"{WEIGHTS}: {error.strerror}") from None
    named = description.get("weights")
    if not isinstance(named, dict) or named.get("sha256") != _digest(content):
        raise damaged(folder, f"{WEIGHTS} is not the file that {DESCRIPTION} belongs to")
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise damaged(folder, f"{WEIGHTS}: {error}") from None


def _json(description: Mapping[str, Any]) -> str:
    text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as broken tables hold
        return json.dumps(description, indent=1, allow_nan=False) + "\n"
    return text


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _put(fresh: Path, folder: Path) -> None:
    """Rename `fresh` to `folder`; a model that is there steps aside first, other things are left where they are."""
    if not folder.exists() or not any(folder.iterdir()):
        os.replace(fresh, folder)
    elif {each.name for each in folder.iterdir()} <= {DESCRIPTION, WEIGHTS, *REPORTS}:
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        os.replace(folder, aside)
        os.replace(fresh, folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        # The description names the weights by their digest, so that a mixture of two models is noticed.
        for name in (WEIGHTS, DESCRIPTION):
            os.replace(fresh / name, folder / name)
        for name in REPORTS:
            (folder / name).unlink(missing_ok=True)
