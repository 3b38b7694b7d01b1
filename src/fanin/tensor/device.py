"""Devices: fanin computes on the CPU, and says so when asked for another."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import MissingDeviceError, OperationError

# What a device may be called; fanin has the first.
_KINDS = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """A place for tensors. Others than "cpu" can be named, but hold no tensors in fanin.

    >>> import fanin as torch
    >>> torch.device("cpu")
    device(type='cpu')
    """

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        name, _, number = str(type).partition(":")
        self.type: str = name
        self.index: int | None = int(number) if number else index
        if name not in _KINDS:
            raise OperationError(f"Expected one of {', '.join(_KINDS)} device type at start of device string: {name}")

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        check_device(self)
        return self

    def __exit__(self, *_: object) -> None:
        return None


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """Raise when a device other than the CPU is asked for; None means the CPU."""
    if wanted is None or wanted is CPU or device(wanted).type == "cpu":
        return
    if device(wanted).type == "meta":
        raise MissingDeviceError(
            "there is no device 'meta'",
            remedy="fanin has no tensors without values: leave the device out; small networks cost little memory.",
        )
    raise MissingDeviceError(
        "Torch not compiled with CUDA enabled"
        if device(wanted).type == "cuda"
        else f"there is no device {str(wanted)!r}",
        remedy="fanin computes on the CPU. Test torch.cuda.is_available() (it is False) before you choose a device.",
    )
