"""Normalisation layers that keep running moments: batch norm and instance norm."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fanin._core.dtypes import int64
from fanin._core.errors import ArgumentError
from fanin.nn import functional as F
from fanin.nn.lazy import LazyModuleMixin
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter, is_lazy
from fanin.ops.elementwise import cast
from fanin.tensor.base import known
from fanin.tensor.functions.creation import ones, zeros
from fanin.tensor.functions.data import tensor
from fanin.tensor.in_place import bump


class _NormBase(Module):
    """Weight, bias and running moments, and how they are saved."""

    # From version 2 on the number of batches is saved, too.
    _version = 2
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(num_features, **options)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **options)) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **options) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **options) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        if self.track_running_stats:
            self.running_mean._array[...] = 0
            self.running_var._array[...] = 1
            self.num_batches_tracked._array[...] = 0

    def reset_parameters(self) -> None:
        """Set the weight to ones, the bias to zeros, and forget the batches seen so far."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                parameter._array[...] = value

    def _check_input_dim(self, input: Any) -> None:
        ndim = input.dim()
        if ndim not in (2, 3):
            raise ArgumentError(f"expected 2D or 3D input (got {ndim}D input)")

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

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
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            held = self.num_batches_tracked
            state_dict[key] = tensor(0, dtype=int64) if held is None else held
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    """Batch norm of any number of dimensions."""

    def forward(self, input: Any) -> Any:
        """Return the normalised input; in training, move the running moments towards the batch's."""
        self._check_input_dim(input)
        held = self._buffers
        mean, variance = held["running_mean"], held["running_var"]
        training = self.training
        share = 0.0 if self.momentum is None else self.momentum
        if training and self.track_running_stats and held["num_batches_tracked"] is not None:
            share = self._count_batch(held["num_batches_tracked"])
        kept = not training or self.track_running_stats
        return F.batch_norm(
            input,
            mean if kept else None,
            variance if kept else None,
            self.weight,
            self.bias,
            training or (mean is None and variance is None),
            share,
            self.eps,
        )

    def _count_batch(self, counter: Any) -> float:
        """Count the batch and return its share in the running moments: without a momentum, all count the same."""
        if not known(counter._array):
            counter.add_(1)
            return 1.0 / cast(counter._array, dtype=np.dtype(np.float64)) if self.momentum is None else self.momentum
        counter._array[...] += 1
        bump(counter)
        return 1.0 / float(counter._array) if self.momentum is None else self.momentum


class BatchNorm1d(_BatchNorm):
    """(x - mean) / sqrt(variance + eps) * weight + bias, the moments of each feature over the batch.

    In evaluation the running moments take the place of the batch's.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the share of a new batch in the running moments; None for the mean over all batches.
        affine: whether there are weight and bias.
        track_running_stats: whether there are running moments; without, evaluation uses the batch's, too.
        bias: whether there is a bias beside the weight.

    Shape: (N, C) or (N, C, L); the same comes out. weight, bias and the running moments are (C,).

    Raises ValueError for other numbers of dimensions, and for a single value for each feature in training.

    Reference: S. Ioffe and C. Szegedy, "Batch normalization", 2015.

    >>> import fanin as torch
    >>> torch.nn.BatchNorm1d(2)(torch.tensor([[0.0, 1.0], [2.0, 1.0]])).detach()
    tensor([[-1.0000,  0.0000],
            [ 1.0000,  0.0000]])
    """


class _InstanceNorm(_NormBase):
    """Instance norm of any number of dimensions."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        """Return the normalised input; in training, move the running moments towards the input's."""
        self._check_input_dim(input)
        channel_dim = input.dim() - 2
        if input.shape[channel_dim] != self.num_features:
            self._check_features(input, channel_dim)
        if channel_dim == 0:
            return self._normalised(input[None])[0]
        return self._normalised(input)

    def _check_features(self, input: Any, channel_dim: int) -> None:
        if self.affine:
            raise ArgumentError(
                f"expected input's size at dim={channel_dim} to match num_features ({self.num_features}), "
                f"but got: {input.shape[channel_dim]}."
            )
        warnings.warn(
            f"input's size at dim={channel_dim} does not match num_features. You can silence this warning by not "
            "passing in num_features, which is not used because affine=False",
            stacklevel=4,
        )

    def _normalised(self, input: Any) -> Any:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(variance + eps) * weight + bias, the moments of each channel of each sample.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the share of a new batch in the running moments.
        affine: whether there are weight and bias.
        track_running_stats: whether there are running moments, which evaluation uses.
        bias: whether there is a bias beside the weight.

    Shape: (N, C, L) or (C, L); the same comes out. weight and bias are (C,).

    Raises ValueError for other numbers of dimensions, and for a single value for each channel.

    >>> import fanin as torch
    >>> torch.nn.InstanceNorm1d(1)(torch.tensor([[[0.0, 2.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """Takes the number of features from the first batch."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        # Without parameters and moments: their sizes are not known.
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = tensor(0, dtype=int64)

    def reset_parameters(self) -> None:
        """Set the first values, once there is something to set."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """Take the number of features from the input."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for held in (self.weight, self.bias, self.running_mean, self.running_var):
                if is_lazy(held):
                    held.materialize((self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """A `BatchNorm1d` that takes the number of features from the first batch.

    >>> import fanin as torch
    >>> torch.nn.LazyBatchNorm1d()(torch.ones(2, 5)).shape
    torch.Size([2, 5])
    """

    cls_to_become = BatchNorm1d


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm1d` that takes the number of channels from the first batch.

    >>> import fanin as torch
    >>> torch.nn.LazyInstanceNorm1d()(torch.ones(2, 5, 3)).shape
    torch.Size([2, 5, 3])
    """

    cls_to_become = InstanceNorm1d
