"""What a scorer of code proves before it grades: reference solutions pass, and known-wrong programs fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from harness.errors import InstrumentError
from harness.prompts import reference_text
from harness.sandbox import Outcome
from harness.types import Sample, Stage, Task

REFERENCES: Final = 3
"""How many reference solutions are graded."""
_KNOWN_WRONG: Final[Mapping[str, str]] = {
    "a wrong value": "    return 'known to be wrong'\n",
    "an object equal to everything": (
        "    class Equal:\n        __eq__ = __ge__ = __le__ = lambda self, other: True\n"
        "        __ne__ = lambda self, other: False\n    return Equal()\n"
    ),
    "an early exit": "    import os\n    os._exit(0)\n",
}
"""Bodies of a function that must not pass."""


def known_wrong(entry_point: str) -> dict[str, str]:
    """Programs that define a function and must not pass, by what is wrong with them."""
    return {name: f"def {entry_point}(*arguments, **named):\n{body}" for name, body in _KNOWN_WRONG.items()}


async def prove(
    task: Task,
    samples: Sequence[Sample],
    entry_point: Callable[[Sample], str],
    grade: Callable[[Sample, str, Stage], Awaitable[Outcome]],
) -> None:
    """Grade a few reference solutions, where the task has any, and known-wrong programs for the first sample.

    Args:
        task: Whose scorer is tried.
        samples: Those whose verdicts can be foreseen; the first few are taken.
        entry_point: Name of the function that a sample asks for.
        grade: Extracts and executes a text.

    Raises:
        InstrumentError: A reference solution failed, or a known-wrong program passed.
    """
    scorer = f"self-test of scorer {task.scorer.name}"
    chosen = samples[:REFERENCES]
    for sample in chosen:
        if task.reference is None:
            break
        outcome = await grade(sample, reference_text(task, sample), task.reference.stage)
        if outcome.status != "passed":
            raise InstrumentError(
                f"{scorer}: the reference solution of {sample.id} came out as {outcome.status} "
                f"({outcome.kind} {outcome.message})".rstrip(),
                "nothing was graded; run `harness doctor`, and check the data set with `harness data verify`",
            )
    for sample in chosen[:1]:
        for name, wrong in known_wrong(entry_point(sample)).items():
            if (await grade(sample, wrong, "program")).status == "passed":
                raise InstrumentError(
                    f"{scorer}: {name} passed the tests of {sample.id}", "nothing was graded; run `harness doctor`"
                )
