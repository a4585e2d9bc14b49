"""Which sample a replayed row answers: by its id, by its place in the file, or by the question it records."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from harness.errors import EngineError
from harness.formats.placing import placed
from harness.types import Sample, Task

if TYPE_CHECKING:
    from harness.formats import Replay, ReplayRow

Rows = Mapping[tuple[str, int, int], "ReplayRow"]

_NUMBERED: Final = re.compile(r"(?:(.*)[/_-])?([0-9]{1,9})", re.DOTALL)
"""``HumanEval/3``, ``Mbpp_11``, ``11``."""


def place(replayed: Replay, task: Task, samples: Sequence[Sample]) -> Rows:
    """The rows by sample, attempt and turn.

    Args:
        replayed: The file.
        task: Whose samples.
        samples: All of the data set, in its order.

    Raises:
        EngineError: A file that goes by position has more problems than the data set.
    """
    asked = [row.asked for row in replayed.rows if row.asked is not None]
    if len(asked) == len(replayed.rows):
        return _by_question(replayed, asked, samples)
    ids: Mapping[str, str] = {}
    found = {row.sample for row in replayed.rows}
    if replayed.form == "bigcode":
        ids = _by_position(replayed, task, samples)
    elif found.isdisjoint(sample.id for sample in samples):
        ids = _by_number(found, task, samples)
    return _keyed(replayed, ids)


def _by_position(replayed: Replay, task: Task, samples: Sequence[Sample]) -> dict[str, str]:
    problems = 1 + max(int(row.sample) for row in replayed.rows)
    if problems > len(samples):
        raise EngineError(
            f"{replayed.path}: has {problems} problems, {task.name} has {len(samples)}: its lists go by position",
            "name the task whose data set it belongs to",
        )
    return {str(position): sample.id for position, sample in enumerate(samples)}


def _by_question(replayed: Replay, asked: Sequence[str], samples: Sequence[Sample]) -> Rows:
    """Put rows without ids at the samples whose question they record."""
    places = placed(asked, samples)
    if None in places and replayed.form == "alpaca-eval":
        return _keyed(replayed, {})  # of another data set, as its first row will show
    return {(one, 0, 0): row for one, row in zip(places, replayed.rows, strict=True) if one is not None}


def _keyed(replayed: Replay, ids: Mapping[str, str]) -> Rows:
    return {(ids.get(row.sample, row.sample), row.attempt, row.turn): row for row in replayed.rows}


def _by_number(found: Collection[str], task: Task, samples: Sequence[Sample]) -> dict[str, str]:
    """Ids that say the same number otherwise: ``3``, ``humaneval/3`` or ``HumanEval_3`` for ``HumanEval/3``.

    A name before the number must be that of the sample's id, or of the benchmark where that has none.
    """
    numbered = [(sample.id, _NUMBERED.fullmatch(sample.id)) for sample in samples]
    by_number: dict[int, tuple[str, str]] = {}
    for sample, match in numbered:
        if match is None or int(match[2]) in by_number:
            return {}
        by_number[int(match[2])] = sample, (match[1] or task.name.partition("/")[0]).casefold()
    ids = {}
    for one in found:
        match = _NUMBERED.fullmatch(one)
        sample, name = by_number.get(int(match[2]), ("", "")) if match is not None else ("", "")
        if match is not None and sample and (not match[1] or match[1].casefold() == name):
            ids[one] = sample
    return ids if len(set(ids.values())) == len(ids) else {}
