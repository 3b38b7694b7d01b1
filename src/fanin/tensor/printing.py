"""The text of a tensor, to the digit and the line break: functions over NumPy arrays that know no Tensor.

One notation serves a whole tensor. It is chosen from the values that are neither zero nor infinite nor NaN, of the part
that is shown: whole numbers print as `1.`, others with `precision` decimals, and either goes scientific when
the magnitudes span more than a factor of 1000 or leave the range from 1e-4 to 1e8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class PrintOptions:
    """How tensors are printed; see `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed; an argument left out keeps its value, but `sci_mode` goes back to automatic.

    Args:
        precision: decimals of floating-point numbers (4 at the start).
        threshold: a tensor of more elements is summarised (1000).
        edgeitems: how many items a summary shows at each end of each dimension (3).
        linewidth: characters in a line (80).
        profile: "default", "short" or "full": sets the four above first.
        sci_mode: True or False forces or forbids scientific notation.

    Raises:
        ValueError: the profile is none of the three.

    >>> import fanin as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.12345])
    tensor([1.12])
    >>> torch.set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ArgumentError(f"set_printoptions: profile must be one of {', '.join(_PROFILES)}; got {profile!r}")
    base = _options if profile is None else _PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    _options = replace(base, sci_mode=sci_mode, **changes)


def get_printoptions() -> dict[str, Any]:
    """Return the current options as a dictionary that `set_printoptions(**options)` takes back."""
    return asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print with other options inside a `with` block; the arguments are those of `set_printoptions`."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(
    array: Array,
    *,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    class_name: str = "tensor",
) -> str:
    """Return the text that `repr` and `str` of a tensor give.

    Args:
        array: the values, of any shape.
        requires_grad: whether a leaf asks for its gradient.
        grad_fn_name: the name of the tape's node that made the tensor, such as "AddBackward0"; it stands in place of
            `requires_grad=True`.
        class_name: what stands before the parenthesis; a subclass of Tensor gives its own name.

    >>> print(format_tensor(np.array([1.0, 2.5], dtype=np.float32), requires_grad=True))
    tensor([1.0000, 2.5000], requires_grad=True)
    """
    prefix = class_name + "("
    contents = _Layout.of(array, _options).text(array, len(prefix)) if array.size else "[]"
    suffixes = _value_suffixes(array, _options)
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(prefix + contents, suffixes, len(prefix), _options.linewidth)


def format_parameter(array: Array, *, requires_grad: bool = True, grad_fn_name: str | None = None) -> str:
    """Return the text of a Parameter: that of the tensor, below a line that says what it is."""
    return "Parameter containing:\n" + format_tensor(array, requires_grad=requires_grad, grad_fn_name=grad_fn_name)


def _value_suffixes(array: Array, options: PrintOptions) -> list[str]:
    """Return what the values do not show: the size of an empty tensor, a dtype that is not the default."""
    kind, default = dtypes.from_numpy(array.dtype), dtypes.get_default_dtype()
    shown_by_values = (default, dtypes.int64, dtypes.bool_) if array.size else (default,)
    size_is_hidden = array.ndim != 1 if not array.size else not options.edgeitems
    suffixes = [f"size={tuple(array.shape)}"] if size_is_hidden else []
    return suffixes if kind in shown_by_values else [*suffixes, f"dtype={kind}"]


def _with_suffixes(text: str, suffixes: list[str], indent: int, linewidth: int) -> str:
    """Append the suffixes and the closing parenthesis, each on a new line where the last one would grow too long."""
    # The two extra characters are the comma and the parenthesis to come.
    length = len(text) - (text.rfind("\n") + 1) + 2
    for suffix in suffixes:
        if length + len(suffix) + 2 > linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"


@dataclass(frozen=True)
class _Layout:
    """How the numbers of one tensor are written and arranged."""

    number: Callable[[Any], str]
    width: int
    summarise: bool
    options: PrintOptions

    @classmethod
    def of(cls, array: Array, options: PrintOptions) -> _Layout:
        """Choose notation and width from the values that are going to be shown."""
        summarise = array.size > options.threshold
        shown = _edges(array, options.edgeitems) if summarise else array
        decisive = shown.ravel()
        if array.dtype.kind == "f":
            decisive = decisive[np.isfinite(decisive) & (decisive != 0)]
            number = _float_notation(decisive, options)
        else:
            number = str
        # Zeros, infinities and NaN do not widen the columns: PyTorch leaves them out as well.
        width = max((len(number(value)) for value in decisive.tolist()), default=1)
        return cls(number, width, summarise, options)

    def text(self, array: Array, indent: int) -> str:
        """Return the nested brackets of an array whose first bracket stands at column `indent`."""
        if array.ndim == 0:
            return self._aligned(array.item())
        if array.ndim == 1:
            return self._row(array, indent)
        blocks = [self.text(block, indent + 1) for block in self._first(array)]
        if self._cuts(array):
            blocks.append("...")
            blocks += [self.text(block, indent + 1) for block in self._last(array)]
        separator = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
        return "[" + separator.join(blocks) + "]"

    def _row(self, array: Array, indent: int) -> str:
        cells = [self._aligned(value) for value in self._first(array).tolist()]
        if self._cuts(array):
            cells.append(" ..." if self.options.edgeitems else "...")
            cells += [self._aligned(value) for value in self._last(array).tolist()]
        per_line = max(1, math.floor((self.options.linewidth - indent) / (self.width + 2)))
        lines = [", ".join(cells[start : start + per_line]) for start in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"

    def _aligned(self, value: Any) -> str:
        return self.number(value).rjust(self.width)

    def _cuts(self, array: Array) -> bool:
        return self.summarise and len(array) > 2 * self.options.edgeitems

    def _first(self, array: Array) -> Array:
        return array[: self.options.edgeitems] if self._cuts(array) else array

    def _last(self, array: Array) -> Array:
        return array[len(array) - self.options.edgeitems :]


def _edges(array: Array, edgeitems: int) -> Array:
    """Return the corners of an array that a summary shows."""
    for axis, size in enumerate(array.shape):
        if size > 2 * edgeitems:
            kept = np.r_[0:edgeitems, size - edgeitems : size].astype(np.intp)
            array = np.take(array, kept, axis=axis)
    return array


def _float_notation(decisive: Array, options: PrintOptions) -> Callable[[float], str]:
    """Return the function that writes one float, chosen from the nonzero finite values of the whole tensor."""
    if not decisive.size:
        return _whole
    if _is_scientific(decisive, options):
        return f"{{:.{options.precision}e}}".format
    if bool(np.all(decisive == np.ceil(decisive))):
        return _whole
    return f"{{:.{options.precision}f}}".format


def _is_scientific(decisive: Array, options: PrintOptions) -> bool:
    if options.sci_mode is not None:
        return bool(options.sci_mode)
    # In Python's floats: the ratio of two float16 or float32 numbers may overflow, and float64's is inf, not a warning.
    magnitudes = np.abs(decisive)
    least, most = float(magnitudes.min()), float(magnitudes.max())
    return most / least > 1000.0 or most > 1.0e8 or least < 1.0e-4


def _whole(value: float) -> str:
    """Write a whole number with the point that marks a floating dtype; infinities and NaN carry none."""
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
