"""torch.special: special functions, many of which torch has under its own name, too."""

from __future__ import annotations

from fanin.tensor.functions.arithmetic import xlogy
from fanin.tensor.functions.norms import log_softmax, logsumexp, softmax
from fanin.tensor.functions.pointwise import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    logit,
    round,
    sinc,
)
from fanin.tensor.functions.pointwise import digamma as psi
from fanin.tensor.functions.pointwise import lgamma as gammaln
from fanin.tensor.functions.pointwise import sigmoid as expit
from fanin.tensor.functions.special_functions import entr, erfcx, log_ndtr, ndtr, ndtri, polygamma, xlog1py
from fanin.tensor.functions.special_functions import mvlgamma as multigammaln

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "log_ndtr",
    "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc",
    "softmax", "xlog1py", "xlogy",
]  # fmt: skip
