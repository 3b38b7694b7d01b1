"""From any table to encoded arrays: frames of pandas, polars and Arrow, and arrays, as they are.

`Encoder.fit` learns from training rows what each column holds and how it is scaled; `Encoder.transform` gives any rows
as `Encoded` arrays.
"""

from __future__ import annotations

from fanin.tabular.inputs.encoded import Encoded
from fanin.tabular.inputs.encoder import Encoder
from fanin.tabular.inputs.report import Column

__all__ = ["Column", "Encoded", "Encoder"]
