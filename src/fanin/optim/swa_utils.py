"""Averages of a model's weights over training, under the names of `torch.optim.swa_utils`.

The average of the weights of the last epochs, or a moving average over all steps, lies in a flatter place than the
last weights and often predicts better. The pieces: `AveragedModel` holds the average, `SWALR` sets the constant rate
while it is taken, `update_bn` makes the batch statistics fit the averaged weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING, Any

from fanin._core.errors import ArgumentConflictError, ArgumentError
from fanin.nn.batch_normalisation import _BatchNorm
from fanin.nn.module import Module
from fanin.optim.lr_scheduler import LRScheduler
from fanin.optim.lr_scheduler.groups import Rate, one_for_each_group
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.arithmetic import where
from fanin.tensor.functions.data import tensor
from fanin.tensor.grad_mode import mode, no_grad

if TYPE_CHECKING:
    from fanin.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

# From the average, the new value and how many were averaged so far, to the new average.
AverageFunction = Callable[[Any, Any, Any], Any]
# The same for lists of tensors, written into the averages.
MultiAverageFunction = Callable[[Sequence[Any], Sequence[Any], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> AverageFunction:
    r"""Return the step of a moving average, for one tensor.

    .. math:: \bar\theta \leftarrow d\, \bar\theta + (1 - d)\, \theta

    Args:
        decay: how much of the average is kept, d in [0, 1]

    Raises:
        ValueError: `decay` outside [0, 1]

    >>> import fanin as torch
    >>> average = torch.optim.swa_utils.get_ema_avg_fn(0.75)
    >>> average(torch.tensor(1.0), torch.tensor(2.0), 1)
    tensor(1.2500)
    """
    _check_decay(decay)

    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverageFunction:
    r"""Return the step of a moving average, for lists of tensors, in place.

    .. math:: \bar\theta \leftarrow \bar\theta + (1 - d) (\theta - \bar\theta)

    Args:
        decay: how much of the average is kept, d in [0, 1]

    Raises:
        ValueError: `decay` outside [0, 1]

    >>> import fanin as torch
    >>> averages = [torch.tensor([1.0])]
    >>> torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)(averages, [torch.tensor([2.0])], 1)
    >>> averages
    [tensor([1.2500])]
    """
    _check_decay(decay)

    def ema_update(ema_param_list: Sequence[Any], current_param_list: Sequence[Any], num_averaged: Any) -> None:
        _move_towards(ema_param_list, current_param_list, 1 - decay)

    return ema_update


def get_swa_avg_fn() -> AverageFunction:
    r"""Return the step of the equal average of all values so far, for one tensor.

    .. math:: \bar\theta \leftarrow \bar\theta + \frac{\theta - \bar\theta}{n + 1}

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", arXiv 1803.05407.

    >>> import fanin as torch
    >>> torch.optim.swa_utils.get_swa_avg_fn()(torch.tensor(1.0), torch.tensor(4.0), 2)
    tensor(2.)
    """

    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_swa_multi_avg_fn() -> MultiAverageFunction:
    r"""Return the step of the equal average of all values so far, for lists of tensors, in place.

    .. math:: \bar\theta \leftarrow \bar\theta + \frac{\theta - \bar\theta}{n + 1}

    >>> import fanin as torch
    >>> averages = [torch.tensor([1.0])]
    >>> torch.optim.swa_utils.get_swa_multi_avg_fn()(averages, [torch.tensor([4.0])], 2)
    >>> averages
    [tensor([2.])]
    """

    def swa_update(averaged_param_list: Sequence[Any], current_param_list: Sequence[Any], num_averaged: Any) -> None:
        symbolic = mode.capture is not None and isinstance(num_averaged, TensorBase)
        count = num_averaged.double() if symbolic else int(num_averaged)
        _move_towards(averaged_param_list, current_param_list, 1.0 / (count + 1))

    return swa_update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ArgumentError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _move_towards(averages: Sequence[Any], values: Sequence[Any], weight: Any) -> None:
    """Write average + weight * (value - average) into each average; whole numbers are cut off."""
    with no_grad():
        for average, value in zip(averages, values, strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(value, weight if isinstance(weight, float) else weight.to(average.dtype))
            else:
                average.copy_(average * (1 - weight) + value * weight)


class AveragedModel(Module):
    r"""A copy of a model whose parameters are the average of the model's over calls of `update_parameters`.

    .. math:: \bar\theta_{n+1} = \mathrm{avg}(\bar\theta_n, \theta, n)

    The first call copies. Without a function, the average is the equal one (stochastic weight averaging).

    Args:
        model: the model to average; it is copied, and stays as it is
        device: accepted; there is one device
        avg_fn: a function (average, new value, n) -> average, for one tensor
        multi_avg_fn: a function (averages, new values, n) that writes into the averages
        use_buffers: whether buffers, such as the statistics of BatchNorm, are averaged too; otherwise they are copied
            at each call

    Attributes:
        module: the averaged copy
        n_averaged: how many models went into the average, a buffer

    Raises:
        AssertionError: both functions were given

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", arXiv 1803.05407; Polyak and
    Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.

    >>> import fanin as torch
    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = torch.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item(), average.n_averaged
    (3.0, tensor(3))
    """

    n_averaged: Any

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: AverageFunction | None = None,
        multi_avg_fn: MultiAverageFunction | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentConflictError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the averaged copy gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of `model` into the average.

        Args:
            model: a model of the same structure as the one that was averaged

        Raises:
            ValueError: it has another number of parameters
        """
        averages, values = self._averaged_tensors(self.module), self._averaged_tensors(model)
        if len(averages) != len(values):
            raise ArgumentError(
                f"update_parameters: the model has {len(values)} tensors to average, and the average has "
                f"{len(averages)}; give it a model of the structure it was made from"
            )
        with no_grad():
            if mode.capture is not None:
                self._average_later(averages, values)
            elif self.n_averaged == 0:
                _copy_all(averages, values)
            else:
                self._average(averages, values)
            if not self.use_buffers:
                _copy_all(self.module.buffers(), model.buffers())
            self.n_averaged += 1

    def _average_later(self, averages: Sequence[Any], values: Sequence[Any]) -> None:
        """Average where it is not known while the step is captured whether the average has started."""
        self._average(averages, values)
        fresh = self.n_averaged == 0
        for average, value in zip(averages, values, strict=True):
            average.copy_(where(fresh, value, average))

    def _averaged_tensors(self, module: Module) -> list[Any]:
        tensors = chain(module.parameters(), module.buffers()) if self.use_buffers else module.parameters()
        return [t.detach() for t in tensors]

    def _average(self, averages: Sequence[Any], values: Sequence[Any]) -> None:
        if self.multi_avg_fn is not None:
            for of_one_dtype in _by_dtype(averages, values):
                self.multi_avg_fn(*of_one_dtype, self.n_averaged)
            return
        average_of = self.avg_fn or get_swa_avg_fn()
        for average, value in zip(averages, values, strict=True):
            average.copy_(average_of(average, value, self.n_averaged))


def _by_dtype(averages: Sequence[Any], values: Sequence[Any]) -> Iterable[tuple[list[Any], list[Any]]]:
    """Return both lists split by the dtype of the averages: a function for lists may count on one dtype."""
    split: dict[Any, tuple[list[Any], list[Any]]] = {}
    for average, value in zip(averages, values, strict=True):
        lists = split.setdefault(average.dtype, ([], []))
        lists[0].append(average)
        lists[1].append(value)
    return split.values()


def _copy_all(targets: Iterable[Any], sources: Iterable[Any]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.detach().copy_(source.detach())


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Set the running statistics of each BatchNorm to the averages over one pass through the data.

    Averaged weights were never run, so their statistics fit none of them. Each batch counts the same.

    Args:
        loader: batches; of a batch that is a list or tuple, the first entry goes to the model
        model: the model, usually an `AveragedModel`; its mode (train or eval) is as before afterwards
        device: accepted; there is one device

    >>> import fanin as torch
    >>> model = torch.nn.BatchNorm1d(1)
    >>> torch.optim.swa_utils.update_bn([torch.tensor([[1.0], [3.0]]), torch.tensor([[4.0], [8.0]])], model)
    >>> model.running_mean
    tensor([4.])
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        # Without a momentum a layer takes the equal average over its batches.
        layer.momentum = None
    try:
        with no_grad():
            for batch in loader:
                rows = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(rows if device is None else rows.to(device))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    r"""Lead the rate from where it is to `swa_lr` in `anneal_epochs` steps, and keep it there.

    .. math:: \eta_t = \alpha_t\, \eta_{swa} + (1 - \alpha_t)\, \eta_0, \qquad
        \alpha_t = \tfrac12 \left(1 - \cos(\pi \min(t / T, 1))\right)

    The next rate is computed from the present one. With "linear", :math:`\alpha_t = \min(t / T, 1)`.

    Args:
        optimizer: its `param_groups` are written to
        swa_lr: the constant rate; a number, or a list with one for each group
        anneal_epochs: how many steps the way takes, T
        anneal_strategy: "cos" or "linear"
        last_epoch: the step before the first

    Raises:
        ValueError: a list of the wrong length, an unknown strategy, or `anneal_epochs` that is no whole number from 0

    >>> import fanin as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step(); scheduler.step()
    >>> rates
    [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = one_for_each_group(optimizer, "swa_lr", swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """Return how far the rate has come, from 0 to 1, at the share t of the way."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Rate]:
        """Return the rate of every group after as many steps as this scheduler has taken."""
        self._warn_outside_step()
        # Steps taken, not last_epoch: the way to swa_lr begins with this scheduler, wherever training stands.
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._alpha(step - 1), self._alpha(step)
        return [_step_along(group["lr"], group["swa_lr"], before, now) for group in self.optimizer.param_groups]

    def _alpha(self, step: int) -> float:
        return self.anneal_func(max(0.0, min(1.0, step / max(1, self.anneal_epochs))))


def _step_along(rate: Rate, swa_rate: Rate, before: float, now: float) -> Rate:
    """Return the rate at `now` of the way, from the rate at `before`, whose beginning is worked out first."""
    start = swa_rate if before == 1 else (rate - before * swa_rate) / (1 - before)
    return swa_rate * now + start * (1 - now)
