"""Names of PyTorch's that fanin does not have, and what to use in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from fanin._core.errors import NotInFaninError

_SCOPE = "which trains fully connected networks"

# Patterns of full names, and what to say of them; the first that matches speaks.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"nn\.(Lazy)?Conv\w*|nn\.functional\.conv\w*",
        "flatten the input and use nn.Linear, or stay with PyTorch for images",
    ),
    (
        r"nn\.(\w*Pool\w*|Upsample\w*|Pixel\w*|Fold|Unfold)",
        "it belongs to convolutional networks; stay with PyTorch for them",
    ),
    (r"nn\.(RNN|LSTM|GRU)\w*", "it belongs to recurrent networks; stay with PyTorch for them"),
    (r"nn\.(Transformer\w*|MultiheadAttention)", "it belongs to transformers; stay with PyTorch for them"),
    (r"nn\.BatchNorm[23]d", "use nn.BatchNorm1d, which takes (N, C) and (N, C, L)"),
    (r"nn\.InstanceNorm[23]d", "use nn.InstanceNorm1d"),
    (r"nn\.Dropout[23]d", "use nn.Dropout"),
    (r"nn\.(Data|DistributedData)Parallel|distributed\b.*", "fanin computes on one machine; use the model as it is"),
    (r"(cuda\.)?amp\..*", "fanin computes in the dtype of the tensors; leave mixed precision out"),
    (r"jit.*|fx.*|_dynamo.*|export.*|onnx.*", "use the model as it is, or save its state_dict with torch.save"),
    (r"compile", "the eager model runs as it is; leave torch.compile out"),
    (r"utils\.tensorboard.*", "print the losses, or log them with the csv module"),
    (r"optim\.SparseAdam", "fanin has no sparse gradients; use optim.Adam"),
    (r"optim\.(Adafactor|Muon)", "use optim.AdamW"),
    (r"hub.*|utils\.model_zoo.*", "build the model from layers and load a state_dict with torch.load"),
    (r"fft.*|stft|istft|complex\w*|view_as_complex|view_as_real|polar|cfloat|cdouble", "fanin has no complex dtypes"),
    (r"sparse\w*", "use dense tensors"),
    (r"quantiz\w*|ao\b.*|qint\w*", "fanin computes in floating point"),
    (r"bfloat16", "use float32 or float16"),
    (
        r"distributions.*",
        "draw with torch.randn, rand or bernoulli; torch.nn.GaussianNLLLoss and KLDivLoss give log densities",
    ),
    (r"func\b.*|vmap", "use torch.autograd.grad and torch.autograd.functional"),
    (r"multiprocessing.*", "use Python's multiprocessing"),
    (r"profiler.*", "use Python's cProfile"),
)


def explain(name: str) -> str:
    """Return the sentence about a name that is missing, such as "torch.nn.Conv2d"."""
    short = name.partition(".")[2]
    hint = next((text for pattern, text in _HINTS if re.fullmatch(pattern, short)), "")
    return f"{name} is not part of fanin, {_SCOPE}" + (f": {hint}" if hint else "")


def refuse(module: str) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a torch-named module: it raises NotInFaninError, an AttributeError, with a hint."""

    def __getattr__(name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(f"module has no attribute {name!r}")
        raise NotInFaninError(explain(f"{module}.{name}"))

    return __getattr__
