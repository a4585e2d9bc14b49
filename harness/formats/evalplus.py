"""EvalPlus's ``samples.jsonl`` and ``eval_results.json``, from our scores: for scripts that read them.

Source: evalplus 0.3.1 ``evalplus/evaluate.py``: ``date``, ``hash`` (md5 of the data), ``eval`` {task: [{task_id,
solution, base_status, plus_status, base_fail_tests, plus_fail_tests}]}. ``plus_status`` is that of the extra inputs
alone: EvalPlus counts a sample in plus where both are ``pass``. A test that failed is its arguments, as the data
set has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.types import Sample, Score

_STATUS = {"passed": "pass", "ok": "pass", "timeout": "timeout"}


def samples(programs: Mapping[tuple[str, int], str]) -> Iterator[dict[str, Any]]:
    """Rows of ``samples.jsonl``: of (sample, attempt) the whole program."""
    for (sample, _), program in programs.items():
        yield {"task_id": sample, "solution": program}


def eval_results(
    samples: Mapping[str, Sample],
    scores: Iterable[Score],
    programs: Mapping[tuple[str, int], str],
    *,
    md5: str,
    date: str,
) -> dict[str, Any]:
    """The content of ``eval_results.json``.

    Args:
        samples: By their ids.
        scores: Of scorer ``plus``: ``base`` and ``plus`` of each attempt. What is unscored is left out.
        programs: (sample, attempt) -> what was executed.
        md5: Of the data set's uncompressed bytes.
        date: As ``2026-01-31 12:00``.
    """
    found: dict[tuple[str, int], dict[str, Score]] = {}
    for score in scores:
        if score.value is not None:
            found.setdefault((score.sample, score.attempt), {})[score.metric] = score
    evaluated: dict[str, list[dict[str, Any]]] = {}
    for (sample, attempt), both in sorted(found.items(), key=lambda one: one[0][1]):
        if sample in samples and {"base", "plus"} <= both.keys():
            record = samples[sample].record
            evaluated.setdefault(sample, []).append(
                {
                    "task_id": sample,
                    "solution": programs.get((sample, attempt), ""),
                    "base_status": _STATUS.get(both["base"].reason, "fail"),
                    "plus_status": _STATUS.get(str(both["plus"].detail.get("extra", "")), "fail"),
                    "base_fail_tests": _failed(record, both["base"]),
                    "plus_fail_tests": _failed(record, both["plus"], extra=True),
                }
            )
    order = {sample: place for place, sample in enumerate(samples)}
    return {"date": date, "hash": md5, "eval": dict(sorted(evaluated.items(), key=lambda one: order[one[0]]))}


def _failed(record: Mapping[str, Any], score: Score, *, extra: bool = False) -> list[Any]:
    """The one test that failed first, where it is of this set."""
    call = score.detail.get("extra_call" if extra and "extra_call" in score.detail else "call")
    base = record.get("base_input") or []
    tests = record.get("plus_input") or [] if extra else base
    at = call - len(base) if extra and isinstance(call, int) else call
    return [tests[at]] if isinstance(at, int) and 0 <= at < len(tests) else []
