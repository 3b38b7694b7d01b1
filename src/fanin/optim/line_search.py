"""A line search for a step that satisfies the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Sufficient decrease and curvature, as Nocedal and Wright advise for quasi-Newton directions.
DECREASE = 1e-4
CURVATURE = 0.9


@dataclass(frozen=True)
class Trial:
    """The line at one step length: the function, its gradient, and the slope along the line."""

    length: Any
    loss: float
    grad: Any
    slope: Any


def cubic_minimum(a: Trial, b: Trial, bounds: tuple[Any, Any] | None = None) -> Any:
    """Return where the cubic through two values and slopes is smallest, inside the bounds (default: between the two).

    Where the cubic has no minimum, the middle of the bounds. Nocedal and Wright, Numerical Optimization, equation 3.59.
    """
    left, right = (a, b) if a.length <= b.length else (b, a)
    low, high = (left.length, right.length) if bounds is None else bounds
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    d2_square = d1 * d1 - a.slope * b.slope
    if not d2_square >= 0:
        return (low + high) / 2.0
    d2 = d2_square.sqrt()
    lowest = right.length - (right.length - left.length) * (
        (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)
    )
    return min(max(lowest, low), high)


def strong_wolfe(
    evaluate: Callable[[Any], tuple[float, Any, Any]],
    length: Any,
    start: Trial,
    reach: Any,
    tolerance_change: float,
    max_evaluations: int,
) -> tuple[Trial, int]:
    r"""Return a step along a line, and how often the function was evaluated.

    A step :math:`t` is taken when :math:`f(t) \le f(0) + c_1 t f'(0)` and :math:`|f'(t)| \le c_2 |f'(0)|`.

    Args:
        evaluate: from a step length to the function, its gradient and its slope there
        length: the step to try first
        start: the function at length 0
        reach: the largest entry of the direction, with which `tolerance_change` is compared
        tolerance_change: the smallest bracket worth searching
        max_evaluations: how many steps to try after the first

    Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6.
    """
    search = _Search(evaluate, start, max_evaluations)
    bracket = search.bracket(length)
    low = search.zoom(bracket, reach, tolerance_change) if len(bracket) == 2 else 0
    return bracket[low], search.tried + 1


class _Search:
    def __init__(self, evaluate: Callable[[Any], tuple[float, Any, Any]], start: Trial, limit: int) -> None:
        self.evaluate = evaluate
        self.start = start
        self.limit = limit
        self.tried = 0  # after the first

    def at(self, length: Any) -> Trial:
        loss, grad, slope = self.evaluate(length)
        return Trial(length, loss, grad, slope)

    def too_high(self, trial: Trial) -> bool:
        return bool(trial.loss > self.start.loss + DECREASE * trial.length * self.start.slope)

    def flat_enough(self, trial: Trial) -> bool:
        return bool(abs(trial.slope) <= -CURVATURE * self.start.slope)

    def bracket(self, length: Any) -> list[Trial]:
        """Return one step that satisfies the conditions, or two with such a step between them."""
        before, trial = self.start, self.at(length)
        while self.tried < self.limit:
            if self.too_high(trial) or (self.tried > 1 and trial.loss >= before.loss):
                return [before, trial]
            if self.flat_enough(trial):
                return [trial]
            if trial.slope >= 0:
                return [before, trial]
            bounds = (trial.length + 0.01 * (trial.length - before.length), trial.length * 10)
            before, trial = trial, self.at(cubic_minimum(before, trial, bounds))
            self.tried += 1
        return [self.start, trial]

    def zoom(self, bracket: list[Trial], reach: Any, tolerance_change: float) -> int:
        """Narrow the bracket until one end satisfies the conditions or the effort is spent; say which end is lower."""
        low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        stuck = False
        while self.tried < self.limit:
            if abs(bracket[1].length - bracket[0].length) * reach < tolerance_change:
                break
            length, stuck = _away_from_ends(cubic_minimum(bracket[0], bracket[1]), bracket, stuck)
            trial = self.at(length)
            self.tried += 1
            if self.too_high(trial) or trial.loss >= bracket[low].loss:
                bracket[high] = trial
                low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
                continue
            done = self.flat_enough(trial)
            if not done and trial.slope * (bracket[high].length - bracket[low].length) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = trial
            if done:
                break
        return low


def _away_from_ends(length: Any, bracket: list[Trial], stuck: bool) -> tuple[Any, bool]:
    """Return a step that makes progress, and whether it is the first of two close to an end of the bracket."""
    shortest, longest = sorted((bracket[0].length, bracket[1].length))
    margin = 0.1 * (longest - shortest)
    if not min(longest - length, length - shortest) < margin:
        return length, False
    if not (stuck or length >= longest or length <= shortest):
        return length, True
    return (longest - margin if abs(length - longest) < abs(length - shortest) else shortest + margin), False
