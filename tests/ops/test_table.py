"""Walk over the table: every record against finite differences, its own rules, and what it says it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin.nn  # noqa: F401  (every room enters its operations)
from fanin._core.errors import GraphError
from fanin.autograd import gradcheck, gradgradcheck
from fanin.autograd.gradcheck import GradcheckError
from fanin.ops.op import Op, Spec, get, table
from fanin.tensor.tape import apply, reads_of, wrap
from tests.ops.layer_samples import LAYERS
from tests.ops.loss_samples import SAMPLES as LOSSES
from tests.ops.samples import SAMPLES as PLAIN
from tests.ops.samples import Sample, values

# Their derivatives, or second derivatives, are not part of fanin: they say so instead.
REFUSED = {"svd_outer", "eigh_outer", "qr", "svd", "eigh", "pinv", "lstsq"}
# They read one triangle and give the gradient of a symmetric matrix, which a single changed element is not.
SYMMETRIC = {"cholesky", "eigvalsh"}
REFUSED_AT_SECOND = REFUSED | {"svdvals", "eigvalsh"}
SAMPLES = {**PLAIN, **LAYERS, **LOSSES}
CASES = [(name, i) for name, samples in SAMPLES.items() for i in range(len(samples))]


def floats(inputs: tuple[Any, ...]) -> list[int]:
    """Return the positions of the inputs that are differentiated."""
    return [i for i, x in enumerate(inputs) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]


def differentiable_inputs(op: Op, inputs: tuple[Any, ...]) -> list[int]:
    """Return the positions of the float inputs for which the record has a derivative."""
    if op.vjp_each is not None:
        return floats(inputs)
    return [i for i in floats(inputs) if i < len(op.vjps) and op.vjps[i] is not None]


def as_function(op: Op, sample: Sample) -> tuple[Any, tuple[Any, ...]]:
    """Return a function of the differentiable inputs alone, and these as tensors."""
    inputs, attrs = sample
    positions = differentiable_inputs(op, inputs)

    def function(*tensors: Any) -> Any:
        full = [wrap(x.copy()) if isinstance(x, np.ndarray) else x for x in inputs]
        for position, tensor in zip(positions, tensors, strict=True):
            full[position] = (tensor + tensor.mT) / 2 if op.name in SYMMETRIC else tensor
        return apply(op, tuple(full), attrs)

    return function, tuple(wrap(inputs[i].copy()).requires_grad_() for i in positions)


def test_every_record_has_samples() -> None:
    names = {op.name for op in table()}
    assert names == set(SAMPLES), f"without samples: {names - set(SAMPLES)}; without record: {set(SAMPLES) - names}"


@pytest.mark.parametrize(("name", "number"), CASES)
def test_first_derivative(name: str, number: int) -> None:
    op, sample = get(name), SAMPLES[name][number]
    if not op.differentiable:
        return
    function, tensors = as_function(op, sample)
    if name in REFUSED:
        with pytest.raises(GraphError, match="not part of fanin"):
            gradcheck(function, tensors)
        return
    assert gradcheck(function, tensors, eps=1e-6, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_second_derivative(name: str, number: int) -> None:
    op, sample = get(name), SAMPLES[name][number]
    if not op.differentiable:
        return
    function, tensors = as_function(op, sample)
    if name in REFUSED_AT_SECOND:
        with pytest.raises(GraphError, match="not part of fanin"):
            gradgradcheck(function, tensors)
        return
    assert gradgradcheck(function, tensors, eps=1e-6, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("name", "number"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rule_foretells_shape_and_dtype(name: str, number: int, dtype: Any) -> None:
    op, (inputs, attrs) = get(name), SAMPLES[name][number]
    inputs = tuple(x.astype(dtype) if i in floats(inputs) else x for i, x in enumerate(inputs))
    arrays = op.promote(inputs) if op.promote else inputs
    with np.errstate(all="ignore"):
        out = np.asarray(op.evaluate(*arrays, **attrs))
    assert Spec(out.shape, out.dtype) == op.infer(*(Spec.of(x) for x in arrays), **attrs)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_evaluation_is_pure(name: str, number: int) -> None:
    op, (inputs, attrs) = get(name), SAMPLES[name][number]
    arrays = op.promote(inputs) if op.promote else inputs
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in arrays]
    with np.errstate(all="ignore"):
        op.evaluate(*arrays, **attrs)
    for old, new in zip(before, arrays, strict=True):
        assert np.array_equal(old, new) if isinstance(old, np.ndarray) else old is new


@pytest.mark.parametrize(("name", "number"), CASES)
def test_derivatives_read_only_what_the_record_says(name: str, number: int) -> None:
    """An in-place change of a value that no derivative reads must be harmless: here such values are spoilt."""
    op, (inputs, attrs) = get(name), SAMPLES[name][number]
    if not op.differentiable:
        return
    with np.errstate(all="ignore"):
        arrays = op.promote(inputs) if op.promote else inputs
        out = np.asarray(op.evaluate(*arrays, **attrs))
        grad = values(*out.shape, seed=5)
        for i in [] if name in REFUSED else differentiable_inputs(op, inputs):
            edges = [object() if j == i else None for j in range(len(arrays))]
            reads = reads_of(op, edges)
            spoilt = [
                x if j in reads or j not in floats(arrays) else np.full_like(x, np.nan) for j, x in enumerate(arrays)
            ]
            kept = op.reads_out and (not op.reads_of or -1 in reads)
            expected = op.vjp(i, grad, out, list(arrays), attrs)
            actual = op.vjp(i, grad, out if kept else np.full_like(out, np.nan), spoilt, attrs)
            np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


def planted(vjp: Any) -> Op:
    """Return a sine whose derivative is `vjp`, outside the table."""
    return Op("planted", np.sin, lambda x: x, vjps=(vjp,), reads=(0,))


def test_checker_rejects_a_wrong_first_derivative() -> None:
    wrong = planted(lambda g, out, x: g * get("cos")(x) * 1.001)
    function, tensors = as_function(wrong, ((values(3),), {}))
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(function, tensors, eps=1e-6, atol=1e-7, rtol=1e-5)


def test_checker_rejects_a_wrong_second_derivative() -> None:
    wrong_cosine = Op("planted_cos", np.cos, lambda x: x, vjps=(lambda g, out, x: g * x,), reads=(0,))
    wrong = planted(lambda g, out, x: g * wrong_cosine(x))
    function, tensors = as_function(wrong, ((values(3),), {}))
    assert gradcheck(function, tensors, eps=1e-6, atol=1e-7, rtol=1e-5)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(function, tensors, eps=1e-6, atol=1e-6, rtol=1e-4)
