"""Random tensors, drawn from the stream that gives PyTorch's numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from fanin import random as draws
from fanin._core import dtypes
from fanin._core.errors import ArgumentTypeError
from fanin.ops.index import overwrite
from fanin.random import generator as stream
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.creation import accepted, shape_from, size_argument
from fanin.tensor.functions.data import leaf
from fanin.tensor.functions.operands import number, require_tensor, to_out
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import bump, check_memory, check_writable
from fanin.tensor.tape import apply_in_place, label, wrap


class Generator(draws.Generator):
    """A stream of random numbers of its own; `manual_seed` starts it.

    >>> import fanin as torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    def get_state(self) -> Any:
        """Return the whole state as a tensor of bytes."""
        return wrap(super().get_state())

    def set_state(self, new_state: Any) -> Any:
        """Take over a state that `get_state` returned, and return the generator."""
        if not isinstance(new_state, TensorBase):
            raise ArgumentTypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        super().set_state(new_state._array)
        return self


# One stream for both rooms: only the form in which it shows its state differs.
default_generator: Any = stream.default_generator
default_generator.__class__ = Generator


def manual_seed(seed: Any) -> Any:
    """Start the default generator's stream of a seed, and return the generator.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(int(number(seed)))


def seed() -> int:
    """Start the default generator's stream of a seed that nobody knows, and return it."""
    return int(default_generator.seed())


def initial_seed() -> int:
    """Return the seed that the default generator's stream was started with.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(3)
    >>> torch.initial_seed()
    3
    """
    return int(default_generator.initial_seed())


def get_rng_state() -> Any:
    """Return the state of the default generator as a tensor of bytes.

    >>> import fanin as torch
    >>> state = torch.get_rng_state()
    >>> x = torch.rand(2)
    >>> torch.set_rng_state(state)
    >>> bool((torch.rand(2) == x).all())
    True
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Put the default generator into a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


def stream_of(generator: Any) -> Any:
    """Return the generator to draw from: the default one for None."""
    if generator is None:
        return default_generator
    if not isinstance(generator, draws.Generator):
        raise ArgumentTypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
    return generator


@contextlib.contextmanager
def fork_rng(devices: Any = (), enabled: bool = True, **unused: Any) -> Iterator[None]:
    """Leave the default generator, at the end of a block, as it was at its start."""
    state = default_generator.get_state()
    yield
    if enabled:
        default_generator.set_state(state)


def _float_kind(dtype: Any) -> np.dtype[Any]:
    return dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)


# Tensors of a size ----------------------------------------------------------------------------------------------------


def rand(
    *size: Any,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **unused: Any,
) -> Any:
    """Return numbers from the uniform distribution on [0, 1).

    >>> import fanin as torch
    >>> torch.rand(2, 3).shape
    torch.Size([2, 3])
    """
    shape = shape_from(size_argument(size, unused))
    values = draws.uniform(stream_of(generator), 0.0, 1.0, shape, _float_kind(dtype))
    return to_out(out, leaf(values, requires_grad, device))


def randn(
    *size: Any,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **unused: Any,
) -> Any:
    """Return numbers from the normal distribution of mean 0 and variance 1.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    shape = shape_from(size_argument(size, unused))
    values = draws.normal(stream_of(generator), 0.0, 1.0, shape, _float_kind(dtype))
    return to_out(out, leaf(values, requires_grad, device))


def randint(
    *bounds: Any,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **keywords: Any,
) -> Any:
    """Return whole numbers from [low, high): `randint(high, size)` or `randint(low, high, size)`.

    >>> import fanin as torch
    >>> torch.randint(3, (4,)).max() < 3
    tensor(True)
    """
    low, high, size = _integer_bounds(list(bounds), keywords)
    kind = np.dtype(np.int64) if dtype is None else dtypes.to_numpy(dtype)
    values = draws.randint(stream_of(generator), int(number(low)), int(number(high)), shape_from((tuple(size),)), kind)
    return to_out(out, leaf(values, requires_grad, device))


def _integer_bounds(given: list[Any], keywords: dict[str, Any]) -> tuple[Any, Any, Any]:
    size = keywords.pop("size", None)
    if size is None and given and isinstance(given[-1], (tuple, list)):
        size = given.pop()
    high = keywords.pop("high", None)
    low = keywords.pop("low", None)
    accepted(keywords)
    if high is None and given:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if size is None or high is None or given:
        raise ArgumentTypeError("randint() takes (high, size) or (low, high, size), with size a tuple such as (2, 3)")
    return low, high, size


def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **unused: Any,
) -> Any:
    """Return the whole numbers from 0 to n - 1 in random order.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(4)
    tensor([0, 1, 3, 2])
    """
    kind = np.dtype(np.int64) if dtype is None else dtypes.to_numpy(dtype)
    return to_out(out, leaf(draws.randperm(stream_of(generator), int(number(n)), kind), requires_grad, device))


def _like(input: Any, dtype: Any, draw: Any, keywords: dict[str, Any]) -> Any:
    """Draw in the shape of another tensor, in the order of its memory."""
    array = require_tensor("rand_like", input)._array
    kind = array.dtype if dtype is None else dtypes.to_numpy(dtype)
    generator, requires_grad, device = (keywords.pop(n, None) for n in ("generator", "requires_grad", "device"))
    accepted(keywords)
    source = stream_of(generator)
    values = draws.like(array, lambda shape: draw(source, shape, kind), kind)
    return leaf(values, bool(requires_grad), device)


def rand_like(input: Any, *, dtype: Any = None, **keywords: Any) -> Any:
    """Return numbers from the uniform distribution on [0, 1), in the shape and dtype of another tensor.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand_like(torch.zeros(2))
    tensor([0.4963, 0.7682])
    """
    return _like(input, dtype, lambda source, shape, kind: draws.uniform(source, 0.0, 1.0, shape, kind), keywords)


def randn_like(input: Any, *, dtype: Any = None, **keywords: Any) -> Any:
    """Return standard normal numbers in the shape and dtype of another tensor.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn_like(torch.zeros(2))
    tensor([ 1.5410, -0.2934])
    """
    # What has gaps or another order of axes is filled one by one, with other numbers.
    array = require_tensor("randn_like", input)._array
    dense = not known(array) or np.empty_like(array).flags.c_contiguous
    return _like(input, dtype, lambda source, shape, kind: draws.normal(source, 0.0, 1.0, shape, kind, dense), keywords)


def randint_like(input: Any, *bounds: Any, dtype: Any = None, **keywords: Any) -> Any:
    """Return whole numbers from [low, high) in the shape and dtype of another tensor."""
    given = [*bounds, *(int(keywords.pop(name)) for name in ("low", "high") if name in keywords)]
    low, high = (0, given[0]) if len(given) == 1 else given
    return _like(input, dtype, lambda source, shape, kind: draws.randint(source, low, high, shape, kind), keywords)


# Distributions --------------------------------------------------------------------------------------------------------


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, **keywords: Any
) -> Any:
    """Return numbers from normal distributions; mean and std are numbers (with a size) or tensors.

    Raises RuntimeError when a std is negative.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.normal(torch.tensor([0.0, 100.0]), 1.0)
    tensor([ 1.5410, 99.7066])
    """
    source = stream_of(generator)
    if size is None:
        return to_out(out, _normal_of_tensors(mean, std, source), "normal")
    dtype, requires_grad, device = (keywords.pop(name, None) for name in ("dtype", "requires_grad", "device"))
    accepted(keywords)
    shape = shape_from((tuple(size),))
    values = draws.normal(source, float(number(mean)), float(number(std)), shape, _float_kind(dtype))
    return to_out(out, leaf(values, bool(requires_grad), device), "normal")


def _normal_of_tensors(mean: Any, std: Any, source: Any) -> Any:
    if not isinstance(mean, TensorBase) and not isinstance(std, TensorBase):
        raise ArgumentTypeError("normal() of two numbers needs a size: normal(mean, std, (2, 3))")
    centre, spread = (x._array if isinstance(x, TensorBase) else float(x) for x in (mean, std))
    return leaf(draws.normal_elementwise(source, centre, spread))


def _given(function: str, input: Any) -> Any:
    """Return the array that says how likely each draw is; raise CaptureError where it comes later."""
    array = require_tensor(function, input)._array
    if mode.capture is not None and not known(array):
        mode.capture.refuse_draw()
    return array


def bernoulli(input: Any, p: float | None = None, *, generator: Any = None, out: Any = None) -> Any:
    """Return ones with the probabilities that a tensor holds (or p everywhere), else zeros.

    Raises RuntimeError when a probability is outside [0, 1].

    >>> import fanin as torch
    >>> torch.bernoulli(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    array = _given("bernoulli", input)
    if p is None:
        values = draws.bernoulli_array(stream_of(generator), array)
    else:
        values = draws.bernoulli(stream_of(generator), float(p), array.shape, array.dtype)
    return to_out(out, wrap(values), "bernoulli")


def poisson(input: Any, generator: Any = None) -> Any:
    """Return whole numbers from Poisson distributions of the rates that a tensor holds.

    Raises RuntimeError when a rate is negative.
    """
    array = _given("poisson", input)
    return leaf(draws.poisson(stream_of(generator), array))


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Any:
    """Return num_samples indices for each row of weights, drawn in proportion to them.

    Raises RuntimeError when weights are negative, or fewer than num_samples are positive without replacement.

    >>> import fanin as torch
    >>> torch.multinomial(torch.tensor([0.0, 0.0, 1.0]), 1)
    tensor([2])
    """
    array = _given("multinomial", input)
    values = draws.multinomial(stream_of(generator), array, int(num_samples), replacement)
    return to_out(out, wrap(values), "multinomial")


# In place -------------------------------------------------------------------------------------------------------------


def _fill(self: Any, draw: Any, name: str) -> Any:
    """Draw values into a tensor's memory; no gradient flows to what stood there before."""
    check_writable(self)
    if mode.enabled and self.requires_grad:
        return label(apply_in_place(overwrite, (self, wrap(draws.like(self._array, draw))), {}), name)
    check_memory(self._array)
    draws.fill(self._array, draw)
    bump(self)
    return self


def uniform_(self: Any, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **keywords: Any) -> Any:
    """Fill with numbers from the uniform distribution on [from, to)."""
    low, source = float(keywords.pop("from", from_)), stream_of(generator)
    return _fill(
        self, lambda shape: draws.uniform(source, low, float(to), shape, self._array.dtype), "UniformBackward0"
    )


def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with numbers from the normal distribution."""
    source, array = stream_of(generator), self._array
    dense = array.flags.c_contiguous
    draw = partial(draws.normal, source, float(mean), float(std), dtype=array.dtype, contiguous=dense)
    return _fill(self, draw, "NormalBackward0")


def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Fill with ones with probability p (a number, or a tensor for each element), else zeros."""
    source, kind = stream_of(generator), self._array.dtype
    if isinstance(p, TensorBase):
        each = np.broadcast_to(p._array, self._array.shape).transpose(draws.axes_in_memory(self._array))
        return _fill(self, lambda shape: draws.bernoulli_array(source, each, kind), "BernoulliBackward0")
    return _fill(self, lambda shape: draws.bernoulli(source, float(p), shape, kind), "BernoulliBackward0")


def exponential_(self: Any, lambd: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with numbers of density lambd * exp(-lambd x)."""
    source = stream_of(generator)
    return _fill(
        self, lambda shape: draws.exponential(source, float(lambd), shape, self._array.dtype), "ExponentialBackward0"
    )


def random_(
    self: Any, from_: int | None = None, to: int | None = None, *, generator: Any = None, **keywords: Any
) -> Any:
    """Fill with whole numbers: all that the dtype holds, [0, from) with one bound, [from, to) with two."""
    low, source = keywords.pop("from", from_), stream_of(generator)
    if to is None and low is not None and "from" not in keywords:
        low, to = 0, low
    return _fill(self, lambda shape: draws.random(source, shape, self._array.dtype, low, to), "RandomBackward0")


def geometric_(self: Any, p: float, *, generator: Any = None) -> Any:
    """Fill with the number of trials up to the first success."""
    source = stream_of(generator)
    return _fill(self, lambda shape: draws.geometric(source, float(p), shape, self._array.dtype), "GeometricBackward0")


def cauchy_(self: Any, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with numbers from the Cauchy distribution."""
    source = stream_of(generator)
    return _fill(
        self,
        lambda shape: draws.cauchy(source, float(median), float(sigma), shape, self._array.dtype),
        "CauchyBackward0",
    )


def log_normal_(self: Any, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Any:
    """Fill with exp of normal numbers."""
    source = stream_of(generator)
    return _fill(
        self,
        lambda shape: draws.log_normal(source, float(mean), float(std), shape, self._array.dtype),
        "LogNormalBackward0",
    )
