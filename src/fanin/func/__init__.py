"""torch.func: derivatives of functions as functions, functions over batches, modules as functions of their parameters.

grad(f)(x), jacrev(f)(x), hessian(f)(x), vjp, jvp       derivatives, which nest
vmap(f)(x)                                              f for every row of x, stacked
functional_call(module, parameters, x)                  the module with other parameters
"""

from fanin._core.missing import refuse
from fanin.func.derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from fanin.func.functional_call import functional_call, stack_module_state
from fanin.func.vmap import vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]
__getattr__ = refuse("torch.func")
