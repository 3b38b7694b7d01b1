"""The names without underscore, which PyTorch has given up and still has: they warn, and do the same."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fanin._core import advice
from fanin.nn.init import filling, structured, variance


def _old_name_of(function: Callable[..., Any]) -> Callable[..., Any]:
    new, old = function.__name__, function.__name__[:-1]

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        advice.give(FutureWarning, f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.")
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Do what `{new}` does, and warn that this name is an old one."
    return renamed


uniform = _old_name_of(filling.uniform_)
normal = _old_name_of(filling.normal_)
constant = _old_name_of(filling.constant_)
eye = _old_name_of(filling.eye_)
dirac = _old_name_of(filling.dirac_)
xavier_uniform = _old_name_of(variance.xavier_uniform_)
xavier_normal = _old_name_of(variance.xavier_normal_)
kaiming_uniform = _old_name_of(variance.kaiming_uniform_)
kaiming_normal = _old_name_of(variance.kaiming_normal_)
orthogonal = _old_name_of(structured.orthogonal_)
sparse = _old_name_of(structured.sparse_)
