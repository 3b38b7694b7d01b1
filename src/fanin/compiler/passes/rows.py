"""Which values belong row by row to the rows of the batch.

A value "has rows" when its first dimension is that of the batch (or a multiple: `factor` elements of it for each row)
and what stands in the part of a row depends on that row of the data alone. Such values can be computed for a block of
rows at a time, by any thread. Sums over the batch end this; normalisation over the batch does, too.
"""

from __future__ import annotations

from collections import Counter

from fanin.compiler.graph import DATA, Graph, Value

REDUCTIONS = frozenset({"sum", "prod", "amax", "amin", "any", "all"})
MAPS = frozenset(
    "add sub mul div neg abs sign floor ceil trunc round sqrt rsqrt reciprocal square exp exp2 expm1 log "
    "log2 log10 log1p sin cos tan tanh sigmoid erf erfc erfcx pow maximum minimum fmax fmin eq ne lt le gt ge "
    "logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not where "
    "cast isnan isinf isfinite remainder floor_divide trunc_divide fmod asin acos atan sinh cosh asinh "
    "acosh atanh atan2 copysign signbit".split()
)
# These go element by element, too, but need to be told where to note what is wrong: no product takes them along.
NOTING = frozenset({"class_counts", "within"})


def batch_rows(graph: Graph) -> int:
    """Return the number of rows of the batch: the first dimension that most data leaves have; 0 without any."""
    sizes = Counter(leaf.shape[0] for leaf in graph.data if leaf.ndim)
    return sizes.most_common(1)[0][0] if sizes else 0


def row_factors(graph: Graph, rows: int) -> dict[Value, int]:
    """Return for each value that has rows how many elements of its first dimension belong to one."""
    factors: dict[Value, int] = {}
    if rows <= 1:  # one row is not worth going through row by row
        return factors
    for value in graph.values():
        factor = _factor(value, factors, rows)
        if factor:
            factors[value] = factor
    return factors


def _factor(value: Value, factors: dict[Value, int], rows: int) -> int:
    if value.role == DATA:
        return int(value.ndim > 0 and value.shape[0] == rows)
    if value.op is None or value.weak or not value.ndim or value.shape[0] % rows or not value.shape[0]:
        return 0
    factor = value.shape[0] // rows
    with_rows = [x for x in value.inputs if isinstance(x, Value) and x in factors]
    if not with_rows:
        return factor if value.op.name == "random_keep" else 0
    return factor if _keeps_rows(value, with_rows, factors, factor) else 0


def _keeps_rows(value: Value, with_rows: list[Value], factors: dict[Value, int], factor: int) -> bool:
    """Say whether row i of the result is made of row i of those inputs that have rows."""
    assert value.op is not None
    name, attrs, first = value.op.name, value.attrs, value.inputs[0]
    if name in MAPS or name in NOTING:
        return all(x.ndim == value.ndim and factors[x] == factor for x in with_rows)
    if name in ("reshape", "copy"):
        return True
    if factors.get(with_rows[0]) != factor:
        return False
    if name in REDUCTIONS:
        return 0 not in attrs["dim"]
    if name == "matmul":
        return len(with_rows) == 1 and with_rows[0] is first and value.ndim == 2
    if name == "permute":
        return bool(attrs["dims"][0] == 0)
    if name == "expand":
        return bool(first.ndim == value.ndim)
    if name == "flip":
        return 0 not in attrs["dims"]
    if name in ("getitem", "put_zeros"):
        return bool(attrs["index"]) and attrs["index"][0] == slice(None)
    if name == "cat":
        return attrs["dim"] != 0 and len(with_rows) == len(value.inputs) and {factors[x] for x in with_rows} == {factor}
    if name == "embedding":
        return len(with_rows) == 1 and with_rows[0] is value.inputs[1]
    if name == "gather":
        return attrs["dim"] != 0 and len(with_rows) == 2
    return name == "scatter_add_zeros" and attrs["dim"] != 0 and len(with_rows) == 2
