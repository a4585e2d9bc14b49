"""What a run observes: requests, completions, verdicts, scores, estimates, manifests. Unknown keys are ignored.

Record formats are a contract; `docs/formats.md` states them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from harness.types.specs import PublishedNumber, Sampling, Stage

Reason = Literal["ok", "wrong", "no_answer", "timeout", "error", "unscored"]
Where = Literal["request", "judge", "sandbox", "scorer"]
IdentityKind = Literal["sha256", "quick", "revision", "declared", "replay", "reference"]
State = Literal["running", "partial", "complete"]


class Fact(msgspec.Struct, frozen=True):
    """Observed by a run; unknown keys are ignored."""


class Message(Fact, frozen=True, kw_only=True):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sample(Fact, frozen=True, kw_only=True):
    """One record of a data set, as asked. ``record`` is the raw record, ``id`` its key in every file."""

    id: str
    record: Mapping[str, Any]


class Generate(Fact, frozen=True, kw_only=True, tag_field="kind", tag="generate"):
    """Ask for a completion. Exactly one of ``prompt`` (sent as it is) and ``messages`` (the server's template).

    ``top_logprobs`` asks for so many alternatives of the reply's first token.
    """

    task: str
    sample: str
    attempt: int
    turn: int
    sampling: Sampling
    seed: int
    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    top_logprobs: int = 0


class LogLikelihood(Fact, frozen=True, kw_only=True, tag_field="kind", tag="loglikelihood"):
    """Ask how likely ``continuation`` is after ``prompt``. ``turn`` is the number of the choice, from 0."""

    task: str
    sample: str
    attempt: int
    turn: int
    prompt: str
    continuation: str


Request = Generate | LogLikelihood


class LogProbs(Fact, frozen=True, kw_only=True):
    """Log-probabilities of a continuation (natural logarithm).

    Attributes:
        total: Sum over the continuation's tokens.
        tokens: Number of tokens.
        greedy: Whether every token was the most likely one.
    """

    total: float
    tokens: int
    greedy: bool


class Completion(Fact, frozen=True, kw_only=True):
    """One line of completions.jsonl: what was asked and what came back. ``started`` is RFC 3339, ``seconds`` wall."""

    sample: str
    attempt: int
    turn: int
    kind: Literal["generate", "loglikelihood"] = "generate"
    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    prompt_sha256: str
    text: str
    reasoning: str | None = None
    stage: Stage = "reply"
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    logprobs: LogProbs | None = None
    top_logprobs: Mapping[str, float] | None = None
    invocation: str = ""
    started: str = ""
    seconds: float = 0.0
    tries: int = 1


class ErrorRecord(Fact, frozen=True, kw_only=True):
    """One line of errors.jsonl: something of ours failed, so that a sample is (so far) unscored."""

    sample: str
    attempt: int
    turn: int
    where: Where
    code: str
    message: str
    tries: int = 1
    at: str = ""


class Verdict(Fact, frozen=True, kw_only=True):
    """One line of verdicts/<judge8>.jsonl: one judge call that was answered, readable or not.

    Attributes:
        judge: The judge's declaration and the model behind it.
        call: Number of the call for this turn and order, from 0: an unreadable reply is asked for again.
        order: Which side was shown first; None where one answer was judged alone.
        prompt_sha256: Of the messages that were sent.
        reply: The judge's reply without its reasoning.
        parsed: What was read: a rating, a label, two scores, a preference from 1 (first) to 2 (second). None:
            unreadable, by ``code``.
        code: Why nothing was read.
        top_logprobs: Token -> log-probability at the reply's first token, where the protocol reads them.
        usd: Price of the call; None where the model has none.
    """

    sample: str
    attempt: int
    turn: int
    judge: str
    call: int
    order: Literal["ab", "ba"] | None = None
    prompt_sha256: str
    reply: str
    reasoning: str | None = None
    parsed: Any = None
    code: str | None = None
    finish_reason: str | None = None
    top_logprobs: Mapping[str, float] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usd: float | None = None
    at: str = ""


class Score(Fact, frozen=True, kw_only=True):
    """One line of scores.jsonl. ``value`` is null exactly when ``reason`` is ``unscored``."""

    sample: str
    attempt: int
    turn: int
    metric: str
    value: float | None
    reason: Reason
    extracted: str | None = None
    expected: str | None = None
    slices: Mapping[str, str] = {}
    detail: Mapping[str, Any] = {}


class Bounds(Fact, frozen=True, kw_only=True):
    """The value if everything unscored were wrong, and if it were right."""

    low: float
    high: float


class Estimate(Fact, frozen=True, kw_only=True):
    """One number with its interval. Rates are between 0 and 1.

    Attributes:
        metric: ``pass@1``, ``correct``, ...
        slice: None for all items, else one field and its value.
        value: None where nothing was scored.
        low: Lower end of the interval.
        high: Upper end of the interval.
        confidence: Of the interval, 0.95.
        method: ``wilson``, ``bootstrap``, ``t-clustered``, ...
        bounds: Present exactly when something is unscored.
        n: Scored items (problems).
        attempts: Attempts per item (the most).
        unscored: Cause -> number of items without a score.
        no_answer: Attempts without an answer in the required form.
        truncated: Attempts whose completion ended at its token limit.
    """

    metric: str
    slice: Mapping[str, str] | None = None
    value: float | None
    low: float | None
    high: float | None
    confidence: float = 0.95
    method: str
    bounds: Bounds | None = None
    n: int
    attempts: int = 1
    unscored: Mapping[str, int] = {}
    no_answer: int = 0
    truncated: int = 0


class ModelFacts(Fact, frozen=True, kw_only=True):
    """Who answered.

    Attributes:
        name: For people and folders (the served name, the file's stem, ``reference``).
        identity: How far the identity can be trusted.
        weights: Digest, revision or declared id of the weights.
        tokenizer: Digest of the tokenizer.
        template: Digest of the checkpoint's chat template.
        chat_format: The format used in this cell.
        declared: What an endpoint says about itself (URL, served name, stable part of its model entry). Of a
            checkpoint: its ``quick`` identity, which names the cell, the digest of its ``config``, and that of a
            ``lora`` adapter.
    """

    name: str
    identity: IdentityKind
    weights: str | None = None
    tokenizer: str | None = None
    template: str | None = None
    chat_format: str | None = None
    declared: Mapping[str, Any] = {}


class EngineFacts(Fact, frozen=True, kw_only=True):
    """Which engine answered: name, version and, where we started servers, their command and how many there were."""

    name: str
    version: str = ""
    command: str | None = None
    replicas: int | None = None


class Invocation(Fact, frozen=True, kw_only=True):
    """One run of the command on this cell."""

    id: str
    started: str
    ended: str | None = None
    harness: str
    git: str | None = None
    python: str
    host: str
    engine: EngineFacts
    sandbox: str | None = None
    exit: int | None = None


class TaskFacts(Fact, frozen=True, kw_only=True):
    """Which task a cell is of; ``overrides`` are sampling values given on the command line."""

    name: str
    version: int
    overrides: Mapping[str, Any] = {}


class DatasetFacts(Fact, frozen=True, kw_only=True):
    """Which bytes were asked."""

    name: str
    sha256: str
    records: int


class Manifest(Fact, frozen=True, kw_only=True):
    """manifest.json: what a cell is.

    ``expected`` counts the (sample, attempt) pairs that make it complete, ``attempts`` the attempts at each sample.
    """

    format: int = 1
    ask_id: str
    state: State
    task: TaskFacts
    model: ModelFacts
    datasets: tuple[DatasetFacts, ...]
    sampling: Sampling
    seed: int
    expected: int
    attempts: int = 1
    limit: int | None = None
    invocations: tuple[Invocation, ...] = ()
    cost: float | None = None


class CellResult(Fact, frozen=True, kw_only=True):
    """One cell in the ``--json`` document."""

    path: str
    ask_id: str
    task: str
    model: str
    state: State
    expected: int
    done: int
    unscored: int
    errors: int
    score_id: str | None
    estimates: tuple[Estimate, ...] = ()
    published: tuple[PublishedNumber, ...] = ()
