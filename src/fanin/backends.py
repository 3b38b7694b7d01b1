"""torch.backends: switches that scripts set for GPUs. They are kept and change nothing."""

from __future__ import annotations

from types import SimpleNamespace


class _Backend(SimpleNamespace):
    """The switches of one backend that is not there."""

    def is_available(self) -> bool:
        """Return False."""
        return False

    def is_built(self) -> bool:
        """Return False."""
        return False

    def version(self) -> None:
        """Return None: it is not there."""


cudnn = _Backend(deterministic=False, benchmark=False, enabled=True, allow_tf32=True)
cuda = _Backend(matmul=SimpleNamespace(allow_tf32=False))
mps = _Backend()
mkl = _Backend()
mkldnn = _Backend(enabled=True)
openmp = _Backend()
