"""Evidence of a judge, read from files of any of the known forms, and what follows from it: one report a judge."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import DataError, HarnessError
from harness.formats.alpaca_eval import read_annotations
from harness.formats.fastchat import Judgment, Vote, read_judgments, read_votes
from harness.formats.rows import Row, read_rows
from harness.judging import audit, fastchat, reading
from harness.judging.alpaca import normal
from harness.judging.build import switched
from harness.judging.tables import games
from harness.types import Judge, Reading, Verdict

_LABELS: Mapping[str, Any] = {"[[A]]": "first", "[[B]]": "second", "[[C]]": "tie"}
_PAIRS = Reading(reader="label", labels=_LABELS)
_REVIEWS = Reading(reader="two-scores")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a report.

    Attributes:
        section: What it is about.
        name: What it says.
        value: A share, or a number of its own.
        low: Lower end of its 95 % interval.
        high: Upper end.
        n: What it rests on.
        source: The evidence's file.
    """

    section: str
    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    source: str


def examine(judge: Judge, paths: Sequence[Path], votes: Path | None = None) -> list[Line]:
    """Everything that files say about a judge.

    Args:
        judge: Whose verdicts the files hold; its patterns and labels read them.
        paths: FastChat's judgments, reviews or label-only votes, AlpacaEval's annotations, LLMBar's results, journals
            of verdicts.
        votes: People's votes in FastChat's label-only form.

    Raises:
        DataError: A file cannot be read, or has none of the forms.
    """
    people = read_votes(votes) if votes is not None else None
    found: list[Line] = []
    for path in paths:
        found += _file(judge, path, people)
    return found


def calibration(judge: Judge, paths: Iterable[Path], votes: Path | None) -> audit.Confusion | None:
    """The judge's errors against labels: LLMBar's, or people's majorities; None where there are no labels."""
    pairs: list[tuple[bool, bool]] = []
    people = read_votes(votes) if votes is not None else []
    for path in paths:
        form = _form(path)
        if form == "llmbar":
            pairs += [(label == 1, one == 1) for label, one, _ in _llmbar(read_rows(path)) if one is not None]
        elif people and (form == "votes" or (form == "judgments" and judge.aggregation == "pairwise")):
            judged = read_votes(path) if form == "votes" else _voted(judge.reading, read_judgments(path))
            for turn in (1, 2):
                labels, verdicts = audit.majority(fastchat.experts(people), turn), audit.majority(judged, turn)
                pairs += [(labels[key], verdicts[key]) for key in labels.keys() & verdicts.keys()]
    return audit.confusion(pairs) if pairs else None


def render(judge: str, lines: Sequence[Line]) -> str:
    """A report as Markdown."""
    text = [f"# Audit of {judge}", ""]
    for section in dict.fromkeys(line.section for line in lines):
        text += [f"## {section}", "", "| figure | value | 95 % interval | n | evidence |", "|---|---|---|---|---|"]
        for line in lines:
            if line.section == section:
                interval = "–" if line.low is None else f"{line.low:.3f} to {line.high:.3f}"
                value = "–" if line.value is None else f"{line.value:.4f}"
                text.append(f"| {line.name} | {value} | {interval} | {line.n} | {line.source} |")
        text.append("")
    return "\n".join(text)


def position_lines(shares: Iterable[Sequence[float]], source: str) -> list[Line]:
    """Position bias as lines."""
    found = audit.position(shares)
    section = "Position"
    return [
        _line(section, "the same winner in both orders", found.consistent, source),
        _line(section, "winner changes with the places", found.contradicting, source),
        _line(section, "the answer shown first wins (0.5 is unbiased)", found.first, source),
    ]


def llmbar_lines(rows: Iterable[tuple[int, int | None, int | None]], source: str) -> list[Line]:
    """LLMBar accuracy as lines."""
    found = audit.llmbar(rows)
    section = "LLMBar"
    return [
        _line(section, "right as given", found.as_given, source),
        _line(section, "right with places swapped", found.swapped, source),
        Line(section=section, name="right on average", value=found.average, n=found.as_given.n, source=source),
        _line(section, "right in both orders", found.both, source),
        _line(section, "the same output in both orders", found.equal, source),
    ]


def _file(judge: Judge, path: Path, people: list[Vote] | None) -> list[Line]:
    form = _form(path)
    if form == "llmbar":
        return llmbar_lines(_llmbar(read_rows(path)), path.name)
    if form == "votes":
        return _votes(read_votes(path), people, path.name)
    if form == "alpaca-eval":
        return _annotations(path)
    if form == "journal":
        return _journal(judge, path)
    judgments = read_judgments(path)
    if not judgments:
        raise DataError(f"{path}: holds no verdicts", "is it the right file, and whole?")
    return _judgments(judge, judgments, people, path.name)


def _form(path: Path) -> str:
    try:
        rows = read_rows(path)
    except DataError:
        return "judgments"  # the wrapped form of reviews is one object, which its own reader knows
    keys = set(rows[0].fields) if rows else set()
    if {"results", "label", "output_1"} <= keys:
        return "llmbar"
    if {"model_a", "model_b", "winner"} <= keys:
        return "votes"
    if {"instruction", "preference"} <= keys:
        return "alpaca-eval"
    if {"prompt_sha256", "parsed", "judge"} <= keys:
        return "journal"
    return "judgments"


def _votes(judged: list[Vote], people: list[Vote] | None, source: str) -> list[Line]:
    if people is None:
        raise DataError(f"{source}: votes by model need people's votes beside them", "name those with --votes FILE")
    section = "Agreement with people"
    found = []
    for turn in (1, 2):
        for who, result in (
            ("judge and people", fastchat.agreement(fastchat.experts(people), judged, turn=turn)),
            ("people among themselves", fastchat.agreement(fastchat.experts(people), turn=turn)),
        ):
            for name, share, n in (
                ("with ties", result.with_ties, result.n_with_ties),
                ("without ties", result.without_ties, result.n_without_ties),
            ):
                one = audit.rate((share or 0) * n, n)
                found.append(_line(section, f"turn {turn}, {who}, {name}", one, source))
    return found


def _voted(how: Reading, judgments: Iterable[Judgment]) -> list[Vote]:
    """A judge's votes from its judgments of pairs in both orders."""
    return fastchat.pair_votes(games(how, judgments))


def _annotations(path: Path) -> list[Line]:
    shares, lengths = [], []
    for row in read_annotations(path):
        preference = normal(row.preference)
        if preference is None or row.baseline == row.output:
            continue
        share = preference - 1
        # Which output was shown first follows from the instruction; the model's is second unless they were switched.
        shares.append((1 - share if switched(row.instruction) else share,))
        lengths.append((len(row.baseline), len(row.output), share))
    return [
        *position_lines(shares, path.name),
        _line("Length", "the longer answer wins", audit.longer_preferred(lengths), path.name),
    ]


def _journal(judge: Judge, path: Path) -> list[Line]:
    verdicts = [msgspec.convert(dict(row.fields), Verdict) for row in read_rows(path, torn_tail=True)]
    found = [_unread(sum(one.parsed is None for one in verdicts), len(verdicts), path.name)]
    if judge.kind == "pair":
        by_pair: dict[tuple[str, int, int], dict[str, float]] = {}
        for one in verdicts:
            if one.parsed is not None and one.order is not None:
                share = reading.second_share(judge.reading, one.parsed)
                by_pair.setdefault((one.sample, one.attempt, one.turn), {})[one.order] = share
        found += position_lines([[one[key] for key in sorted(one)] for one in by_pair.values()], path.name)
    repeats: dict[tuple[str, str | None], list[object]] = {}
    for one in verdicts:
        if one.parsed is not None:
            repeats.setdefault((one.prompt_sha256, one.order), []).append(one.parsed)
    return [*found, *_repeats(repeats.values(), path.name)]


def _judgments(judge: Judge, judgments: list[Judgment], people: list[Vote] | None, source: str) -> list[Line]:
    how = judge.reading if judge.reading.reader in ("rating", "label", "two-scores") else _PAIRS
    if any(one.order is not None for one in judgments) and how.reader == "rating":
        how = _REVIEWS if judgments[0].shown is not None else _PAIRS
    if any(one.shown is not None for one in judgments):
        how = _REVIEWS
    read = [(one, reading.read(how, one.reply, scale=judge.scale)) for one in judgments]
    found = [_unread(sum(result.parsed is None for _, result in read), len(read), source)]
    pairs: dict[tuple[str, str, int], dict[str, float]] = {}
    lengths = []
    repeats: dict[str, list[object]] = {}
    for one, result in read:
        if result.parsed is None:
            continue
        if one.prompt is not None:
            repeats.setdefault(hashlib.sha256(one.prompt.encode("utf-8", "replace")).hexdigest(), []).append(
                result.parsed
            )
        if one.order is not None:
            share = reading.second_share(how, result.parsed)
            pairs.setdefault((one.model, one.sample, one.turn), {})[one.order] = share
            if one.shown is not None:
                lengths.append((len(one.shown[0]), len(one.shown[1]), share))
    if people is not None and how.reader == "label" and judgments[0].other:
        found += _votes(_voted(how, judgments), people, source)
    if pairs:
        found += position_lines([[one[key] for key in sorted(one)] for one in pairs.values()], source)
    if lengths:
        found.append(_line("Length", "the longer answer wins", audit.longer_preferred(lengths), source))
    return [*found, *_repeats(repeats.values(), source)]


def _llmbar(rows: Sequence[Row]) -> Iterator[tuple[int, int | None, int | None]]:
    for row in rows:
        results = row.fields["results"]
        # The verdicts are the last entry; evaluators that plan first have their plans before it.
        last = results[-1] if isinstance(results, list) and results else {}
        yield int(row.fields["label"]), _winner(last, "swap = False"), _winner(last, "swap = True")


def _winner(result: Mapping[str, Any], key: str) -> int | None:
    try:
        said = str(result[key]["winner"])
    except (KeyError, TypeError):
        return None
    return int(said) if said in ("1", "2") else None


def _repeats(repeats: Iterable[Sequence[object]], source: str) -> list[Line]:
    found = audit.self_consistency(repeats)
    return [_line("Self-consistency", "two verdicts on the same prompt agree", found, source)] if found.n else []


def _unread(count: int, n: int, source: str) -> Line:
    return _line("Readability", "replies without a readable verdict", audit.rate(count, n), source)


def _line(section: str, name: str, one: audit.Rate, source: str) -> Line:
    return Line(section=section, name=name, value=one.value, low=one.low, high=one.high, n=one.n, source=source)


def correct(positives: float, n: int, against: audit.Confusion | None, source: str) -> list[Line]:
    """A corrected win rate and the errors behind it, as lines.

    Raises:
        HarnessError: There are no labels, or the judge is no better than chance on them.
    """
    if against is None:
        raise HarnessError("a corrected rate needs labels", "name LLMBar results, or votes by model and --votes FILE")
    section = "Corrected rate"
    found = audit.corrected_rate(positives, n, against)
    return [
        _line(section, "sensitivity on labelled pairs", against.sensitivity, "labels"),
        _line(section, "specificity on labelled pairs", against.specificity, "labels"),
        Line(section=section, name="win rate as judged", value=found.raw, n=n, source=source),
        Line(
            section=section,
            name="win rate, corrected (Lee et al.)",
            value=found.value,
            low=found.low,
            high=found.high,
            n=n,
            source=source,
        ),
    ]
