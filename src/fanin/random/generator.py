"""The frozen random stream: MT19937 words, drawn one at a time or in bulk, in PyTorch's order."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from fanin._core.errors import ArgumentError, ArgumentTypeError, OperationError, StateError

Words = npt.NDArray[np.uint64]

DEFAULT_SEED = 67280421310721

_BLOCK = 624
# PyTorch's memory layout of a CPU generator, so that states travel between the two libraries.
_LAYOUT = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "key", "normal", "has_normal"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", (_BLOCK,)), "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": 5056,
    }
)


class _NoEntropy(ISeedSequence):
    """Seeds a bit generator with zeros, because the real seed follows at once.

    Measured: NumPy's own entropy takes 115 us, an array of zeros 49 us, a list 4 us (it is read item by item). A data
    loader makes a generator an epoch, and an epoch of one large batch takes less than 100 us.
    """

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return [0] * n_words


_NO_ENTROPY: Any = _NoEntropy()


class Generator:
    """A stream of 32-bit words of the Mersenne Twister MT19937, word for word PyTorch's on the CPU.

    Args:
        device: "cpu", the only device there is.

    Raises:
        OperationError: for any other device.

    Two generators with one seed give the same numbers; the state goes to PyTorch's `Generator.set_state` and back.

    >>> from fanin.random import Generator
    >>> Generator().manual_seed(0).words(2)
    array([2357136044, 2546248239], dtype=uint64)

    Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform
    pseudo-random number generator", 1998.
    """

    def __init__(self, device: Any = "cpu") -> None:
        if str(device).partition(":")[0] != "cpu":
            raise OperationError(f"Generator: expected device 'cpu', got {device!r}; fanin has no other device")
        self.device = device
        # The sine half of a pair of normals, kept for the next scalar draw.
        self.cached_normal: float | None = None
        self._bits = np.random.MT19937(_NO_ENTROPY)
        self._raw = self._bits.random_raw
        self._set_seed(DEFAULT_SEED)

    def _set_seed(self, seed: int) -> None:
        self._seed = seed
        self._bits._legacy_seeding(seed & 0xFFFFFFFF)
        self.cached_normal = None

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed` and return the generator; only the low 32 bits choose the stream.

        Args:
            seed: an integer in [-2**63, 2**64); a negative one stands for 2**64 + seed.

        Raises:
            OperationError: for a seed that is not an integer.
            ArgumentError: for a seed outside the range.
        """
        self._set_seed(_checked_seed(seed))
        return self

    def seed(self) -> int:
        """Start the stream of a seed from the operating system's entropy, and return that seed."""
        self._set_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed that the stream was started with, in [0, 2**64)."""
        return self._seed

    def word(self) -> int:
        """Return the next 32-bit word."""
        return self._raw()

    def double_word(self) -> int:
        """Return the next two words as one 64-bit number, the first one high."""
        raw = self._raw
        return (raw() << 32) | raw()

    def random_int(self) -> int:
        """Return one draw of `random_()` for int64, a number in [0, 2**63), without making an array (0.6 us)."""
        return self.double_word() & 0x7FFFFFFFFFFFFFFF

    def words(self, count: int) -> Words:
        """Return the next `count` 32-bit words, of shape (count,)."""
        return self._raw(count)

    def double_words(self, count: int) -> Words:
        """Return the next `2 * count` words as 64-bit numbers, of shape (count,), the first of each two high."""
        words = self._raw(2 * count)
        double = words[0::2] << np.uint64(32)
        double |= words[1::2]
        return double

    def get_state(self) -> npt.NDArray[np.uint8]:
        """Return the whole state as bytes, of shape (5056,), laid out as PyTorch lays out its own."""
        inner = self._bits.state["state"]
        record = np.zeros((), _LAYOUT)
        position = int(inner["pos"])
        record["seed"], record["seeded"], record["key"] = self._seed, 1, inner["key"]
        record["left"] = _BLOCK + 1 - position
        record["next"] = 0 if position == _BLOCK and self._is_fresh(inner["key"]) else position
        if self.cached_normal is not None:
            record["normal"], record["has_normal"] = self.cached_normal, 1
        return record.reshape(1).view(np.uint8)

    def _is_fresh(self, key: npt.NDArray[Any]) -> bool:
        """Tell a seeded block from a used-up one: both stand at their end, and PyTorch writes them differently."""
        seeded = Generator().manual_seed(self._seed)
        return np.array_equal(seeded._bits.state["state"]["key"], key)

    def set_state(self, new_state: npt.NDArray[np.uint8]) -> Generator:
        """Take over a state that `get_state`, here or in PyTorch, returned; return the generator.

        Raises:
            ArgumentTypeError: when the state is not an array of bytes.
            StateError: when its size or its contents are not a generator's.
        """
        record = _checked_record(new_state)
        key = record["key"].astype(np.uint32)
        inner: Any = {"key": key, "pos": _BLOCK + 1 - int(record["left"])}
        self._bits.state = {"bit_generator": "MT19937", "state": inner}
        self._seed = int(record["seed"])
        self.cached_normal = float(record["normal"]) if record["has_normal"] else None
        return self

    def clone_state(self) -> Generator:
        """Return a new generator that stands at the same place of the same stream."""
        clone = type(self)(self.device)
        clone._bits.state = self._bits.state
        clone._seed, clone.cached_normal = self._seed, self.cached_normal
        return clone

    def get_offset(self) -> int:
        """Raise an error: only counter-based generators have an offset."""
        raise OperationError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> None:
        """Raise an error: only counter-based generators have an offset."""
        raise OperationError("CPU Generator does not use offset")

    def __copy__(self) -> Generator:
        return self.clone_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> Generator:
        return self.clone_state()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.device,), Generator.get_state(self).tobytes()

    def __setstate__(self, state: bytes) -> None:
        Generator.set_state(self, np.frombuffer(state, np.uint8))

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise OperationError(f"manual_seed expected a long, but got {type(seed).__name__}; pass an integer")
    if not -(2**63) <= seed < 2**64:
        raise ArgumentError(
            f"Overflow when unpacking long long: manual_seed expected a seed in [-2**63, 2**64), got {seed}"
        )
    return int(seed) & 0xFFFFFFFFFFFFFFFF


def _checked_record(state: Any) -> npt.NDArray[Any]:
    if not isinstance(state, np.ndarray):
        raise ArgumentTypeError(f"set_state expected an array of uint8 from get_state, but got {type(state).__name__}")
    if state.dtype != np.uint8:
        raise ArgumentTypeError(f"RNG state must be an array of uint8 (a ByteTensor), but got {state.dtype}")
    if state.size != _LAYOUT.itemsize:
        raise StateError(f"Expected a generator state of size {_LAYOUT.itemsize}, but got {state.size} bytes")
    record: npt.NDArray[Any] = np.ascontiguousarray(state).reshape(-1).view(_LAYOUT)[0]
    if record["seeded"] != 1 or not 1 <= record["left"] <= _BLOCK or record["next"] > _BLOCK:
        raise StateError("Invalid mt19937 state: these bytes are not what get_state returned")
    return record


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default generator's stream of `seed` and return the generator.

    >>> from fanin.random import generator
    >>> generator.manual_seed(0).initial_seed()
    0
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator's stream of a seed from the operating system's entropy, and return that seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the default generator's stream."""
    return default_generator.initial_seed()
