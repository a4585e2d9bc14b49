"""What judging a task needs besides the model: prompts, references, the other side's answers, read once."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness import prompts
from harness.errors import DataError, HarnessError, SpecError, UsageError
from harness.formats import read_completions
from harness.formats.fastchat import review_id, review_question
from harness.formats.placing import placed
from harness.formats.rows import Row, read_rows
from harness.judging import build
from harness.judging.build import Case, Template
from harness.scorers.extraction import extract
from harness.types import Completion, DatasetPin, Judge, Sample, Task

if TYPE_CHECKING:
    from harness.datasets import DataStore
    from harness.judging.length_control import Gamed

Answers = Mapping[str, tuple[str, ...]]
"""Sample id -> an answer's turns."""


class LengthData(msgspec.Struct, frozen=True):
    """What the length-controlled win rate needs: difficulty by row, gamed rows, C of published rows by model."""

    difficulty: tuple[float, ...]
    gamed: Gamed
    recorded: Mapping[str, float]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """A judge with everything that its prompts are made of, for one task.

    Attributes:
        judge: The declaration.
        task: Whose items are judged.
        texts: The task's pinned texts.
        templates: Those of ``judge.prompts``, in their order.
        references: Reference answers; a sample without one is judged without.
        baseline: The other side's answers; empty for one answer alone.
        length: Data of the length-controlled win rate; None where they are not to be had, and ``notes`` says why.
        notes: What a person should know.
    """

    judge: Judge
    task: Task
    texts: Mapping[str, str]
    templates: tuple[Template, ...]
    references: Answers
    baseline: Answers
    length: LengthData | None = None
    notes: tuple[str, ...] = ()

    def case(self, sample: Sample, completions: Sequence[Completion]) -> Case:
        """One item as the judge sees it; answers are what the task's extraction leaves of each reply.

        Raises:
            SpecError: The record lacks a field.
            DataError: The baseline has no answer to this item, or fewer turns.
        """
        where = f"{self.task.name}: sample {sample.id!r}"
        questions = self.questions(sample)[: len(completions)]
        answers = tuple(extract(one.text, self.task.extraction) or "" for one in completions)
        category = None
        if self.judge.category is not None:
            category = str(prompts.lookup(sample.record, self.judge.category, where=where))
        baseline = self.baseline.get(sample.id, ())
        if self.judge.kind == "pair" and len(baseline) < len(answers):
            raise DataError(f"{where}: the baseline has no answer to it", "name a whole file with --baseline")
        return Case(
            id=sample.id,
            questions=questions,
            answers=answers,
            category=category,
            references=self.references.get(sample.id, ()),
            baseline=baseline,
        )

    def questions(self, sample: Sample) -> tuple[str, ...]:
        """The user's text of each turn of a sample."""
        return _questions(self.task, sample, self.texts)

    def calls(self, case: Case) -> list[build.Call]:
        """The calls that judging an item takes; none where AlpacaEval's two outputs are the same text."""
        if self.judge.aggregation == "alpaca-eval" and case.answers == case.baseline[: len(case.answers)]:
            return []
        return build.calls(self.judge, self.templates, case)


def load(
    judge: Judge,
    task: Task,
    samples: Sequence[Sample],
    data: DataStore,
    *,
    baseline: Path | None = None,
    now: bool = True,
) -> Material:
    """Fetch everything that a judge needs for a task.

    Args:
        judge: The declaration.
        task: Whose items are judged.
        samples: Its samples, all of them.
        data: Where pinned data come from.
        baseline: The other side's answers, in any form that can be replayed, or a cell; replaces the judge's own.
        now: Whether it judges now; else it needs no baseline yet.

    Raises:
        DataError: Pinned data or the baseline's file cannot be had.
        UsageError: The judge compares with a baseline, and there is none, or one of other items.
        SpecError: The prompts are not in the pinned files.
    """
    if baseline is not None and judge.kind == "single":
        raise UsageError(
            f"--baseline: {judge.name} judges one answer alone", "leave it out, or choose a judge of pairs"
        )
    texts = data.texts(task)
    length, notes = length_data(judge, data)
    other = _baseline(judge, task, samples, data, texts, baseline) if now else {}
    if now and judge.kind == "pair" and not other.keys() & {sample.id for sample in samples}:
        raise UsageError(
            f"{judge.name}: none of the baseline's answers is to an item of {task.name}",
            "judge by a declaration of this benchmark, or name its answers with --baseline",
        )
    return Material(
        judge=judge,
        task=task,
        texts=texts,
        templates=templates(judge, data),
        references=_of_samples(data.records(judge.references), task, samples, texts) if judge.references else {},
        baseline=other,
        length=length,
        notes=notes,
    )


def holds_both_sides(path: Path) -> bool:
    """Whether a file holds the baseline's answers beside a model's: AlpacaEval's annotations, reviews in both orders.

    Raises:
        DataError: It cannot be read.
    """
    rows = read_rows(path) if path.is_file() else []
    return bool(rows) and ("output_1" in rows[0].fields or "Answer2" in rows[0].fields)


def _questions(task: Task, sample: Sample, texts: Mapping[str, str]) -> tuple[str, ...]:
    where = f"{task.name}: sample {sample.id!r}: prompt"
    return tuple(prompts.render(text, sample.record, texts, where=where) for text in task.prompt.turns)


def templates(judge: Judge, data: DataStore) -> tuple[Template, ...]:
    """The templates of a judge's prompts, in their order.

    Raises:
        DataError: The pinned texts cannot be had.
        SpecError: A prompt is not in them.
    """
    rows = {name: data.records(pin) for name, pin in judge.texts.items()}
    found = []
    for prompt in judge.prompts:
        pin = judge.texts[prompt.text]
        if pin.format == "text":
            found.append(build.chatml(rows[prompt.text][0]["text"]))
            continue
        fitting = [row for row in rows[prompt.text] if all(row.get(key) == want for key, want in prompt.where.items())]
        if len(fitting) != 1:
            said = ", ".join(f"{key} = {want!r}" for key, want in prompt.where.items()) or "no `where`"
            raise SpecError(f"judge {judge.name}: {len(fitting)} rows of {pin.name} have {said}, not one")
        found.append(build.row_template(fitting[0]))
    return tuple(found)


def _baseline(
    judge: Judge,
    task: Task,
    samples: Sequence[Sample],
    data: DataStore,
    texts: Mapping[str, str],
    given: Path | None,
) -> Answers:
    if judge.kind == "single":
        return {}
    if given is not None:
        if not holds_both_sides(given):
            return _replayed(given)
        rows = read_rows(given)
        if "Answer2" in rows[0].fields:
            return _of_reviews(rows, samples)
        return _of_samples([row.fields for row in rows], task, samples, texts)
    if judge.baseline is None:
        raise UsageError(
            f"{judge.name} compares with another model's answers, which nobody published",
            "name them with --baseline FILE (FastChat, AlpacaEval, plain JSON lines) or --baseline CELL",
        )
    return _of_samples(data.records(judge.baseline), task, samples, texts)


def _replayed(path: Path) -> Answers:
    turns: dict[str, dict[int, str]] = {}
    for row in read_completions(path, None).rows:
        if row.attempt == 0:
            turns.setdefault(row.sample, {})[row.turn] = row.text
    return {sample: tuple(text for _, text in sorted(said.items())) for sample, said in turns.items()}


def _of_reviews(rows: Sequence[Row], samples: Sequence[Sample]) -> Answers:
    """The second side of reviews in both orders by sample."""
    asked = [one for row in rows if (one := review_question(row)) is not None]
    places: Sequence[str | None] = [review_id(row, number) for number, row in enumerate(rows)]
    if len(asked) == len(rows):
        places = placed(asked, samples)
    return {place: (row.text("Answer2"),) for place, row in zip(places, rows, strict=True) if place is not None}


def _of_samples(
    rows: Sequence[Mapping[str, Any]], task: Task, samples: Sequence[Sample], texts: Mapping[str, str]
) -> Answers:
    """Answers of a pinned file by sample: FastChat's by question id, AlpacaEval's by the instruction's text."""
    first = rows[0] if rows else {}
    if "choices" in first:
        return {str(row["question_id"]): tuple(row["choices"][0]["turns"]) for row in rows}
    field = next((name for name in ("output_1", "output") if name in first), None)
    if field is None or "instruction" not in first:
        raise DataError(
            f"{task.name}: the pinned answers have neither FastChat's nor AlpacaEval's form",
            "pin model_answer rows (question_id, choices) or outputs (instruction, output)",
        )
    by_text = {str(row["instruction"]): (str(row[field]),) for row in rows}
    asked = {sample.id: _questions(task, sample, texts)[0] for sample in samples}
    return {sample: by_text[text] for sample, text in asked.items() if text in by_text}


def length_data(judge: Judge, data: DataStore) -> tuple[LengthData | None, tuple[str, ...]]:
    """Data of a judge's length-controlled win rate, and what a person should know of them."""
    control = judge.length_control
    if control is None:
        return None, ()
    try:
        difficulty, _ = _first_there(control.difficulty, data)
        rows, used = _first_there(control.gamed, data)
        hard = tuple(float(row["instruction_difficulty"]) for row in difficulty)
        from harness.judging.length_control import gamed_rows  # numpy

        gamed = gamed_rows(rows)
    except (HarnessError, KeyError, ValueError) as error:
        said = error.message if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        return None, (f"no length-controlled win rate: {said}",)
    notes = () if used == control.gamed[0] else (f"length control uses {used.name}: exact at a given C only",)
    lines = csv.DictReader(io.StringIO(control.recorded or "model,C\n"))
    return LengthData(hard, gamed, {row["model"]: float(row["C"]) for row in lines}), notes


def _first_there(pins: Sequence[DatasetPin], data: DataStore) -> tuple[list[dict[str, Any]], DatasetPin]:
    """The records of the first pin that lies in cache or mirror, else of the first that can be had."""
    here = [pin for pin in pins if (data.locate(pin) or "").startswith(("cache:", "mirror:"))]
    if here:
        return data.records(here[0]), here[0]
    failure: HarnessError | None = None
    for pin in pins:
        try:
            return data.records(pin), pin
        except HarnessError as error:
            failure = failure or error
    raise failure or SpecError("length_control pins nothing")
