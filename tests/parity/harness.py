"""Write a case once, run it under PyTorch and under fanin, and compare what comes out.

A case is a plain function of a namespace that speaks PyTorch; it returns tensors, numbers and texts, nested at will:

    @case
    def linear_default_init(torch):
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        return {"weight": layer.weight, "text": str(layer)}

    @case(params=DTYPES, rtol={"float32": 1e-5})
    def relu(torch, dtype):
        return torch.relu(sample(torch, 4, 3, dtype=dtype))

PyTorch is imported nowhere but in `live_torch`, so the suite runs without it against `recorded/<area>.npz`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pkgutil
import platform
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

TORCH_VERSION = "2.13.0"
DTYPES = [("float32",), ("float64",)]

# Eight units in the last place of float32; float64 is allowed far more of its own units, because some of its functions
# come from different mathematical libraries here and there, and still is checked five digits deeper.
RTOL = {"float64": 1e-12, "float32": 1e-6, "bfloat16": 1e-2, "float16": 2e-3, "number": 1e-6}
# Where a sum cancels, the error is a fraction of the largest entry, not of the small one that is left: here two and a
# half units in its last place.
SCALE_SHARE = 0.3

Tolerance = float | Mapping[str, float] | None
Entries = dict[str, Any]


@dataclass(frozen=True)
class Array:
    """A tensor as it is compared and recorded: its values, and the name of its PyTorch dtype."""

    dtype: str
    values: np.ndarray


@dataclass(frozen=True)
class Case:
    """One function with one set of arguments, and how closely its results must agree.

    share: of the relative tolerance at the largest entry, what is allowed at every other one where no atol is given.
    """

    area: str
    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    rtol: Tolerance = None
    atol: Tolerance = None
    exact: bool = False
    share: float = SCALE_SHARE

    def __str__(self) -> str:
        return f"{self.area}.{self.name}"

    def run(self, torch: ModuleType) -> Entries:
        """Run under one namespace, from a known random state, and return the named results."""
        with fresh_state(torch):
            return flatten(self.function(torch, *self.arguments))


@dataclass
class Registry:
    """The cases that were declared, in the order of declaration, by area and name."""

    cases: dict[str, dict[str, Case]] = field(default_factory=dict)

    def add(self, new: Case) -> None:
        """Add a case, whose name must be new in its area."""
        known = self.cases.setdefault(new.area, {})
        if new.name in known:
            raise ValueError(f"two cases are called {new}")
        known[new.name] = new


_registry = Registry()


def case(
    function: Callable[..., Any] | None = None,
    *,
    params: Iterable[Sequence[Any]] | None = None,
    name: str | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    exact: bool = False,
    registry: Registry = _registry,
) -> Any:
    """Declare a function as a case, or as one case per entry of `params`.

    params: each tuple is passed after the namespace and named in the case's name.
    name:   instead of the function's own name (for cases made in a loop).
    rtol, atol: a number for everything, or a mapping from "float32", "float64", ..., "number" (a Python float).
    exact:  bit for bit; else |a - b| <= atol + rtol * |b|, and where no atol is given it is 0.3 * rtol * max|b|.
    """
    if function is None:
        return lambda f: case(f, params=params, name=name, rtol=rtol, atol=atol, exact=exact, registry=registry)
    base = name or function.__name__
    area = function.__module__.rpartition(".")[2]
    for arguments in [()] if params is None else [tuple(p) for p in params]:
        label = base if params is None else f"{base}[{'-'.join(map(_label, arguments))}]"
        registry.add(Case(area, label, function, arguments, rtol, atol, exact))
    return function


def _label(argument: Any) -> str:
    return getattr(argument, "__name__", None) or str(argument)


def load_cases() -> dict[str, dict[str, Case]]:
    """Import every module of `cases` and return their cases by area and name."""
    package = importlib.import_module("tests.parity.cases")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
        _registry.cases.setdefault(module.name, {})
    return _registry.cases


def live_torch() -> ModuleType:
    """Import the PyTorch that the records are made with, on one thread, with the instructions that they are made with.

    Where a processor has AVX-512 its GELU of an infinity is NaN, and other functions round otherwise.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"):  # read when PyTorch is loaded, by children too
            os.environ.setdefault(name, "avx2")
    torch = importlib.import_module("torch")
    version = torch.__version__.partition("+")[0]
    if version != TORCH_VERSION:
        raise RuntimeError(f"parity is defined against torch {TORCH_VERSION}; this is {version}")
    torch.set_num_threads(1)
    return torch


@contextlib.contextmanager
def fresh_state(torch: ModuleType) -> Iterator[None]:
    """Begin with known random numbers; end with the default dtype of before."""
    dtype = torch.get_default_dtype()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    with warnings.catch_warnings():
        # PyTorch warns where it likes; fanin's own warnings on mistakes have their own tests. What NumPy warns of
        # (overflow, invalid values) stays an error under fanin.
        quiet = (Warning,) if torch.__name__ == "torch" else (UserWarning,)
        for category in quiet:
            warnings.simplefilter("ignore", category)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


# ---------------------------------------------------------------------------------------------- helpers for cases


def raises(call: Callable[[], Any]) -> str:
    """Return the name of the built-in exception that `call` raises, however it is specialised."""
    try:
        call()
    except Exception as error:
        return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return "nothing raised"


def message(call: Callable[[], Any], *kinds: type[Exception]) -> str:
    """Return what the error says that `call` raises, which has to be of one of these kinds."""
    try:
        call()
    except kinds as error:
        return str(error)
    return "nothing raised"


def sample(
    torch: ModuleType,
    *shape: int,
    dtype: str = "float32",
    low: float = -2.0,
    high: float = 2.0,
    seed: int = 0,
    requires_grad: bool = False,
) -> Any:
    """Return a tensor of fixed numbers in [low, high), which do not come from the stream under test."""
    # tests/parity/compiled.py. Asked of the type: a module without a name looks for similar ones, which takes a while.
    with getattr(type(torch), "outside", contextlib.nullcontext)():
        tensor = torch.tensor(_numbers(shape, low, high, seed), dtype=torch.float64)
        tensor = tensor.reshape(shape).to(getattr(torch, dtype))
        return tensor.requires_grad_() if requires_grad else tensor


@functools.lru_cache(maxsize=4096)  # every setting of an optimiser draws the same, under each namespace
def _numbers(shape: tuple[int, ...], low: float, high: float, seed: int) -> Any:
    return np.random.RandomState(seed).uniform(low, high, shape).tolist()


def with_gradients(torch: ModuleType, function: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """Return `function(*inputs)` and the gradients, in every input that wants one, of its entries' weighted sum.

    The weights differ from entry to entry, so that a gradient that went to the wrong place is seen.
    """
    arguments = (torch, function, *inputs)
    if hasattr(type(torch), "carried_out"):  # tests/parity/compiled.py
        return torch.carried_out(_with_gradients, *arguments)
    return _with_gradients(*arguments)


def _with_gradients(torch: ModuleType, function: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    leaves = [i for i in inputs if getattr(i, "requires_grad", False)]
    result = function(*inputs)
    outputs = [o for o in (result if isinstance(result, (tuple, list)) else [result]) if o.requires_grad]
    total = sum((o * (1 + sample(torch, *o.shape, dtype=_name(o.dtype), seed=9) / 4)).sum() for o in outputs)
    grads = torch.autograd.grad(total, leaves, allow_unused=True)
    return {"value": result, "grads": list(grads)}


# ---------------------------------------------------------------------------------------------- results to entries


def flatten(result: Any, path: str = "") -> Entries:
    """Return the leaves of a nested result under the path that leads to each."""
    if isinstance(result, Mapping):
        children: Iterable[tuple[str, Any]] = ((f"{path}.{key}" if path else str(key), v) for key, v in result.items())
    elif isinstance(result, (list, tuple)):
        children = ((f"{path}[{i}]", v) for i, v in enumerate(result))
    else:
        return {path: _leaf(result, path)}
    entries: Entries = {}
    for key, value in children:
        entries.update(flatten(value, key))
    return entries or {path: "(empty)"}


def _leaf(value: Any, path: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(value.dtype.name, np.array(value))
    if hasattr(value, "detach"):
        return _array(value)
    if type(value).__name__ in ("dtype", "device", "layout"):
        return str(value)
    raise TypeError(f"{path or 'result'}: a case returns tensors, numbers and texts, not {type(value).__name__}")


def _array(tensor: Any) -> Array:
    name = _name(tensor.dtype)
    plain = tensor.detach().float() if name == "bfloat16" else tensor.detach()
    return Array(name, np.array(plain.numpy()))


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


# ---------------------------------------------------------------------------------------------- comparison


def differences(rules: Case, expected: Entries, actual: Entries) -> list[str]:
    """Return one sentence for each entry in which `actual` is not what was expected."""
    found = [f"{rules}: no entry {key!r}" for key in expected if key not in actual]
    found += [f"{rules}: unexpected entry {key!r}" for key in actual if key not in expected]
    for key in expected:
        if key in actual:
            sentence = _difference(rules, expected[key], actual[key])
            if sentence:
                found.append(f"{rules}: entry {key!r}: {sentence}")
    return found


def _difference(rules: Case, expected: Any, actual: Any) -> str | None:
    if type(expected) is not type(actual):
        return f"expected {_kind(expected)} {_short(expected)}, got {_kind(actual)} {_short(actual)}"
    if isinstance(expected, Array):
        return _array_difference(rules, expected, actual)
    if isinstance(expected, float):
        return _worst(rules, "number", np.array(expected), np.array(actual))
    return None if expected == actual else f"expected {expected!r}, got {actual!r}"


def _kind(value: Any) -> str:
    return "a tensor" if isinstance(value, Array) else type(value).__name__


def _short(value: Any) -> str:
    return f"{value.dtype}{value.values.shape}" if isinstance(value, Array) else repr(value)[:200]


def _array_difference(rules: Case, expected: Array, actual: Array) -> str | None:
    if expected.dtype != actual.dtype:
        return f"expected dtype {expected.dtype}, got {actual.dtype}"
    if expected.values.shape != actual.values.shape:
        return f"expected shape {expected.values.shape}, got {actual.values.shape}"
    if expected.values.dtype != actual.values.dtype:
        return f"expected NumPy dtype {expected.values.dtype}, got {actual.values.dtype}"
    return _worst(rules, expected.dtype, expected.values, actual.values)


def _worst(rules: Case, dtype: str, expected: np.ndarray, actual: np.ndarray) -> str | None:
    """Return a sentence on the element furthest outside its tolerance, or None where all are inside."""
    if expected.size == 0:
        return None
    error, allowed = _error_and_allowance(rules, dtype, expected, actual)
    excess = np.where(error <= allowed, -1.0, error / np.maximum(allowed, 1e-300))
    position = np.unravel_index(int(np.argmax(excess)), excess.shape)
    if excess[position] < 0:
        return None
    want, got = expected[position], actual[position]
    with np.errstate(all="ignore"):
        ratio = np.float64(got) / np.float64(want) if np.isrealobj(want) else got / want
    wrong = int(np.count_nonzero(excess >= 0))
    place = tuple(int(i) for i in position)
    bound = f"allowed {allowed[position]:.3g}; {wrong} of {excess.size} wrong"
    return f"at {place} expected {want!r}, got {got!r} (ratio {ratio:.9g}; {bound})"


def _error_and_allowance(
    rules: Case, dtype: str, expected: np.ndarray, actual: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if rules.exact or not np.issubdtype(expected.dtype, np.inexact):
        return np.where(_same_bits(expected, actual), 0.0, np.inf), np.zeros(expected.shape)
    wide = np.result_type(expected.dtype, np.float64)
    a, b = expected.astype(wide), actual.astype(wide)
    finite = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        error = np.where(same, 0.0, np.where(finite, np.abs(a - b), np.inf))
    size = np.where(np.isfinite(a), np.abs(a), 0.0)
    return error, _allowance(rules, dtype, size)


def _same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not np.issubdtype(a.dtype, np.floating):
        return a == b
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def _allowance(rules: Case, dtype: str, size: np.ndarray) -> np.ndarray:
    rtol = _tolerance(rules.rtol, dtype)
    rtol = RTOL.get(dtype, 1e-6) if rtol is None else rtol
    atol = _tolerance(rules.atol, dtype)
    atol = rules.share * rtol * float(size.max()) if atol is None else atol
    return atol + rtol * size


def _tolerance(given: Tolerance, dtype: str) -> float | None:
    return given.get(dtype) if isinstance(given, Mapping) else given
