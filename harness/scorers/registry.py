"""Which scorers exist: ours and those of plug-ins, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from harness.catalog import registry
from harness.errors import HarnessError
from harness.scorers import Scorer
from harness.types import Task

SCORERS: Final[Mapping[str, str]] = {
    "exact-match": "harness.scorers.answers:ExactMatch",
    "human-eval": "harness.scorers.code.human_eval:HumanEval",
    "mbpp": "harness.scorers.code.mbpp:Mbpp",
    "multiple-choice": "harness.scorers.choices:MultipleChoice",
    "evalplus": "harness.scorers.code.official:Official",
    "plus": "harness.scorers.code.plus:Plus",
    "math": "harness.scorers.math.scorer:HarnessMath",
    "math-hendrycks": "harness.scorers.math.scorer:HendrycksMath",
    "math-minerva": "harness.scorers.math.scorer:MinervaMath",
    "math-verify": "harness.scorers.math.scorer:MathVerify",
    "wizardmath-gsm8k": "harness.scorers.math.gsm8k:WizardMathGsm8k",
    "wizardmath-math": "harness.scorers.math.scorer:WizardMathMath",
}
"""Name -> ``module:attribute`` of a class called as ``Class(task, workers=..., unsafe_exec=...)``."""


def open_scorer(task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> Scorer:
    """Make the scorer of a task.

    Args:
        task: The task; its ``scorer.name`` chooses, its ``scorer.options`` are checked by the scorer.
        workers: Sandbox workers, for scorers that execute code; None: one for each processor.
        unsafe_exec: Execute code without a jail where the kernel has none.

    Raises:
        UsageError: No scorer has that name.
        SpecError: The options are wrong.
    """
    return _load(task)(task, workers=workers, unsafe_exec=unsafe_exec)


def scorer_version(task: Task) -> tuple[int, str | None]:
    """Return the version of a task's scorer, and its distribution (``name==version``) where a plug-in brings it.

    Each change of the rule that takes programs from replies raises the version of the tasks that use it.
    """
    from harness.scorers.code.programs import CODE_RULE_CHANGES

    version = getattr(_load(task), "version", None)
    if not isinstance(version, int):
        raise HarnessError(f"scorer {task.scorer.name!r} has no integer `version`", "ask its author to declare one")
    version += CODE_RULE_CHANGES.get(task.extraction.code or "", 0)
    return version, registry("harness.scorers", SCORERS).distribution(task.scorer.name)


def _load(task: Task) -> Callable[..., Scorer]:
    return cast("Callable[..., Scorer]", registry("harness.scorers", SCORERS).load(task.scorer.name))
