"""Which settings a search may try, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tabular.fitting.given import FIELDS
from fanin.tabular.fitting.presets import FEW

Setting = dict[str, Any]
Space = Mapping[str, Any] | Sequence[Mapping[str, Any]]

# A compiled step reads these from memory; all others are part of its code.
FREE = ("learning_rate", "weight_decay")
OF_A_STRUCTURE = 4  # settings that differ in nothing else: they share one compilation, and are trained side by side
_TRIES = 20  # draws of a setting that is new


def default_space(task: str, rows: int = 10_000) -> list[dict[str, Any]]:
    """Return the space that is searched unless another is given: one dictionary for each kind of network.

    Rates and decays are log-uniform around the published defaults (arXiv 2410.24210 and 2407.04491).

    Args:
        task: "classes" or "numbers".
        rows: of the table; for few, networks and batches are smaller.

    >>> sorted(default_space("numbers")[0])[:4]
    ['batch_size', 'dropout', 'hidden', 'learning_rate']
    """
    from scipy.stats import loguniform

    widths, sizes = [(64, 64), (128, 128), (256, 256), (128, 128, 128), (256, 256, 256)], [128, 256, 512]
    if rows <= FEW:
        widths, sizes = [(32, 32), (64, 64), (128, 128), (64, 64, 64)], [64, 128, 256]
    both = {"hidden": widths, "periodic": [True, False], "batch_size": sizes}
    tabm = {
        **both,
        "network": "tabm",
        "members": [4, 8] if rows <= FEW else [8, 16],
        "dropout": [0.0, 0.1, 0.2],
        "learning_rate": loguniform(1e-3, 1e-2),
        "weight_decay": loguniform(1e-5, 1e-2),
    }
    realmlp = {
        **both,
        "network": "realmlp",
        "dropout": [0.0, 0.15, 0.3],
        "learning_rate": loguniform(0.01, 0.1) if task == "classes" else loguniform(0.03, 0.4),
        "weight_decay": loguniform(2e-3, 0.1),
    }
    if task == "classes":
        realmlp["label_smoothing"] = [0.0, 0.1]
    return [tabm, realmlp]


def draw(space: Space, count: int, seed: int) -> list[Setting]:
    """Return settings of a space, none twice; those of one structure follow each other.

    Args:
        space: values by name, as of `settings=`: a list of choices, a distribution with `rvs`, or one value; or a list
            of such dictionaries, of which one is chosen first.
        count: how many there may be; fewer where the space has no more.
        seed: of the draws.

    Raises TypeError, ValueError for what is no space, or has other names.

    >>> draw({"hidden": [(8,), (16,)], "dropout": 0.1}, 5, seed=0)
    [{'hidden': (8,), 'dropout': 0.1}, {'hidden': (16,), 'dropout': 0.1}]
    """
    spaces = _checked(space)
    rng = np.random.RandomState(seed)
    found: list[Setting] = []
    structure: Setting = {}
    chosen, times = spaces[0], OF_A_STRUCTURE
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        if times == OF_A_STRUCTURE:
            chosen, times = spaces[rng.randint(len(spaces))], 0
            structure = {name: _one(value, rng) for name, value in chosen.items() if name not in FREE}
        free = {name: _one(chosen[name], rng) for name in FREE if name in chosen}
        setting = {name: {**structure, **free}[name] for name in chosen}
        times += 1
        if setting in found or not free:
            times = OF_A_STRUCTURE
        if setting not in found:
            found.append(setting)
    return found


def _checked(space: Any) -> list[Mapping[str, Any]]:
    spaces = [space] if isinstance(space, Mapping) else space
    if not isinstance(spaces, (list, tuple)) or not spaces or not all(isinstance(each, Mapping) for each in spaces):
        raise ArgumentTypeError(
            f"space is a dictionary of lists and distributions, or a list of such, not {type(space).__name__}"
        )
    for name, value in ((name, value) for each in spaces for name, value in each.items()):
        if name not in FIELDS:
            raise ArgumentError(f"space names {name!r}, which no setting is called; there are {', '.join(FIELDS)}")
        if _is_choice(value) and not len(value):
            raise ArgumentError(f"space has no values for {name!r}")
        if isinstance(value, tuple) and name != "hidden":
            raise ArgumentError(f"choices of {name!r} are given as a list, not a tuple")
    return list(spaces)


def _is_choice(value: Any) -> bool:
    return isinstance(value, (list, range, np.ndarray))


def _one(value: Any, rng: Any) -> Any:
    """Return one of the choices, a draw of a distribution (to 3 digits, which are easy to write down), or the value."""
    if hasattr(value, "rvs"):
        value = value.rvs(random_state=rng)
    elif _is_choice(value):
        return _plain(value[rng.randint(len(value))])
    else:
        return _plain(value)
    found = _plain(value)
    return float(f"{found:.3g}") if isinstance(found, float) else found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
