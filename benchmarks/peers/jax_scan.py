"""JAX with whole epochs in one compiled function: jax.lax.scan over the batches of permuted rows.

The rules are written out as PyTorch has them. Permutations are drawn with NumPy, for all epochs of a call at once:
drawing them inside costs a sort. The state is donated, so that it is updated where it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.cases import Case, Data, Job

VERSION = jax.__version__
NETWORKS = 100
UNROLLED = 4
# A call has so many steps that what it costs does not count, and no more operations than a moment's worth.
STEPS_A_CALL, FLOPS_A_CALL = 2000, 1e9

Tree = Any


def start(threads: int) -> None:
    """Nothing: the threads are set by NPROC when the process starts."""


def variants(case: Case) -> list[str]:
    if case.kind == "prediction":
        return ["jit"]
    if case.kind == "networks":
        return [f"vmap over {NETWORKS}", f"vmap over {10 * NETWORKS}", "one after the other"]
    # Larger steps gain nothing by it, and cost many seconds of compiling.
    return ["scan", f"scan, unrolled {UNROLLED}"] if case.steps > UNROLLED and case.flops < 1e7 else ["scan"]


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    params = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in data.layers]
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    if case.kind == "prediction":
        return prediction(case, params, data.x)
    if case.kind == "networks":
        return networks(case, params, x, y, variant)
    epochs = max(1, int(min(STEPS_A_CALL, FLOPS_A_CALL / case.flops) / case.steps))
    train = jax.jit(partial(epochs_of, case, UNROLLED if "unrolled" in variant else 1), donate_argnums=0)
    state = [initial(case, params)]
    rng = np.random.default_rng(0)

    def run(times: int) -> None:
        for _ in range(times):
            state[0] = train(state[0], x, y, orders(rng, epochs, case))
        jax.block_until_ready(state[0])

    def one_epoch(times: int) -> None:
        for _ in range(times):
            state[0] = train(state[0], x, y, orders(rng, 1, case))
        jax.block_until_ready(state[0])

    return Job(run, epochs * case.steps, lambda: float(loss_of(case, state[0][0], x, y)), one_epoch)


def networks(case: Case, params: Tree, x: Any, y: Any, variant: str) -> Job:
    count = int(variant.split()[-1]) if variant.startswith("vmap") else 10
    one = partial(epochs_of, case, 1)

    def in_turn(states: Tree, x: Any, y: Any, perms: Any) -> Tree:
        return lax.map(lambda pair: one(pair[0], x, y, pair[1]), (states, perms))

    side_by_side = jax.vmap(one, in_axes=(0, None, None, 0))
    train = jax.jit(side_by_side if variant.startswith("vmap") else in_turn, donate_argnums=0)
    state = [jax.tree.map(lambda leaf: jnp.stack([leaf] * count), initial(case, params))]
    rng = np.random.default_rng(0)

    def run(times: int) -> None:
        for _ in range(times):
            perms = orders(rng, count, case).reshape(count, 1, case.rows)
            state[0] = train(state[0], x, y, perms)
        jax.block_until_ready(state[0])

    return Job(run, count * case.steps)


def prediction(case: Case, params: Tree, row: Any) -> Job:
    predict = jax.jit(partial(forward, case))

    def run(times: int) -> None:
        for _ in range(times):
            predict(params, row).block_until_ready()

    return Job(run)


def orders(rng: np.random.Generator, epochs: int, case: Case) -> Any:
    """Return a permutation of the rows for each epoch, (epochs, rows)."""
    rows = np.broadcast_to(np.arange(case.rows, dtype=np.int32), (epochs, case.rows))
    return rng.permuted(rows, axis=1) if case.shuffle else rows


# The training that is compiled ----------------------------------------------------------------------------------------


def forward(case: Case, params: Tree, x: Any) -> Any:
    activation: Callable[[Any], Any] = jnp.tanh if case.activation == "Tanh" else jax.nn.relu
    for weight, bias in params[:-1]:
        x = activation(x @ weight + bias)
    weight, bias = params[-1]
    return x @ weight + bias


def loss_of(case: Case, params: Tree, x: Any, y: Any) -> Any:
    out = forward(case, params, x)
    if not case.classes:
        return jnp.mean(jnp.square(out - y))
    picked = jnp.take_along_axis(out, y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(out, axis=1) - picked)


def initial(case: Case, params: Tree) -> Tree:
    """Return parameters, both moments, and the powers of the two betas that correct them."""
    if case.rule == "SGD":
        return params, (), (), (), ()
    zeros = jax.tree.map(jnp.zeros_like, params)
    return params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.float32(1), jnp.float32(1)


def step(case: Case, state: Tree, x: Any, y: Any) -> Tree:
    params, first, second, power1, power2 = state
    grads = jax.grad(partial(loss_of, case))(params, x, y)
    if case.rule == "SGD":
        return jax.tree.map(lambda p, g: p - case.rate * g, params, grads), first, second, power1, power2
    beta1, beta2, eps, decay = 0.9, 0.999, 1e-8, 0.01 if case.rule == "AdamW" else 0.0
    power1, power2 = power1 * beta1, power2 * beta2
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, first, grads)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, grads)
    rate, root = case.rate / (1 - power1), jnp.sqrt(1 - power2)

    def update(p: Any, m: Any, v: Any) -> Any:
        return p * (1 - case.rate * decay) - rate * m / (jnp.sqrt(v) / root + eps)

    return jax.tree.map(update, params, first, second), first, second, power1, power2


def epochs_of(case: Case, unroll: int, state: Tree, x: Any, y: Any, perms: Any) -> Tree:
    full = case.rows // case.batch

    def epoch(state: Tree, order: Any) -> tuple[Tree, None]:
        inputs, targets = (x[order], y[order]) if case.shuffle else (x, y)
        cut = [a[: full * case.batch].reshape(full, case.batch, *a.shape[1:]) for a in (inputs, targets)]
        state, _ = lax.scan(lambda s, batch: (step(case, s, *batch), None), state, tuple(cut), unroll=unroll)
        if full * case.batch < case.rows:  # the shorter last batch
            state = step(case, state, inputs[full * case.batch :], targets[full * case.batch :])
        return state, None

    return lax.scan(epoch, state, perms)[0]
