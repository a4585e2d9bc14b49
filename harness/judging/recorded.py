"""Verdicts that exist already: FastChat's judgments and reviews, AlpacaEval's annotations."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clock import now
from harness.errors import DataError, JudgeError, UsageError
from harness.formats.alpaca_eval import Annotation, read_annotations
from harness.formats.fastchat import Judgment, read_judgments
from harness.judging import reading
from harness.judging.asking import Key
from harness.judging.build import Call, Case
from harness.store import Verdicts
from harness.types import Judge, Verdict

_CLOSE = 1e-6
"""Preferences were rounded when they were stored."""


class Recorded:
    """A file of verdicts. A verdict counts only for the very prompt (or answers) that it was given on.

    Args:
        judge: The declaration.
        path: The file.
        trusted: Count verdicts on other prompts, too.

    Attributes:
        name: Who judged, as the file says.
        sha256: Of the file's bytes.
        model: Whose answers were judged, where the file says so.

    Raises:
        DataError: The file cannot be read, or holds no verdicts.
        UsageError: It is of another kind than the judge.
    """

    def __init__(self, judge: Judge, path: Path, *, trusted: bool = False) -> None:
        self._judge = judge
        self._path = path
        self._trusted = trusted
        self.mismatches: Counter[str] = Counter()
        self.model = ""
        self._models: set[str] = set()
        self._only: str | None = None
        self._proves = True  # every verdict says on what it was given
        self._judgments: dict[tuple[str, int, str | None], list[Judgment]] = {}
        self._shown_so: dict[tuple[str, ...], list[Judgment]] = {}
        self._annotations: dict[str, list[Annotation]] = {}
        if judge.aggregation == "alpaca-eval":
            for annotation in read_annotations(path):
                self._annotations.setdefault(annotation.instruction, []).append(annotation)
            names = {one.annotator for ones in self._annotations.values() for one in ones}
            models = {one.model for ones in self._annotations.values() for one in ones}
            self.model = models.pop() if len(models) == 1 else ""
        else:
            judgments = read_judgments(path)
            if any((one.order is None) != (judge.kind == "single") for one in judgments):
                raise UsageError(f"{path}: its verdicts are not of kind '{judge.kind}', as {judge.name} needs")
            for one in judgments:
                self._judgments.setdefault((one.sample, one.turn, one.order), []).append(one)
                if one.shown is not None:
                    self._shown_so.setdefault(_stripped(one.shown), []).append(one)
            names = {one.judge for one in judgments}
            self._models = {one.model for one in judgments}
            self._proves = all(one.prompt is not None or one.shown is not None for one in judgments)
        if not names:
            raise DataError(f"{path}: holds no verdicts", "is it the right file, and whole?", code="empty")
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = names.pop() if len(names) == 1 else "several"

    def of_model(self, name: str) -> Recorded:
        """The verdicts on one model's answers, where the file has several models' and names this one.

        Raises:
            UsageError: It has several models' and names others, and nothing else tells whose are meant.
        """
        if name not in self._models and len(self._models) > 1 and (self._trusted or not self._proves):
            shown = ", ".join(sorted(self._models)[:4])
            raise UsageError(
                f"{self._path}: verdicts on answers of {len(self._models)} models ({shown}), none called {name}",
                "name the answers after one of them: replay:PATH#NAME",
            )
        found = copy.copy(self)
        found._only = name if name in self._models else None
        return found

    async def verdict(self, key: Key, call: Call, journal: Verdicts, case: Case) -> Verdict:
        """The first readable verdict on one question; all of the file's are journaled.

        Raises:
            JudgeError: The file has none on this item, or on other answers only.
        """
        known = journal.of(key.sample, key.attempt, call.turn, call.order, call.prompt_sha256)
        if not known:
            known = self._take(key, call, case)
            for verdict in known:
                journal.append(verdict)
        return next((verdict for verdict in known if verdict.parsed is not None), known[0])

    def _take(self, key: Key, call: Call, case: Case) -> list[Verdict]:
        if self._judge.aggregation == "alpaca-eval":
            return [self._of_annotation(key, call, number, one) for number, one in enumerate(self._of_answers(case))]
        return [self._of_judgment(key, call, number, one) for number, one in enumerate(self._of_prompt(call, case))]

    def _of_prompt(self, call: Call, case: Case) -> Sequence[Judgment]:
        found = self._judgments.get((case.id, call.turn, call.order), [])
        if self._only is not None:
            found = [one for one in found if one.model == self._only]
        if self._shown_so:
            same = self._of_shown(call, case)
        elif self._trusted:
            same = found
        else:
            same = [one for one in found if one.prompt in (None, call.messages[-1].content)]
        # Two models may have given one answer: rows of one of them count.
        same = [one for one in same if one.model == same[0].model]
        return self._some(found or same, same, f"item {case.id}, turn {call.turn + 1}")

    def _of_shown(self, call: Call, case: Case) -> list[Judgment]:
        """Reviews that show a call's very answers in its order; the item's own first, as ids may have shifted."""
        ours, theirs = case.answers[call.turn], case.baseline[call.turn]
        found = self._shown_so.get(_stripped((theirs, ours) if call.candidate_second else (ours, theirs)), [])
        found = [one for one in found if one.sample == case.id] or found
        if found and ours != theirs:
            return found
        # The texts do not tell the sides apart: a file's first side is then the candidate's.
        if self._trusted and not found:
            found = [one for order in ("ab", "ba") for one in self._judgments.get((case.id, call.turn, order), [])]
        return [one for one in found if (one.order == "ba") == call.candidate_second]

    def _of_answers(self, case: Case) -> Sequence[Annotation]:
        found = self._annotations.get(case.questions[0], [])
        same = [
            one for one in found if self._trusted or (one.output, one.baseline) == (case.answers[0], case.baseline[0])
        ]
        return self._some(found, same, f"item {case.id}")

    def _some(self, found: Sequence[Any], same: Sequence[Any], where: str) -> Sequence[Any]:
        if not found:
            raise JudgeError(f"{self._path.name} has no verdict on {where}", code="no-recorded-verdict")
        if not same:
            raise JudgeError(
                f"{self._path.name}: its verdict on {where} is on other answers than this run's",
                "score the run that was judged, or say --trust-verdicts",
                code="other-prompt",
            )
        return same

    def _of_judgment(self, key: Key, call: Call, number: int, one: Judgment) -> Verdict:
        found = reading.read(self._judge.reading, one.reply, scale=self._judge.scale)
        if one.recorded is not None and found.parsed != one.recorded:
            self.mismatches["recorded score"] += 1
        return self._verdict(key, call, number, reply=one.reply, parsed=found.parsed, code=found.code)

    def _of_annotation(self, key: Key, call: Call, number: int, one: Annotation) -> Verdict:
        shown = self._shown(one.preference, call)
        if one.top_logprobs is not None:
            again = reading.token_preference(one.top_logprobs, *self._judge.reading.tokens)
            if again is None or shown is None or abs(again - shown) > _CLOSE:
                self.mismatches["recorded preference"] += 1
        code = None if shown is not None else "no-verdict"
        return self._verdict(key, call, number, reply=one.reply, parsed=shown, code=code, top_logprobs=one.top_logprobs)

    def _shown(self, preference: float | None, call: Call) -> float | None:
        """A recorded preference (1 is the baseline) as the judge saw the two answers: 1 is the first shown."""
        if preference is None:
            return None
        preference = 1.5 if preference == 0 else preference
        return preference if call.candidate_second else 3 - preference

    def _verdict(self, key: Key, call: Call, number: int, **said: Any) -> Verdict:
        return Verdict(
            sample=key.sample,
            attempt=key.attempt,
            turn=call.turn,
            judge=f"{self._judge.name} by {self.name}",
            call=number,
            order=call.order,
            prompt_sha256=call.prompt_sha256,
            at=now(),
            **said,
        )

    def identity(self) -> Mapping[str, Any]:
        """What of the file decides a scoring."""
        return {"verdicts": self.sha256, "trusted": self._trusted or None}


def _stripped(shown: tuple[str, str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in shown)
