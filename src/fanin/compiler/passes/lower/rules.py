"""The table of rules: for the name of an operation a function that writes it with simpler ones.

A rule is called as the record's evaluation is, rule(*inputs, **attrs), on values instead of arrays. It returns the
value to put in place, or None where it has no simpler form for these inputs and attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rule = Callable[..., Any]

RULES: dict[str, Rule] = {}

# What the native engine computes by itself.
ELEMENTWISE = frozenset(
    """
    add sub mul div neg abs sign floor ceil trunc round sqrt rsqrt reciprocal square exp exp2 expm1 log log2 log10
    log1p sin cos tan tanh sigmoid erf erfc erfcx pow maximum minimum fmax fmin eq ne lt le gt ge logical_and logical_or
    logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not where cast isnan isinf isfinite remainder
    floor_divide trunc_divide fmod asin acos atan sinh cosh asinh acosh atanh atan2 copysign signbit
    """.split()
)
REDUCTIONS = frozenset("sum prod amax amin any all".split())
LAYOUT = frozenset("reshape permute expand getitem put_zeros cat flip".split())
INDEXED = frozenset("gather scatter_add_zeros embedding add_rows".split())
PRIMITIVES = ELEMENTWISE | REDUCTIONS | LAYOUT | INDEXED | {"matmul", "random_keep", "class_counts", "within"}


def lowers(*names: str) -> Callable[[Rule], Rule]:
    """Enter the decorated function as the rule of the operations with these names."""

    def enter(rule: Rule) -> Rule:
        for name in names:
            if name in RULES:
                raise ValueError(f"operation {name!r} has two rules")
            RULES[name] = rule
        return rule

    return enter
