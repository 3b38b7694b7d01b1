"""PyTorch's dtypes over NumPy's, and PyTorch's rules of type promotion.

Promotion differs from NumPy's in three ways: a Python number never widens a tensor of its own category, a
zero-dimensional tensor only counts when its category is higher, and an integer with a float gives that float
(NumPy makes int64 with float32 a float64).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.errors import ArgumentTypeError, DtypeError

# Categories in the order in which promotion climbs: bool, integer, float.
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}


class dtype:
    """An element type; there is one object for each, so that `is` compares them.

    >>> import fanin as torch
    >>> torch.tensor([1.0]).dtype
    torch.float32
    """

    __slots__ = ("__weakref__", "category", "legacy_name", "name", "numpy")
    numpy: np.dtype[Any]

    def __init__(self, name: str, numpy_type: Any, legacy_name: str) -> None:
        self.name = name
        self.numpy = np.dtype(numpy_type)
        self.legacy_name = legacy_name
        self.category = _CATEGORY[self.numpy.kind]

    @property
    def is_floating_point(self) -> bool:
        """True for float16, float32 and float64."""
        return self.category == 2

    @property
    def is_complex(self) -> bool:
        """False: fanin has no complex dtypes."""
        return False

    @property
    def is_signed(self) -> bool:
        """True when the type holds negative numbers."""
        return self.numpy.kind in "if"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return by_name, (self.name,)


class NamedDtype(dtype):
    """A dtype of PyTorch's that can be named, compared and looked up, as scripts do in tables, and holds no numbers."""

    __slots__ = ()

    def __init__(self, name: str, category: int) -> None:
        self.name = self.legacy_name = name
        self.category = category

    @property
    def numpy(self) -> Any:  # type: ignore[override]
        """Raise TypeError: NumPy has no such dtype, and so has no tensor of fanin's."""
        raise DtypeError(
            f"{self!r} is not part of fanin but for its name: no tensor can have it", remedy="Use float32 or float16."
        )

    @property
    def is_signed(self) -> bool:
        """True: it would hold negative numbers."""
        return True

    @property
    def itemsize(self) -> int:
        """Bytes of one element, in PyTorch."""
        return 2


bfloat16 = NamedDtype("bfloat16", 2)
float16 = half = dtype("float16", np.float16, "Half")
float32 = float_ = dtype("float32", np.float32, "Float")
float64 = double = dtype("float64", np.float64, "Double")
uint8 = dtype("uint8", np.uint8, "Byte")
int8 = dtype("int8", np.int8, "Char")
int16 = short = dtype("int16", np.int16, "Short")
int32 = int_ = dtype("int32", np.int32, "Int")
int64 = long = dtype("int64", np.int64, "Long")
bool_ = dtype("bool", np.bool_, "Bool")

ALL = (float16, float32, float64, uint8, int8, int16, int32, int64, bool_)
FLOATS = (float16, float32, float64)
_BY_NUMPY: dict[np.dtype[Any], dtype] = {d.numpy: d for d in ALL}
_BY_PYTHON: dict[type, dtype] = {bool: bool_, int: int64}

_default = float32


def by_name(name: str) -> dtype:
    """Return the dtype with a name such as "float32"."""
    for candidate in (*ALL, bfloat16):
        if candidate.name == name:
            return candidate
    raise ArgumentTypeError(f"no dtype is called {name!r}; fanin has {', '.join(d.name for d in ALL)}")


def from_numpy(numpy_dtype: np.dtype[Any]) -> dtype:
    """Return fanin's dtype of a NumPy dtype; raise TypeError where there is none (complex, text, objects)."""
    found = _BY_NUMPY.get(numpy_dtype)
    if found is None:
        found = _BY_NUMPY.get(numpy_dtype.newbyteorder("="))
    if found is None:
        raise ArgumentTypeError(
            f"can't convert np.ndarray of type {numpy_dtype}. The only supported types are: "
            "float64, float32, float16, int64, int32, int16, int8, uint8, and bool."
        )
    return found


def to_numpy(wanted: Any) -> np.dtype[Any]:
    """Return NumPy's dtype of a fanin dtype, of Python's float, int or bool, or of a NumPy dtype."""
    if isinstance(wanted, dtype):
        return wanted.numpy
    if wanted is float:
        return float64.numpy
    if wanted in _BY_PYTHON:
        return _BY_PYTHON[wanted].numpy
    if isinstance(wanted, np.dtype) or (isinstance(wanted, type) and issubclass(wanted, np.generic)):
        return from_numpy(np.dtype(wanted)).numpy
    raise ArgumentTypeError(f"dtype must be torch.dtype, not {type(wanted).__name__}")


def get_default_dtype() -> dtype:
    """Return the dtype that Python floats get; float32 unless `set_default_dtype` changed it.

    >>> import fanin as torch
    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Let Python floats become tensors of another floating dtype.

    Raises TypeError when d is not a floating dtype.
    """
    global _default
    if not isinstance(d, dtype):
        raise ArgumentTypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise ArgumentTypeError("only floating-point types are supported as the default type")
    if isinstance(d, NamedDtype):
        to_numpy(d)  # which says that no tensor can have it
    _default = d


def default_numpy() -> np.dtype[Any]:
    """Return the default floating dtype as NumPy's."""
    return _default.numpy


def category(numpy_dtype: np.dtype[Any]) -> int:
    """Return 0 for bool, 1 for integers, 2 for floats."""
    return _CATEGORY[numpy_dtype.kind]


def promote(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that holds both, by PyTorch's table: a float wins over any integer at its own width."""
    if a is b or a == b:
        return a
    category_a, category_b = _CATEGORY[a.kind], _CATEGORY[b.kind]
    if category_a == category_b:
        return np.promote_types(a, b)
    return a if category_a > category_b else b


def python_dtype(number: bool | int | float) -> np.dtype[Any]:
    """Return the dtype that a bare Python number becomes: bool, int64 or the default float."""
    if isinstance(number, (bool, np.bool_)):
        return bool_.numpy
    if isinstance(number, (int, np.integer)):
        return int64.numpy
    return _default.numpy


def is_symbol(operand: Any) -> bool:
    """Say whether an operand stands for an array that comes later, in a step that is compiled."""
    return isinstance(getattr(operand, "dtype", None), np.dtype) and getattr(operand, "weak", None) is False


def result_dtype(operands: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the dtype of an arithmetic result of arrays and Python numbers.

    Three tiers take part: arrays with dimensions, zero-dimensional arrays, Python numbers. A lower tier counts only
    when its category (bool < integer < float) is above all that stands before it.
    """
    tiers: list[np.dtype[Any] | None] = [None, None, None]
    for operand in operands:
        if isinstance(operand, np.ndarray) or is_symbol(operand):
            tier, kind = (0 if operand.ndim else 1), operand.dtype
        else:
            tier, kind = 2, python_dtype(operand)
        held = tiers[tier]
        tiers[tier] = kind if held is None else promote(held, kind)
    result: np.dtype[Any] | None = None
    for candidate in tiers:
        if candidate is not None and (result is None or _CATEGORY[candidate.kind] > _CATEGORY[result.kind]):
            result = candidate
    if result is None:
        raise DtypeError("a result type needs at least one operand")
    return result


def can_cast(from_: dtype, to: dtype) -> bool:
    """Say whether PyTorch lets a result of one dtype be written into another: never down a category.

    >>> import fanin as torch
    >>> torch.can_cast(torch.float32, torch.int64), torch.can_cast(torch.int64, torch.float32)
    (False, True)
    """
    return from_.category <= to.category


class finfo:
    """Limits of a floating dtype: eps, max, min, tiny, smallest_normal, resolution, bits.

    >>> import fanin as torch
    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None) -> None:
        chosen = _default if type is None else type
        if not chosen.is_floating_point:
            raise ArgumentTypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{chosen.name}'"
            )
        info = np.finfo(chosen.numpy)
        self.bits = chosen.itemsize * 8
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution, self.dtype = float(info.resolution), chosen.name

    def __repr__(self) -> str:
        fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{f}={getattr(self, f):g}' for f in fields)}, dtype={self.dtype})"


class iinfo:
    """Limits of an integer dtype: min, max, bits.

    >>> import fanin as torch
    >>> torch.iinfo(torch.int8).max
    127
    """

    def __init__(self, type: dtype) -> None:
        if type.category != 1:
            raise ArgumentTypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle the rest")
        info = np.iinfo(type.numpy)
        self.bits, self.max, self.min, self.dtype = int(info.bits), int(info.max), int(info.min), type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


Array = npt.NDArray[Any]
