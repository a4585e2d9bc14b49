"""A whole run against a judge that misbehaves: nothing is lost, everything is counted, nothing is paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.catalog import Catalog
from harness.runner.interrupt import InterruptedRunError
from harness.types import Estimate

from .conftest import Bench, MockJudge, answer


def whole(estimates: tuple[Estimate, ...], metric: str, **part: str) -> Estimate:
    [found] = [one for one in estimates if one.metric == metric and (one.slice or {}) == part]
    return found


async def test_every_turn_is_judged_once_and_the_same_command_asks_nothing_again(
    bench: Bench, judge: MockJudge
) -> None:
    answers = bench.answers("toy-model", lambda n, turn: f"answer {n}.{turn}")
    outcome = await bench.run(answers, judge.url)
    [cell] = outcome.cells
    assert cell.unscored == 0
    assert len(judge.asked) == 12
    assert whole(cell.estimates, "score").value == 7
    assert whole(cell.estimates, "score", turn="2").n == 6
    assert whole(cell.estimates, "score_fastchat").value == 7
    first = judge.asked[0]["messages"]
    assert [one["role"] for one in first] == ["system", "user"]
    assert judge.asked[0]["temperature"] == 0
    assert any("12 calls" in note for note in bench.told.notes)
    assert any(note.startswith("toy-judge answered 12 calls") for note in bench.told.notes)
    again = await bench.run(answers, judge.url)
    assert len(judge.asked) == 12
    assert again.cells[0].estimates == cell.estimates


async def test_another_judge_makes_another_scoring_of_the_same_cell(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("toy-model", lambda n, turn: "x")
    [cell] = (await bench.run(answers, judge.url)).cells
    other = await bench.score(cell.path, judge.url, max_tokens=999)
    assert other is not None
    assert other.score_id != cell.score_id
    assert judge.asked[-1]["max_tokens"] == 999
    assert len(list(bench.view(cell).verdicts())) == 24


@pytest.mark.usefixtures("fast_retries")
async def test_a_judge_that_misbehaves_loses_nothing(bench: Bench, judge: MockJudge) -> None:
    """429 and 500 storms, cut JSON, refusals, no verdict, both verdicts, other languages, reasoning to the limit."""
    storms: Counter[str] = Counter()

    async def wild(body: dict[str, Any], number: int) -> web.StreamResponse:
        asked = body["messages"][-1]["content"]
        storms[asked] += 1
        number = int(asked.split("first ")[1].split("?")[0])
        second = "second" in asked
        if number == 0 and storms[asked] <= 2:
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0"})
        if number == 1 and storms[asked] <= 2:
            return web.Response(status=500, text="<html>oops")
        if number == 2 and storms[asked] == 1:
            return web.Response(text='{"choices": [{"message": {"conte', content_type="application/json")
        if number == 3 and not second:
            return answer("I'm sorry, I cannot rate this.")
        if number == 3:
            return answer("Die Antwort ist gut. Bewertung: [[8]]. 评分：很好")
        if number == 4:
            return answer("Maybe [[3]], on reflection [[9]]")
        if number == 5 and body["max_tokens"] < 500:
            return answer("", reasoning="Let me think. It is surely [[10]] or", finish="length")
        if number == 5:
            return answer("Rating: [[4]]", reasoning="It is [[10]]. No.")
        return answer("Rating: [[6]]")

    judge.reply = wild
    answers = bench.answers("toy-model", lambda n, turn: f"answer {n}.{turn}")
    [cell] = (await bench.run(answers, judge.url, tries=5)).cells
    values = {(score.sample, score.turn): score.value for score in bench.scores(cell)}
    assert values == {
        ("q0", 0): 6,
        ("q0", 1): 6,
        ("q1", 0): 6,
        ("q1", 1): 6,
        ("q2", 0): 6,
        ("q2", 1): 6,
        ("q3", 0): None,
        ("q3", 1): 8,
        ("q4", 0): 3,
        ("q4", 1): 3,
        ("q5", 0): 4,
        ("q5", 1): 4,
    }
    assert cell.unscored == 1
    refused = [one for one in bench.view(cell).verdicts() if one.sample == "q3" and one.turn == 0]
    assert [one.code for one in refused] == ["no-verdict"] * 3
    eaten = [one for one in bench.view(cell).verdicts() if one.sample == "q5" and one.turn == 0]
    assert [one.code for one in eaten] == ["reasoning-limit", None]
    assert len(list(bench.view(cell).verdicts())) == judge.paid - 2  # two replies of q2 were cut JSON under status 200
    overall = whole(cell.estimates, "score")
    assert overall.bounds is not None
    assert overall.bounds.low < (overall.value or 0) < overall.bounds.high
    assert {error.code for error in bench.view(cell).errors()} == {"no-verdict"}
    assert "replies on 1 items hold several verdicts, of which the protocol chose: q4" in bench.noted(cell)


@pytest.mark.usefixtures("fast_retries")
async def test_a_judge_that_is_gone_is_asked_no_more(bench: Bench, judge: MockJudge) -> None:
    async def unpaid(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"error": {"message": "quota exceeded"}}, status=402)

    judge.reply = unpaid
    [cell] = (await bench.run(bench.answers("m", lambda n, turn: "x"), judge.url, concurrency=1)).cells
    assert cell.unscored == 6
    assert len(judge.asked) <= 4
    assert {error.code for error in bench.view(cell).errors()} <= {"http-402", "judge-gone"}
    assert whole(cell.estimates, "score").value is None


async def test_a_budget_is_kept_but_for_the_calls_in_flight(bench: Bench, judge: MockJudge) -> None:
    prices = bench.folder / "prices.toml"
    prices.write_text('date = "2026-01-01"\n[prices]\n"toy-judge" = { prompt = 10000, completion = 0 }\n')  # $1 a call
    answers = bench.answers("m", lambda n, turn: "x")
    [cell] = (await bench.run(answers, judge.url, budget=3.0, prices=prices, concurrency=2)).cells
    assert 3 <= judge.paid <= 3 + 1  # two in flight: one may be under way when the other spends the last
    assert {error.code for error in bench.view(cell).errors()} == {"budget"}
    assert sum(one.usd or 0 for one in bench.view(cell).verdicts()) == judge.paid
    first = judge.paid
    [cell] = (await bench.run(answers, judge.url, prices=prices)).cells
    assert cell.unscored == 0
    assert judge.paid == 12
    assert first < 12


async def test_a_budget_without_a_price_is_refused_before_the_first_call(bench: Bench, judge: MockJudge) -> None:
    from harness.errors import UsageError

    with pytest.raises(UsageError, match="no price of toy-judge"):
        await bench.run(bench.answers("m", lambda n, turn: "x"), judge.url, budget=1.0)
    assert not judge.asked


async def test_a_dry_run_asks_nothing(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: "x")
    [cell] = (await bench.run(answers, judge.url, off=True)).cells
    assert cell.unscored == 6
    assert await bench.score(cell.path, judge.url, dry_run=True) is None
    assert not judge.asked
    assert any("12 calls" in note for note in bench.told.notes)
    done = await bench.score(cell.path, judge.url)
    assert done is not None
    assert done.unscored == 0


async def test_a_judge_without_logprobs_is_not_paid_for_every_item(tmp_path: Path, judge: MockJudge) -> None:
    spec = tmp_path / "catalog" / "judges" / "toy" / "pair.toml"
    bench = Bench(tmp_path, turns=1)
    text = spec.read_text()
    start, end = text.index("[reading]"), text.index("[texts")
    spec.write_text(text[:start] + '[reading]\nreader = "token-logprobs"\n' + text[end:])
    bench.catalog = Catalog.load([tmp_path / "catalog"])
    ours, theirs = (bench.answers(name, lambda n, turn, name=name: name) for name in ("ours", "theirs"))  # type: ignore[misc]
    [cell] = (await bench.run(ours, judge.url, task="toy/pair", baseline=theirs, concurrency=2)).cells
    assert cell.unscored == 6
    assert judge.paid <= 2
    assert judge.asked[0]["logprobs"] is True
    assert judge.asked[0]["top_logprobs"] == 5

    async def with_logprobs(body: dict[str, Any], number: int) -> web.StreamResponse:
        top = [{"token": "m", "logprob": -0.1}, {"token": "M", "logprob": -3.0}]
        choice = {
            "message": {"content": "m"},
            "finish_reason": "length",
            "logprobs": {"content": [{"token": "m", "logprob": -0.1, "top_logprobs": top}]},
        }
        return web.json_response({"model": "toy-judge", "choices": [choice], "usage": {}})

    judge.reply = with_logprobs
    [cell] = (await bench.run(ours, judge.url, task="toy/pair", baseline=theirs)).cells
    assert cell.unscored == 0
    assert whole(cell.estimates, "win").value == 0.5  # the first is preferred in both orders


async def test_a_dry_run_needs_no_key(bench: Bench, judge: MockJudge) -> None:
    [cell] = (await bench.run(bench.answers("m", lambda n, turn: "x"), judge.url, off=True)).cells
    assert await bench.score(cell.path, "openai:gpt-4.1", dry_run=True) is None
    assert any("12 calls" in note and "about $" in note for note in bench.told.notes)


async def test_both_orders_and_inconsistent_verdicts_are_ties(bench: Bench, judge: MockJudge) -> None:
    """q0: our answer wins in both orders; q1: the first always wins; q2: no verdict in one order."""

    async def compare(body: dict[str, Any], number: int) -> web.StreamResponse:
        asked = body["messages"][-1]["content"]
        ours_first = asked.index("ours") < asked.index("theirs")
        if "first 0" in asked:
            return answer("[[A]]" if ours_first else "[[B]]")
        if "first 1" in asked:
            return answer("[[A]]")
        if "first 2" in asked and not ours_first:
            return answer("both are fine")
        return answer("[[C]]")

    judge.reply = compare
    single = Bench(_folder(bench, "single"), turns=1)
    ours = single.answers("ours", lambda n, turn: "ours")
    theirs = single.answers("theirs", lambda n, turn: "theirs")
    [cell] = (await single.run(ours, judge.url, task="toy/pair", baseline=theirs)).cells
    values = {score.sample: score.value for score in single.scores(cell)}
    assert values == {"q0": 1, "q1": 0.5, "q2": None, "q3": 0.5, "q4": 0.5, "q5": 0.5}
    assert whole(cell.estimates, "tied").value == pytest.approx(4 / 5)
    changed = whole(cell.estimates, "contradicting")
    assert (changed.value, changed.n) == (1 / 5, 5)  # q1


async def test_concurrency_adapts_to_refusals(bench: Bench, judge: MockJudge) -> None:
    from harness.judging.limiter import Limiter

    limiter = Limiter(8)
    for _ in range(8):
        await limiter.__aenter__()
    for _ in range(8):
        limiter.busy()
    assert limiter.limit == 4  # eight that were in flight together say it once
    for _ in range(8):
        await limiter.__aexit__(None, None, None)
    for _ in range(20):
        limiter.worked()
    assert 4 < limiter.limit <= 8
    waiting = Limiter(1)
    async with waiting:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting.__aenter__(), 0.05)


def _folder(bench: Bench, name: str) -> Any:
    folder = bench.folder / name
    folder.mkdir()
    return folder


async def test_after_ctrl_c_no_judge_is_asked_anything_new_and_what_is_in_flight_is_kept(
    bench: Bench, judge: MockJudge
) -> None:
    signalled = asyncio.Event()
    late: list[int] = []

    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        if signalled.is_set():
            late.append(number)
        elif number == 3:
            signalled.set()
            os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.3)
        # Every other reply has no verdict, and would be asked for again.
        return answer("Rating: [[7]]" if number % 2 else "Well.")

    judge.reply = slow
    answers = bench.answers("toy-model", lambda n, turn: f"answer {n}.{turn}")
    outcome = await bench.run(answers, judge.url)
    assert outcome.interrupted
    [cell] = outcome.cells
    assert late == []
    assert len(judge.asked) == 4
    assert len(list(bench.view(cell).verdicts())) == 4
    assert bench.told.errors == []

    judge.reply = MockJudge().reply
    again = await bench.run(answers, judge.url)
    assert again.cells[0].unscored == 0
    assert len(judge.asked) == 4 + 12 - 2


async def test_ctrl_c_while_scoring_keeps_what_was_paid_for(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("toy-model", lambda n, turn: f"answer {n}.{turn}")
    [cell] = (await bench.run(answers, judge.url)).cells
    scores = bench.scores(cell)

    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        if number == 12 + 3:
            os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.3)
        return answer("Rating: [[3]]")

    judge.reply = slow
    with pytest.raises(InterruptedRunError):
        await bench.score(cell.path, judge.url, max_tokens=999)
    assert len(judge.asked) == 12 + 4
    assert len(list(bench.view(cell).verdicts())) == 12 + 4
    assert bench.scores(cell) == scores
    again = await bench.score(cell.path, judge.url, max_tokens=999)
    assert again is not None
    assert again.unscored == 0
    assert len(judge.asked) == 12 + 12
