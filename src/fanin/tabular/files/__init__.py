"""Tables in files: read whole, or in pieces where they are larger than memory; predictions from file to file.

`open_table` opens CSV (plain or gzipped) and Parquet, one file, several, or a folder of Parquet parts.
"""

from __future__ import annotations

from fanin.tabular.files.opening import open_table
from fanin.tabular.files.predicting import PredictedFile, predict_file
from fanin.tabular.files.table_file import Column, Piece, TableFile, Unusable

__all__ = ["Column", "Piece", "PredictedFile", "TableFile", "Unusable", "open_table", "predict_file"]
