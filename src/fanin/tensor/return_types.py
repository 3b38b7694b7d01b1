"""The named tuples that some functions return, printed as PyTorch prints them."""

from __future__ import annotations

from typing import Any


class _Named(tuple[Any, ...]):
    """A tuple whose entries have names."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, entries: Any) -> Any:
        """Return the tuple of entries, one for each name."""
        return super().__new__(cls, entries)

    def __repr__(self) -> str:
        entries = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{entries})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def _named(name: str, *fields: str) -> Any:
    def entry(i: int) -> property:
        return property(lambda self: self[i], doc=f"Entry {i}.")

    members = {field: entry(i) for i, field in enumerate(fields)}
    return type(name, (_Named,), {"__slots__": (), "__module__": __name__, "_fields": fields, **members})


max = _named("max", "values", "indices")
min = _named("min", "values", "indices")
median = _named("median", "values", "indices")
nanmedian = _named("nanmedian", "values", "indices")
mode = _named("mode", "values", "indices")
sort = _named("sort", "values", "indices")
topk = _named("topk", "values", "indices")
kthvalue = _named("kthvalue", "values", "indices")
cummax = _named("cummax", "values", "indices")
cummin = _named("cummin", "values", "indices")
aminmax = _named("aminmax", "min", "max")
frexp = _named("frexp", "mantissa", "exponent")
qr = _named("qr", "Q", "R")
svd = _named("svd", "U", "S", "V")
linalg_qr = _named("linalg_qr", "Q", "R")
linalg_svd = _named("linalg_svd", "U", "S", "Vh")
linalg_eigh = _named("linalg_eigh", "eigenvalues", "eigenvectors")
slogdet = _named("slogdet", "sign", "logabsdet")
linalg_slogdet = _named("linalg_slogdet", "sign", "logabsdet")
linalg_inv_ex = _named("linalg_inv_ex", "inverse", "info")
linalg_cholesky_ex = _named("linalg_cholesky_ex", "L", "info")
linalg_solve_ex = _named("linalg_solve_ex", "result", "info")
linalg_lu = _named("linalg_lu", "P", "L", "U")
linalg_lu_factor = _named("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _named("linalg_lu_factor_ex", "LU", "pivots", "info")
geqrf = _named("geqrf", "a", "tau")
linalg_lstsq = _named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
histogram = _named("histogram", "hist", "bin_edges")
