"""The base of all optimisers: what they are given, what they keep, and how a rule's two parts become a step."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from fanin._core.errors import OperationError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.optim import hooks
from fanin.optim.engine import differentiable
from fanin.optim.engine.memory import Scalar, Shaped, Start
from fanin.optim.engine.plan import Plan
from fanin.optim.groups import Params, complete, listed, required
from fanin.optim.hooks import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from fanin.optim.mistakes import check_symmetry, note_step
from fanin.optim.saving import packed, unpacked
from fanin.tensor.base import Changes
from fanin.tensor.grad_mode import enable_grad, mode, no_grad
from fanin.tensor.hooks import RemovableHandle
from fanin.tensor.in_place import zero_gradient

__all__ = [
    "Optimizer",
    "Scalar",
    "Shaped",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]

_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class Optimizer:
    r"""Base of the optimisers.

    A rule has two parts, and says what it remembers:

    - `init(group)` names the state of a parameter and how it starts: a number for an array of the parameter's shape
      that is filled with it, a `Scalar` for one number, a `Shaped` for an array of another shape. A state called
      `"step"` counts the steps by itself.
    - `hyper(group, step)` computes the scalars of step number `step` (1, 2, ...) on the host, in double precision. An
      entry that is True or False is a flag: `update` may branch on it.
    - `update(param, grad, state, hyper)` returns the new parameter and the new state, :math:`\theta_t, s_t`, from
      :math:`\theta_{t-1}, g_t, s_{t-1}`. It is pure, and written in operators and the functions of `fanin.ops`. What
      it does not return of the state stays. The sign of the gradient is turned before, where a group says `maximize`.

    `step()` runs an elementwise update on many parameters at once and a piece of memory at a time; any other one it
    calls on each parameter.

    Args:
        params: parameters, (name, parameter) pairs, or dictionaries `{"params": ..., option: value}` that each make a
            group with options of its own
        defaults: the options of groups that do not say otherwise

    Attributes:
        param_groups: list of the groups, each a dictionary with the list `"params"` and the options
        state: for each parameter a dictionary of its state
        defaults: as given

    Raises:
        TypeError: a tensor instead of a list of them, a set, or something that is no tensor among the parameters
        ValueError: no parameters, a parameter that is a result of operations, or in two groups

    >>> import fanin as torch
    >>> from fanin.ops.elementwise import sign
    >>> class SignDescent(torch.optim.Optimizer):
    ...     def __init__(self, params, lr=0.5):
    ...         super().__init__(params, {"lr": lr})
    ...     def hyper(self, group, step):
    ...         return {"lr": group["lr"] / step}
    ...     def update(self, param, grad, state, hyper):
    ...         return param - hyper["lr"] * sign(grad), {}
    >>> w = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignDescent([w])
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w ** 2).sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([ 0.2500, -1.2500], requires_grad=True)
    """

    defaults: dict[str, Any]
    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, dict[str, Any]]

    _step_count: int = 0
    # Whether updates are written down as programs; without, each is called on every parameter's arrays.
    _traced: bool = True

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._prepare()
        groups = listed(params)
        self.state = defaultdict(dict)
        self.param_groups = []
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a step that a subclass brings run the hooks, and be counted, as the one here does."""
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    def _prepare(self) -> None:
        """Set what is neither options nor state."""
        for name in _HOOKS:
            if name not in self.__dict__:
                setattr(self, name, OrderedDict())
        Changes.count += 1
        self._plans: dict[int, Plan] = {}
        self._programs: dict[Any, Any] = {}

    # The rule -----------------------------------------------------------------------------------------------------

    def init(self, group: dict[str, Any]) -> dict[str, Start]:
        """Return the names of a parameter's state, and how each starts."""
        return {}

    def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """Return the scalars and flags of one step."""
        return {}

    def update(self, param: Any, grad: Any, state: dict[str, Any], hyper: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and the new state."""
        raise NotImplementedError(f"{type(self).__name__} defines neither `update` nor `step`")

    # Steps --------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss, calls backward, and returns the loss

        Returns what the closure returned, None without one.
        """
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or hooks.global_before
            or hooks.global_after
        ):
            return _with_hooks(Optimizer._step, self, (self,) if closure is None else (self, closure), {})
        return self._step(closure)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if mode.capture is not None:
            return mode.capture.optimizer_step(self, closure)
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if not self._step_count:
            check_symmetry([p for group in self.param_groups for p in group["params"]])
        token = begin_silence(SILENT)
        try:
            for index, group in enumerate(self.param_groups):
                plan = self._plans.get(index)
                if plan is None or group.get("differentiable") or not plan.step(self, group):
                    self._step_anew(index, group)
        finally:
            end_silence(token)
        self._step_count += 1
        return loss

    def _step_anew(self, index: int, group: dict[str, Any]) -> None:
        """Take a step for which there is no plan, or none that fits any more."""
        if type(self).update is Optimizer.update:
            raise NotImplementedError(f"{type(self).__name__} defines neither `update` nor `step`")
        if group.get("differentiable"):
            note_step(group["params"])
            with enable_grad():
                differentiable.take_step(self, group)
            return
        with no_grad():
            plan = self._plans[index] = Plan(self, group, self._plans.get(index))
        plan.step(self, group)

    @property
    def _opt_called(self) -> bool:
        """Whether a step was taken."""
        return self._step_count > 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters.

        Args:
            set_to_none: let `.grad` be None; otherwise fill it with zeros, and every rule takes a step with them
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    zero_gradient(p._grad)

    # Groups -------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, for example of layers that are trained from now on.

        Args:
            param_group: a dictionary with "params" and the options in which the group differs from the defaults

        Raises:
            TypeError: not a dictionary, or a set or something that is no tensor in it
            ValueError: a parameter in two groups, or with a name while others have none
        """
        Changes.count += 1
        self.param_groups.append(complete(param_group, self.defaults, self.param_groups))

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            options = "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            text += f"\nParameter Group {i}\n{options}"
        return text + ")"

    # Saving -------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return `{"state": ..., "param_groups": ...}`, in which numbers stand for the parameters.

        The tensors are those of the optimiser: copy them to keep them as they are.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        saved = packed(self.param_groups, self.state)
        for hook in self._optimizer_state_dict_post_hooks.values():
            replaced = hook(self, saved)
            saved = saved if replaced is None else replaced
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of what `state_dict` returned, from fanin or from PyTorch.

        Args:
            state_dict: its groups must have as many parameters as the groups here; their order tells which is which

        Raises:
            ValueError: another number of groups, or of parameters in one
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        self.__setstate__(unpacked(state_dict, self.param_groups))
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()
        # What was saved before an option existed goes on with its default.
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    # Hooks --------------------------------------------------------------------------------------------------------

    _optimizer_step_pre_hooks: hooks.Hooks
    _optimizer_step_post_hooks: hooks.Hooks
    _optimizer_state_dict_pre_hooks: hooks.Hooks
    _optimizer_state_dict_post_hooks: hooks.Hooks
    _optimizer_load_state_dict_pre_hooks: hooks.Hooks
    _optimizer_load_state_dict_post_hooks: hooks.Hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step; it may return other arguments, (args, kwargs)."""
        return hooks.register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return hooks.register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer) before `state_dict`."""
        return hooks.register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer, state_dict) after `state_dict`; what it returns, if not None, is returned instead."""
        return hooks.register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer, state_dict) before loading; what it returns, if not None, is loaded instead."""
        return hooks.register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer) after loading."""
        return hooks.register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _with_hooks(step: Callable[..., Any], optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call step(*args, **kwargs) between the hooks; args begin with the optimiser."""
    # Wrappers such as Lookahead leave __init__ out, and have no hooks of their own.
    own = vars(optimizer).get
    for hook in (*hooks.global_before.values(), *own("_optimizer_step_pre_hooks", {}).values()):
        replaced = hook(optimizer, args, kwargs)
        if replaced is not None:
            if not (isinstance(replaced, tuple) and len(replaced) == 2):
                raise OperationError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got {replaced}."
                )
            args, kwargs = replaced
    result = step(*args, **kwargs)
    for hook in (*own("_optimizer_step_post_hooks", {}).values(), *hooks.global_after.values()):
        hook(optimizer, args, kwargs)
    return result


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a subclass's own step, run between the hooks and counted."""

    @functools.wraps(step)
    def counted(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if mode.capture is not None:
            return mode.capture.own_step(self, functools.partial(_with_hooks, step), args, kwargs)
        result = _with_hooks(step, self, (self, *args), kwargs)
        self._step_count += 1
        return result

    counted.hooked = True  # type: ignore[attr-defined]
    return counted
