"""Answers that exist already: ``replay:PATH``, a file of completions or a cell folder of ours."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.engines import EngineOptions, Prepared
from harness.engines.reasoning import split_reasoning
from harness.engines.record import Clock, completion, concurrency
from harness.engines.replay_place import Rows, place
from harness.errors import EngineError, RequestError, UsageError
from harness.plain import one_line
from harness.types import Completion, EngineFacts, Generate, ModelFacts, Request, Sample, Task

if TYPE_CHECKING:
    from harness.formats import Replay as Replayed

DEFAULT_CONCURRENCY = 1024
"""Nothing is asked of anybody; the more are at hand, the better the sandbox can put the longest first."""
_JOURNAL = "completions.jsonl"
_SUFFIXES = (".zip", ".gz", ".jsonl", ".json")
_SHOWN = 2


class Replay:
    """Answers from a file, by sample, attempt and turn; asks no model.

    The stage is the one that the user names, else the one that the rows declare, else guessed from the file's form and
    announced. The identity is the sha256 of the file's bytes (of a cell: of its ``completions.jsonl``; of a folder of
    programs: of all of them) with the stage.

    Args:
        target: The path, or ``PATH#NAME`` to say whose answers they are (so that published numbers are found).
        options: What the command line says; ``stage`` is what the completions are.

    Raises:
        UsageError: No path is given.
    """

    def __init__(self, target: str, options: EngineOptions) -> None:
        if not target.strip():
            raise UsageError("--model replay: names no file", "write replay:PATH")
        self.concurrency = concurrency(options, DEFAULT_CONCURRENCY)
        self.facts = EngineFacts(name="replay")
        self._path, self._name = _split(target)
        self._stem = self._path == Path(target).expanduser()
        self._options = options
        self.model = ModelFacts(name=self._name, identity="replay")
        self._replayed: Replayed | None = None
        self._rows: Rows = {}

    async def __aenter__(self) -> Self:
        """Read the file.

        Raises:
            DataError: It is absent, of no known form, or has a row that cannot be read (with its line).
        """
        await asyncio.to_thread(self._read)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of the rows."""
        self._rows = {}

    def _read(self) -> None:
        from harness.formats import read_completions

        replayed = read_completions(self._path, self._options.stage)
        self._replayed = replayed
        declared = {"model": one_line(replayed.model)} if replayed.model else {}
        if self._stem and replayed.form == "alpaca-eval" and replayed.model:
            self._name = one_line(replayed.model, 200)  # its files are all called alike
        self.model = ModelFacts(name=self._name, identity="replay", weights=replayed.sha256, declared=declared)

    def settings(self) -> Mapping[str, Any]:
        """Nothing: the file is in the model's identity."""
        return {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Match the file's answers to the task's samples; what is missing or left over is announced.

        Raises:
            EngineError: No answer is of these samples, or an answer records another question than its sample's.
        """
        assert self._replayed is not None, "the engine is entered before it is asked"
        self._rows = place(self._replayed, task, samples)
        answered = {sample for sample, _, _ in self._rows}
        wanted = {sample.id for sample in samples}
        if not wanted & answered:
            raise EngineError(
                f"{self._path}: no answer is of a sample of {task.name}: the file has {_some(answered)}, the task has "
                f"{_some(sample.id for sample in samples)}",
                "name the file that belongs to this task, or rename its samples",
            )
        self._check_questions(task, samples)
        self._check_attempts(wanted)
        attempts = Counter(sample for sample, attempt in {key[:2] for key in self._rows} if sample in wanted)
        stages = {row.stage for row in self._replayed.rows}
        return Prepared(
            attempts=1 + max(attempt for sample, attempt, _ in self._rows if sample in wanted),
            notes=(*self._replayed.notes, *self._gaps(task, wanted, answered, attempts)),
            identity={"sha256": self.model.weights, "stage": stages.pop() if len(stages) == 1 else "mixed"},
        )

    def _gaps(
        self, task: Task, wanted: Collection[str], answered: Collection[str], attempts: Counter[str]
    ) -> list[str]:
        """What does not match, one sentence each."""
        notes = []
        missing = len(set(wanted) - set(answered))
        if missing:
            notes.append(
                f"{self._path.name}: {missing} of {len(wanted)} samples of {task.name} have no answer and stay unscored"
            )
        extra = len(set(answered) - set(wanted))
        if extra:
            notes.append(f"{self._path.name}: answers to {extra} other samples are not used")
        counts = sorted(set(attempts.values()))
        if len(counts) > 1:
            notes.append(f"{self._path.name}: samples have between {counts[0]} and {counts[-1]} attempts")
        return notes

    def _check_attempts(self, wanted: Collection[str]) -> None:
        """An attempt numbered beyond what the file can hold would promise attempts without end."""
        for sample, attempt, _ in self._rows:
            if sample in wanted and attempt >= len(self._rows):
                raise EngineError(
                    f"{self._path}: sample '{one_line(sample, 60)}' has attempt {attempt}, but the file holds only "
                    f"{len(self._rows)} answers",
                    "number the attempts of a sample from 0 without gaps",
                )

    def _check_questions(self, task: Task, samples: Sequence[Sample]) -> None:
        """Where AlpacaEval's file records its questions, each must be in the record that its row number means."""
        assert self._replayed is not None, "the engine is entered before it is asked"
        for sample in samples if self._replayed.form == "alpaca-eval" else ():
            row = self._rows.get((sample.id, 0, 0))
            if row is None or row.asked is None:
                continue
            texts = [value.strip() for value in sample.record.values() if isinstance(value, str)]
            if row.asked.strip() not in texts:
                raise EngineError(
                    f"{self._path}: row {sample.id} answers another question than sample {sample.id} of {task.name}: "
                    f"'{one_line(row.asked, 80)}'",
                    "name the file that belongs to this task, in the data set's order",
                )

    async def ask(self, request: Request) -> Completion:
        """Look the answer up.

        Raises:
            RequestError: ``missing`` where the file has none for this sample, attempt and turn.
        """
        clock = Clock()
        row = self._rows.get((request.sample, request.attempt, request.turn))
        if row is None or (row.logprobs is None) is not isinstance(request, Generate):
            raise RequestError(
                "missing",
                f"{self._path.name}: no answer to sample {request.sample}, attempt {request.attempt}, "
                f"turn {request.turn}",
            )
        assert self._replayed is not None, "rows come from a file"
        text, reasoning = row.text, row.reasoning
        if self._replayed.form != "harness-cell":  # a cell has parted them already
            text, reasoning = split_reasoning(text, reasoning, lone_close=row.stage == "reply")
        return completion(
            request,
            clock,
            text=text,
            reasoning=reasoning,
            stage=row.stage,
            finish_reason=row.finish_reason,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            max_tokens=row.max_tokens,
            logprobs=row.logprobs,
            seed=None,
        )


def _split(target: str) -> tuple[Path, str]:
    """Path and name of ``PATH`` or ``PATH#NAME``; a file whose own name holds a ``#`` is found as it is."""
    whole = Path(target).expanduser()
    path, mark, name = target.rpartition("#")
    if not mark or not path or not name or whole.exists():
        return whole, replay_name(whole)
    return Path(path).expanduser(), one_line(name, 200)


def replayed_files(models: Iterable[str]) -> dict[str, Path]:
    """The files that model arguments replay, by the name that their model goes by."""
    targets = [model.removeprefix("replay:") for model in models if model.startswith("replay:")]
    return {name: path for path, name in map(_split, targets)}


def replay_name(path: Path) -> str:
    """What replayed answers are called: the model of a cell, else the file's stem."""
    from harness.formats import cell_model

    name = cell_model(path.parent if path.name == _JOURNAL else path)
    if name is None:
        name = path.name
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
    return one_line(name, 200) or "replay"


def _some(ids: Iterable[str]) -> str:
    """A few ids for an error message, in a stable order."""
    unique = list(dict.fromkeys(ids))
    if isinstance(ids, set | frozenset):
        unique.sort()
    shown = ", ".join(f"'{one_line(one, 60)}'" for one in unique[:_SHOWN])
    return f"{shown}, ..." if len(unique) > _SHOWN else shown
