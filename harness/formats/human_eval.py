"""human-eval's samples and results, from our scores: for scripts that read them.

Source: openai/human-eval@6d43fb98 ``human_eval/evaluation.py`` (the results are the samples with ``result`` and
``passed``, in a file named as theirs with ``_results.jsonl`` after it) and ``execution.py`` (what ``result`` says).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.types import Score


def samples(completions: Mapping[tuple[str, int], str]) -> Iterator[dict[str, Any]]:
    """Rows of samples: of (sample, attempt) what is executed after the prompt."""
    for (sample, _), text in completions.items():
        yield {"task_id": sample, "completion": text}


def results(completions: Mapping[tuple[str, int], str], scores: Iterable[Score]) -> Iterator[dict[str, Any]]:
    """Rows of results; what is unscored is left out."""
    found = {(score.sample, score.attempt): score for score in scores if score.value is not None}
    for (sample, attempt), text in completions.items():
        score = found.get((sample, attempt))
        if score is not None:
            passed = score.value == 1.0
            yield {"task_id": sample, "completion": text, "result": _result(score, passed), "passed": passed}


def _result(score: Score, passed: bool) -> str:
    if passed:
        return "passed"
    if score.reason == "timeout":
        return "timed out"
    return f"failed: {score.detail.get('message') or ''}"
