"""The methods of Tensor that are functions of torch, too: one table, method = function."""

from __future__ import annotations

from fanin.tensor.functions import indexing, pointwise, products, reductions, shaping


class Methods:
    """Methods by what they do."""

    exp = pointwise.exp
    log = pointwise.log
    sqrt = pointwise.sqrt
    pow = pointwise.pow
    add = pointwise.add
    sub = pointwise.sub
    mul = pointwise.mul
    sum = reductions.sum
    mean = reductions.mean
    reshape = shaping.reshape
    view = shaping.reshape
    transpose = shaping.transpose
    t = shaping.t
    matmul = products.matmul
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem
