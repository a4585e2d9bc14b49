"""What a task declares for its scorer: options and slices, read strictly."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from harness.errors import SpecError
from harness.prompts import lookup
from harness.spelling import suggestion
from harness.types import Sample, Spec, Task

OptionsT = TypeVar("OptionsT", bound=Spec)


def options(task: Task, kind: type[OptionsT]) -> OptionsT:
    """The task's scorer options as ``kind``.

    Raises:
        SpecError: An option is unknown, missing or of the wrong type; names task, option and nearest spelling.
    """
    given = task.scorer.options
    where = f"{task.name}: scorer.options"
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in given:
        if name not in fields:
            raise SpecError(
                f"{where}.{name}: scorer {task.scorer.name!r} has no such option",
                suggestion(name, fields),
            )
    for name, field in fields.items():
        if field.required and name not in given:
            raise SpecError(f"{where}: scorer {task.scorer.name!r} needs the option {name!r}", f"add {name} = ...")
    try:
        return msgspec.convert(dict(given), kind)
    except msgspec.ValidationError as error:
        raise SpecError(f"{where}: {error}") from error


def slices(task: Task, sample: Sample) -> dict[str, str]:
    """The sample's value of each field that the task reports separately, as text.

    Raises:
        SpecError: The record has no such field.
    """
    where = f"{task.name}: slices, sample {sample.id!r}"
    return {field: str(lookup(sample.record, field, where=where)) for field in task.slices}
