"""Stop a backward pass where a NaN first appears."""

from __future__ import annotations

from fanin.tensor import walking


class set_detect_anomaly:
    """Check every gradient of a backward pass, or stop doing so; at once, or for a block.

    Raises RuntimeError in the backward pass, naming the operation whose derivative returned a NaN.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._former = walking.anomaly.enabled
        walking.anomaly.enabled = bool(mode and check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        walking.anomaly.enabled = self._former


class detect_anomaly(set_detect_anomaly):
    """Check every gradient of the backward passes in a block.

    >>> import fanin as torch
    >>> x = torch.zeros(1, requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).backward()
    Traceback (most recent call last):
    ...
    fanin._core.errors.GraphError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)


def is_anomaly_enabled() -> bool:
    """Say whether backward passes look for NaN."""
    return walking.anomaly.enabled
