"""Products of matrices and vectors, einsum, torch.linalg."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, message, raises, sample, with_gradients

# Sums run in another order here and there.
LOOSE = {"float32": 1e-5, "float64": 1e-11}
MATMUL = {
    "matrices": ((5, 7), (7, 3)),
    "matrix and vector": ((5, 7), (7,)),
    "vector and matrix": ((5,), (5, 3)),
    "vectors": ((5,), (5,)),
    "batches": ((2, 3, 4), (2, 4, 5)),
    "batch and matrix": ((2, 3, 4), (4, 5)),
    "matrix and batch": ((3, 4), (2, 4, 5)),
    "batch and vector": ((2, 3, 4), (4,)),
    "vector and batch": ((3,), (2, 3, 4)),
    "broadcast": ((2, 1, 3, 4), (5, 4, 2)),
    "empty rows": ((0, 3), (3, 2)),
    "empty inside": ((2, 0), (0, 3)),
    "one": ((1, 1), (1, 1)),
}


@case(params=[(name, dtype) for name in MATMUL for (dtype,) in DTYPES], rtol=LOOSE)
def matmul(torch: Any, name: str, dtype: str) -> Any:
    a, b = MATMUL[name]
    x = sample(torch, *a, dtype=dtype, requires_grad=True)
    y = sample(torch, *b, dtype=dtype, seed=1, requires_grad=True)
    return {
        "function": with_gradients(torch, torch.matmul, x, y),
        "operator": (x @ y).detach(),
        "method": x.matmul(y).detach(),
        "dtype": raises(lambda: x @ y.to(torch.int64)),
    }


@case(params=DTYPES, rtol=LOOSE)
def matmul_of_views(torch: Any, dtype: str) -> Any:
    x = sample(torch, 7, 5, dtype=dtype, requires_grad=True)
    y = sample(torch, 3, 14, dtype=dtype, seed=1, requires_grad=True)
    return with_gradients(torch, lambda a, b: a.t() @ b[:, ::2].t(), x, y)


@case(params=DTYPES, rtol=LOOSE)
def named_products(torch: Any, dtype: str) -> Any:
    m = sample(torch, 5, 7, dtype=dtype, requires_grad=True)
    n = sample(torch, 7, 3, dtype=dtype, seed=1, requires_grad=True)
    v = sample(torch, 7, dtype=dtype, seed=2, requires_grad=True)
    w = sample(torch, 7, dtype=dtype, seed=3, requires_grad=True)
    u = sample(torch, 5, dtype=dtype, seed=4, requires_grad=True)
    c = sample(torch, 5, 3, dtype=dtype, seed=5, requires_grad=True)
    p = sample(torch, 2, 5, 7, dtype=dtype, seed=6, requires_grad=True)
    q = sample(torch, 2, 7, 3, dtype=dtype, seed=7, requires_grad=True)
    calls = {
        "mm": (torch.mm, m, n),
        "mv": (torch.mv, m, v),
        "dot": (torch.dot, v, w),
        "vdot": (torch.vdot, v, w),
        "inner": (torch.inner, v, w),
        "inner matrices": (torch.inner, m, v),
        "outer": (torch.outer, u, v),
        "ger": (torch.ger, u, v),
        "bmm": (torch.bmm, p, q),
        "addmm": (torch.addmm, c, m, n),
        "addmm scaled": (lambda a, b, d: torch.addmm(a, b, d, beta=0.5, alpha=2), c, m, n),
        "addmm row": (torch.addmm, c[0].detach().clone().requires_grad_(), m, n),
        "addmm without": (lambda a, b, d: torch.addmm(a, b, d, beta=0) + a, c, m, n),
        "addmv": (torch.addmv, u, m, v),
        "addr": (lambda a, b, d: torch.addr(a, b, d, alpha=3), m, u, v),
        "addbmm": (torch.addbmm, c, p, q),
        "baddbmm": (lambda a, b, d: torch.baddbmm(a, b, d, beta=2), c, p, q),
        "vecdot": (torch.linalg.vecdot, v, w),
        "vecdot rows": (lambda a, b: torch.linalg.vecdot(a, b, dim=0), m, u.detach().reshape(5, 1).requires_grad_()),
        "kron": (torch.kron, c, u),
        "kron matrices": (torch.kron, c, n),
        "tensordot": (lambda a, b: torch.tensordot(a, b, dims=1), m, n),
        "tensordot two": (lambda a, b: torch.tensordot(a, b, 2), p, m),
        "tensordot lists": (lambda a, b: torch.tensordot(a, b, dims=([2, 0], [1, 0])), p, q),
        "tensordot none": (lambda a, b: torch.tensordot(a, b, dims=0), v, u),
        "chain_matmul": (torch.chain_matmul, m, n, c.detach().t().clone().requires_grad_()),
        "multi_dot": (lambda a, b, d: torch.linalg.multi_dot([a, b, d]), m, n, c.detach().t().clone().requires_grad_()),
        "multi_dot vectors": (lambda a, b, d: torch.linalg.multi_dot([a, b, d]), u, m, v),
        "cross": (torch.cross, n[:3].detach().clone().requires_grad_(), c[:3].detach().clone().requires_grad_()),
        "linalg cross": (torch.linalg.cross, c, c[:1].detach().clone().requires_grad_()),
    }
    return {name: with_gradients(torch, function, *inputs) for name, (function, *inputs) in calls.items()}


@case
def products_of_integers(torch: Any) -> Any:
    m, v = torch.tensor([[1, 2], [3, 4]]), torch.tensor([5, 6])
    return {
        "mm": m @ m,
        "mv": m @ v,
        "dot": torch.dot(v, v),
        "outer": torch.outer(v, v),
        "einsum": torch.einsum("ij,j->i", m, v),
        "power": torch.matrix_power(m, 3),
        "kron": torch.kron(m, m),
        "int32": m.int() @ m.int(),
        "in place": torch.ones(2, 2).addmm_(torch.ones(2, 3), torch.ones(3, 2), beta=2, alpha=0.5),
        "in place vector": torch.ones(2).addmv_(torch.ones(2, 3), torch.ones(3)),
        "in place outer": torch.ones(2, 3).addr_(torch.ones(2), torch.ones(3)),
        "out": torch.mm(m, m, out=torch.empty(0, dtype=torch.int64)),
    }


EQUATIONS = {
    "ij,jk->ik": [(5, 7), (7, 3)],
    "ij,jk": [(5, 7), (7, 3)],
    "ij->ji": [(5, 7)],
    "ji": [(5, 7)],
    "ij->": [(5, 7)],
    "ij->i": [(5, 7)],
    "ii": [(4, 4)],
    "ii->i": [(4, 4)],
    "iij->ij": [(3, 3, 2)],
    "i,j->ij": [(5,), (3,)],
    "i,i->": [(5,), (5,)],
    "i,i->i": [(5,), (5,)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "...ij,...jk->...ik": [(2, 3, 4), (4, 5)],
    "...ij,...jk": [(2, 1, 3, 4), (5, 4, 2)],
    "...i->...": [(2, 3, 4)],
    "b...->...b": [(2, 3, 4)],
    "ij, j -> i": [(5, 7), (7,)],
    "ijk,jil->kl": [(2, 3, 4), (3, 2, 5)],
    "ab,bc,cd->ad": [(2, 3), (3, 4), (4, 5)],
    "i,ij,j": [(5,), (5, 7), (7,)],
    "ij,ij->ij": [(1, 4), (3, 4)],
    "Ab,bA->A": [(3, 4), (4, 3)],
    "i,j,k->kji": [(2,), (3,), (4,)],
    "...,...->...": [(3, 4), (4,)],
}


@case(params=[(equation, dtype) for equation in EQUATIONS for (dtype,) in DTYPES], rtol=LOOSE)
def einsum(torch: Any, equation: str, dtype: str) -> Any:
    inputs = [sample(torch, *s, dtype=dtype, seed=i, requires_grad=True) for i, s in enumerate(EQUATIONS[equation])]
    return with_gradients(torch, lambda *xs: torch.einsum(equation, *xs), *inputs)


WHOLE = ("ij->i", "ii->i", "ii", "ij,jk->ik", "ij,ij->ij", "i,j->ij", "ij,kl->ik", "ij,j->", "...i->...")


@case(params=[(equation, dtype) for equation in WHOLE for dtype in ("int64", "int32", "bool")])
def einsum_of_whole_numbers(torch: Any, equation: str, dtype: str) -> Any:
    """Sum up what one operand alone has, in int64; multiply bools, and refuse to sum their products."""
    terms = equation.partition("->")[0].split(",")
    inputs = [
        sample(torch, *[3] * len(term.replace("...", "b")), seed=i, low=-2, high=3) for i, term in enumerate(terms)
    ]
    whole = [(x > 0) if dtype == "bool" else x.round().to(getattr(torch, dtype)) for x in inputs]
    out: list[Any] = []
    error = raises(lambda: out.append(torch.einsum(equation, *whole)))
    return {"error": error, "out": out}


@case
def einsum_forms(torch: Any) -> Any:
    x, y = sample(torch, 2, 3), sample(torch, 3, 4, seed=1)
    return {
        "list": torch.einsum("ij,jk->ik", [x, y]),
        "sublists": torch.einsum(x, [0, 1], y, [1, 2], [0, 2]),
        "sublists implicit": torch.einsum(x, [0, 1], y, [1, 2]),
        "sublists ellipsis": torch.einsum(x, [..., 1], y, [1, 2], [..., 2]),
    }


@case(params=DTYPES, rtol={"float32": 1e-4, "float64": 1e-10})
def linalg_with_gradients(torch: Any, dtype: str) -> Any:
    a = sample(torch, 4, 4, dtype=dtype) + 4 * torch.eye(4, dtype=getattr(torch, dtype))
    batch = (sample(torch, 2, 3, 3, dtype=dtype, seed=1) + 4 * torch.eye(3, dtype=a.dtype)).requires_grad_()
    positive = (a @ a.t()).detach().requires_grad_()
    a = a.requires_grad_()
    b = sample(torch, 4, 2, dtype=dtype, seed=2, requires_grad=True)
    v = sample(torch, 4, dtype=dtype, seed=3, requires_grad=True)
    m = sample(torch, 5, 3, dtype=dtype, seed=4, requires_grad=True)
    linalg = torch.linalg
    calls = {
        "inv": (linalg.inv, a),
        "inv batch": (linalg.inv, batch),
        "inverse": (torch.inverse, a),
        "solve": (linalg.solve, a, b),
        "solve vector": (linalg.solve, a, v),
        "solve batch": (linalg.solve, batch, m.detach()[:3].t().reshape(3, 3).clone().requires_grad_()),
        "solve right": (lambda x, y: linalg.solve(x, y.t(), left=False), a, b),
        "solve_triangular": (lambda x, y: linalg.solve_triangular(x, y, upper=True), a, b),
        "solve_triangular lower": (lambda x, y: linalg.solve_triangular(x, y, upper=False, unitriangular=True), a, b),
        "det": (linalg.det, a),
        "det batch": (torch.det, batch),
        "slogdet": (lambda x: linalg.slogdet(x).logabsdet, a),
        "logdet": (torch.logdet, a),
        "cholesky": (linalg.cholesky, positive),
        "svdvals": (linalg.svdvals, m),
        "eigvalsh": (linalg.eigvalsh, positive),
        "matrix_power": (lambda x: linalg.matrix_power(x, 3), a),
        "matrix_power inverse": (lambda x: torch.matrix_power(x, -2), a),
        "norm": (linalg.norm, m),
        "norm of vector": (lambda x: linalg.norm(x, 3), v),
        "norm columns": (lambda x: linalg.norm(x, dim=0), m),
        "vector_norm": (lambda x: linalg.vector_norm(x, 1, dim=1), m),
        "matrix_norm": (linalg.matrix_norm, m),
        "matrix_norm 1": (lambda x: linalg.matrix_norm(x, 1), m),
        "matrix_norm inf": (lambda x: linalg.matrix_norm(x, float("inf"), keepdim=True), m),
        "matrix_norm -1": (lambda x: linalg.norm(x, -1), m),
        "nuclear": (lambda x: linalg.matrix_norm(x, "nuc"), m),
        "spectral": (lambda x: linalg.matrix_norm(x, 2), m),
        "smallest": (lambda x: linalg.norm(x, -2), m),
        "cond": (linalg.cond, a),
        "diagonal": (linalg.diagonal, batch),
    }
    return {name: with_gradients(torch, function, *inputs) for name, (function, *inputs) in calls.items()}


@case(params=DTYPES, rtol={"float32": 1e-4, "float64": 1e-10})
def linalg_values(torch: Any, dtype: str) -> Any:
    """Signs of the vectors of a decomposition are free, so these are compared through what they make up again."""
    m, wide = sample(torch, 5, 3, dtype=dtype), sample(torch, 3, 5, dtype=dtype, seed=1)
    s = m.t() @ m
    deficient = torch.stack([m[:, 0], m[:, 1], m[:, 0] + m[:, 1]], 1)
    q, r = torch.linalg.qr(m)
    u, sigma, vh = torch.linalg.svd(m, full_matrices=False)
    full = torch.linalg.svd(wide)
    values, vectors = torch.linalg.eigh(s)
    solved = torch.linalg.lstsq(m, sample(torch, 5, 2, dtype=dtype, seed=2))
    return {
        "qr": [q @ r, q.t() @ q, r.abs(), list(torch.linalg.qr(m, mode="complete").Q.shape)],
        "qr of wide": [p.abs() for p in torch.linalg.qr(wide)],
        "svd": [u @ torch.diag(sigma) @ vh, sigma, list(full.U.shape), full.S, list(full.Vh.shape)],
        "eigh": [values, vectors @ torch.diag(values) @ vectors.t()],
        "eigh upper": torch.linalg.eigvalsh(torch.triu(s), UPLO="U"),
        "pinv": [torch.linalg.pinv(m), torch.linalg.pinv(wide), torch.pinverse(m)],
        "rank": [
            torch.linalg.matrix_rank(m),
            torch.linalg.matrix_rank(deficient),
            torch.linalg.matrix_rank(torch.zeros(2, 2)),
        ],
        "lstsq": [solved.solution, solved.residuals, solved.rank],
        "cond 1": torch.linalg.cond(s, 1),
        "sign": torch.linalg.slogdet(-s).sign,
        "matrix_exp": torch.linalg.matrix_exp(s / 4),
        "cholesky upper": torch.linalg.cholesky(s).t(),
        "old cholesky": torch.cholesky(s, upper=True),
        "vander": torch.linalg.vander(m[:, 0], N=3),
    }


@case
def errors(torch: Any) -> Any:
    x, eye = torch.ones(2, 3), torch.eye(2)
    calls = {
        "matmul": lambda: x @ x,
        "matmul vectors": lambda: torch.ones(2) @ torch.ones(3),
        "matmul vector": lambda: x @ torch.ones(2),
        "matmul batch": lambda: torch.ones(2, 3, 4) @ torch.ones(3, 4, 5),
        "matmul scalar": lambda: x @ torch.tensor(1.0),
        "matmul number": lambda: x @ 2,
        "matmul dtype": lambda: torch.ones(2, 2) @ torch.ones(2, 2).double(),
        "matmul integer": lambda: torch.ones(2, 2) @ torch.ones(2, 2).long(),
        "mm": lambda: torch.mm(x, torch.ones(3)),
        "mv": lambda: torch.mv(x, torch.ones(2)),
        "dot": lambda: torch.dot(x, x),
        "dot sizes": lambda: torch.dot(torch.ones(2), torch.ones(3)),
        "bmm": lambda: torch.bmm(x, x),
        "bmm sizes": lambda: torch.bmm(torch.ones(2, 3, 4), torch.ones(3, 4, 5)),
        "outer": lambda: torch.outer(x, torch.ones(2)),
        "addmm": lambda: torch.addmm(torch.ones(5), x, torch.ones(3, 2)),
        "inner": lambda: torch.inner(torch.ones(2), torch.ones(3)),
        "tensordot": lambda: torch.tensordot(x, x, dims=1),
        "tensordot dims": lambda: torch.tensordot(x, x, dims=3),
        "cross": lambda: torch.linalg.cross(torch.ones(2), torch.ones(2)),
        "matrix_power": lambda: torch.matrix_power(x, 2),
        "multi_dot": lambda: torch.linalg.multi_dot([x]),
        "linear of three dimensions": lambda: torch.nn.functional.linear(torch.ones(5, 4), torch.ones(5, 4, 1)),
        "linear of none": lambda: torch.nn.functional.linear(x, torch.tensor(2.0)),
        "einsum operands": lambda: torch.einsum("ij,jk->ik", x),
        "einsum dims": lambda: torch.einsum("ijk->i", x),
        "einsum sizes": lambda: torch.einsum("ij,ij->", x, torch.ones(2, 4)),
        "einsum output": lambda: torch.einsum("ij->ijk", x),
        "einsum twice": lambda: torch.einsum("ij->ii", x),
        "einsum letter": lambda: torch.einsum("i1->i", x),
        "inv": lambda: torch.linalg.inv(x),
        "inv singular": lambda: torch.linalg.inv(torch.zeros(2, 2)),
        "inv vector": lambda: torch.linalg.inv(torch.ones(2)),
        "inv integers": lambda: torch.linalg.inv(torch.eye(2).long()),
        "solve singular": lambda: torch.linalg.solve(torch.zeros(2, 2), torch.ones(2)),
        "solve sizes": lambda: torch.linalg.solve(eye, torch.ones(3)),
        "det": lambda: torch.linalg.det(x),
        "cholesky": lambda: torch.linalg.cholesky(-eye),
        "svd": lambda: torch.linalg.svd(torch.ones(3)),
        "qr": lambda: torch.linalg.qr(x, mode="half"),
        "norm ord": lambda: torch.linalg.norm(x, "foo"),
        "norm of three": lambda: torch.linalg.norm(torch.ones(2, 2, 2), 2),
        "matrix_norm of vector": lambda: torch.linalg.matrix_norm(torch.ones(2)),
        "matrix_norm ord": lambda: torch.linalg.matrix_norm(x, 3),
        "vector_norm integers": lambda: torch.linalg.vector_norm(torch.tensor([1, 2])),
    }
    return {name: raises(call) for name, call in calls.items()}


@case(params=[(0.5,), (1.5,), (-1.0,)])
def norms_of_zeros(torch: Any, p: float) -> Any:
    def norm(x: Any) -> Any:
        return torch.linalg.vector_norm(x, p)

    some, none = (torch.tensor(values, requires_grad=True) for values in ([0.0, 4.0, -1.0], [0.0, 0.0]))
    return [with_gradients(torch, norm, some), with_gradients(torch, norm, none)]


@case
def errors_of_dtypes(torch: Any) -> Any:
    linalg, matrix, vector, column = torch.linalg, torch.eye(2), torch.ones(2), torch.ones(2, 1)
    calls = {
        "solve": lambda: linalg.solve(matrix, vector.double()),
        "solve double": lambda: linalg.solve(matrix.double(), vector),
        "solve integers": lambda: linalg.solve(matrix, vector.long()),
        "solve_ex": lambda: linalg.solve_ex(matrix, vector.double()),
        "tensorsolve": lambda: linalg.tensorsolve(matrix, vector.double()),
        "cholesky_solve": lambda: torch.cholesky_solve(column.double(), matrix),
        "lu_solve": lambda: linalg.lu_solve(*linalg.lu_factor(matrix), column.double()),
        "lstsq": lambda: linalg.lstsq(matrix, column.double()),
        "vecdot": lambda: linalg.vecdot(vector, vector.double()),
        "cross": lambda: linalg.cross(torch.ones(3), torch.ones(3).double()),
        "cdist": lambda: torch.cdist(matrix, matrix.double()),
        "einsum": lambda: torch.einsum("ij,j->i", matrix, vector.double()),
        "einsum of integers": lambda: torch.einsum("ij,j->i", matrix, vector.long()),
        "bilinear": lambda: torch.nn.functional.bilinear(vector, vector.double(), torch.ones(1, 2, 2)),
        "bilinear bias": lambda: torch.nn.functional.bilinear(
            vector, vector, torch.ones(1, 2, 2), torch.ones(1).double()
        ),
    }
    return {name: raises(call) for name, call in calls.items()}


@case
def errors_of_systems(torch: Any) -> Any:
    linalg, matrix, vector = torch.linalg, torch.eye(2), torch.ones(2)
    calls = {
        "number": lambda: linalg.solve(matrix, torch.tensor(1.0)),
        "triangular vector": lambda: linalg.solve_triangular(matrix, vector, upper=True),
        "triangular sizes": lambda: linalg.solve_triangular(matrix, torch.ones(3, 1), upper=True),
        "triangular left": lambda: linalg.solve_triangular(matrix, torch.ones(1, 3), upper=True, left=False),
        "left": lambda: linalg.solve(matrix, torch.ones(1, 3), left=False),
    }
    kinds = {name: raises(call) for name, call in calls.items()}
    return kinds, {name: message(call, RuntimeError).splitlines()[0] for name, call in calls.items()}


@case
def einsum_of_dtypes(torch: Any) -> Any:
    x, y = torch.tensor([0.1, 2.7]), torch.tensor([0.3, 1.9], dtype=torch.float64)
    whole = torch.tensor([2, 3])
    return {
        "outer": torch.einsum("i,j->ij", x, y),
        "elements": torch.einsum("i,i->i", x, y),
        "integers first": torch.einsum("i,i->i", whole, x),
        "integers outer": torch.einsum("i,j->ij", whole, y),
        "sums apart": torch.einsum("i,j->j", whole, x),
    }


@case(rtol={"float32": 1e-6, "float64": 1e-12})
def exponentials_of_batches(torch: Any) -> Any:
    """Of small, of large and of no matrices beside each other; far from 0 in float32 as near to it."""
    x = torch.stack([sample(torch, 4, 4) * scale for scale in (1e-3, 0.3, 1.5, 4.0)])
    exp = torch.linalg.matrix_exp
    return exp(x), exp(x.double()), exp(x[:0]), exp(torch.zeros(2, 3, 3))


@case
def text_of_results(torch: Any) -> Any:
    x = torch.eye(2)
    return str(torch.linalg.slogdet(x)), str(torch.linalg.eigh(x).eigenvalues)


@case(rtol={"float32": 2e-5, "float64": 1e-10})
def least_squares_of_batches(torch: Any) -> Any:
    one, many = sample(torch, 1, 4, 3), sample(torch, 2, 4, 3, seed=1)
    right, vectors = sample(torch, 2, 4, 2, seed=2), sample(torch, 2, 4, seed=3)
    lstsq = torch.linalg.lstsq
    return {
        "one matrix": lstsq(one, right).solution,
        "one right side": lstsq(many, right[:1]).solution,
        "no batch": raises(lambda: lstsq(one[0], right)),
        "vectors": lstsq(many, vectors).solution,
        "sizes": raises(lambda: lstsq(many, right[:, :3])),
    }


@case
def what_a_refusal_says(torch):
    """Return the sentences that programs print when shapes, dtypes or values do not fit."""
    a, t, v = sample(torch, 3, 4), sample(torch, 2, 3, 4), sample(torch, 4)
    functional, linalg = torch.nn.functional, torch.linalg
    singular = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    batch = torch.stack([torch.eye(2), torch.eye(2), singular])
    indefinite = torch.tensor([[1.0, 2.0], [2.0, 1.0]])
    refusals = {
        "sum": lambda: a + sample(torch, 4, 5),
        "difference": lambda: sample(torch, 2, 3, 4) - sample(torch, 3, 2, 5),
        "loss": lambda: functional.l1_loss(sample(torch, 3, 2), sample(torch, 4, 3)),
        "dot": lambda: torch.dot(a, a),
        "dot, dtypes": lambda: torch.dot(v, v.long()),
        "mm, vector": lambda: torch.mm(v, a),
        "mm, second": lambda: torch.mm(a, v),
        "mv": lambda: torch.mv(a, a),
        "mv, vectors": lambda: torch.mv(v, v),
        "addmv": lambda: torch.addmv(v, a, a),
        "bmm": lambda: torch.bmm(a, t),
        "bmm, second": lambda: torch.bmm(t, a),
        "outer": lambda: torch.outer(a, v),
        "outer, second": lambda: torch.outer(v, a),
        "linear": lambda: functional.linear(a.double(), sample(torch, 2, 4)),
        "linear, bias": lambda: functional.linear(a.double(), sample(torch, 2, 4), sample(torch, 2)),
        "einsum": lambda: torch.einsum("ij,jk", a),
        "inverse of zero": lambda: linalg.inv(torch.zeros(2, 2)),
        "inverse": lambda: linalg.inv(singular),
        "inverse, batch": lambda: linalg.inv(batch),
        "inverse, rows exchanged": lambda: linalg.inv(torch.tensor([[0.0, 1.0, 0.0], [2.0, 0, 0], [2.0, 3.0, 0.0]])),
        "solve": lambda: linalg.solve(singular, torch.ones(2)),
        "solve, batch": lambda: linalg.solve(batch, torch.ones(3, 2, 1)),
        "solve, shapes": lambda: linalg.solve(torch.eye(2), torch.ones(3)),
        "factor": lambda: linalg.cholesky(indefinite),
        "factor, first": lambda: linalg.cholesky(-torch.eye(3)),
        "factor, batch": lambda: linalg.cholesky(torch.stack([torch.eye(2), indefinite])),
        "factor of integers": lambda: linalg.cholesky(torch.eye(2).long()),
        "norm of integers": lambda: torch.tensor([1, 2]).norm(),
        "mask": lambda: a.masked_fill(torch.ones(3, 4), 0.0),
        "mask of integers": lambda: a.masked_fill_(torch.ones(3, 4).long(), 0.0),
        "selection": lambda: a.masked_select(torch.ones(3, 4)),
        "smallest": lambda: torch.kthvalue(a, 0),
        "quantile": lambda: torch.quantile(a, 1.5),
        "quantiles": lambda: torch.quantile(a, torch.tensor([0.1, 2.0])),
        "quantile of integers": lambda: torch.quantile(a.long(), 0.5),
        "softmax of integers": lambda: torch.tensor([1, 2]).softmax(0),
    }
    return {name: message(lambda call=call: str(call()), RuntimeError) for name, call in refusals.items()}


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-11})
def from_factors(torch: Any, dtype: str) -> Any:
    a, b = (sample(torch, 2, 3, 3, dtype=dtype, seed=i) for i in (0, 1))
    spd = a @ a.mT + torch.eye(3, dtype=a.dtype)
    lower = torch.linalg.cholesky(spd).requires_grad_()
    right, tall = b.clone().requires_grad_(), sample(torch, 5, 3, dtype=dtype)
    packed = torch.geqrf(tall)
    reflections = [t.clone().requires_grad_() for t in packed]
    factors, pivots = torch.linalg.lu_factor(a)
    return {
        "solve": with_gradients(torch, torch.cholesky_solve, right, lower),
        "upper": with_gradients(torch, lambda b, x: torch.cholesky_solve(b, x.mT, upper=True), right, lower),
        "inverse": with_gradients(torch, torch.cholesky_inverse, lower),
        "methods": [b.cholesky_solve(lower.detach()), lower.detach().cholesky_inverse()],
        "reflections": list(packed),
        "product": with_gradients(torch, torch.linalg.householder_product, *reflections),
        "lu": list(torch.linalg.lu(a)),
        "lu of wide": list(torch.linalg.lu(tall.mT)),
        "lu of tall": [factors, pivots, list(torch.linalg.lu_factor(tall))],
        "by lu": with_gradients(torch, lambda b: torch.linalg.lu_solve(factors, pivots, b), right),
        "ex": [torch.linalg.inv_ex(spd), torch.linalg.cholesky_ex(spd), torch.linalg.solve_ex(spd, b)],
        "tensors": [
            torch.linalg.tensorsolve(spd[0].reshape(3, 3, 1) + 0, b[0, 0]),
            torch.linalg.tensorinv(spd[0].reshape(3, 3, 1), ind=1),
        ],
    }


@case
def factors_that_fail(torch: Any) -> Any:
    zero, spd, x = torch.zeros(2, 2), torch.eye(2) + 1.0, torch.ones(2, 3)
    both = torch.stack([spd, zero])
    return {
        "info": [torch.linalg.inv_ex(both).info, torch.linalg.cholesky_ex(-both).info],
        "no exchange": message(lambda: torch.linalg.lu_factor(spd, pivot=False), RuntimeError),
        "factor": message(lambda: torch.linalg.lu_factor(zero), RuntimeError),
        "factor info": list(torch.linalg.lu_factor_ex(zero))[1:],
        "wide": message(lambda: torch.cholesky_solve(spd, x), RuntimeError),
        "vector": message(lambda: torch.cholesky_solve(torch.ones(2), spd), RuntimeError),
        "sizes": message(lambda: torch.cholesky_solve(torch.ones(3, 1), spd), RuntimeError),
        "checked": raises(lambda: torch.linalg.inv_ex(zero, check_errors=True)),
        "class": [issubclass(torch.linalg.LinAlgError, RuntimeError), torch.linalg.LinAlgError.__name__],
        "texts": [str(torch.linalg.lu_factor(spd)), str(torch.linalg.inv_ex(spd))],
        "columns": raises(lambda: torch.linalg.householder_product(x, torch.ones(3))),
        "tensor": raises(lambda: torch.linalg.tensorsolve(torch.ones(2, 3), torch.ones(2))),
    }
