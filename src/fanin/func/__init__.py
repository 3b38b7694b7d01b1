"""torch.func: functions of functions."""

from fanin._core.missing import refuse

__getattr__ = refuse("torch.func")
