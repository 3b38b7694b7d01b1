"""Estimators as folders that hold no code: JSON to read, and arrays.

| file | holds |
|---|---|
| model.json | format and its version, parameters, columns, encoder, classes or units, how the networks are made |
| weights.safetensors | weights of the networks, and the errors that intervals are made of |

`save_model` writes a folder whole or not at all; `load_model` gives back an estimator that predicts the same bits. What
is not saved: what training rows were predicted, and the optimiser's moments, without which `partial_fit` goes on.

A later fanin reads the folders of all earlier versions of the format: a change of it gets a new number in `models`, the
readers of the earlier ones stay, and `tests/tabular/saving/fixtures` keeps a folder of each. A new setting of networks
is no such change if its default says what networks were without it.
"""

from __future__ import annotations

from fanin._core.errors import MissingExtraError

try:
    import safetensors
except ImportError as error:
    raise MissingExtraError(
        'saving and loading models needs safetensors, which is not installed: pip install "fanin[tabular]"'
    ) from error

import fanin.tabular.estimators  # first, as it says what to install where scikit-learn is missing
from fanin.tabular.saving.folder import check_destination, is_model
from fanin.tabular.saving.models import load_model, save_model

__all__ = ["check_destination", "is_model", "load_model", "save_model"]
