"""Functions with derivatives of their own, checks of derivatives, and whole matrices of them, at their edges."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import pytest

import fanin as torch
from fanin.autograd import functional
from fanin.autograd.function import once_differentiable


def leaf(*values: float) -> Any:
    return torch.tensor(values or (2.0, 3.0), dtype=torch.float64, requires_grad=True)


class Exp(torch.autograd.Function):
    """Saves its output, which has a derivative, too."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        result = x.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (result,) = ctx.saved_tensors
        return grad * result


def test_an_output_that_was_saved_is_differentiated_again_and_does_not_keep_its_node_alive() -> None:
    assert torch.autograd.gradgradcheck(Exp.apply, leaf())
    gc.collect()
    gc.disable()
    try:
        result = Exp.apply(leaf())
        node = weakref.ref(result.grad_fn)
        del result
        assert node() is None
    finally:
        gc.enable()


class Doubled(torch.autograd.Function):
    """Changes its input in place."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        x.detach().numpy()[...] *= 2  # where nobody counts changes
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * grad


def test_a_function_that_changes_what_another_reads_is_noticed() -> None:
    x = leaf() * 1
    square = x * x
    Doubled.apply(x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.sum().backward()


class Parts(torch.autograd.Function):
    """Returns 2 x, 3 x and, without a derivative, the sign of x; notes what its backward is given."""

    given: tuple[Any, ...] = ()
    needs: tuple[bool, ...] = ()
    materialize = True

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, factor: float) -> Any:
        ctx.set_materialize_grads(Parts.materialize)
        sign = x.sign()
        ctx.mark_non_differentiable(sign)
        return 2 * x, 3 * x + factor * y, sign

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        Parts.given, Parts.needs = grads, ctx.needs_input_grad
        return sum(k * g for k, g in ((2, grads[0]), (3, grads[1])) if g is not None), None, None


@pytest.mark.parametrize("materialize", [True, False])
def test_a_function_of_several_outputs_is_given_the_gradient_of_each(
    materialize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Parts, "materialize", materialize)
    x, y = leaf(), leaf().detach()
    double, triple, sign = Parts.apply(x, y, 1.0)
    assert (double.requires_grad, triple.requires_grad, sign.requires_grad) == (True, True, False)
    (10 * double + 100 * double).sum().backward()  # two paths meet at one output
    assert x.grad.tolist() == [220.0, 220.0]
    assert Parts.given[0].tolist() == [110.0, 110.0]
    assert (Parts.given[1] is None) != materialize
    assert (Parts.given[1] is None) or Parts.given[1].tolist() == [0.0, 0.0]
    assert Parts.needs == (True, False, False)


class ExpAndSquare(torch.autograd.Function):
    """Returns e^x, which it saves, and x^2."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        result = x.exp()
        ctx.save_for_backward(result, x)
        return result, x**2

    @staticmethod
    def backward(ctx: Any, one: Any, two: Any) -> Any:
        result, x = ctx.saved_tensors
        return one * result + 2 * two * x


def test_what_comes_to_an_output_and_to_what_was_saved_of_it_adds_up() -> None:
    x = leaf(0.0, 1.0)
    result, _ = ExpAndSquare.apply(x)
    (slope,) = torch.autograd.grad(result.sum(), x, create_graph=True)
    (10 * result + slope).sum().backward()
    assert x.grad.tolist() == pytest.approx([11.0, 11 * math.e])


class Once(torch.autograd.Function):
    """Cannot be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * x * grad


def test_the_gradient_of_what_is_differentiated_once_has_no_history() -> None:
    x = leaf()
    (found,) = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    assert (found.tolist(), found.requires_grad) == ([4.0, 6.0], False)


def test_hooks_of_a_leaf_change_the_gradient_that_is_asked_for() -> None:
    x = leaf()
    x.register_hook(lambda grad: 10 * grad)
    (found,) = torch.autograd.grad((3 * x).sum(), x)
    assert (found.tolist(), x.grad) == ([30.0, 30.0], None)


def test_nothing_is_computed_for_branches_that_nobody_asks_for() -> None:
    x, z = leaf(), leaf()
    other, seen = 2 * z, []  # type: ignore[var-annotated]
    other.register_hook(seen.append)
    (found,) = torch.autograd.grad((3 * x + other).sum(), x)
    assert (found.tolist(), seen) == ([3.0, 3.0], [])


def test_leaves_that_are_no_inputs_get_nothing_be_they_where_a_pass_begins() -> None:
    x, z = leaf(1.0), leaf(2.0)
    torch.autograd.backward([x, 5 * z], inputs=[z])
    assert (x.grad, z.grad.tolist()) == (None, [5.0])
    torch.autograd.backward([x, 5 * z])
    assert (x.grad.tolist(), z.grad.tolist()) == ([1.0], [10.0])


def test_what_is_detached_stays_so_when_its_memory_gets_a_new_history() -> None:
    x = leaf()
    y = 2 * x
    apart, bits = y.detach(), y.view(torch.int64)
    y.mul_(3)
    assert (apart.tolist(), apart.requires_grad, (apart * 1).requires_grad) == ([12.0, 18.0], False, False)
    assert (bits.requires_grad, bits.dtype) == (False, torch.int64)


def test_a_pass_that_makes_a_graph_keeps_the_one_it_walks() -> None:
    x = leaf()
    y = (x**2).sum()
    y.backward(create_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0, 12.0]
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


class Wrong(torch.autograd.Function):
    """x^3, whose second derivative is wrong where the gradient that comes in is below 0; `nan` is that of the first."""

    nan = False

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        if Wrong.nan:
            return grad * float("nan")
        return 3 * grad * torch.where(grad < 0, x.detach() ** 2, x**2)


def test_second_derivatives_are_checked_with_the_gradients_that_are_given() -> None:
    x, ones = leaf(), leaf(1.0, 1.0)
    assert torch.autograd.gradgradcheck(Wrong.apply, x, ones)
    assert not torch.autograd.gradgradcheck(Wrong.apply, x, leaf(-1.0, -1.0), raise_exception=False)


def test_a_derivative_of_nan_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.autograd.gradcheck(Wrong.apply, leaf())
    monkeypatch.setattr(Wrong, "nan", True)
    assert not torch.autograd.gradcheck(Wrong.apply, leaf(), raise_exception=False)


def test_looking_for_nan_goes_on_after_an_inner_block() -> None:
    with torch.autograd.detect_anomaly():
        with torch.autograd.detect_anomaly():
            pass
        assert torch.is_anomaly_enabled()
        with torch.autograd.set_detect_anomaly(False):
            assert not torch.is_anomaly_enabled()
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()


def test_a_variable_is_another_tensor_than_its_data() -> None:
    data = torch.tensor([1.0])
    variable = torch.autograd.Variable(data, requires_grad=True)
    assert (variable.requires_grad, data.requires_grad, variable.data_ptr() == data.data_ptr()) == (True, False, True)


def test_switches_nest_and_are_put_back() -> None:
    def state() -> tuple[bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    @torch.set_grad_enabled(False)
    def quiet() -> tuple[bool, bool]:
        return state()

    assert (state(), quiet(), state()) == ((True, False), (False, False), (True, False))
    with torch.inference_mode():
        with torch.enable_grad():
            assert state() == (True, True)
        assert (state(), (torch.ones(1) * 2).is_inference()) == ((False, True), True)
        with torch.inference_mode(False):
            assert (state(), (torch.ones(1) * 2).is_inference()) == ((True, False), False)
        assert state() == (False, True)
    with torch.no_grad(), torch.inference_mode(False):
        assert state() == (True, False)
    assert state() == (True, False)


def test_a_generator_without_gradients_takes_what_is_sent_and_thrown() -> None:
    seen: list[Any] = []

    @torch.no_grad()
    def talking() -> Any:
        try:
            seen.append((yield torch.is_grad_enabled()))
            try:
                yield "second"
            except KeyError:
                seen.append(torch.is_grad_enabled())
                yield "caught"
            return "end"
        finally:
            seen.append(("closed", torch.is_grad_enabled()))

    one = talking()
    assert (next(one), torch.is_grad_enabled(), one.send(5), one.throw(KeyError())) == (False, True, "second", "caught")
    with pytest.raises(StopIteration, match="end"):
        next(one)
    two = talking()
    next(two)
    two.close()
    assert seen == [5, False, ("closed", False), ("closed", False)]
    assert torch.is_grad_enabled()


# Whole matrices: what strict refuses, as PyTorch does. ----------------------------------------------------------------


def line(x: Any) -> Any:
    return (3 * x).sum()


def square(x: Any) -> Any:
    return (x**2).sum()


def cube(x: Any) -> Any:
    return (x**3).sum()


def calls(function: Any, create: bool) -> dict[str, Any]:
    v, x, how = torch.ones(2, dtype=torch.float64), leaf().detach(), {"strict": True, "create_graph": create}
    return {
        "jacobian": lambda: functional.jacobian(function, x, **how),
        "vjp": lambda: functional.vjp(function, x, **how),
        "jvp": lambda: functional.jvp(function, x, v, **how),
        "hessian": lambda: functional.hessian(function, x, **how),
        "vhp": lambda: functional.vhp(function, x, v, **how),
        "hvp": lambda: functional.hvp(function, x, v, **how),
    }


@pytest.mark.parametrize(
    ("function", "create", "refused"),
    [
        (line, False, ["hessian", "vhp", "hvp"]),
        (line, True, ["jacobian", "vjp", "jvp", "hessian", "vhp", "hvp"]),
        (square, False, []),
        (square, True, []),
        (cube, True, []),
    ],
)
def test_strict_refuses_what_is_constant_and_is_to_be_differentiated(
    function: Any, create: bool, refused: list[str]
) -> None:
    for name, call in calls(function, create).items():
        if name in refused:
            with pytest.raises(RuntimeError, match="not allowed in strict mode"):
                call()
        else:
            call()


def test_a_constant_has_zeros_where_nobody_is_strict() -> None:
    assert functional.hessian(line, leaf()).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(RuntimeError, match="with respect to input 1 is independent"):
        functional.hessian(lambda x, y: square(x) + line(y), (leaf(), leaf()), strict=True)


def test_matrices_with_a_history_lead_back_to_what_was_given() -> None:
    x = leaf()
    functional.jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [12.0, 18.0]
