"""What a file of completions becomes, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from harness.types import LogProbs, Stage

Form = Literal[
    "harness-cell",
    "plain",
    "human-eval",
    "evalplus",
    "evalplus-results",
    "bigcode",
    "fasteval",
    "fastchat",
    "alpaca-eval",
    "lm-eval",
    "reviews",
]
"""Who wrote the file: a cell of ours, plain lines (``sample``, ``text``), or a peer."""


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One completion that exists already; (``sample``, ``attempt``, ``turn``) is unique in a file.

    Attributes:
        sample: The data set's id of the problem as a string, or its row number where the file has no ids.
        attempt: From 0.
        turn: From 0; for likelihoods the number of the choice.
        text: What the model said, exactly as the file has it (NUL and lone surrogates included).
        reasoning: The model's reasoning where the file keeps it apart.
        stage: What ``text`` is; the same for all rows of most files.
        asked: The instruction that the file records beside the answer, where it has no ids: to place it by.
        recorded: The verdicts that the file records beside the program, by our name of the metric (``base``, ``plus``,
            ``pass``).
        finish_reason: Why the reply ended, where the file says so (a cell of ours), as the next three.
        prompt_tokens: As the engine counted them.
        completion_tokens: As the engine counted them.
        max_tokens: The bound on the reply that was sent.
        logprobs: For likelihoods of a cell of ours.
    """

    sample: str
    attempt: int
    turn: int
    text: str
    reasoning: str | None = None
    stage: Stage
    asked: str | None = None
    recorded: Mapping[str, bool] = {}
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    max_tokens: int | None = None
    logprobs: LogProbs | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A file of completions.

    Attributes:
        path: The file or folder that was read (inside a cell: its journal).
        sha256: Of its bytes; of a folder, of its programs' names and bytes.
        form: Who wrote it.
        stage: What its completions are; where rows differ, the first row's.
        rows: In the file's order.
        notes: What a person should know: a guessed stage, fields that were not read. One sentence each.
        model: Who answered, where the file says so.
        md5: Of the data that recorded verdicts are on, where the file says so.
    """

    path: Path
    sha256: str
    form: Form
    stage: Stage
    rows: list[ReplayRow]
    notes: tuple[str, ...] = ()
    model: str | None = None
    md5: str | None = None
