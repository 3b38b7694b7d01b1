"""A trained model as a folder: model.json (everything readable) and weights.npz (arrays, nothing executable).

The folder is written beside its place under a temporary name and then renamed, so that a reader never meets half a
model, and a failure leaves the model that was there before.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import fanin
from fanin._core.errors import TableError
from fanin.tabular.columns import LevelPlan, NumberPlan, Plan, Scale
from fanin.tabular.model import Model
from fanin.tabular.network import Architecture, TableNetwork
from fanin.tabular.target import ClassTarget, NumberTarget, Target

FORMAT = "fanin table model"
FORMAT_VERSION = 1
DESCRIPTION = "model.json"
WEIGHTS = "weights.npz"


def is_model(folder: Path) -> bool:
    """Whether the folder holds a model that fanin saved."""
    try:
        return bool(json.loads((folder / DESCRIPTION).read_text("utf-8")).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def check_destination(folder: Path, force: bool = False) -> None:
    """Raise TableError when a model may not be saved at `folder`: a file, or a folder with other things in it."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise TableError(f"{folder} is not a folder; choose another place with --out")
    if folder.is_dir() and any(folder.iterdir()) and not is_model(folder) and not force:
        raise TableError(
            f"{folder} holds something that is no fanin model; choose another place with --out, or --force"
        )
    parent = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    if not os.access(parent, os.W_OK):
        raise TableError(f"{folder} cannot be written: no permission to write in {parent}")


def save_model(model: Model, folder: str | Path, force: bool = False) -> None:
    """Save a model in `folder`, in place of the model that was there.

    Raises TableError when `folder` holds something else; with `force` the model's files are put beside it.
    """
    folder = Path(folder)
    check_destination(folder, force)
    weights = _weights(model)
    description = _describe(model, hashlib.sha256(weights).hexdigest())
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
    try:
        (fresh / WEIGHTS).write_bytes(weights)
        (fresh / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", "utf-8")
        fresh.chmod(0o755)
        _put(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _put(fresh: Path, folder: Path) -> None:
    """Rename `fresh` to `folder`; a model that is there steps aside first, other things are left where they are."""
    if not folder.exists() or not any(folder.iterdir()):
        os.replace(fresh, folder)
    elif {each.name for each in folder.iterdir()} <= {DESCRIPTION, WEIGHTS}:
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        os.replace(folder, aside)
        os.replace(fresh, folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        # The description names the weights by their digest, so that a mixture of two models is noticed.
        for name in (WEIGHTS, DESCRIPTION):
            os.replace(fresh / name, folder / name)


def load_model(folder: str | Path) -> Model:
    """Load a model that `save_model` saved; raises TableError when the folder holds none, or a damaged one."""
    folder = Path(folder)
    if not folder.exists():
        raise TableError(f"no such model folder: {folder}")
    if not is_model(folder):
        raise TableError(f"{folder} is not a model that fanin saved (no {DESCRIPTION} of the format {FORMAT!r})")
    description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    if description.get("version") != FORMAT_VERSION:
        raise TableError(
            f"{folder} has version {description.get('version')} of the format, this fanin reads {FORMAT_VERSION}; "
            f"it was saved by fanin {description.get('fanin')}"
        )
    try:
        return _restore(description, (folder / WEIGHTS).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, EOFError) as error:
        raise TableError(f"{folder} is a damaged model ({type(error).__name__}: {error})") from None


def _weights(model: Model) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value.detach().numpy() for name, value in model.network.state_dict().items()})
    return buffer.getvalue()


def _describe(model: Model, digest: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "fanin": fanin.__version__,
        "target": asdict(model.target),
        "missing": list(model.missing),
        "columns": [asdict(plan) for plan in model.plans],
        "network": asdict(model.network.architecture),
        "training": model.training,
        "weights": {"file": WEIGHTS, "sha256": digest},
    }


def _restore(description: dict[str, Any], weights: bytes) -> Model:
    if hashlib.sha256(weights).hexdigest() != description["weights"]["sha256"]:
        raise ValueError(f"{WEIGHTS} is not the file that {DESCRIPTION} belongs to")
    shape = description["network"]
    network = TableNetwork(Architecture(**shape | {"levels": tuple(shape["levels"]), "hidden": tuple(shape["hidden"])}))
    with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
        network.load_state_dict({name: fanin.from_numpy(arrays[name]) for name in arrays.files})
    network.eval()
    plans = tuple(_restore_plan(plan) for plan in description["columns"])
    return Model(
        plans, _restore_target(description["target"]), network, tuple(description["missing"]), description["training"]
    )


def _restore_plan(plan: dict[str, Any]) -> Plan:
    if "levels" in plan:
        return LevelPlan(plan["name"], plan["kind"], tuple(plan["levels"]))
    return NumberPlan(**plan | {"scale": Scale(**plan["scale"]), "cycles": tuple(plan["cycles"])})


def _restore_target(target: dict[str, Any]) -> Target:
    if target["task"] == "classes":
        return ClassTarget(target["name"], tuple(target["classes"]))
    return NumberTarget(**target)
