"""torch.nn.utils.prune: weights that are set to zero and stay there.

Of a pruned parameter `weight`, the module keeps the values as the parameter `weight_orig` and what is left of them as
the buffer `weight_mask`, and computes weight = weight_orig * weight_mask before each call.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError, CaptureError, IndexRangeError
from fanin.nn.utils.convert_parameters import parameters_to_vector
from fanin.tensor import no_grad
from fanin.tensor.base import known
from fanin.tensor.functions.creation import ones_like, zeros_like
from fanin.tensor.functions.norms import norm
from fanin.tensor.functions.ordering import kthvalue, topk
from fanin.tensor.functions.sampling import rand, rand_like


class BasePruningMethod(ABC):
    """A way to prune, and the hook that does it: a subclass says in `compute_mask` which entries to drop.

    PRUNING_TYPE says what `compute_mask` is given when a tensor is pruned again: only the entries that are left
    ("unstructured"), only the slices along `dim` in which one is left ("structured"), or the whole tensor ("global").
    """

    PRUNING_TYPE: str
    _tensor_name: str

    def __call__(self, module: Any, inputs: Any) -> None:
        """Compute the pruned tensor, before the module is called."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask with more zeros.

        t:            how important each entry is; unless others are given, its value.
        default_mask: zeros where a tensor was pruned before, ones elsewhere.
        """

    def apply_mask(self, module: Any) -> Any:
        """Return the values times the mask."""
        values, mask = getattr(module, f"{self._tensor_name}_orig"), getattr(module, f"{self._tensor_name}_mask")
        return mask.to(dtype=values.dtype) * values

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune a parameter of a module, once more where it was pruned before, and return the hook.

        args, kwargs: what the method is made with.
        """
        before = _hook_of(module, name)
        values = _current(module, name)
        scores = values if importance_scores is None else importance_scores
        if scores.shape != values.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}: "
                f"{list(values.shape)}, got {list(scores.shape)}"
            )
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        if before is None:
            mask = method.compute_mask(scores, default_mask=ones_like(values).detach())
            _keep_values(module, name, values)
        else:
            method = _joined(before[1], method)
            mask = method.compute_mask(scores, default_mask=getattr(module, f"{name}_mask").detach().clone())
            del module._forward_pre_hooks[before[0]]
        module.register_buffer(f"{name}_mask", mask)
        method(module, None)
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """Return a pruned tensor, without a module."""
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(t if importance_scores is None else importance_scores, default_mask=mask)

    def remove(self, module: Any) -> None:
        """Make the pruned tensor an ordinary parameter; what was dropped is lost."""
        name = self._tensor_name
        pruned, values = self.apply_mask(module), module._parameters[f"{name}_orig"]
        delattr(module, name)
        values.data = pruned.data
        del module._parameters[f"{name}_orig"], module._buffers[f"{name}_mask"]
        setattr(module, name, values)


def _hook_of(module: Any, name: str) -> tuple[int, BasePruningMethod] | None:
    """Return the key and the hook that prunes a parameter; None where nothing does."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


def _current(module: Any, name: str) -> Any:
    """Return a parameter as the latest call left it; computed anew where that call was one of a compiled step."""
    found = _hook_of(module, name)
    try:
        known(getattr(module, name)._array)
    except CaptureError:
        if found is None:
            raise
        found[1](module, None)
    return getattr(module, name)


def _keep_values(module: Any, name: str, values: Any) -> None:
    module.register_parameter(f"{name}_orig", values)
    del module._parameters[name]


def _joined(before: BasePruningMethod, method: BasePruningMethod) -> PruningContainer:
    container = before if isinstance(before, PruningContainer) else PruningContainer(before)
    container.add_pruning_method(method)
    return container


class PruningContainer(BasePruningMethod):
    """Ways to prune one tensor, one after the other; each prunes what those before it left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if args and not isinstance(args[0], BasePruningMethod):
            args = tuple(args[0])
        for method in args:
            if not self._pruning_methods:
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add another way to prune the same tensor."""
        if not isinstance(method, BasePruningMethod):
            raise ArgumentTypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ArgumentError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask with the zeros that the latest method adds to it."""
        method: Any = self._pruning_methods[-1]
        mask = default_mask.clone().to(dtype=t.dtype)
        left = _left(method, mask)
        mask[left] = method.compute_mask(t[left], default_mask=mask[left]).to(mask.dtype)
        return mask


def _left(method: Any, mask: Any) -> Any:
    """Return the index of that part of a pruned tensor that a method is to look at."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    whole: list[Any] = [slice(None)] * mask.dim()
    if method.PRUNING_TYPE == "structured":
        whole[method.dim] = mask.sum(dim=_others(mask, method.dim)) != 0
    elif method.PRUNING_TYPE != "global":
        raise ArgumentError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    return tuple(whole)


def _others(t: Any, dim: int) -> list[int]:
    return [d for d in range(t.dim()) if d != dim % t.dim()]


class Identity(BasePruningMethod):
    """Drops nothing, but makes the parameter one that is pruned.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> prune.Identity().prune(torch.tensor([1.0, -2.0]))
    tensor([ 1., -2.])
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask."""
        return default_mask


class _ByAmount(BasePruningMethod):
    """Drops an amount: so many entries or slices, an int, or that share of them, a float."""

    amount: int | float

    def __init__(self, amount: Any) -> None:
        whole = isinstance(amount, int)
        if not whole and not isinstance(amount, float):
            raise ArgumentTypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (not whole and amount > 1.0):
            raise ArgumentError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer"
            )
        self.amount = amount

    def _count(self, size: int) -> int:
        if not isinstance(self.amount, int):
            return round(self.amount * size)
        if self.amount > size:
            raise ArgumentError(f"amount={self.amount} should be smaller than the number of parameters to prune={size}")
        return self.amount


class RandomUnstructured(_ByAmount):
    """Drops entries at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask with more zeros."""
        count = self._count(t.nelement())
        return default_mask if not count else _without(default_mask, topk(rand_like(t).view(-1), count))


class L1Unstructured(_ByAmount):
    """Drops the entries of smallest magnitude.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> prune.L1Unstructured(amount=1).prune(torch.tensor([1.0, -0.5, 2.0]))
    tensor([1., -0., 2.])
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask with more zeros."""
        count = self._count(t.nelement())
        return default_mask if not count else _without(default_mask, topk(t.abs().view(-1), count, largest=False))


def _without(mask: Any, found: Any) -> Any:
    result = mask.clone()
    result.view(-1)[found.indices] = 0
    return result


class _Structured(_ByAmount):
    """Drops whole slices along dim."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask with more slices of zeros."""
        if t.dim() <= 1:
            raise ArgumentError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.dim()} dims"
            )
        if not -t.dim() <= self.dim < t.dim():
            raise IndexRangeError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = self._count(t.shape[self.dim])
        if not count:
            return default_mask
        mask, whole = zeros_like(t).detach(), [slice(None)] * t.dim()
        whole[self.dim] = self._kept(t, count)
        mask[tuple(whole)] = 1
        return mask * default_mask.to(dtype=mask.dtype)

    def _kept(self, t: Any, count: int) -> Any:
        raise NotImplementedError


class RandomStructured(_Structured):
    """Drops slices at random."""

    def _kept(self, t: Any, count: int) -> Any:
        chances = rand(t.shape[self.dim])
        return chances > kthvalue(chances, count).values


class LnStructured(_Structured):
    """Drops the slices of smallest n-norm."""

    def __init__(self, amount: Any, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Any, count: int) -> Any:
        lengths = norm(t, p=self.n, dim=_others(t, self.dim))
        return topk(lengths, t.shape[self.dim] - count).indices


class CustomFromMask(BasePruningMethod):
    """Drops what a mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """Return default_mask times the mask."""
        return default_mask * self.mask.to(dtype=default_mask.dtype)


# Functions ------------------------------------------------------------------------------------------------------------


def identity(module: Any, name: str) -> Any:
    """Make a parameter one that is pruned, though nothing is dropped yet, and return the module.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> prune.identity(torch.nn.Linear(2, 1), "weight").weight_mask
    tensor([[1., 1.]])
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: Any) -> Any:
    """Drop entries of a parameter at random, and return the module.

    amount: how many, an int, or which share, a float, of those left.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> prune.random_unstructured(torch.nn.Linear(4, 1), "weight", amount=1).weight_mask.sum()
    tensor(3.)
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Any, name: str, amount: Any, importance_scores: Any = None) -> Any:
    """Drop the entries of a parameter that are smallest in magnitude, or in importance, and return the module.

    amount: how many, an int, or which share, a float, of those left.

    Raises ValueError for an amount outside its domain, TypeError for one that is no number.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.prune.l1_unstructured(torch.nn.Linear(4, 2), "weight", amount=0.25)
    >>> (layer.weight == 0).sum(), [name for name, _ in layer.named_parameters()]
    (tensor(2), ['bias', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Any, name: str, amount: Any, dim: int) -> Any:
    """Drop slices of a parameter along dim at random, and return the module.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> prune.random_structured(torch.nn.Linear(4, 3), "weight", amount=1, dim=0).weight_mask.sum()
    tensor(8.)
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Any, name: str, amount: Any, n: Any, dim: int, importance_scores: Any = None) -> Any:
    """Drop the slices of a parameter along dim whose n-norm is smallest, and return the module.

    amount: how many, an int, or which share, a float, of those left.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.prune.ln_structured(torch.nn.Linear(4, 3), "weight", amount=1, n=2, dim=0)
    >>> layer.weight_mask.sum(1).sort().values
    tensor([0., 4., 4.])
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Drop the entries of a parameter where a mask is 0, and return the module.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> layer = prune.custom_from_mask(torch.nn.Linear(2, 1), "weight", mask=torch.tensor([[0.0, 1.0]]))
    >>> layer.weight[0, 0] == 0
    tensor(True)
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune parameters together: what is dropped is compared across all of them.

    parameters:        pairs of a module and a parameter's name.
    pruning_method:    a class of type "unstructured", such as L1Unstructured.
    importance_scores: {(module, name): tensor}, for those that are not to be compared by their values.
    kwargs:            what the method is made with, such as amount.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> a, b = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    >>> prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=3)
    >>> a.weight_mask.sum() + b.weight_mask.sum()
    tensor(1.)
    """
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise ArgumentTypeError("global_unstructured(): importance_scores must be of type dict")
    pairs = list(parameters)
    container, method = PruningContainer(), pruning_method(**kwargs)
    container._tensor_name = method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise ArgumentTypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    container.add_pruning_method(method)
    values = [_current(module, name) for module, name in pairs]
    together = parameters_to_vector([scores.get(pair, value) for pair, value in zip(pairs, values, strict=True)])
    masks = [getattr(module, f"{name}_mask", ones_like(getattr(module, name))) for module, name in pairs]
    with no_grad():
        mask = container.compute_mask(together, parameters_to_vector(masks))
    pieces = mask.split([math.prod(value.shape) for value in values])
    for (module, name), value, piece in zip(pairs, values, pieces, strict=True):
        custom_from_mask(module, name, mask=piece.view(value.shape))


def remove(module: Any, name: str) -> Any:
    """Make a pruned parameter an ordinary one, with zeros where it was pruned, and return the module.

    Raises ValueError where it is not pruned.

    >>> import fanin as torch
    >>> from fanin.nn.utils import prune
    >>> layer = prune.l1_unstructured(torch.nn.Linear(2, 1), "weight", amount=1)
    >>> prune.is_pruned(layer), prune.is_pruned(prune.remove(layer, "weight"))
    (True, False)
    """
    found = _hook_of(module, name)
    if found is None:
        raise ArgumentError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    found[1].remove(module)
    del module._forward_pre_hooks[found[0]]
    return module


def is_pruned(module: Any) -> bool:
    """Say whether a parameter of a module, or of one within it, is pruned.

    >>> import fanin as torch
    >>> torch.nn.utils.prune.is_pruned(torch.nn.Linear(2, 2))
    False
    """
    hooks = (hook for each in module.modules() for hook in each._forward_pre_hooks.values())
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)


__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]
