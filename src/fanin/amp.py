"""torch.amp: mixed precision for GPUs, which programs switch on by habit. On the CPU it is off, as in PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fanin._core.dtypes import bfloat16, float16
from fanin._core.errors import GraphError, NotInFaninError
from fanin._core.missing import refuse
from fanin.tensor.tensor import Tensor


class autocast:
    """Compute in the dtypes of the tensors: without a GPU, `torch.autocast("cuda")` is off.

    Raises:
        NotImplementedError: half precision on the CPU is asked for.

    >>> import fanin as torch
    >>> with torch.autocast("cuda", dtype=torch.float16):
    ...     (torch.ones(2) * 2).dtype
    torch.float32
    """

    def __init__(self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: Any = None):
        if enabled and device_type == "cpu":
            raise NotInFaninError(
                "half precision on the CPU is not part of fanin, which computes in the dtype of the tensors: leave "
                "autocast out, or pass enabled=False"
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inside


class GradScaler:
    """Scales a loss so that small half-precision gradients do not vanish; off unless device is "cpu".

    >>> import fanin as torch
    >>> scaler = torch.amp.GradScaler("cuda")
    >>> scaler.is_enabled(), scaler.scale(torch.tensor(3.0))
    (False, tensor(3.))
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = enabled and device == "cpu"
        self._scale = float(init_scale)
        self._growth, self._backoff, self._interval = growth_factor, backoff_factor, growth_interval
        self._good_steps = 0
        self._finite: dict[int, bool] = {}

    def is_enabled(self) -> bool:
        """Say whether losses are scaled."""
        return self._enabled

    def get_scale(self) -> float:
        """Return the present scale; 1.0 when off."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Any) -> Any:
        """Return a loss, or each of several, times the scale."""
        if not self._enabled:
            return outputs
        return outputs * self._scale if isinstance(outputs, Tensor) else type(outputs)(map(self.scale, outputs))

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimiser's parameters by the scale, before they are clipped.

        Raises RuntimeError when they were already.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._finite:
            raise GraphError("unscale_() has already been called on this optimizer since the last update().")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self._finite[id(optimizer)] = _all_finite(grads)
        for grad in grads:
            grad._array /= self._scale

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Take the optimiser's step, unless a gradient is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale: float | None = None) -> None:
        """Lower the scale after infinite gradients, raise it after many good steps, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not all(self._finite.values()):
            self._scale *= self._backoff
            self._good_steps = 0
        else:
            self._good_steps += 1
            if self._good_steps == self._interval:
                self._scale *= self._growth
                self._good_steps = 0
        self._finite = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and how it changes; nothing when off."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth,
            "backoff_factor": self._backoff,
            "growth_interval": self._interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        if self._enabled:
            self._scale, self._good_steps = state_dict["scale"], state_dict["_growth_tracker"]
            self._growth, self._backoff = state_dict["growth_factor"], state_dict["backoff_factor"]
            self._interval = state_dict["growth_interval"]


def _all_finite(grads: Iterable[Any]) -> bool:
    return all(bool(np.isfinite(grad._array).all()) for grad in grads)


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return False: fanin computes in the dtype of the tensors."""
    return False


def get_autocast_dtype(device_type: str) -> Any:
    """Return what PyTorch would compute in: bfloat16 on the CPU, float16 elsewhere. fanin has it off."""
    return bfloat16 if device_type == "cpu" else float16


def is_autocast_available(device_type: str) -> bool:
    """Return False: fanin computes in the dtype of the tensors."""
    return False


__getattr__ = refuse("torch.amp")
