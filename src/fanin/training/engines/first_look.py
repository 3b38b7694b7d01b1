"""The advice that an optimiser gives at its first eager step, given before the first compiled one."""

from __future__ import annotations

from typing import Any

from fanin._core import advice
from fanin.optim.mistakes import check_symmetry
from fanin.random.generator import Generator, default_generator
from fanin.training.engines.engine import Task
from fanin.training.source import Batch
from fanin.training.weights import Kept


def look_for_symmetry(task: Task, batch: Batch) -> None:
    """Warn when all units of a hidden layer start with the same weights and get the same gradients.

    The gradients of one batch are computed eagerly, and everything is put back. That is done only where a matrix has
    equal rows or columns: rarely.
    """
    parameters = task.optimized()
    if task.optimizer._step_count or not advice.wanted(advice.SymmetricStart) or not any(map(_is_even, parameters)):
        return
    kept, state = Kept(task.model, task.loss), Generator.get_state(default_generator)
    kept.take()
    try:
        task.optimizer.zero_grad()
        task.loss(task.model(*batch.inputs), batch.target).backward()
        check_symmetry(parameters)
    finally:
        task.optimizer.zero_grad()
        kept.put_back()
        Generator.set_state(default_generator, state)


def _is_even(parameter: Any) -> bool:
    array = parameter._array
    if array.ndim != 2 or not array.size:
        return False
    rows, columns = array.shape  # a single one is equal to itself, and tells nothing
    first = array.item(0, 0)  # mostly two numbers tell, in a hundredth of the time of all
    return bool(
        (rows > 1 and array.item(1, 0) == first and (array == array[:1]).all())
        or (columns > 1 and array.item(0, 1) == first and (array == array[:, :1]).all())
    )
