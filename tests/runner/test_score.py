from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import runner
from harness.errors import InstrumentError, RequestError, UsageError
from harness.types import DatasetPin, Extraction, Reference, Request, Task

MakeTask = Callable[..., Task]
Lab = Any


async def test_scoring_again_asks_nothing_and_replaces_the_scores(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    lab.engine.asked.clear()
    lab.setup = lambda scorer: setattr(scorer, "rule", lambda sample, completions: 0.0)
    again = await lab.score(one.path)
    assert lab.engine.asked == []
    assert again.score_id == one.score_id
    assert again.estimates[0].value == 0.0
    assert len(list(lab.view(one).scores(one.score_id))) == 6
    assert len(lab.view(one).manifest.invocations) == 1


async def test_only_what_lacks_a_score_where_asked_so(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    await lab.score(one.path, rescore=False)
    assert lab.scorers["toy/plain"].graded == []


async def test_a_rescoring_that_fails_leaves_the_old_scores(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    lab.setup = lambda scorer: setattr(scorer, "delay", 60)
    job = asyncio.ensure_future(lab.score(one.path))
    await asyncio.sleep(0.1)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    def unfit(sample: Any, completions: Any) -> float:
        raise InstrumentError("it must not grade")

    lab.setup = lambda scorer: setattr(scorer, "rule", unfit)
    with pytest.raises(InstrumentError):
        await lab.score(one.path)
    assert lab.view(one).estimates(one.score_id) == one.estimates
    assert len(list(lab.view(one).scores(one.score_id))) == 6


async def test_another_rule_adds_a_scoring(lab: Lab, task: MakeTask) -> None:
    (one,) = (await lab.run()).cells
    lab.catalog.known["toy/plain"] = task(version=2, extraction=Extraction(strip=True))
    again = await lab.score(one.path)
    assert again.path == one.path
    assert again.score_id != one.score_id
    assert list(lab.view(one).scorings()) == [one.score_id, again.score_id]
    assert any("version 1" in note for note in lab.told.notes)


async def test_another_tasks_rule_of_the_same_data(lab: Lab, task: MakeTask) -> None:
    (one,) = (await lab.run()).cells
    lab.catalog.known["toy/strict"] = task("toy/strict", metric="score")
    again = await lab.score(one.path, task="toy/strict")
    assert again.task == "toy/plain"
    assert again.estimates[0].metric == "score"
    assert lab.view(one).scoring(again.score_id).task == "toy/strict"
    pin = DatasetPin(name="else", source="file:x", sha256="1" * 64)
    lab.catalog.known["toy/else"] = task("toy/else", dataset=pin)
    with pytest.raises(UsageError, match="same data set"):
        await lab.score(one.path, task="toy/else")


async def test_what_was_never_answered_stays_unscored(lab: Lab) -> None:
    async def fails(request: Request) -> str:
        if request.sample in {"1", "2"}:
            raise RequestError("http-500", "no")
        return "y"

    lab.engine.reply = fails
    (one,) = (await lab.run()).cells
    again = await lab.score(one.path)
    assert (again.expected, again.done, again.unscored, again.state) == (6, 4, 2, "partial")
    assert again.estimates[0].unscored == {"http-500": 2}


async def test_check_compares_with_the_known_failures(lab: Lab, task: MakeTask, reference: Reference) -> None:
    known = task(reference=reference, known_reference_failures=("1", "2"))
    lab.catalog.known["toy/plain"] = known
    lab.engines["reference"] = lab.engine
    lab.setup = lambda scorer: setattr(scorer, "rule", lambda sample, completions: float(sample.id not in "13"))
    found = await runner.check("toy/plain", catalog=lab.catalog, data=lab.data, progress=lab.told)
    assert not found.ok
    assert (found.checked, found.failed) == (6, ("1", "3"))
    assert (found.unexpected, found.repaired) == (("3",), ("2",))
    assert not Path(lab.runs).exists()
    lab.catalog.known["toy/plain"] = task(reference=reference, known_reference_failures=("1", "3"))
    assert (await runner.check("toy/plain", catalog=lab.catalog, data=lab.data, progress=lab.told)).ok
    lab.catalog.known["toy/plain"] = task()
    with pytest.raises(UsageError, match="reference"):
        await runner.check("toy/plain", catalog=lab.catalog, data=lab.data, progress=lab.told)


async def test_every_metric_of_a_scorer_is_estimated_the_headline_first(lab: Lab) -> None:
    lab.setup = lambda scorer: setattr(scorer, "more", ("acc_norm",))
    (one,) = (await lab.run()).cells
    headline, other = one.estimates
    assert other.metric == "acc_norm"
    assert (headline.metric, headline.n) != (other.metric, 0)
    assert headline.value == other.value
