"""Saving a module's state in a dictionary, and loading it again."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping
from typing import Any

from fanin._core.errors import ArgumentTypeError, OperationError, StateError
from fanin.nn.parameter import Parameter, is_lazy
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import no_grad
from fanin.tensor.hooks import RemovableHandle
from fanin.tensor.in_place import store

_EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` found missing, and what it did not know."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class Stateful:
    """The part of `Module` that saves and loads its state."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: dict[int, Callable[..., Any]]
    _state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: dict[int, Callable[..., Any]]
    _version: int

    def get_extra_state(self) -> Any:
        """Return what else should be saved under the key "_extra_state"; a module may override this."""
        raise OperationError(
            "Reached a code path in Module.get_extra_state() that should never be called: override it."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` returned; a module that overrides that one overrides this, too."""
        raise OperationError(
            "Reached a code path in Module.set_extra_state() that should never be called: override it."
        )

    def _has_extra_state(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Stateful, method)

    # Saving -----------------------------------------------------------------------------------------------------------

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Return an ordered dictionary of all parameters and persistent buffers by name.

        Args:
            destination: a dictionary to fill, instead of a new one.
            prefix: comes before every name.
            keep_vars: keep the parameters themselves, not detached tensors that share their memory.

        >>> import fanin as torch
        >>> list(torch.nn.Linear(3, 2).state_dict())
        ['weight', 'bias']
        """
        for name, value in zip(("destination", "prefix", "keep_vars"), args, strict=False):
            destination = value if name == "destination" and destination is None else destination
            prefix = value if name == "prefix" and not prefix else prefix
            keep_vars = value if name == "keep_vars" and not keep_vars else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return self._after_saving(destination, prefix, metadata)

    def _after_saving(self, destination: Any, prefix: str, metadata: dict[str, Any]) -> Any:
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, metadata)
            if not getattr(hook, "_from_public_api", False):
                destination = destination if result is None else result
            elif result is not None:
                raise OperationError("state_dict post-hook must return None")
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars or is_lazy(parameter) else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars or is_lazy(buffer) else buffer.detach()
        if self._has_extra_state("get_extra_state"):
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata) after `state_dict`, to change the dictionary."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return _register(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise OperationError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return _register(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, prefix, keep_vars) before `state_dict`."""
        return _register(self._state_dict_pre_hooks, hook)

    # Loading ----------------------------------------------------------------------------------------------------------

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy parameters and buffers from a dictionary that `state_dict` returned.

        Args:
            state_dict: values by name.
            strict: whether the names must be exactly this module's.
            assign: take the tensors of the dictionary themselves, with their dtype, instead of copying their values.

        Returns the missing and the unexpected keys, as a tuple with names.

        Raises RuntimeError that lists every missing and unexpected key (when strict) and every size that differs.

        >>> import fanin as torch
        >>> a, b = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        >>> b.load_state_dict(a.state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        held: Any = OrderedDict(state_dict)
        if metadata is not None:
            held._metadata = metadata
        loading = _Loading(metadata, assign)
        loading.load(self, held, "")
        if strict:
            loading.add_key_errors()
        if loading.errors:
            listed = "\n\t".join(loading.errors)
            raise StateError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        return _IncompatibleKeys(loading.missing, loading.unexpected)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        local = self._local_state()
        for name, held in local.items():
            key = prefix + name
            if key in state_dict:
                message = self._load_entry(name, key, held, state_dict[key], assign)
                error_msgs.extend([message] if message else [])
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(state_dict, prefix + _EXTRA_STATE, strict, missing_keys, unexpected_keys)
        if strict:
            unexpected_keys.extend(key for key in state_dict if self._is_unknown(key, prefix, local))

    def _local_state(self) -> dict[str, Any]:
        persistent = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
        return {name: held for name, held in {**self._parameters, **persistent}.items() if held is not None}

    def _load_extra_state(
        self, state_dict: Any, key: str, strict: bool, missing_keys: list[str], unexpected_keys: list[str]
    ) -> None:
        if self._has_extra_state("set_extra_state"):
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    def _is_unknown(self, key: str, prefix: str, local: dict[str, Any]) -> bool:
        if not key.startswith(prefix) or key == prefix + _EXTRA_STATE:
            return False
        head, dot, _ = key[len(prefix) :].partition(".")
        return head not in self._modules if dot else head not in local

    def _load_entry(self, name: str, key: str, held: Any, given: Any, assign: bool) -> str | None:
        """Copy one entry into a parameter or buffer; return what is wrong with it, if anything."""
        if not isinstance(given, TensorBase):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(given)}"
            )
        if not is_lazy(held):
            given, message = _fitted(key, held, given, assign)
            if message:
                return message
        elif is_lazy(given):
            return None
        elif not assign:
            held.materialize(given._array.shape)
        try:
            with no_grad():
                if assign:
                    setattr(self, name, _assigned(name, held, given))
                else:
                    store(held, given._array)
        except Exception as error:
            sizes = [None if is_lazy(t) else t.shape for t in (held, given)]
            action = "swapping" if assign else "copying"
            return (
                f'While {action} the parameter named "{key}", whose dimensions in the model are {sizes[0]} and whose '
                f"dimensions in the checkpoint are {sizes[1]}, an exception occurred : {error.args}."
            )
        return None

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors) before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return _register(self._load_state_dict_pre_hooks, _Bound(hook, self if with_module else None))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(module, incompatible_keys) after loading; it may change the lists of keys in place."""
        return _register(self._load_state_dict_post_hooks, hook)


class _Bound:
    """A hook with the module as its first argument; the module is found again after a copy or unpickling."""

    def __init__(self, hook: Callable[..., Any], module: Any) -> None:
        self.hook, self.module = hook, module

    def __call__(self, *args: Any) -> Any:
        return self.hook(*args) if self.module is None else self.hook(self.module, *args)


class _Loading:
    """One call of load_state_dict: what was missing, unexpected or wrong."""

    def __init__(self, metadata: Any, assign: bool) -> None:
        self.metadata, self.assign = metadata, assign
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []

    def load(self, module: Any, state_dict: Any, prefix: str) -> None:
        """Load a module and all below it."""
        local = {} if self.metadata is None else self.metadata.get(prefix[:-1], {})
        if self.assign:
            local["assign_to_params_buffers"] = True
        module._load_from_state_dict(state_dict, prefix, local, True, self.missing, self.unexpected, self.errors)
        for name, child in module._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                self.load(child, OrderedDict((k, v) for k, v in state_dict.items() if k.startswith(below)), below)
        keys = _IncompatibleKeys(self.missing, self.unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, keys) is not None:
                raise OperationError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                    "values, if incompatible_keys need to be modified, it should be done inplace."
                )

    def add_key_errors(self) -> None:
        """Turn missing and unexpected keys into errors, the missing ones first."""
        for kind, keys in (("Unexpected", self.unexpected), ("Missing", self.missing)):
            if keys:
                listed = ", ".join(f'"{key}"' for key in keys)
                self.errors.insert(0, f"{kind} key(s) in state_dict: {listed}. ")


def _fitted(key: str, held: Any, given: Any, assign: bool) -> tuple[Any, str | None]:
    if is_lazy(given):
        return given, str(given.shape)  # which raises, and says what to do
    # Scalars were once saved with one dimension.
    if not assign and held.dim() == 0 and given.dim() == 1:
        given = given[0]
    if given.shape != held.shape:
        return given, (
            f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
            f"the shape in current model is {held.shape}."
        )
    return given, None


def _assigned(name: str, held: Any, given: Any) -> Any:
    if not isinstance(held, Parameter):
        return given
    if not isinstance(given, Parameter):
        return Parameter(given, requires_grad=held.requires_grad)
    return given.requires_grad_(held.requires_grad)


def _register(hooks: dict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle
