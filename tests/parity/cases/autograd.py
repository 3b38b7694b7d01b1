"""Backward passes, hooks, functions of one's own, and derivatives as matrices."""

from __future__ import annotations

from functools import partial

from tests.parity.harness import DTYPES, case, message, raises, sample


def leaf(torch, *shape, dtype="float32", seed=0):
    """Return a leaf with known values that requires a gradient."""
    return sample(torch, *shape, dtype=dtype, seed=seed).requires_grad_()


@case(params=DTYPES)
def shared_use_adds_up(torch, dtype):
    w = leaf(torch, 3, 4, dtype=dtype)
    y = w * w + w.sum(0) * 2 + w[1]
    y.backward(torch.ones_like(y))
    return {"grad": w.grad, "leaf": w.is_leaf, "result": y.is_leaf}


@case
def gradients_add_up_over_calls(torch):
    w = leaf(torch, 3)
    for _ in range(3):
        (w * 2).sum().backward()
    first = w.grad.clone()
    w.grad = None
    (w * 3).sum().backward()
    second = w.grad
    del w.grad
    return {"first": first, "second": second, "deleted": w.grad is None}


@case
def freed_graph(torch):
    w = leaf(torch, 3)
    loss = (w * w).sum()
    loss.backward()
    second = raises(lambda: loss.backward())
    kept = (w * w).sum()
    kept.backward(retain_graph=True)
    kept.backward()
    plain = (w + 1).sum()
    plain.backward()
    plain.backward()
    return {"second": second, "grad": w.grad}


@case
def wrong_roots(torch):
    w = leaf(torch, 3)
    return {
        "not scalar": raises(lambda: (w * 2).backward()),
        "no graph": raises(lambda: torch.ones(1).backward()),
        "shape": raises(lambda: (w * 2).backward(torch.ones(2))),
        "unused": raises(lambda: torch.autograd.grad(w.sum(), leaf(torch, 2))),
        "integer": raises(lambda: torch.tensor([1, 2], requires_grad=True)),
        "numpy": raises(lambda: w.numpy()),
        "no requires": raises(lambda: torch.autograd.grad(w.sum(), torch.ones(3))),
        "assigned": raises(lambda: setattr(w, "grad", torch.ones(2))),
        "flag of a result": raises(lambda: setattr(w * 2, "requires_grad", False)),
        "hook": raises(lambda: torch.ones(2).register_hook(print)),
        "retain": raises(lambda: torch.ones(2).retain_grad()),
    }


@case(params=DTYPES)
def higher_derivatives(torch, dtype):
    x = leaf(torch, 4, dtype=dtype)
    y = (x**4).sum() + torch.exp(x).sum()
    (first,) = torch.autograd.grad(y, x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    return [first, second, third, first.requires_grad, third.requires_grad]


@case
def unused_and_materialized(torch):
    a, b = leaf(torch, 2), leaf(torch, 3)
    loss = a.sum()
    none = torch.autograd.grad(loss, (a, b), allow_unused=True, retain_graph=True)
    zeros = torch.autograd.grad(loss, (a, b), materialize_grads=True)
    return {"none": none[1] is None, "zeros": zeros[1]}


@case
def gradients_of_rows(torch):
    x, unused = leaf(torch, 3), leaf(torch, 2)
    y = x**2 * x.sum()
    grad, rows = torch.autograd.grad, torch.eye(3)
    batched = {"is_grads_batched": True, "retain_graph": True}
    both = grad((y, y.sum()), (x,), (rows, torch.tensor([1.0, 0.0, 2.0])), **batched)
    second = grad(y, x, rows, is_grads_batched=True, create_graph=True)[0]
    none = grad(y, (x, unused), rows[:2], allow_unused=True, **batched)
    wrong = {
        "columns": lambda: grad(y, x, torch.ones(2, 2), **batched),
        "vector": lambda: grad(y, x, torch.ones(3), **batched),
        "nothing given": lambda: grad(y, x, **batched),
        "unused": lambda: grad(y, unused, rows, **batched),
    }
    return {
        "jacobian": grad(y, x, rows, **batched),
        "two outputs": both,
        "again": grad((second**2).sum(), x, retain_graph=True),
        "unused": [none[0], none[1] is None],
        "last": grad(y, x, rows, is_grads_batched=True),
        "freed": raises(lambda: y.sum().backward()),
        "errors": {name: raises(call) for name, call in wrong.items()},
    }


@case
def gradient_of_a_result(torch):
    w = leaf(torch, 3)
    h = w * 2
    h.retain_grad()
    (g,) = torch.autograd.grad((h * h).sum(), h, retain_graph=True)
    (h * h).sum().backward()
    return {"grad": g, "retained": h.grad, "flag": h.retains_grad, "w": w.grad}


@case
def backward_to_chosen_inputs(torch):
    a, b = leaf(torch, 2), leaf(torch, 2, seed=1)
    (a * b).sum().backward(inputs=[a])
    return {"a": a.grad, "b": b.grad is None}


@case
def modes(torch):
    w = leaf(torch, 2)
    flags = []
    with torch.no_grad():
        flags.append((w * 2).requires_grad)
        with torch.enable_grad():
            flags.append((w * 2).requires_grad)
        flags.append(torch.is_grad_enabled())
    with torch.set_grad_enabled(False):
        flags.append((w * 2).requires_grad)
    with torch.inference_mode():
        flags += [(w * 2).requires_grad, torch.is_inference_mode_enabled()]

    @torch.no_grad()
    def decorated():
        return (w * 2).requires_grad

    flags.append(decorated())
    torch.set_grad_enabled(False)
    flags.append(torch.is_grad_enabled())
    torch.set_grad_enabled(True)
    return [*flags, torch.is_grad_enabled(), (w * 2).requires_grad]


# Hooks ----------------------------------------------------------------------------------------------------------------


@case
def hooks(torch):
    w = leaf(torch, 3)
    seen = []
    handle = w.register_hook(lambda g: seen.append(g.clone()))
    h = w * 2
    h.register_hook(lambda g: g * 10)
    w.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    h.sum().backward()
    handle.remove()
    (w * 2).sum().backward()
    return {"seen": seen, "grad": w.grad}


# Functions of one's own -----------------------------------------------------------------------------------------------


def make_functions(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * grad

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b, scale):
            out = a.exp() * scale
            ctx.scale = scale
            ctx.save_for_backward(out, b)
            return out, a * b

        @staticmethod
        def backward(ctx, g, h):
            out, b = ctx.saved_tensors
            needed = ctx.needs_input_grad
            return g * out + h * b if needed[0] else None, h * (out / ctx.scale).log() if needed[1] else None, None

    class WithContext(torch.autograd.Function):
        @staticmethod
        def forward(x, power):
            return x**power

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.power = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * ctx.power * x ** (ctx.power - 1), None

    return Cube, Both, WithContext


@case(params=DTYPES)
def functions_of_ones_own(torch, dtype):
    Cube, Both, WithContext = make_functions(torch)
    x, b = leaf(torch, 3, dtype=dtype), leaf(torch, 3, dtype=dtype, seed=1)
    y = Cube.apply(x)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    out, product = Both.apply(x, b, 2.0)
    (out * 3 + product).sum().backward()
    one_used = leaf(torch, 3, dtype=dtype, seed=2)
    Both.apply(one_used, b.detach(), 2.0)[1].sum().backward()
    z = leaf(torch, 3, dtype=dtype, seed=3)
    WithContext.apply(z, 3).sum().backward()
    return [y, first, second, x.grad, b.grad, one_used.grad, z.grad, str(y.grad_fn).split(" ")[0]]


@case
def function_mistakes(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, grad):
            return grad

    w = leaf(torch, 2)
    return {
        "count": raises(lambda: Wrong.apply(w, w).sum().backward()),
        "call": raises(lambda: Wrong()(w, w)),
        "no forward": raises(lambda: torch.autograd.Function.apply(w)),
    }


@case
def function_gradients(torch):
    """Return gradients that broadcast the shape of their input, which are summed, and what others are told."""

    def through(grad, shape, result_of_operation):
        class Given(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, _):
                return grad

        x = torch.ones(shape, requires_grad=True)
        Given.apply(x * 1 if result_of_operation else x).sum().backward()
        return x.grad

    found = []
    for of_operation in (False, True):
        broader = [((3,), (4, 3)), ((3,), (1, 3)), ((3, 1), (2, 3, 2)), ((), (2,))]
        found += [through(sample(torch, *given), shape, of_operation) for shape, given in broader]
        wrong = [torch.ones(4), torch.ones(1), torch.tensor(1.0), torch.ones(3, 4), 3.0]
        found += [message(partial(through, grad, (3,), of_operation), RuntimeError) for grad in wrong]

    class Expanded(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return (grad * x).expand(4, *x.shape)

    x = leaf(torch, 3)
    (first,) = torch.autograd.grad(Expanded.apply(x).sum(), x, create_graph=True)
    return [*found, first, torch.autograd.grad(first.sum(), x)[0]]


# Checks and matrices --------------------------------------------------------------------------------------------------


@case
def checks(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2.1

    x = leaf(torch, 2, 3, dtype="float64")
    w = leaf(torch, 3, 2, dtype="float64", seed=1)
    function = lambda x, w: torch.tanh(x @ w).exp()  # noqa: E731
    return {
        "right": torch.autograd.gradcheck(function, (x, w)),
        "second": torch.autograd.gradgradcheck(function, (x, w)),
        "wrong": raises(lambda: torch.autograd.gradcheck(Wrong.apply, (x,))),
        "wrong, asked": torch.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False),
        "nothing to check": raises(lambda: torch.autograd.gradcheck(function, (x.detach(), w.detach()))),
    }


@case
def matrices(torch):
    functional = torch.autograd.functional
    x, v = sample(torch, 3, dtype="float64"), sample(torch, 3, dtype="float64", seed=1)
    z = sample(torch, 2, dtype="float64", seed=2)
    cubes = lambda x: (x**3).sum()  # noqa: E731
    outer = lambda x, z: x.unsqueeze(1) * z.exp()  # noqa: E731
    return {
        "jacobian": functional.jacobian(lambda x: x.exp().unsqueeze(0) * x.sum(), x),
        "jacobian of two": functional.jacobian(outer, (x, z)),
        "several outputs": functional.jacobian(lambda x: (x * 2, x.sum()), x),
        "hessian": functional.hessian(cubes, x),
        "hessian of two": functional.hessian(lambda x, z: (outer(x, z) ** 2).sum(), (x, z)),
        "vjp": functional.vjp(lambda x: x**2, x, v),
        "jvp": functional.jvp(lambda x: x**2, x, v),
        "vhp": functional.vhp(cubes, x, v),
        "hvp": functional.hvp(cubes, x, v),
        "linear jvp": functional.jvp(lambda x: x * 2, x, v),
        "linear hessian": functional.hessian(lambda x: x.sum(), x),
        "not scalar": raises(lambda: functional.hessian(lambda x: x * 2, x)),
    }


@case
def anomaly(torch):
    x = torch.zeros(1, requires_grad=True)

    def run():
        with torch.autograd.detect_anomaly(check_nan=True):
            (x.sqrt() * 0).backward()

    return raises(run)


@case
def copies(torch):
    import copy

    w = leaf(torch, 2)
    (w * 2).sum().backward()
    again = copy.deepcopy(w)
    return {
        "values": again,
        "grad": again.grad,
        "flag": again.requires_grad,
        "of a result": raises(lambda: copy.deepcopy(w * 2)),
    }


@case
def only_what_is_read_must_stay(torch):
    w, v = leaf(torch, 3, 3), leaf(torch, 3, 3, seed=1)
    data = sample(torch, 2, 3, seed=2)

    def changed(make, change):
        def run():
            a = w * 1
            b = v * 1
            y = make(a, b)
            change(a, b)
            y.sum().backward()

        return raises(run)

    first, second = (lambda a, b: a.add_(1)), (lambda a, b: b.add_(1))
    linear = torch.nn.functional.linear

    def weight_of_data():
        y = linear(data, w)
        with torch.no_grad():
            w.add_(1)
        y.sum().backward()

    return {
        "times a number": changed(lambda a, b: a * 2, first),
        "by a number": changed(lambda a, b: a / 2, first),
        "a number by": changed(lambda a, b: 2 / a, first),
        "times data": changed(lambda a, b: a * data[0], first),
        "product, first": changed(lambda a, b: a * b, first),
        "product, second": changed(lambda a, b: a * b, second),
        "quotient, first": changed(lambda a, b: a / b, first),
        "quotient, second": changed(lambda a, b: a / b, second),
        "quotient by data": changed(lambda a, b: a / data[0], first),
        "matrices, first": changed(lambda a, b: a @ b, first),
        "matrices with data": changed(lambda a, b: data @ a, first),
        "layer, weight": changed(lambda a, b: linear(a, b), second),
        "layer, input": changed(lambda a, b: linear(a, b), first),
        "weight of data": raises(weight_of_data),
    }


@case
def tensors_of_inference_mode(torch):
    normal, w = torch.ones(2), leaf(torch, 2)
    with torch.inference_mode():
        made = [torch.ones(2), torch.tensor([1.0]), torch.rand(2), torch.arange(2), torch.zeros_like(w), w * 2]
        made += [normal[:1], normal.view(2, 1), normal.detach(), made[0][:1], made[0].detach(), made[0].clone()]
        made += [torch.nn.Linear(1, 1).weight, torch.stack([normal, normal])]
        inside = made[0].add_(1)
        flags = [x.is_inference() for x in made]
    again = inside.clone()
    words = [
        message(lambda: (w * inside).sum().backward(), RuntimeError),
        message(lambda: inside.add_(1), RuntimeError),
        message(lambda: inside.requires_grad_(), RuntimeError),
        message(lambda: made[9].mul_(2), RuntimeError),
    ]
    # PyTorch changes a tensor before it refuses to: what inside holds now is left out.
    return [flags, words, (w + inside).requires_grad, again.is_inference(), (w * again).sum(), normal.add_(1)]
