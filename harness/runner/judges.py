"""How judges take part in a run: rules that know who judges, the journal of each cell's verdicts, the forecast."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack

import msgspec

from harness.catalog import digest, score_id
from harness.judging.panel import Panel, number_name
from harness.judging.scorer import JudgeScorer
from harness.runner.job import Rule
from harness.store import Cell, Scoring
from harness.types import Completion, Sample, Task

GUESSED_ANSWER = 1500
"""Characters of an answer that is not there yet, for a forecast."""


def judge_rule(task: Task, samples: Sequence[Sample], panel: Panel) -> Rule:
    """Make the rule of a judged task; who judges is known once it is open.

    Raises:
        HarnessError: The judge's declaration, prompts or baseline cannot be had.
    """
    version = JudgeScorer.version
    identity = score_id(task, scorer_version=version)
    return Rule(task=task, scorer=panel.scorer(task, samples), score_id=identity, version=version, distribution=None)


def identify(rule: Rule) -> None:
    """Put who judges in an opened rule: in its identity, and, where it is not the declared judge, in its name."""
    scorer = rule.scorer
    if isinstance(scorer, JudgeScorer):
        rule.score_id = score_id(rule.task, scorer_version=rule.version, judge=scorer.identity)
        rule.said = {
            "judge": scorer.judge.name,
            "judge_version": scorer.judge.version,
            "by": scorer.by,
            "verdicts": digest(scorer.identity)[:8],
        }
        rule.task = msgspec.structs.replace(rule.task, name=number_name(rule.task, scorer))


def bind(rule: Rule, cell: Cell, stack: ExitStack | AsyncExitStack) -> Rule:
    """The rule for one cell: a judge writes its verdicts there."""
    if not isinstance(rule.scorer, JudgeScorer):
        return rule
    journal = stack.enter_context(cell.verdicts(digest(rule.scorer.identity)))
    return dataclasses.replace(rule, scorer=rule.scorer.bound(journal, model=cell.manifest.model.name))


def forecast(
    rule: Rule, panel: Panel, cell: Cell, scoring: Scoring | None, pairs: Iterator[tuple[Sample, int]]
) -> str | None:
    """What judging the attempts without a score will take; answers that are not there yet are guessed."""
    turns = len(rule.task.prompt.turns)
    if not isinstance(rule.scorer, JudgeScorer):
        return None

    def items() -> Iterator[tuple[Sample, Sequence[Completion]]]:
        for sample, attempt in pairs:
            if scoring is None or not scoring.has(sample.id, attempt):
                yield sample, [_answer(cell, sample, attempt, turn) for turn in range(turns)]

    return panel.forecast(rule.scorer, items())


def closing_notes(rule: Rule) -> list[str]:
    """What a person should know of the judging when it ends; what its numbers hide, their report says."""
    return rule.scorer.notes() if isinstance(rule.scorer, JudgeScorer) else []


def _answer(cell: Cell, sample: Sample, attempt: int, turn: int) -> Completion:
    if (sample.id, attempt, turn) in cell:
        return cell.completion(sample.id, attempt, turn)
    # Nothing is known of it yet; a text that no baseline has.
    guess = "answer " * (GUESSED_ANSWER // 7)
    return Completion(sample=sample.id, attempt=attempt, turn=turn, prompt_sha256="", text=guess)
