"""Normalisation over a batch, over features, over groups of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError, OperationError
from fanin.nn.functional.checks import require_tensor
from fanin.ops import normalise as ops
from fanin.ops.reduce import mean
from fanin.ops.shape import reshape, reshape_op
from fanin.tensor.base import known
from fanin.tensor.in_place import bump, store
from fanin.tensor.tape import apply


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, the moments over all dimensions but the channels.

    Args:
        input: (N, C) or (N, C, *).
        running_mean: (C,), changed in training to (1 - momentum) running + momentum batch; or None.
        running_var: (C,), likewise, with the variance divided by n - 1; or None.
        weight: (C,) or None.
        bias: (C,) or None.
        training: use the batch's moments, else the running ones.
        momentum: the share of the new batch in the running moments.
        eps: added to the variance.

    Raises ValueError for a single value for each channel in training and for eps <= 0, RuntimeError where sizes differ.

    Reference: S. Ioffe and C. Szegedy, "Batch normalization", 2015.

    >>> import fanin as torch
    >>> x = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    >>> torch.nn.functional.batch_norm(x, None, None, training=True)
    tensor([[-1.0000,  0.0000],
            [ 1.0000,  0.0000]])
    """
    require_tensor("batch_norm", input)
    if eps < 0 or (training and eps == 0):
        wanted = "positive during training" if training else "non-negative"
        raise ArgumentError(f"batch_norm eps must be {wanted}, but got {eps}")
    shape = input._array.shape
    if training:
        _require_several_values(shape)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("running_mean and running_var must either both be None or neither be None")
    _check_channel_sizes(shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    aligned = (shape[1],) + (1,) * (len(shape) - 2)
    weight, bias = _aligned(weight, aligned), _aligned(bias, aligned)
    if training:
        return _batch_norm_training(input, running_mean, running_var, weight, bias, momentum, eps)
    if running_mean is None:
        raise OperationError("running_mean must be defined in evaluation mode")
    moments = _aligned(running_mean, aligned), _aligned(running_var, aligned)
    return apply(ops.batch_norm_fixed, (input, *moments, weight, bias), {"eps": eps})


def _batch_norm_training(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, momentum: float, eps: float
) -> Any:
    x = input._array
    dims = (0, *range(2, x.ndim))
    attrs: dict[str, Any] = {"dims": dims, "eps": eps}
    if not known(x):
        _follow_moments(input, running_mean, running_var, dims, (0,), momentum)
    elif x.size and x.dtype.kind == "f":
        with np.errstate(all="ignore"):
            centre, variance = ops.mean_and_variance(x, dims)
            attrs["moments"] = centre, ops.inverse_deviation(variance, eps)
            if running_mean is not None:
                _follow(running_mean, centre, momentum)
                n = x.size // x.shape[1]
                _follow(running_var, variance * x.dtype.type(n / (n - 1)), momentum)
    return apply(ops.batch_norm, (input, weight, bias), attrs)


def _follow_moments(
    input: Any, running_mean: Any, running_var: Any, dims: tuple[int, ...], over: tuple[int, ...], momentum: Any
) -> None:
    """Let the running moments follow those of the input over dims, averaged over the samples."""
    x = input._array
    if running_mean is None or not x.size:
        return
    n = math.prod(x.shape[dim] for dim in dims)
    centre = mean(x, dim=dims, keepdim=True)
    rest = x - centre
    variance = mean(rest * rest, dim=dims, keepdim=True)
    if 0 not in dims:
        centre, variance = mean(centre, dim=over, keepdim=False), mean(variance, dim=over, keepdim=False)
    _follow(running_mean, centre, momentum)
    _follow(running_var, variance * (n / (n - 1)), momentum)


def _follow(running: Any, batch: Any, momentum: Any) -> None:
    array = running._array
    if not (known(array) and known(batch)):
        store(running, array * (1 - momentum) + reshape(batch * momentum, array.shape))
        return
    array *= 1 - momentum
    array += (batch * momentum).reshape(array.shape)
    bump(running)


def _require_several_values(shape: tuple[int, ...]) -> None:
    if shape[0] * int(np.prod(shape[2:])) == 1:
        raise ArgumentError(
            f"Expected more than 1 value per channel when training, got input size torch.Size({list(shape)})",
            remedy="Use a larger batch, or .eval() for single rows.",
        )


def _check_channel_sizes(channels: int, **given: Any) -> None:
    for name, tensor in given.items():
        if tensor is not None and tensor._array.size != channels:
            raise OperationError(f"{name} should contain {channels} elements not {tensor._array.size}")


def _aligned(parameter: Any, shape: tuple[int, ...]) -> Any:
    if parameter is None or len(shape) == 1:
        return parameter
    return apply(reshape_op, (parameter,), {"shape": shape})


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, the moments of each channel of each sample.

    Args:
        input: (N, C, L) or (N, C, *).
        running_mean: (C,), changed to (1 - momentum) running + momentum mean over the samples; or None.
        running_var: (C,), likewise, with the variance divided by n - 1; or None.
        weight: (C,) or None.
        bias: (C,) or None.
        use_input_stats: use the input's moments, else the running ones.
        momentum: the share of the new batch in the running moments.
        eps: added to the variance.

    Raises ValueError for a single value for each channel.

    >>> import fanin as torch
    >>> torch.nn.functional.instance_norm(torch.tensor([[[1.0, 3.0], [0.0, 10.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    require_tensor("instance_norm", input)
    shape = input._array.shape
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if int(np.prod(shape[2:])) == 1:
        raise ArgumentError(
            f"Expected more than 1 spatial element when training, got input size torch.Size({list(shape)})"
        )
    _check_channel_sizes(shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    x, dims = input._array, tuple(range(2, len(shape)))
    if not known(x):
        _follow_moments(input, running_mean, running_var, dims, (0,), momentum)
    elif running_mean is not None:
        centre, variance = ops.mean_and_variance(x, dims)
        n = int(np.prod(shape[2:]))
        _follow(running_mean, centre.mean(axis=0), momentum)
        _follow(running_var, variance.mean(axis=0) * (n / (n - 1)), momentum)
    aligned = (shape[1],) + (1,) * (len(shape) - 2)
    attrs = {"dims": dims, "eps": eps, "moments": _moments(x, dims, eps)}
    return apply(ops.instance_norm, (input, _aligned(weight, aligned), _aligned(bias, aligned)), attrs)


def layer_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, the moments over the last dimensions.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the sizes of the last dimensions.
        weight: of normalized_shape, or None.
        bias: of normalized_shape, or None.
        eps: added to the variance.

    Raises RuntimeError where shapes differ.

    Reference: J. L. Ba et al., "Layer normalization", 2016.

    >>> import fanin as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[0.0, 2.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    dims = _last_dims("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    attrs = {"dims": dims, "eps": eps, "moments": _moments(input._array, dims, eps)}
    return apply(ops.layer_norm, (input, weight, bias), attrs)


def _moments(x: Any, dims: tuple[int, ...], eps: float) -> Any:
    if not known(x) or x.dtype.kind != "f" or not x.size:
        return None
    with np.errstate(all="ignore"):
        return ops.moments_of(x, dims, eps)


def rms_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """Return x / sqrt(mean(x^2) + eps) * weight, the mean over the last dimensions.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the sizes of the last dimensions.
        weight: of normalized_shape, or None.
        eps: added to the mean square; the distance of 1 from the next number when None.

    Raises RuntimeError where shapes differ.

    Reference: B. Zhang and R. Sennrich, "Root mean square layer normalization", 2019.

    >>> import fanin as torch
    >>> torch.nn.functional.rms_norm(torch.tensor([[3.0, 3.0]]), (2,))
    tensor([[1., 1.]])
    """
    dims = _last_dims("rms_norm", input, normalized_shape, weight=weight)
    if eps is None:
        eps = float(np.finfo(np.float64 if input._array.dtype.char == "d" else np.float32).eps)
    if weight is not None and weight._array.dtype != input._array.dtype:
        return apply(ops.rms_norm, (input,), {"dims": dims, "eps": eps}) * weight
    return apply(ops.rms_norm, (input,) if weight is None else (input, weight), {"dims": dims, "eps": eps})


def _last_dims(name: str, input: Any, normalized_shape: Any, **parameters: Any) -> tuple[int, ...]:
    require_tensor(name, input)
    if isinstance(normalized_shape, int):
        raise ArgumentTypeError(f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int")
    wanted, shape = list(normalized_shape), input._array.shape
    if not wanted:
        raise OperationError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for key, parameter in parameters.items():
        if parameter is not None and list(parameter._array.shape) != wanted:
            raise OperationError(
                f"Expected {key} to be of same shape as normalized_shape, but got {key} of shape "
                f"{list(parameter._array.shape)} and normalized_shape = {wanted}"
            )
    if list(shape[len(shape) - len(wanted) :]) != wanted or len(shape) < len(wanted):
        # PyTorch's two layers differ in a comma.
        sizes = ("" if name == "rms_norm" else ", ") + ", ".join(map(str, wanted))
        raise OperationError(
            f"Given normalized_shape={wanted}, expected input with shape [*{sizes}], but got input of size{list(shape)}"
        )
    return tuple(range(len(shape) - len(wanted), len(shape)))


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, the moments of each group of channels of each sample.

    Args:
        input: (N, C, *).
        num_groups: into how many groups the channels are divided.
        weight: (C,) or None.
        bias: (C,) or None.
        eps: added to the variance.

    Raises RuntimeError when the channels cannot be divided, ValueError for a single value for each group.

    Reference: Y. Wu and K. He, "Group normalization", 2018.

    >>> import fanin as torch
    >>> torch.nn.functional.group_norm(torch.tensor([[0.0, 2.0, 5.0, 5.0]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    require_tensor("group_norm", input)
    shape = input._array.shape
    _check_groups(shape, num_groups)
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter._array.shape != shape[1:2]:
            raise OperationError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(parameter._array.shape)} and input of shape {list(shape)}"
            )
    rows = input._array.reshape(ops.by_group(shape, num_groups))
    attrs = {"groups": num_groups, "eps": eps, "moments": _moments(rows, ops.GROUP_DIMS, eps)}
    return apply(ops.group_norm, (input, weight, bias), attrs)


def _check_groups(shape: tuple[int, ...], groups: int) -> None:
    if len(shape) < 2:
        raise OperationError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if shape[0] * shape[1] // groups * int(np.prod(shape[2:])) == 1:
        raise ArgumentError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    if shape[1] % groups:
        raise OperationError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={groups}"
        )
