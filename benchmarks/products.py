"""Speed of the native matrix products beside NumPy's BLAS on one thread, and the time to compile them.

    OMP_NUM_THREADS=1 python benchmarks/products.py            # a table for the record
    OMP_NUM_THREADS=1 python benchmarks/products.py --smoke    # does it run at all

For each layer (batch, fan_out, fan_in) the three products of a training step. Figures are the best of all rounds; the
two sides take turns in every round. The peak is that of multiply-adds on registers, measured in the same run.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.product import Products, ProductShape
from fanin.compiler.native.product.kernel import repeated
from fanin.compiler.native.target import Isa, Library, chosen, compiled
from fanin.compiler.native.vector import F32, I64, POINTER, function

LAYERS = [
    (32, 64, 64), (32, 10, 64), (128, 128, 128), (256, 128, 128), (256, 128, 50), (250, 32, 4), (250, 16, 32),
    (250, 4, 16), (64, 256, 784), (64, 128, 256), (128, 1024, 1024), (128, 1024, 784), (1, 128, 50), (1, 128, 128),
    (1000, 1, 64),
]  # fmt: skip
ACCUMULATORS = 12


def shapes(batch: int, fan_out: int, fan_in: int) -> dict[str, ProductShape]:
    """Return the three products of y = x W^T: y, x's gradient, and W's."""
    n, o, i = batch, fan_out, fan_in
    f4 = np.dtype(np.float32)
    return {
        "forward": ProductShape(f4, n, o, i, i, 1, 1, i, o),
        "input": ProductShape(f4, n, i, o, o, 1, i, 1, i),
        "weight": ProductShape(f4, o, i, n, 1, o, i, 1, i),
    }


def best(run: Callable[[], Any], rounds: int) -> float:
    """Return the shortest of some runs, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def aligned(values: np.ndarray, boundary: int = 64) -> np.ndarray:
    """Return a copy that begins at a cache line."""
    raw = np.empty(values.size + boundary, values.dtype)
    first = -raw.ctypes.data % boundary // values.itemsize
    out = raw[first : first + values.size]
    out[:] = values
    return out


def peak(isa: Isa, count: int = 100_000) -> float:
    """Return GFLOP/s of multiply-adds on registers."""
    module = ir.Module("peak")
    module.triple = isa.triple
    made, code = function(module, "peak", [I64, POINTER], isa, internal=False)
    n, place = made.args
    x = code.splat(code.load(place, F32), isa.lanes(np.float32))
    sums = [code.mul(x, code.like(i, x)) for i in range(ACCUMULATORS)]
    with repeated(code, n, 1, sums) as (_, carried):
        carried[:] = [code.fma(x, x, acc) for acc in carried]
    for i, acc in enumerate(sums):
        code.store(acc, code.at(place, I64(i * isa.lanes(np.float32)), F32))
    code.b.ret_void()
    library = Library(compiled(str(module), isa))
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(library.address("peak"))
    out = np.zeros(ACCUMULATORS * isa.lanes(np.float32), np.float32)
    return 2 * count * out.size / best(lambda: run(count, out.ctypes.data), 40) / 1e9


@dataclass
class Case:
    """One product, compiled, with operands."""

    title: str
    shape: ProductShape
    isa: Isa
    seconds: float = np.inf
    packing: float = np.inf
    blas: float = np.inf
    arrays: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        s = self.shape
        module = ir.Module("product")
        module.triple = self.isa.triple
        products = Products(module, self.isa)
        self.packed = products.packed_size(s)
        for name in ("run", "pack"):
            made, code = function(module, name, [POINTER, POINTER, POINTER, POINTER, I64], self.isa, internal=False)
            a, b, panels, c, count = made.args
            with code.loop(0, count):
                if name == "run":
                    products.emit(code, s, a, panels if self.packed else b, c)
                else:
                    products.emit_pack(code, s, b, panels)
            code.b.ret_void()
        start = time.process_time()
        self.library = Library(compiled(str(module), self.isa))
        self.compiling = time.process_time() - start
        rng = np.random.default_rng(0)
        sizes = (s.rows * s.inner, s.columns * s.inner, self.packed, s.rows * s.columns)
        self.arrays = [aligned(rng.normal(size=size).astype(np.float32)) for size in sizes]
        kinds = [ctypes.c_void_p] * 4 + [ctypes.c_int64]
        self.functions = {name: ctypes.CFUNCTYPE(None, *kinds)(self.library.address(name)) for name in ("run", "pack")}
        self.pointers = [x.ctypes.data for x in self.arrays]
        a, b, _, c = self.arrays
        self.a = a.reshape(s.rows, s.inner) if s.a_inner == 1 else a.reshape(s.inner, s.rows).T
        self.b = b.reshape(s.columns, s.inner).T if self.title == "forward" else b.reshape(s.inner, s.columns)
        self.out = np.empty((s.rows, s.columns), np.float32)
        self.call("pack", 1)
        self.call("run", 1)
        np.testing.assert_allclose(c.reshape(self.out.shape), self.a @ self.b, atol=1e-4 * s.inner)

    def call(self, name: str, count: int) -> None:
        self.functions[name](*self.pointers, count)

    def measure(self, work: float) -> None:
        count = max(2, int(work / self.operations))
        self.seconds = min(self.seconds, best(lambda: self.call("run", count), 1) / count)
        self.packing = min(self.packing, best(lambda: self.call("pack", count), 1) / count)
        self.blas = min(self.blas, best(lambda: np.matmul(self.a, self.b, out=self.out), max(2, count // 4)))

    @property
    def operations(self) -> int:
        return 2 * self.shape.rows * self.shape.columns * self.shape.inner

    def row(self, peak: float) -> str:
        s, speed = self.shape, self.operations / self.seconds / 1e9
        packing = f"{self.packing / self.packed * 1e9:5.2f}" if self.packed else "    -"
        return (
            f"{self.title:8}{s.rows:6}{s.columns:6}{s.inner:6}"
            f"{self.seconds * 1e6:10.2f}{speed:8.1f}{100 * speed / peak:5.0f}%"
            f"{self.operations / self.blas / 1e9:8.1f}{packing:>8}{self.compiling * 1e3:8.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    isa = chosen()
    layers = LAYERS[:2] if given.smoke else LAYERS
    cases = [Case(title, shape, isa) for layer in layers for title, shape in shapes(*layer).items()]
    for _ in range(1 if given.smoke else given.rounds):
        for case in cases:
            case.measure(1e5 if given.smoke else 2e7)
    top = peak(isa)
    print(f"{isa.name}, peak {top:.0f} GFLOP/s")
    print(f"{'':8}{'M':>6}{'N':>6}{'K':>6}{'us':>10}{'GFLOP/s':>8}{'peak':>6}{'BLAS':>8}{'pack ns':>8}{'comp ms':>8}")
    for case in cases:
        print(case.row(top))


if __name__ == "__main__":
    main()
