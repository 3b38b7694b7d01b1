"""Sums of products in Einstein's notation."""

from __future__ import annotations

import functools
import string
from typing import Any

from fanin._core.dtypes import bool_, uint8
from fanin._core.errors import ArgumentError, OperationError, UnsupportedDtypeError
from fanin.ops import linalg
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.conversion import promote_types
from fanin.tensor.functions.diagonals import diagonal
from fanin.tensor.functions.operands import require_one_dtype, require_tensors
from fanin.tensor.tape import apply, label

_LETTERS = string.ascii_uppercase + string.ascii_lowercase


def einsum(*args: Any) -> Any:
    """Return the sum of products that an equation names: one letter for each dimension, `...` for the remaining ones.

    Letters that are not behind the arrow are summed over. Without an arrow the result has the letters that occur once,
    in alphabetical order. Operands may also come each with a list of numbers in place of letters.

    Raises RuntimeError when sizes or numbers of dimensions do not fit the equation.

    >>> import fanin as torch
    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2))
    tensor([[3., 3.],
            [3., 3.]])
    """
    equation, operands = _from_lists(args) if isinstance(args[0], TensorBase) else (args[0], args[1:])
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    operands = require_tensors("einsum", operands)
    if not operands:
        raise ArgumentError("einsum(): must provide at least one operand")
    terms, result = _terms(equation.replace(" ", ""), operands)
    pairs = [_without_repeats(x, term) for x, term in zip(operands, terms, strict=True)]
    if not any(x.dtype.is_floating_point for x in operands):
        pairs = _summed_first(pairs, result)
    terms = [term for _, term in pairs]
    return _product(_of_one_dtype(tuple(x for x, _ in pairs), terms, result), f"{','.join(terms)}->{result}")


def _product(operands: tuple[Any, ...], equation: str) -> Any:
    """Return the sum of products of operands of one dtype; bools are not summed up."""
    bools = operands[0].dtype == bool_
    inputs, _, result = equation.partition("->")
    if bools and set(inputs) - set(result) - {","}:
        raise UnsupportedDtypeError("\"bmm\" not implemented for 'Bool'", remedy="Convert with .int() or .float().")
    if bools:
        operands = tuple(x.to(uint8) for x in operands)
    out = apply(linalg.einsum, operands, {"equation": equation})
    return label(out.to(bool_) if bools else out, "ViewBackward0")


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Turn `einsum(x, [0, 1], y, [1, 2], [0, 2])` into an equation and its operands."""

    def text(numbers: Any) -> str:
        return "".join("..." if n is Ellipsis else _LETTERS[n] for n in numbers)

    count = len(args) // 2
    equation = ",".join(text(args[2 * i + 1]) for i in range(count))
    if len(args) % 2:
        equation += "->" + text(args[-1])
    return equation, tuple(args[2 * i] for i in range(count))


def _terms(equation: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result, `...` spelled out."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        few = "fewer" if len(terms) > len(operands) else "more"
        raise OperationError(f"einsum(): {few} operands were provided than specified in the equation")
    rest = [_rest(term, x) for term, x in zip(terms, operands, strict=True)]
    widest = max((n for n in rest if n is not None), default=0)
    free = [letter for letter in _LETTERS if letter not in equation][:widest]
    spelled = [
        term if n is None else term.replace("...", "".join(free[widest - n :]))
        for term, n in zip(terms, rest, strict=True)
    ]
    if arrow:
        result = right.replace("...", "".join(free))
    else:
        letters = "".join(terms).replace(".", "")
        result = "".join(free) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    _check(result, spelled, equation)
    return spelled, result


def _rest(term: str, x: Any) -> int | None:
    """Return how many dimensions `...` stands for in a term; None where it does not stand."""
    named = len(term.replace("...", ""))
    for letter in term.replace("...", ""):
        if letter not in _LETTERS:
            raise OperationError(f"einsum(): invalid subscript given: {letter!r}, subscripts must be in [a-zA-Z]")
    if "..." in term and named <= x._array.ndim:
        return int(x._array.ndim) - named
    if named != x._array.ndim:
        raise OperationError(
            f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions "
            f"({x._array.ndim}) for operand {term!r} and no ellipsis was given"
        )
    return None


def _check(result: str, terms: list[str], equation: str) -> None:
    for letter in result:
        if result.count(letter) > 1:
            raise OperationError(f"einsum(): output subscript {letter} appears more than once in the output")
        if not any(letter in term for term in terms):
            raise OperationError(
                f"einsum(): output subscript {letter} does not appear in the equation for any input operand"
            )


def _summed_first(pairs: list[tuple[Any, str]], result: str) -> list[tuple[Any, str]]:
    """Sum over what one operand alone has, and the result has not: whole numbers become int64, as in sum()."""
    letters = "".join(term for _, term in pairs)
    summed = []
    for x, term in pairs:
        alone = [i for i, letter in enumerate(term) if letter not in result and letters.count(letter) == 1]
        kept = "".join(letter for i, letter in enumerate(term) if i not in alone)
        summed.append((x.sum(dim=alone) if alone else x, kept))
    return summed


def _of_one_dtype(operands: tuple[Any, ...], terms: list[str], result: str) -> tuple[Any, ...]:
    """Return the operands in one dtype; raise RuntimeError for several where operands are multiplied and summed up."""
    first, other = operands[0], next((x for x in operands if x.dtype != operands[0].dtype), None)
    if other is None:
        return operands
    summed = set("".join(terms)) - set(result)
    if any(sum(letter in term for term in terms) > 1 for letter in summed):
        require_one_dtype("expected scalar type {0} but found {1}", first, other)
    wide = functools.reduce(promote_types, (x.dtype for x in operands))
    return tuple(x.to(wide) for x in operands)


def _without_repeats(x: Any, term: str) -> tuple[Any, str]:
    """Return the diagonal over the dimensions that share a letter, and the term with that letter once."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            if x._array.shape[i] != x._array.shape[j]:
                raise OperationError(
                    f"einsum(): subscript {letter} is repeated for operand {term!r} but the sizes don't match, "
                    f"{x._array.shape[j]} != {x._array.shape[i]}"
                )
            x = diagonal(x, 0, i, j)
            term = term[:i] + term[i + 1 : j] + term[j + 1 :] + letter
    return x, term
