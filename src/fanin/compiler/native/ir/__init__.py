"""LLVM's text, written as it is built: types, values, functions, and a builder that appends instructions to blocks.

The names are those of `llvmlite.ir`, which makes an object for each instruction, and writes the text when all is there:
that takes four times as long. What LLVM would do first is done on the way: integers are folded, and an operation that
was written already in the block, or in the function's first one, is not written again.
"""

from __future__ import annotations

from fanin.compiler.native.ir.builder import IRBuilder
from fanin.compiler.native.ir.module import Block, Function, GlobalVariable, Module
from fanin.compiler.native.ir.types import (
    ArrayType,
    DoubleType,
    FloatType,
    FunctionType,
    IntType,
    LiteralStructType,
    PointerType,
    Type,
    VectorType,
    VoidType,
)
from fanin.compiler.native.ir.values import Constant, Undefined, Value

__all__ = [
    "ArrayType",
    "Block",
    "Constant",
    "DoubleType",
    "FloatType",
    "Function",
    "FunctionType",
    "GlobalVariable",
    "IRBuilder",
    "IntType",
    "LiteralStructType",
    "Module",
    "PointerType",
    "Type",
    "Undefined",
    "Value",
    "VectorType",
    "VoidType",
]
