"""Names of PyTorch's that fanin does not have, and what to use in their place."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from fanin._core.errors import CaptureError, MissingNameError, NotInFaninError

_SCOPE = "which trains fully connected networks"

# Patterns of full names, and what to say of them; the first that matches speaks.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"nn\.(Lazy)?Conv\w*|(nn\.functional\.)?conv\w*",
        "flatten the input and use nn.Linear, or stay with PyTorch for images",
    ),
    (
        r"nn\.(\w*Pool\w*|Upsample\w*|Pixel\w*|Fold|Unfold|ChannelShuffle|LocalResponseNorm|CrossMapLRN2d)",
        "it belongs to convolutional networks; stay with PyTorch for them",
    ),
    (
        r"nn\.functional\.(\w*pool\w*|interpolate|upsample\w*|pixel\w*|fold|unfold|grid_sample|affine_grid)",
        "it belongs to convolutional networks; stay with PyTorch for them",
    ),
    (r"nn\.\w+Pad[123]d", "use nn.functional.pad"),
    (
        r"nn\.((RNN|LSTM|GRU)\w*|CTCLoss)|nn\.functional\.ctc_loss|nn\.utils\.rnn\.(pad_packed|pack)\w*",
        "it belongs to recurrent networks; stay with PyTorch for them",
    ),
    (
        r"nn\.(Transformer\w*|MultiheadAttention|attention)|nn\.functional\.(scaled_dot_product|multi_head)_attention\w*",
        "it belongs to transformers; stay with PyTorch for them",
    ),
    (r"nn\.(BatchNorm[23]d|SyncBatchNorm)", "use nn.BatchNorm1d, which takes (N, C) and (N, C, L)"),
    (r"nn\.InstanceNorm[23]d", "use nn.InstanceNorm1d"),
    (r"nn\.Dropout[23]d", "use nn.Dropout"),
    (r"nn\.AdaptiveLogSoftmaxWithLoss", "use nn.CrossEntropyLoss"),
    (
        r"nn\.utils\.(parametrizations|parametrize)\b.*",
        "write a Module that computes the weight and register it with nn.utils.parametrize.register_parametrization",
    ),
    (
        r"nn\.(DataParallel|parallel\b.*)|distributed\b.*|utils\.data\.(distributed\b.*|DistributedSampler)",
        "fanin computes on one machine; use the model and its loader as they are",
    ),
    (r"cuda\..*", "fanin computes on the CPU; test torch.cuda.is_available() before"),
    (r"amp\..*", "fanin computes in the dtype of the tensors; leave mixed precision out"),
    (r"(jit|fx|_dynamo|export|onnx)\b.*", "use the model as it is, or save its state_dict with torch.save"),
    (r"compiler\b.*", "torch.compile is there; its compiler has nothing to set"),
    (r"utils\.tensorboard\b.*", "print the losses, or log them with the csv module"),
    (
        r"autograd\.graph\b.*",
        "leave hooks on saved tensors out: fully connected networks need little memory",
    ),
    (r"autograd\.forward_ad\b.*", "use torch.func.jvp or torch.autograd.functional.jvp"),
    (r"optim\.SparseAdam", "fanin has no sparse gradients; use optim.Adam"),
    (r"optim\.Muon", "its numbers are those of bfloat16; use optim.AdamW"),
    (r"(hub|utils\.model_zoo)\b.*", "build the model from layers and load a state_dict with torch.load"),
    (r"(Tensor\.)?(lstsq|solve|lu|qr)", "use torch.linalg.{0}"),
    (
        r"(Tensor\.)?(symeig|eig)|linalg\.eig(vals)?",
        "fanin has no complex dtypes; use torch.linalg.eigh for symmetric matrices",
    ),
    (r"svd_lowrank|pca_lowrank|linalg\.ldl\w*|lu_\w+", "use torch.linalg.svd, qr or solve"),
    (
        r"fft\b.*|(Tensor\.)?(stft|istft|complex\w*|view_as_\w+|polar|c(float|double|half)|angle|imag)",
        "fanin has no complex dtypes",
    ),
    (r"sparse\w*\b.*|Tensor\.(to_sparse\w*|coalesce|is_coalesced|sparse_\w+|indices|values)", "use dense tensors"),
    (
        r"quantiz\w*\b.*|ao\b.*|qu?int\w*|Tensor\.(dequantize|int_repr|q_\w+|qscheme)",
        "fanin computes in floating point",
    ),
    (r"Tensor\.bfloat16|BFloat16\w+|float8\w*", "use float32 or float16"),
    (
        r"distributions\b.*",
        "write it with torch.distributions.Normal, Categorical, Bernoulli, Uniform and their relatives",
    ),
    (r"func\b.*|_functorch\b.*", "use torch.func.grad, vjp, jvp, jacrev, hessian, vmap and functional_call"),
    (r"multiprocessing\b.*", "use Python's multiprocessing"),
    (r"(autograd\.)?profiler\b.*|utils\.(bottleneck|benchmark)\b.*", "use Python's cProfile and timeit"),
    (r"(ops|library|_\w+)\b.*", "it is the inside of PyTorch"),
)

# Methods and attributes of torch.Tensor that fanin leaves out. Another name is a slip of the pen, as in PyTorch.
_TENSOR_NAMES = frozenset(
    "angle as_strided_scatter as_subclass bfloat16 ccol_indices cdouble cfloat chalf coalesce col_indices "
    "crow_indices dense_dim dequantize eig i0 igamma igammac imag indices "
    "int_repr is_coalesced istft lstsq lu lu_solve ormqr orgqr q_per_channel_axis q_per_channel_scales "
    "q_per_channel_zero_points q_scale q_zero_point qscheme record_stream reinforce row_indices smm solve "
    "sparse_dim sparse_mask sparse_resize_ sspaddmm stft symeig to_mkldnn to_sparse to_sparse_bsc to_sparse_bsr "
    "to_sparse_coo to_sparse_csc to_sparse_csr triangular_solve values xpu".split()
)


def explain(name: str) -> str:
    """Return the sentence about a name that is missing, such as "torch.nn.Conv2d"."""
    short = name.partition(".")[2]
    for pattern, hint in _HINTS:
        if re.fullmatch(pattern, short):
            return f"{name} is not part of fanin, {_SCOPE}: {hint.format(short.rpartition('.')[2])}"
    return f"{name} is not part of fanin, {_SCOPE}"


class _Explanation:
    """The sentence about a missing name, made when somebody reads it: `hasattr` does not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return explain(self.name)

    def __repr__(self) -> str:
        return repr(str(self))


def refuse(module: str) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a torch-named module: it raises NotInFaninError, an AttributeError, with a hint."""

    def __getattr__(name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        ours = sys.modules.get(module.replace("torch", "fanin", 1))
        raise NotInFaninError(_Explanation(f"{module}.{name}"), name=name, obj=ours)

    return __getattr__


def left_over() -> CaptureError:
    """Return the error about a tensor whose numbers were never there: a function was captured when it was made."""
    return CaptureError(
        "a tensor that was made while a function was captured is used after it: it never had a value",
        remedy="Return the tensor from the compiled function instead of keeping it in an attribute or a list.",
    )


def refuse_of_tensor(tensor: Any, name: str) -> NoReturn:
    """Raise the AttributeError for an attribute that a tensor does not have, with a hint where PyTorch has it."""
    if name == "_array":
        raise left_over()
    if name in _TENSOR_NAMES:
        raise NotInFaninError(explain(f"torch.Tensor.{name}"))
    raise MissingNameError(f"{type(tensor).__name__!r} object has no attribute {name!r}", name=name, obj=type(tensor))
