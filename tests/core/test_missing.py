"""Errors about names that do not exist: what they say, and that nothing is looked up until somebody reads them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import fanin as torch
from fanin._core import errors, missing
from fanin._core.errors import MissingNameError, NotInFaninError


@pytest.mark.parametrize(
    ("owner", "name", "kind", "said", "notes"),
    [
        (torch, "sofmax", NotInFaninError, "torch.sofmax is not part of fanin", ["Did you mean softmax?"]),
        (torch, "no_such_name", NotInFaninError, "torch.no_such_name is not part of fanin", None),
        (torch.nn, "Conv2d", NotInFaninError, "use nn.Linear, or stay with PyTorch for images", None),
        (torch.nn, "Liner", NotInFaninError, "torch.nn.Liner is not part of fanin", ["Did you mean Linear?"]),
        (torch.ones(1), "sofmax", MissingNameError, "'Tensor' object has no attribute 'sofmax'",
         ["Did you mean softmax?"]),
        (torch.ones(1), "to_sparse", NotInFaninError, "torch.Tensor.to_sparse is not part of fanin", None),
    ],
)  # fmt: skip
def test_what_is_said(owner: Any, name: str, kind: type, said: str, notes: list[str] | None) -> None:
    with pytest.raises(kind) as raised:
        getattr(owner, name)
    error = raised.value
    assert said in str(error)
    assert repr(error) == f"{kind.__name__}({str(error)!r})"
    for same in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(same) == str(error)
    assert getattr(error, "__notes__", None) == notes
    error.add_note("more")
    assert error.__notes__ == [*(notes or []), "more"]


def test_asking_whether_there_is_a_name_looks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("looked up")

    monkeypatch.setattr(errors, "_similar", refuse)
    monkeypatch.setattr(missing, "explain", refuse)
    for owner in (torch, torch.nn, torch.ones(1)):
        assert not hasattr(owner, "no_such_name")
        assert getattr(owner, "sofmax", 7) == 7
    with pytest.raises(NotInFaninError) as raised:
        _ = torch.sofmax
    for read in (str, lambda error: error.__notes__):
        with pytest.raises(AssertionError, match="looked up"):
            read(raised.value)
