"""FastChat's aggregation of MT-Bench judgments, exactly. Pure.

Source: lm-sys/FastChat@0e6d3e4 fastchat/llm_judge/show_result.py and compute_agreement.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from harness.formats.fastchat import Vote

INVALID = -1
"""FastChat's score of a reply in which it found no rating."""

Winner = Literal["model_1", "model_2", "tie", "error"]


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a ``_single.jsonl`` file: ``turn`` from 1, ``score`` -1 where none was found."""

    turn: int
    score: float
    category: str = ""


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What ``show_result.py --mode single`` prints, with the categories of the radar; None where no row is valid.

    Attributes:
        average: The mean over all valid rows of both turns, not of the turns' means: they differ where rows are
            invalid or doubled.
        by_turn: Turn (from 1) -> mean.
        by_category: Category -> mean over both turns.
        valid: Rows that count.
        invalid: Rows without a rating.
    """

    average: float | None
    by_turn: Mapping[int, float]
    by_category: Mapping[str, float]
    valid: int
    invalid: int


def single_means(rows: Iterable[Rating]) -> Means:
    """Average the ratings of one model: invalid rows are dropped, doubled ones all count."""
    found = list(rows)
    kept = [row for row in found if row.score != INVALID]
    turns: dict[int, list[float]] = {}
    categories: dict[str, list[float]] = {}
    for row in kept:
        turns.setdefault(row.turn, []).append(row.score)
        categories.setdefault(row.category, []).append(row.score)
    return Means(
        average=_mean([row.score for row in kept]) if kept else None,
        by_turn={turn: _mean(turns[turn]) for turn in sorted(turns)},
        by_category={name: _mean(scores) for name, scores in categories.items()},
        valid=len(kept),
        invalid=len(found) - len(kept),
    )


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Games won, lost and tied by one model."""

    win: int
    loss: int
    tie: int

    @property
    def total(self) -> int:
        """All games that count."""
        return self.win + self.loss + self.tie

    @property
    def win_rate(self) -> float:
        """Wins among all games, ties included."""
        return self.win / self.total

    @property
    def loss_rate(self) -> float:
        """Losses among all games, ties included."""
        return self.loss / self.total

    @property
    def win_rate_adjusted(self) -> float:
        """Wins and half of the ties among all games."""
        return (self.win + 0.5 * self.tie) / self.total


def pairwise(games: Iterable[tuple[str, str, Winner, Winner]]) -> dict[str, Record]:
    """Count pairs of games: a pair is a tie where the first game is one or where the two games disagree.

    Args:
        games: ``model_1``, ``model_2``, winner of the first game and of the game with places changed.

    Returns:
        Model -> its record; pairs in which a game has no verdict are dropped.
    """
    wins: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    ties: Counter[str] = Counter()
    for one, two, first, second in games:
        if "error" in (first, second):
            continue
        if first == "tie" or first != second:
            ties.update((one, two))
            continue
        winner, loser = (one, two) if first == "model_1" else (two, one)
        wins[winner] += 1
        losses[loser] += 1
    models = sorted(wins.keys() | losses.keys() | ties.keys())
    return {model: Record(win=wins[model], loss=losses[model], tie=ties[model]) for model in models}


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How often two kinds of voters agree: among all compared votes, and among those in which neither is a tie."""

    with_ties: float | None
    n_with_ties: int
    without_ties: float | None
    n_without_ties: int


def agreement(votes: Iterable[Vote], others: Iterable[Vote] | None = None, *, turn: int) -> Agreement:
    """Agreement by the definition of FastChat's ``compute_agreement.py``.

    The pair's models are put in order of their names first. With ``others`` (a judge: one vote a key), every vote is
    compared with the other side's vote on the same key; without, every two votes on one key are compared.

    Args:
        votes: People's votes; the published figures are over those of `experts`.
        others: The judge's, or None for the agreement of people among themselves.
        turn: Which turn, from 1.
    """
    keyed = _by_key(votes, turn)
    pairs: list[tuple[str, str]] = []
    if others is None:
        for same in keyed.values():
            pairs += [(same[i], same[j]) for i in range(len(same)) for j in range(i + 1, len(same))]
    else:
        judged = _by_key(others, turn)
        for key, same in keyed.items():
            for verdict in judged.get(key, [])[:1]:
                pairs += [(vote, verdict) for vote in same]
    decided = [pair for pair in pairs if "tie" not in pair]
    return Agreement(
        with_ties=_share(pairs), n_with_ties=len(pairs), without_ties=_share(decided), n_without_ties=len(decided)
    )


def experts(votes: Iterable[Vote]) -> list[Vote]:
    """The votes of people who are not authors of the paper, FastChat's "human"; of other files everybody's."""
    found = list(votes)
    return [vote for vote in found if vote.judge.startswith("expert")] or found


def pair_votes(games: Iterable[tuple[str, int, str, str, Winner, Winner]]) -> list[Vote]:
    """A judge's votes from its pairs of games; inconsistent ones are ties, and those without a verdict none.

    Args:
        games: Question, turn (from 1), ``model_1``, ``model_2``, winner of each game.
    """
    found = []
    for sample, turn, one, two, first, second in games:
        if "error" in (first, second):
            continue
        same = first if first == second else "tie"
        winner: Literal["model_a", "model_b", "tie"]
        winner = "model_a" if same == "model_1" else "model_b" if same == "model_2" else "tie"
        found.append(Vote(sample=sample, turn=turn, model_a=one, model_b=two, winner=winner))
    return found


def _by_key(votes: Iterable[Vote], turn: int) -> dict[tuple[str, str, str], list[str]]:
    """Winners by question and pair; the pair's models in order of their names."""
    keyed: dict[tuple[str, str, str], list[str]] = {}
    for vote in votes:
        if vote.turn == turn:
            one, two = sorted((vote.model_a, vote.model_b))
            winner = {"model_a": vote.model_a, "model_b": vote.model_b, "tie": "tie"}[vote.winner]
            keyed.setdefault((vote.sample, one, two), []).append(winner)
    return keyed


def _share(pairs: Sequence[tuple[str, str]]) -> float | None:
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
