"""fanin trains fully connected networks, in PyTorch's words, on NumPy alone."""

from __future__ import annotations

__version__ = "0.1.0"

from fanin._core.dtypes import (
    bool_ as bool,
)
from fanin._core.dtypes import (
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from fanin.tensor import Size, Tensor, enable_grad, inference_mode, no_grad, set_grad_enabled
from fanin.tensor.device import device
from fanin.tensor.functions.creation import *  # noqa: F403  made explicit when the functions are complete
from fanin.tensor.functions.pointwise import *  # noqa: F403
from fanin.tensor.functions.products import *  # noqa: F403
from fanin.tensor.functions.reductions import *  # noqa: F403
from fanin.tensor.functions.shaping import *  # noqa: F403

float = float32
double = float64
half = float16
long = int64
int = int32
short = int16
