"""What is said of a judge follows from evidence, and the corrected rate's interval covers what it says it covers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from harness.catalog import Catalog
from harness.datasets import DataStore
from harness.engines import EngineOptions
from harness.errors import DataError, HarnessError
from harness.judging import audit, evidence
from harness.judging.calibrate import ask_llmbar
from harness.judging.panel import JudgeOptions

from .conftest import MockJudge, answer


@pytest.mark.parametrize("evaluator", ["CoT", "Metrics_Reference", "Swap", "Swap_CoT", "Vanilla", "Vanilla_NoRules"])
def test_llmbar_accuracies_equal_the_published_statistics(mirror: Path, evaluator: str) -> None:
    folder = mirror / "llmbar" / "Dataset" / "LLMBar" / "Natural" / "evaluators" / "GPT-4" / evaluator
    with gzip.open(folder / "statistics.json.gz", "rt") as stream:
        published = json.load(stream)
    lines = evidence.examine(Catalog.load().judge("mt-bench/pair-v2"), [folder / "result.json.gz"])
    found = {line.name: line.value for line in lines}

    def percent(text: str) -> float:
        return float(text.rpartition("=")[2].strip().rstrip("%")) / 100

    assert found["right as given"] == pytest.approx(percent(published["correct_False"]))
    assert found["right with places swapped"] == pytest.approx(percent(published["correct_True"]))
    assert found["right on average"] == pytest.approx(percent(published["correct_average"]))
    assert found["right in both orders"] == pytest.approx(percent(published["correct_both"]))
    assert found["the same output in both orders"] == pytest.approx(percent(published["equal"]))


def test_agreement_with_people_is_reported(mirror: Path) -> None:
    folder = mirror / "mtbench" / "human_judgments"
    judge = Catalog.load().judge("mt-bench/pair-v2")
    lines = evidence.examine(judge, [folder / "gpt4_pair.jsonl.gz"], folder / "human.jsonl.gz")
    found = {line.name: (round(100 * (line.value or 0), 2), line.n) for line in lines}
    assert found["turn 1, judge and people, with ties"] == (65.97, 1343)
    assert found["turn 2, judge and people, without ties"] == (84.61, 864)
    against = evidence.calibration(judge, [folder / "gpt4_pair.jsonl.gz"], folder / "human.jsonl.gz")
    assert against is not None
    assert 0.8 < (against.sensitivity.value or 0) < 1
    assert 0.8 < (against.specificity.value or 0) < 1


def test_votes_as_others_write_them(tmp_path: Path) -> None:
    """A judge's whole judgments instead of labels; voters by any name, turns as text or not at all, kinds of tie."""
    winners = ["model_a", "model_b", "tie (bothbad)", "model_a"]
    votes = [
        {"question_id": str(81 + n), "model_a": "x", "model_b": "m", "winner": winner, "judge": f"annotator_{n}"}
        for n, winner in enumerate(winners)
    ]
    votes[1]["turn"] = "1"
    (tmp_path / "votes.json").write_text(json.dumps(votes))
    games = [("[[B]]", "[[A]]"), ("[[B]]", "[[A]]"), ("[[A]]", "[[A]]"), ("?", "[[A]]")]
    judgments = [
        {"question_id": 81 + n, "model_1": "m", "model_2": "x", "turn": 1, "g1_judgment": one, "g2_judgment": two}
        for n, (one, two) in enumerate(games)
    ]
    (tmp_path / "pair.json").write_text(json.dumps(judgments))
    judge = Catalog.load().judge("mt-bench/pair-v2")
    lines = evidence.examine(judge, [tmp_path / "pair.json"], tmp_path / "votes.json")
    found = {line.name: (line.value, line.n) for line in lines}
    assert found["turn 1, judge and people, with ties"] == (pytest.approx(2 / 3), 3)  # x wins 81, both tie 83
    assert found["turn 1, judge and people, without ties"] == (0.5, 2)
    against = evidence.calibration(judge, [tmp_path / "pair.json"], tmp_path / "votes.json")
    assert against is not None
    assert (against.sensitivity.n, against.specificity.n) == (1, 1)
    for wrong in ({"winner": "x"}, {"winner": None}, {"model_b": None}):
        (tmp_path / "votes.json").write_text(json.dumps([{**votes[0], **wrong}]))
        with pytest.raises(DataError, match=r"votes\.json: item 0: .*(winner|model_b)"):
            evidence.examine(judge, [tmp_path / "pair.json"], tmp_path / "votes.json")


def test_position_bias_of_reviews_in_both_orders(mirror: Path) -> None:
    judge = Catalog.load().judge("evol-instruct/review-both-orders")
    file = mirror / "evol_instruct" / "cherry_vs_alpaca" / "wizardlm_wrap_reviews_gpt3.5.json.gz"
    found = {line.name: line for line in evidence.examine(judge, [file])}
    changed = found["winner changes with the places"]
    assert (round((changed.value or 0) * changed.n), changed.n) == (128, 218)
    assert (found["the answer shown first wins (0.5 is unbiased)"].value or 1) < 0.5  # it prefers the second
    assert found["replies without a readable verdict"].value == 0
    assert found["the longer answer wins"].n > 100


def test_annotations_tell_position_and_length(mirror: Path) -> None:
    judge = Catalog.load().judge("alpaca-eval/weighted-gpt4-turbo")
    file = (
        mirror / "alpaca_eval" / "results" / "wizardlm-13b" / "weighted_alpaca_eval_gpt4_turbo" / "annotations.json.gz"
    )
    found = {line.name: line for line in evidence.examine(judge, [file])}
    first = found["the answer shown first wins (0.5 is unbiased)"]
    assert first.low is not None
    assert first.high is not None
    assert 0.4 < (first.value or 0) < 0.6
    assert (found["the longer answer wins"].value or 0) > 0.6


def test_a_corrected_rate_undoes_known_errors() -> None:
    against = audit.confusion([(True, True)] * 90 + [(True, False)] * 10 + [(False, False)] * 80 + [(False, True)] * 20)
    assert (against.sensitivity.value, against.specificity.value) == (0.9, 0.8)
    found = audit.corrected_rate(550, 1000, against)  # a true rate of 0.5 is judged 0.5 * 0.9 + 0.5 * 0.2
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    assert found.high - found.low > 0.062  # wider than the test's own error would make it


def errors(q1: float, m1: int, q0: float, m0: int) -> audit.Confusion:
    return audit.Confusion(sensitivity=audit.rate(q1 * m1, m1), specificity=audit.rate(q0 * m0, m0))


@pytest.mark.parametrize(
    ("p", "q0", "q1", "n", "m0", "m1", "low", "high"),
    [
        # What the authors' llm_judge_reporting.confidence_interval says at alpha 0.05, as published in
        # jansim/LLM-judge-repoRting@8ce7be2 tests/testthat/fixtures/confidence_interval.csv.
        (0.4, 0.7, 0.9, 1000, 200, 200, 0.05635072484160894, 0.2627330257859588),
        (0.5, 0.8, 0.8, 500, 100, 100, 0.3799746588561528, 0.6200253411438469),
        (0.62, 0.85, 0.93, 2000, 150, 350, 0.5544774781496563, 0.6456327845409667),
        (0.05, 0.9, 0.9, 1000, 200, 200, 0.0, 0.0),
        (0.0, 1.0, 1.0, 50, 10, 10, 0.0, 0.09568563633822108),
        (1.0, 1.0, 1.0, 50, 10, 10, 0.9043143636617791, 1.0),
    ],
)
def test_corrected_rates_equal_the_authors_own(
    p: float, q0: float, q1: float, n: int, m0: int, m1: int, low: float, high: float
) -> None:
    found = audit.corrected_rate(p * n, n, errors(q1, m1, q0, m0))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert found.value == pytest.approx(min(1.0, max(0.0, (p + q0 - 1) / (q0 + q1 - 1))))


@pytest.mark.parametrize(
    ("truth", "q1", "q0", "n", "m1", "m0"),
    [
        (0.35, 0.85, 0.75, 500, 80, 120),
        (0.5, 0.7, 0.9, 805, 50, 50),
        (0.1, 0.9, 0.9, 200, 30, 300),
        (0.9, 0.8, 0.6, 160, 200, 200),
        (0.65, 0.95, 0.95, 5000, 40, 40),  # nearly all of the error is the calibration's
        (0.6, 0.85, 0.85, 40, 5000, 5000),  # nearly all of it is the test's
    ],
)
def test_a_corrected_rates_interval_covers_test_and_calibration_error(
    truth: float, q1: float, q0: float, n: int, m1: int, m0: int
) -> None:
    """Simulated judges with known errors: 95 % intervals hold the true rate in about 95 of 100 evaluations."""
    draw = np.random.default_rng(3)
    tries = 2000
    judged = draw.binomial(n, truth * q1 + (1 - truth) * (1 - q0), tries)
    hits, rejections = draw.binomial(m1, q1, tries), draw.binomial(m0, q0, tries)
    covered = 0
    for positives, hit, rejected in zip(judged, hits, rejections, strict=True):
        found = audit.corrected_rate(int(positives), n, errors(hit / m1, m1, rejected / m0, m0))
        covered += found.low <= truth <= found.high
    assert 0.935 <= covered / tries <= 0.985


def test_too_few_labels_correct_nothing() -> None:
    # better than chance by its counts, and not once each has one more success and failure
    with pytest.raises(HarnessError, match="too few labelled items"):
        audit.corrected_rate(5, 10, errors(0.25, 4, 1.0, 1))


def test_a_judge_no_better_than_chance_corrects_nothing() -> None:
    against = audit.confusion([(True, True), (True, False), (False, True), (False, False)])
    with pytest.raises(HarnessError, match="no better than chance"):
        audit.corrected_rate(5, 10, against)
    with pytest.raises(HarnessError, match="labelled ones of both kinds"):
        audit.corrected_rate(5, 10, audit.confusion([(True, True)]))


def test_position_and_repeats() -> None:
    found = audit.position([(0.0, 1.0), (0.0, 0.0), (0.5, 0.5), (0.0,)])
    assert (found.consistent.value, found.contradicting.value) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert found.first.value == 4 / 5
    assert audit.self_consistency([[7, 7, 8], [5]]).value == pytest.approx(1 / 3)
    assert audit.longer_preferred([(100, 200, 1.0), (200, 100, 1.0), (100, 110, 1.0)]).value == 0.5


async def test_a_judge_is_asked_about_labelled_pairs(mirror: Path, tmp_path: Path, judge: MockJudge) -> None:
    """A judge that always prefers the shorter answer, and one call in ten says nothing readable at first."""

    async def shorter(body: dict[str, Any], number: int) -> web.StreamResponse:
        text = body["messages"][-1]["content"]
        first = text.partition("[The Start of Assistant A's Answer]\n")[2].partition("\n[The End of Assistant A")[0]
        second = text.partition("[The Start of Assistant B's Answer]\n")[2].partition("\n[The End of Assistant B")[0]
        return answer("?" if number % 10 == 3 else "[[A]]" if len(first) < len(second) else "[[B]]")

    judge.reply = shorter
    catalog = Catalog.load()
    data = DataStore([mirror], tmp_path / "cache", offline=True)
    options = JudgeOptions(model=judge.url, engine=EngineOptions(concurrency=8))
    spec = catalog.judge("mt-bench/pair-v2")
    found = await ask_llmbar(spec, options, catalog, data, tmp_path / "audits", limit=30, note=lambda text: None)
    by_name = {line.name: line for line in found.lines}
    assert (by_name["the same winner in both orders"].value or 0) > 0.96  # two outputs may be of one length
    assert by_name["right in both orders"].n == 30
    assert by_name["questions without a readable verdict"].value == 0
    asked = len(judge.asked)
    await ask_llmbar(spec, options, catalog, data, tmp_path / "audits", limit=30, note=lambda text: None)
    assert len(judge.asked) == asked  # journaled
