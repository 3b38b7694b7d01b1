"""Recorded results as files: one NumPy archive per area, the same bytes for the same results.

All values of one dtype lie in one array; an index in JSON says which piece belongs to which entry and holds the
numbers and texts. Thousands of small arrays would take a second to open.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.harness import TORCH_VERSION, Array, Entries

FOLDER = Path(__file__).parent / "recorded"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def encode(results: dict[str, Entries]) -> bytes:
    """Return an archive of the entries of every case."""
    pools: dict[str, list[np.ndarray]] = {}
    lengths: dict[str, int] = {}
    index = {name: {key: _pack(v, pools, lengths) for key, v in entries.items()} for name, entries in results.items()}
    text = json.dumps({"torch": TORCH_VERSION, "cases": index}, indent=0, sort_keys=True)
    members = {"index": np.frombuffer(text.encode(), np.uint8)}
    members.update({f"values_{dtype}": np.concatenate(pools[dtype]) for dtype in sorted(pools)})
    return _archive(members)


def _pack(value: Any, pools: dict[str, list[np.ndarray]], lengths: dict[str, int]) -> Any:
    if not isinstance(value, Array):
        return {"value": value}
    kind = value.values.dtype.name
    start = lengths.get(kind, 0)
    pools.setdefault(kind, []).append(value.values.ravel())
    lengths[kind] = start + value.values.size
    return {"dtype": value.dtype, "kind": kind, "shape": value.values.shape, "start": start}


def _archive(members: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in members.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def decode(content: bytes) -> dict[str, Entries]:
    """Return the entries of every case in an archive, which must name the PyTorch that parity is defined against."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        index = json.loads(archive["index"].tobytes())
        if index["torch"] != TORCH_VERSION:
            raise ValueError(f"recorded with torch {index['torch']}, expected {TORCH_VERSION}: run make record")
        pools = {name.removeprefix("values_"): archive[name] for name in archive.files if name != "index"}
    cases = index["cases"]
    return {name: {key: _unpack(v, pools) for key, v in entries.items()} for name, entries in cases.items()}


def _unpack(record: dict[str, Any], pools: dict[str, np.ndarray]) -> Any:
    if "value" in record:
        return record["value"]
    shape = tuple(record["shape"])
    size = int(np.prod(shape, dtype=np.int64))
    piece = pools[record["kind"]][record["start"] : record["start"] + size]
    return Array(record["dtype"], piece.reshape(shape))


def read(area: str, folder: Path | None = None) -> dict[str, Entries]:
    """Return an area's recorded results; none where nothing was recorded."""
    path = (folder or FOLDER) / f"{area}.npz"
    return decode(path.read_bytes()) if path.exists() else {}


def write(area: str, results: dict[str, Entries], folder: Path | None = None) -> bool:
    """Record an area's results; return whether the file changed.

    The bytes of a compressed archive depend on the zlib at hand, so a file that already says the same stays as it is.
    """
    content, path = encode(results), (folder or FOLDER) / f"{area}.npz"
    if path.exists() and _members(path.read_bytes()) == _members(content):
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return True


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
