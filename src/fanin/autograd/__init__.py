"""torch.autograd: gradients, functions of your own, and checks of derivatives."""

from fanin.autograd import functional, graph
from fanin.autograd.anomaly import detect_anomaly, set_detect_anomaly
from fanin.autograd.function import Function
from fanin.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from fanin.autograd.variable import Variable
from fanin.tensor.backward import backward, grad
from fanin.tensor.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
