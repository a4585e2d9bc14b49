"""What a person writes: tasks, judges, suites, reports, published numbers. Unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Stage = Literal["reply", "continuation", "program"]
"""What a completion is: a raw reply (extraction applies), the continuation of the prompt, or a whole program."""

PASS_METRICS = frozenset({"pass", "base", "plus"})
"""Item metrics of 0 and 1 that are estimated as pass@k (``plus`` -> ``plus@1``)."""

_PAIR_METRICS = {"win", "won", "tied", "lost", "contradicting", "discrete_win", "lc_win"}
RATE_METRICS = PASS_METRICS | _PAIR_METRICS | {"correct", "maj", "acc", "acc_norm"}
"""Item metrics between 0 and 1, which people read in percent; any other is shown on its own scale."""


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Written by a person; unknown keys are refused."""


class DatasetPin(Spec, frozen=True, kw_only=True):
    """One data file, pinned by the sha256 of its uncompressed bytes.

    Attributes:
        name: Short name, also the cache folder's (``humaneval``).
        source: ``package:DIST/PATH-IN-WHEEL`` (or ``package:DIST==VERSION/...``), ``url:https://...`` or ``file:PATH``
            (relative to the TOML).
        sha256: Hex digest of the uncompressed bytes.
        records: Number of records; checked after reading.
        at: For ``yaml`` and ``python``: where in the file the records are (``fewshot_config.samples``, ``function``).
        where: Only records whose fields have these values (``level = "Level 5"``); applies before ``rows``.
        rows: Only these rows of the file, numbered from 0: from the first up to, but not with, the second.
        draw: For a text with records: how many examples to draw for each sample, and the seed. Python's
            ``random.Random(seed).sample`` once for each sample, in the data set's order, as lm-eval draws.
        format: How the bytes are read. ``text`` is one record ``{"text": ...}``; ``python`` is a literal in a module,
            which is read and never executed.
        id: Record field that identifies a sample; absent: the row number from 0.
        licence: Licence of the data, for people.
    """

    name: str
    source: str
    sha256: str
    records: int | None = None
    at: str = ""
    where: Mapping[str, str] = {}
    rows: tuple[int, int] | None = None
    draw: tuple[int, int] | None = None
    format: Literal["jsonl", "json", "csv", "text", "yaml", "python"] = "jsonl"
    id: str | None = None
    licence: str = ""


class Prompt(Spec, frozen=True, kw_only=True):
    """What is asked. Exactly one of ``turns`` and ``files``; placeholders are ``{field}`` or ``{field.0}``.

    Attributes:
        turns: The user's text of each turn, with placeholders filled from the record. ``{{`` and ``}}`` are braces.
        files: Instead of ``turns``: one .txt file per turn beside the TOML; the catalog reads them into ``turns``.
        system: System text; absent: the chat format's own.
        format: Pins a chat format by name; the template then belongs to the task, and ``--format`` is an error.
        template: Pins a whole template of ours, a .txt file beside the TOML that contains ``{instruction}``; the
            catalog replaces the file name by the text.
        response_prefix: Text that opens the model's reply, part of the prompt (`` Let's think step by step.``).
        choices: For ``kind = "loglikelihood"``: record field with the list of continuations.
        instead: The turns of samples that a protocol asks otherwise, by their ids; as many turns as the others have.
    """

    turns: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    system: str | None = None
    format: str | None = None
    template: str | None = None
    response_prefix: str = ""
    choices: str | None = None
    instead: Mapping[str, tuple[str, ...]] = {}


class Sampling(Spec, frozen=True, kw_only=True):
    """How tokens are drawn; complete and backend-neutral. Exactly one of the two lengths is set for generation.

    Attributes:
        temperature: 0 is greedy.
        max_new_tokens: Bound on the reply, in tokens.
        max_total_tokens: Bound on prompt and reply together, in tokens.
        top_p: Nucleus mass.
        top_k: 0 is off.
        min_p: 0 is off.
        min_tokens: Least tokens before a stop.
        stop: Strings that end a reply (not part of it).
    """

    temperature: float
    max_new_tokens: int | None = None
    max_total_tokens: int | None = None
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    min_tokens: int = 0
    stop: tuple[str, ...] = ()


class Extraction(Spec, frozen=True, kw_only=True):
    r"""How the answer is taken from a reply; the steps apply in the order of the attributes.

    Attributes:
        code: For programs: how one is taken from the reply. ``program``: the function that is asked for and what it
            needs, found in fences or prose; ``wizardcoder-...``: as the published scripts of that benchmark do. The
            other steps apply to what comes of it.
        remove: Literals deleted everywhere.
        after: Keep what follows this literal; a reply without it has no answer.
        occurrence: Which occurrence of ``after``.
        boxed: Keep the inside of the last ``\boxed{...}`` (else ``\fbox{...}``), braces balanced; a reply without
            one has no answer.
        pattern: Regular expression; the answer is group ``answer``, else group 1, else the whole match. No match: no
            answer.
        take: Which match of ``pattern``.
        cut: Keep what precedes the earliest of these literals.
        strip: Remove the answer's surrounding white space; the last step.
    """

    code: Literal["program", "wizardcoder-humaneval", "wizardcoder-mbpp", "wizardcoder-mbpp-plus"] | None = None
    remove: tuple[str, ...] = ()
    after: str | None = None
    occurrence: Literal["first", "last"] = "last"
    boxed: Literal["last"] | None = None
    pattern: str | None = None
    take: Literal["first", "last"] = "last"
    cut: tuple[str, ...] = ()
    strip: bool = False


class ScorerSpec(Spec, frozen=True, kw_only=True):
    """Which scorer grades, by registry name, and its options (each scorer checks its own)."""

    name: str
    options: Mapping[str, Any] = {}


class Reference(Spec, frozen=True, kw_only=True):
    """How the data set's own solution is rendered as a completion, with placeholders as in a prompt."""

    text: str
    stage: Stage = "continuation"


class Task(Spec, frozen=True, kw_only=True):
    """One benchmark under one protocol.

    Attributes:
        name: ``benchmark/protocol``, from the file's place; never written in the file.
        version: Raised whenever prompts or rules change (the golden file of identities enforces it).
        title: One line for people.
        source: Where the protocol comes from (paper, repository@commit).
        metric: The headline item metric (``pass``, ``correct``, ``score``, ``win``).
        k: For ``pass``: which pass@k to estimate.
        attempts: Completions per sample unless ``--attempts`` says otherwise; in no identity.
        kind: What is asked of the engine.
        stage: What a reply of this task is.
        slices: Record fields to report separately.
        sampling_by: Record field -> value -> sampling fields that differ there (a temperature for each category).
        texts: Pinned texts of others, available to prompts as ``{texts.NAME}``. One that names an ``id`` holds a record
            for each sample, which becomes the field NAME of the sample's own: ``{NAME.value}``. One that names ``rows``
            holds examples, which become the field NAME of every sample's: ``{NAME.0.question}``.
        known_reference_failures: Sample ids whose reference solution is known to fail its own tests.
    """

    name: str = ""
    version: int
    title: str
    source: str = ""
    dataset: DatasetPin
    texts: Mapping[str, DatasetPin] = {}
    prompt: Prompt
    sampling: Sampling
    sampling_by: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    kind: Literal["generate", "loglikelihood"] = "generate"
    stage: Stage = "reply"
    extraction: Extraction = Extraction()
    scorer: ScorerSpec
    reference: Reference | None = None
    metric: str
    k: tuple[int, ...] = (1,)
    attempts: int = 1
    slices: tuple[str, ...] = ()
    known_reference_failures: tuple[str, ...] = ()


class JudgePrompt(Spec, frozen=True, kw_only=True):
    """One prompt of a judge, and for which calls it is; the first that fits a call is used.

    Attributes:
        text: Which of the judge's `texts` holds it: a text in ChatML (``<|im_start|>role``), or the rows of a JSONL
            file with ``system_prompt``, ``prompt_template`` and, in older files, ``defaults``.
        where: Field -> value that picks the row.
        turn: Number of the judged turn, from 0; absent: every turn.
        categories: Values of the record's category; empty: every one.
    """

    text: str
    where: Mapping[str, str | int] = {}
    turn: int | None = None
    categories: tuple[str, ...] = ()


class Reading(Spec, frozen=True, kw_only=True):
    """How a verdict is read from the judge's reply.

    Attributes:
        reader: ``rating`` (a number by ``patterns``), ``label`` (the first of ``labels`` that occurs), ``two-scores``
            (two numbers in the first line), ``ranking`` (a list of models with ranks), ``token-logprobs`` (the
            probabilities of two tokens).
        patterns: For ``rating``: tried in order, the first match of the first that matches; its group 1 is the number.
        labels: For ``label``: literal -> what it means, tried in order.
        tokens: For ``token-logprobs``: the tokens that name the first and the second answer.
        model: For ``ranking``: the name of the first answer.
    """

    reader: Literal["rating", "label", "two-scores", "ranking", "token-logprobs"]
    patterns: tuple[str, ...] = ()
    labels: Mapping[str, Literal["first", "second", "tie"]] = {}
    tokens: tuple[str, str] = ("m", "M")
    model: str = "model_1"


class LengthControl(Spec, frozen=True, kw_only=True):
    """What the length-controlled win rate needs besides annotations; of several pins the first that is there counts.

    Attributes:
        difficulty: ``index``, ``instruction_difficulty`` of every instruction.
        gamed: Annotated answers of a verbose and a concise model, which the fit is regularised with.
        recorded: A CSV file beside the TOML, ``model,C``: the regularisation behind each published row.
    """

    difficulty: tuple[DatasetPin, ...]
    gamed: tuple[DatasetPin, ...]
    recorded: str | None = None


class Judge(Spec, frozen=True, kw_only=True):
    """Who judges, with which prompts, and how the verdict is read and counted.

    Attributes:
        name: ``benchmark/protocol``, from the file's place; never written in the file.
        version: Raised whenever prompts or rules change.
        title: One line for people.
        source: Where the protocol comes from (repository@commit, paper).
        model: Who judged for the published numbers, as ``--model`` takes it; ``--judge-model`` replaces it.
        aliases: Other names of that judge in recorded files.
        kind: One answer at a time, or the candidate's beside the baseline's.
        texts: Pinned texts of others: the prompts.
        prompts: Which prompt is for which call.
        sampling: How the judge's tokens are drawn.
        reading: How its reply is read.
        category: Record field by which prompts are chosen.
        references: Reference answers (FastChat's answer file), for prompts with ``{ref_answer_1}``.
        baseline: The other side of a pair: FastChat's answer file, AlpacaEval's outputs or annotations; absent: the
            user names it.
        position: ``fixed``: always the same side first; ``alternate``: by the id's parity; ``both-orders``: two calls;
            ``seeded-shuffle``: AlpacaEval's draw from the instruction.
        first: Whose answer comes first in order ``ab``.
        aggregation: How items become the published figures.
        slices: Record fields to report separately.
        length_control: For ``alpaca-eval``: data of the length-controlled win rate.
        scale: Lowest and highest rating; a number outside is no verdict.
        tokens: Tokens of a usual reply, for the forecast.
    """

    name: str = ""
    version: int
    title: str
    source: str = ""
    model: str
    aliases: tuple[str, ...] = ()
    kind: Literal["single", "pair"] = "single"
    texts: Mapping[str, DatasetPin]
    prompts: tuple[JudgePrompt, ...]
    sampling: Sampling
    reading: Reading
    category: str | None = None
    references: DatasetPin | None = None
    baseline: DatasetPin | None = None
    position: Literal["fixed", "alternate", "both-orders", "seeded-shuffle"] = "fixed"
    first: Literal["candidate", "baseline"] = "candidate"
    aggregation: Literal["rating", "pairwise", "alpaca-eval", "relative"]
    slices: tuple[str, ...] = ()
    length_control: LengthControl | None = None
    scale: tuple[float, float] = (1.0, 10.0)
    tokens: int = 300


class Suite(Spec, frozen=True, kw_only=True):
    """Tasks that are run together.

    Attributes:
        name: From the file's name; never written in the file.
        tasks: Names or glob patterns of tasks (``humaneval/wizardcoder``, ``gsm8k/*``), in the order of the run.
        limit: Only the first samples of each task, unless ``--limit`` says otherwise; for smoke tests.
    """

    name: str = ""
    title: str
    tasks: tuple[str, ...]
    limit: int | None = None


class Report(Spec, frozen=True, kw_only=True):
    """A table and a figure to draw.

    Attributes:
        name: From the file's name; never written in the file.
        tasks: Glob patterns of task names to include; empty: all.
        metrics: Estimates to show (``pass@1``); empty: each task's headline.
        figure: Kind of figure.
        caption: A sentence under table and figure.
    """

    name: str = ""
    title: str
    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    figure: Literal["bars", "none"] = "bars"
    caption: str = ""


class PublishedNumber(Spec, frozen=True, kw_only=True):
    """A number others published.

    Attributes:
        model: A name or alias of `results/published/models.toml`.
        task: ``benchmark/protocol`` whose rule made the number, as far as known.
        metric: As in `Estimate` (``pass@1``).
        value: Rates between 0 and 1, judges on their own scale.
        n: Number of items behind it; 0 where unknown.
        source: Where it was published.
        note: What a reader must know before comparing.
    """

    model: str
    task: str
    metric: str
    value: float
    n: int = 0
    source: str
    note: str = ""


class KnownModel(Spec, frozen=True, kw_only=True):
    """A checkpoint others published: its names and the chat format it was trained with."""

    name: str
    aliases: tuple[str, ...] = ()
    format: str | None = None
    source: str = ""
