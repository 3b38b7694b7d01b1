"""What answers `safetensors.torch` when a program runs on fanin: tensors in files of the format safetensors.

The format (github.com/huggingface/safetensors, "Format"): eight bytes with the length of the header, little-endian; the
header, JSON that names each tensor's dtype, shape and place; and the numbers in row-major order.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, CheckpointError, DtypeError, OperationError, StateError
from fanin._core.missing import refuse
from fanin.tensor import Tensor
from fanin.tensor.device import check_device
from fanin.tensor.tape import wrap

# In the order in which the library writes them: the last first, so that numbers of more bytes come before.
_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "float16": "F16", "int32": "I32", "float32": "F32",
    "float64": "F64", "int64": "I64",
}  # fmt: skip
_KINDS = {name: np.dtype(kind).newbyteorder("<") for kind, name in _NAMES.items()}
_RANK = {kind: rank for rank, kind in enumerate(_NAMES)}


def save(tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    """Return named tensors as the bytes of a file.

    Raises ValueError for what is no contiguous tensor, RuntimeError for tensors that share memory.
    """
    arrays = _arrays(tensors)
    order = sorted(arrays, key=lambda name: (-_RANK[arrays[name].dtype.name], name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata is not None else {}
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        kind = _NAMES[arrays[name].dtype.name]
        header[name] = {"dtype": kind, "shape": list(arrays[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(arrays[name].tobytes() for name in order)])


def _arrays(tensors: Any) -> dict[str, Any]:
    if not isinstance(tensors, dict):
        raise ArgumentError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise ArgumentError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(x)}")
        if not x.is_contiguous():
            raise ArgumentError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. Call `.contiguous()` "
                "on it before."
            )
    arrays = {name: x._array for name, x in tensors.items()}
    for shared in _sharing(arrays):
        raise OperationError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
            f"loading them again: {shared}. A potential way to correctly save your model is to use `save_model`."
        )
    return arrays


def _sharing(arrays: dict[str, Any]) -> list[list[str]]:
    """Return the names of tensors in one memory, those with more than one name."""
    places: dict[int, list[str]] = {}
    for name, array in arrays.items():
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if array.nbytes:
            places.setdefault(id(owner), []).append(name)
    return [names for names in places.values() if len(names) > 1]


def save_file(
    tensors: dict[str, Any], filename: str | os.PathLike[str], metadata: dict[str, str] | None = None
) -> None:
    """Write named tensors to a file."""
    Path(filename).write_bytes(save(tensors, metadata))


def load(data: bytes) -> dict[str, Any]:
    """Return the tensors that bytes of the format hold, by name.

    Raises RuntimeError where the bytes are not of the format.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        return {name: _tensor(data[8 + length :], **about) for name, about in header.items()}
    except DtypeError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"Error while deserializing: not a file of the format safetensors ({error})") from error


def _tensor(numbers: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> Any:
    if dtype not in _KINDS:
        raise DtypeError(f"fanin has no dtype {dtype}")
    array = np.frombuffer(numbers[slice(*data_offsets)], _KINDS[dtype]).reshape(shape)
    return wrap(array.astype(array.dtype.newbyteorder("=")))


def load_file(filename: str | os.PathLike[str], device: str | int = "cpu", *, backend: str = "mmap") -> dict[str, Any]:
    """Return the tensors of a file, by name.

    Raises FileNotFoundError, and RuntimeError for a file that is not of the format.
    """
    check_device(device)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f"No such file or directory: {filename}")
    return load(Path(filename).read_bytes())


def save_model(
    model: Any, filename: str, metadata: dict[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """Write the state of a module; of tensors in one memory, the one whose name comes first."""
    state = dict(model.state_dict())
    notes = dict(metadata or {})
    for names in _sharing({name: x._array for name, x in state.items()}):
        kept, *others = sorted(names)
        for name in others:
            notes[name] = kept
            del state[name]
    if force_contiguous:
        state = {name: x.contiguous() for name, x in state.items()}
    save_file(state, filename, notes or None)


def load_model(
    model: Any, filename: str | os.PathLike[str], strict: bool = True, device: str | int = "cpu", *, backend: str = ""
) -> tuple[set[str], list[str]]:
    """Load a file into a module; return the names that were missing and those that were not expected.

    Raises RuntimeError when strict and there are any.
    """
    state = load_file(filename, device)
    missing, unexpected = model.load_state_dict(state, strict=False)
    shared = _sharing({name: x._array for name, x in model.state_dict().items()})
    tied = {name for names in shared if set(names) & set(state) for name in names}
    absent = set(missing) - tied
    if strict and (absent or unexpected):
        parts = [f"Error(s) in loading state_dict for {type(model).__name__}:"]
        parts += [f"    Missing key(s) in state_dict: {', '.join(map(repr, sorted(absent)))}"] if absent else []
        parts += [f"    Unexpected key(s) in state_dict: {', '.join(map(repr, unexpected))}"] if unexpected else []
        raise StateError("\n".join(parts))
    return absent, list(unexpected)


__getattr__ = refuse("safetensors.torch")
