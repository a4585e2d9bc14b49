from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from harness.errors import (
    DataError,
    EngineError,
    InstrumentError,
    RequestError,
    SandboxError,
    SpecError,
    StoreError,
    UsageError,
)
from harness.store import Cell
from harness.types import Bounds, KnownModel, Prompt, PublishedNumber, Request, Sampling, Task

MakeTask = Callable[..., Task]
Lab = Any


async def test_a_run_asks_scores_and_estimates(lab: Lab) -> None:
    outcome = await lab.run()
    (result,) = outcome.cells
    assert (result.state, result.expected, result.done, result.unscored, result.errors) == ("complete", 6, 6, 0, 0)
    assert result.estimates[0].value == 1.0
    assert result.estimates[0].n == 6
    view = lab.view(result)
    assert sorted(one.sample for one in view.completions()) == list("012345")
    assert next(one.prompt for one in view.completions()) == "Say w0"
    manifest = view.manifest
    assert manifest.state == "complete"
    (call,) = manifest.invocations
    assert {one.invocation for one in view.completions()} == {call.id}
    assert call.ended is not None
    assert call.exit == 0
    assert call.engine.name == "fake"
    assert view.estimates(result.score_id) == result.estimates
    assert not outcome.interrupted
    assert outcome.error is None
    assert lab.told.begun == [("toy-model", "toy/plain", 6, 0)]
    assert lab.told.results == [result]
    assert not lab.engine.open
    assert not lab.scorers["toy/plain"].open


async def test_a_complete_cell_is_not_asked_again_and_says_so(lab: Lab) -> None:
    (first,) = (await lab.run()).cells
    files = {path: path.read_bytes() for path in Path(first.path).glob("*.json*")}
    lab.engine.asked.clear()
    (second,) = (await lab.run()).cells
    assert second == first
    assert lab.engine.asked == []
    assert any("complete" in note for note in lab.told.notes)
    assert {path: path.read_bytes() for path in Path(first.path).glob("*.json*")} == files
    assert lab.scorers["toy/plain"].graded == []


@pytest.mark.parametrize("fields", [{"items": ("3", "4", "5"), "attempts": 2}, {"items": ("4", "5"), "limit": 1}])
async def test_the_same_command_on_some_items_is_complete_twice(lab: Lab, fields: dict[str, Any]) -> None:
    """Neither items times attempts nor ``limit`` beside ``items`` is mistaken for a wish for other samples."""
    (one,) = (await lab.run(**fields)).cells
    (two,) = (await lab.run(**fields)).cells
    assert (one.state, one.unscored) == ("complete", 0)
    assert (two.state, two.expected, two.unscored) == (one.state, one.expected, 0)


async def test_limit_items_and_attempts_extend_the_same_cell(lab: Lab) -> None:
    (one,) = (await lab.run(limit=2)).cells
    assert (one.expected, one.state) == (2, "complete")
    assert lab.view(one).manifest.limit == 2
    (two,) = (await lab.run(items=("4",))).cells
    assert two.path == one.path
    assert two.expected == 3
    (three,) = (await lab.run()).cells
    assert (three.expected, three.done, three.estimates[0].n) == (6, 6, 6)
    assert lab.view(three).manifest.limit is None
    (four,) = (await lab.run(attempts=2)).cells
    assert (four.path, four.expected, four.done) == (one.path, 12, 12)
    assert (lab.view(one).manifest.attempts, lab.view(four).manifest.attempts) == (2, 2)
    assert len(lab.engine.asked) == len(set(lab.engine.asked)) == 12
    (five,) = (await lab.run(limit=1)).cells  # a smaller command does not shrink the cell
    assert (five.expected, five.done, five.state) == (12, 12, "complete")
    assert len(lab.engine.asked) == 12


async def test_attempts_that_were_wanted_are_remembered(lab: Lab) -> None:
    async def fails_later(request: Request) -> str:
        if request.attempt > 0:
            raise RequestError("http-500", "no")
        return "fine"

    lab.engine.reply = fails_later
    (one,) = (await lab.run(items=("2",), attempts=3)).cells
    assert (one.expected, one.done, one.state) == (3, 1, "partial")
    (two,) = (await lab.run(items=("2",), attempts=1)).cells  # a smaller command does not make it complete
    assert (two.expected, two.done, two.state) == (3, 1, "partial")
    assert lab.view(two).manifest.attempts == 3


async def test_a_cell_that_does_not_say_its_attempts_is_read(lab: Lab) -> None:
    """Written by the first version: the journal tells."""
    (one,) = (await lab.run(attempts=2)).cells
    path = Path(one.path) / "manifest.json"
    plain = json.loads(path.read_bytes())
    del plain["attempts"]
    path.write_text(json.dumps(plain))
    (two,) = (await lab.run(limit=1)).cells
    assert (two.expected, two.done, two.state) == (12, 12, "complete")
    assert len(lab.engine.asked) == 12


async def test_a_changed_prompt_or_sampling_gives_a_new_cell(lab: Lab, task: MakeTask) -> None:
    (one,) = (await lab.run()).cells
    lab.catalog.known["toy/plain"] = task(prompt=Prompt(turns=("Tell {q}",), format="raw"))
    (two,) = (await lab.run()).cells
    (three,) = (await lab.run(sampling={"temperature": 0.5})).cells
    (four,) = (await lab.run(seed=7)).cells
    assert len({one.path, two.path, three.path, four.path}) == 4
    assert len(lab.engine.asked) == 24
    assert dict(lab.view(three).manifest.task.overrides) == {"temperature": 0.5}
    assert lab.view(three).manifest.sampling.temperature == 0.5


async def test_a_changed_rule_gives_a_second_scoring_and_asks_nothing(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    lab.scorer_version = 2
    lab.setup = lambda scorer: setattr(scorer, "rule", lambda sample, completions: float(sample.id == "0"))
    (two,) = (await lab.run()).cells
    assert two.path == one.path
    assert two.score_id != one.score_id
    assert len(lab.engine.asked) == 6
    assert list(lab.view(one).scorings()) == [one.score_id, two.score_id]
    assert lab.view(one).estimates(one.score_id)[0].value == 1.0
    assert two.estimates[0].value == pytest.approx(1 / 6)


async def test_turns_carry_their_history_and_are_resumed_one_by_one(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known = {"toy/turns": task("toy/turns", prompt=Prompt(turns=("A {q}", "B"), format="vicuna_v1.1"))}
    lab.data.count = 2

    async def fails_in_turn_two(request: Request) -> str:
        if request.turn == 1 and request.sample == "1":
            raise RequestError("http-500", "no", tries=3)
        return f"r{request.turn}"

    lab.engine.reply = fails_in_turn_two
    (one,) = (await lab.run()).cells
    assert (one.done, one.unscored, one.errors, one.state) == (1, 1, 1, "partial")
    assert one.estimates[0].unscored == {"http-500": 1}
    assert lab.view(one).manifest.invocations[-1].exit == 3
    (error,) = lab.view(one).errors()
    assert (error.sample, error.turn, error.where, error.code, error.tries) == ("1", 1, "request", "http-500", 3)
    lab.engine.asked.clear()
    lab.engine.reply = None

    async def works(request: Request) -> str:
        assert "r0" in request.prompt  # type: ignore[union-attr]
        return "r1"

    lab.engine.reply = works
    (two,) = (await lab.run()).cells
    assert lab.engine.asked == [("1", 0, 1)]
    assert (two.done, two.unscored, two.errors, two.state) == (2, 0, 0, "complete")
    assert lab.told.begun[0][2:] == (2, 1)


async def test_likelihoods_are_asked_once_a_choice(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known = {
        "toy/choice": task(
            "toy/choice", kind="loglikelihood", prompt=Prompt(turns=("{q}",), format="raw", choices="choices")
        )
    }
    samples = lab.data.samples(lab.catalog.task("toy/choice"))
    choices = [type(one)(id=one.id, record={**one.record, "choices": ["a", "b", "c"]}) for one in samples]
    lab.data.samples = lambda task: choices

    async def one_fails(request: Request) -> str:
        if (request.sample, request.turn) == ("2", 1):
            raise RequestError("http-500", "no")
        return ""

    lab.engine.reply = one_fails
    (one,) = (await lab.run()).cells
    assert (one.done, one.unscored) == (5, 1)
    assert len(list(lab.view(one).completions())) == 17  # the other choices of sample 2 are kept
    lab.engine.asked.clear()

    async def fine(request: Request) -> str:
        return ""

    lab.engine.reply = fine
    (two,) = (await lab.run()).cells
    assert lab.engine.asked == [("2", 0, 1)]
    assert two.state == "complete"


async def test_a_scorers_failure_is_unscored_and_scored_by_the_next_run(lab: Lab) -> None:
    def broken(sample: Any, completions: Any) -> float:
        if sample.id == "1":
            raise SandboxError("the jail fell over", code="jail")
        if sample.id == "2":
            raise ZeroDivisionError("oops")
        if sample.id == "3":
            return float("nan")
        return 1.0

    lab.setup = lambda scorer: setattr(scorer, "rule", broken)
    (one,) = (await lab.run()).cells
    assert (one.state, one.done, one.unscored, one.errors) == ("complete", 6, 3, 3)
    assert one.estimates[0].unscored == {"bug": 1, "jail": 1, "record": 1}
    assert one.estimates[0].bounds is not None
    rows = {score.sample: score for score in lab.view(one).scores(one.score_id)}
    assert rows["1"].value is None
    assert rows["1"].reason == "unscored"
    found = {error.sample: (error.where, error.code) for error in lab.view(one).errors()}
    assert found == {"1": ("sandbox", "jail"), "2": ("scorer", "bug"), "3": ("scorer", "record")}
    lab.setup = lambda scorer: None
    (two,) = (await lab.run()).cells
    assert len(lab.engine.asked) == 6
    assert sorted(lab.scorers["toy/plain"].graded) == [("1", 0), ("2", 0), ("3", 0)]
    assert (two.unscored, two.errors, two.estimates[0].value) == (0, 0, 1.0)
    keys = [(score.sample, score.attempt, score.metric) for score in lab.view(two).scores(two.score_id)]
    assert len(keys) == len(set(keys)) == 6


async def test_what_a_scorer_gives_wrongly_is_unscored_and_readable(lab: Lab) -> None:
    """A plug-in's natural slips: a truth value, a text, a value off its scale."""
    given: dict[str, Any] = {"1": True, "2": "1", "3": 7.0, "4": -0.5}
    lab.setup = lambda scorer: setattr(scorer, "rule", lambda sample, completions: given.get(sample.id, 1.0))
    (one,) = (await lab.run()).cells
    assert one.estimates[0].unscored == {"record": 2, "scale": 2}
    assert (one.estimates[0].n, one.estimates[0].value) == (2, 1.0)
    lab.setup = lambda scorer: None
    (two,) = (await lab.run()).cells  # what was written can be read, and only the rest is scored
    assert (two.unscored, two.estimates[0].n) == (0, 6)


async def test_what_an_engine_gives_wrongly_is_no_line_of_the_journal(lab: Lab) -> None:
    async def reply(request: Request) -> str:
        return cast("str", 5) if request.sample == "1" else "fine"

    lab.engine.reply = reply
    (one,) = (await lab.run()).cells
    assert (one.state, one.done, one.estimates[0].unscored) == ("partial", 5, {"record": 1})
    assert {line.sample for line in lab.view(one).completions()} == {"0", "2", "3", "4", "5"}


async def test_a_scorer_declares_another_scale(lab: Lab) -> None:
    values = {"0": 10.0, "1": 0.5}

    def setup(scorer: Any) -> None:
        scorer.scales = {"correct": (1.0, 10.0)}
        scorer.rule = lambda sample, completions: values.get(sample.id, 4.0)

    lab.setup = setup
    (one,) = (await lab.run()).cells
    (estimate,) = one.estimates
    assert (estimate.value, estimate.unscored) == (26 / 5, {"scale": 1})
    assert estimate.bounds == Bounds(low=27 / 6, high=36 / 6)
    assert 1.0 <= estimate.low < estimate.value < estimate.high <= 10.0


async def test_attempts_vote_by_their_answers(lab: Lab, task: MakeTask) -> None:
    async def reply(request: Request) -> str:
        return {"0": "5 5 6", "1": "6 5 6"}[request.sample].split()[request.attempt]

    lab.data.count = 2
    lab.engine.reply = reply
    lab.setup = lambda scorer: setattr(scorer, "rule", lambda sample, completions: float(completions[-1].text == "5"))
    (one,) = (await lab.run(attempts=3)).cells
    values = {estimate.metric: estimate.value for estimate in one.estimates}
    assert values == {"correct": 0.5, "pass@3": 1.0, "maj@3": 0.5}


async def test_a_bug_in_one_sample_ends_only_that_sample(lab: Lab) -> None:
    async def buggy(request: Request) -> str:
        if request.sample == "3":
            raise KeyError("x")
        return "y"

    lab.engine.reply = buggy
    (one,) = (await lab.run()).cells
    assert (one.done, one.unscored) == (5, 1)
    assert one.estimates[0].unscored == {"bug": 1}
    (error,) = lab.view(one).errors()
    assert error.message == "KeyError: 'x'"


async def test_a_dead_engine_stops_the_run_early(lab: Lab) -> None:
    lab.data.count = 500
    asked = 0

    async def dies(request: Request) -> str:
        nonlocal asked
        asked += 1
        if asked > 10:
            raise RequestError("connection", "Connect call failed")
        return "y"

    lab.engine.reply = dies
    outcome = await lab.run()
    (one,) = outcome.cells
    assert asked < 60
    assert isinstance(outcome.error, EngineError)
    assert "it resumes" in outcome.error.remedy
    assert any("it resumes" in note for note in lab.told.notes)
    assert (one.state, one.done, one.expected) == ("partial", 10, 500)
    assert one.estimates[0].unscored["not-asked"] > 400
    assert lab.view(one).manifest.invocations[-1].exit == 1

    async def alive(request: Request) -> str:
        return "y"

    lab.engine.reply = alive
    (two,) = (await lab.run()).cells
    assert (two.state, two.unscored) == ("complete", 0)


async def test_one_models_death_does_not_stop_the_next(lab: Lab, engine: Any) -> None:
    async def dead(request: Request) -> str:
        raise EngineError("the key was revoked")

    lab.engines = {"toy": engine("dead", dead), "two": engine("alive")}
    outcome = await lab.run()
    assert [(one.model, one.state) for one in outcome.cells] == [("dead", "partial"), ("alive", "complete")]
    assert "revoked" in str(outcome.error)


async def test_several_models_and_tasks_in_one_command(lab: Lab, task: MakeTask, engine: Any) -> None:
    lab.catalog.known["toy/other"] = task("toy/other", prompt=Prompt(turns=("Other {q}",), format="raw"))
    lab.engines = {"toy": engine("a"), "two": engine("b")}
    outcome = await lab.run()
    assert [(one.model, one.task) for one in outcome.cells] == [
        ("a", "toy/plain"),
        ("a", "toy/other"),
        ("b", "toy/plain"),
        ("b", "toy/other"),
    ]
    assert all(one.state == "complete" for one in outcome.cells)
    tasks = [request.task for request in lab.engine.requests]
    assert tasks == sorted(tasks, reverse=True)  # samples of one task stay together


async def test_concurrency_and_window_are_bounded(lab: Lab) -> None:
    lab.data.count = 60
    lab.engine.concurrency = 3
    lab.setup = lambda scorer: setattr(scorer, "delay", 0.01)

    async def slow(request: Request) -> str:
        await asyncio.sleep(0.001)
        return "y"

    lab.engine.reply = slow
    await lab.run(window=5)
    assert lab.engine.most == 3
    assert lab.scorers["toy/plain"].most == 5  # back-pressure: what is being scored holds its place


async def test_memory_stays_flat_over_many_samples(lab: Lab) -> None:
    import tracemalloc

    lab.data.count = 3000

    async def long(request: Request) -> str:
        return "x" * 20_000

    lab.engine.reply = long
    lab.told.on_asked = lambda completion: (lab.told.completions.clear(), lab.told.scores.clear())
    tracemalloc.start()
    await lab.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25_000_000  # 60 MB went through


async def test_a_stalled_sample_holds_nobody_back(lab: Lab) -> None:
    lab.data.count = 164

    async def stalls(request: Request) -> str:
        await asyncio.sleep(2.5 if request.sample == "3" else 0.002)
        return "y"

    lab.engine.reply = stalls
    graded: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    begin = loop.time()

    def rule(sample: Any, completions: Any) -> float:
        graded[sample.id] = loop.time() - begin
        return 1.0

    lab.setup = lambda scorer: setattr(scorer, "rule", rule)
    (one,) = (await lab.run()).cells
    assert one.state == "complete"
    assert [row.sample for row in lab.view(one).completions()][-1] == "3"
    stalled = graded.pop("3")
    assert stalled >= 2.5
    assert len(graded) == 163
    assert max(graded.values()) < stalled - 0.5


async def test_truncated_replies_are_counted(lab: Lab) -> None:
    lab.engine.finish_reason = "length"
    (one,) = (await lab.run()).cells
    assert one.estimates[0].truncated == 6
    (two,) = (await lab.run()).cells
    assert two.estimates[0].truncated == 6


async def test_published_numbers_stand_beside_the_result(lab: Lab) -> None:
    number = PublishedNumber(model="Toy 1", task="toy/plain", metric="correct", value=0.5, source="us")
    lab.catalog.numbers = (number, PublishedNumber(model="x", task="toy/plain", metric="m", value=0, source="us"))
    lab.catalog.checkpoints = {"toy-model": KnownModel(name="Toy-1", aliases=("toy 1", "toy-model"))}
    (one,) = (await lab.run()).cells
    assert one.published == (number,)


async def test_slices_are_estimated(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known["toy/plain"] = task(slices=("level",))
    (one,) = (await lab.run()).cells
    found = [(dict(one.slice or {}), one.n) for one in one.estimates]
    assert found == [({}, 6), ({"level": "0"}, 3), ({"level": "1"}, 3)]


async def test_a_slice_that_no_record_has_is_refused_before_anything(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known["toy/plain"] = task(slices=("levle",))
    with pytest.raises(SpecError, match=r"no record has the field 'levle' — did you mean 'level'"):
        await lab.run()
    assert not lab.engine.asked


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"limit": 0}, "limit"),
        ({"attempts": 0}, "attempts"),
        ({"models": ()}, "at least one model"),
        ({"items": ("0", "nope")}, "no item 'nope'"),
        ({"sampling": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"sampling": {"temperature": "hot"}}, "temperature"),
        ({"sampling": {"temperature": -1}}, "must be 0 .greedy. or more"),
        ({"sampling": {"temperature": float("nan")}}, "temperature must be"),
        ({"sampling": {"top_p": 0}}, "top_p"),
        ({"sampling": {"max_new_tokens": 0}}, "max_new_tokens"),
        ({"sampling": {"max_new_tokens": 1, "max_total_tokens": 2}}, "exclude each other"),
        ({"chat_format": "alpaca"}, "pins"),
        ({"tasks": ("toy/none",)}, "toy/none"),
    ],
)
async def test_a_wrong_plan_is_refused_before_anything(lab: Lab, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        await lab.run(**fields)
    assert lab.engine.asked == []
    assert not lab.runs.exists()


async def test_setting_one_length_unsets_the_other(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known["toy/plain"] = task(sampling=Sampling(temperature=0, max_total_tokens=99))
    (one,) = (await lab.run(sampling={"max_new_tokens": 5})).cells
    sampling = lab.view(one).manifest.sampling
    assert (sampling.max_new_tokens, sampling.max_total_tokens) == (5, None)


async def test_preparation_fails_before_the_first_request_and_leaves_no_cell(lab: Lab) -> None:
    lab.setup = lambda scorer: setattr(scorer, "test_fails", InstrumentError("a known answer failed"))
    with pytest.raises(InstrumentError):
        await lab.run()
    lab.setup = lambda scorer: None
    lab.data.fails = DataError("no data")
    with pytest.raises(DataError):
        await lab.run()
    lab.data.fails = None
    lab.data.samples = lambda task: []
    with pytest.raises(DataError, match="empty"):
        await lab.run()
    assert lab.engine.asked == []
    assert not lab.runs.exists()
    assert not lab.engine.open


async def test_a_field_that_the_record_lacks_is_told_before_asking(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known["toy/plain"] = task(prompt=Prompt(turns=("{question}",), format="raw"))
    with pytest.raises(UsageError, match="question"):
        await lab.run()
    assert lab.engine.asked == []


async def test_an_unknown_chat_format_of_a_model_is_an_error(lab: Lab, task: MakeTask) -> None:
    lab.catalog.known["toy/plain"] = task(prompt=Prompt(turns=("{q}",)))
    with pytest.raises(UsageError, match="chat format"):
        await lab.run()
    lab.catalog.checkpoints = {"toy-model": KnownModel(name="toy-model", format="vicuna_v1.1")}
    (one,) = (await lab.run()).cells
    assert lab.view(one).manifest.model.chat_format == "vicuna_v1.1"


async def test_a_nearly_full_disk_is_refused_before_asking(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.runner import preflight

    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: type("U", (), {"free": 10 * 2**20})())
    with pytest.raises(StoreError, match="10 MiB are free"):
        await lab.run()
    assert lab.engine.asked == []


async def test_a_cell_in_use_is_refused_and_told(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    lab.engine.asked.clear()
    with Cell.resume(Path(one.path)), pytest.raises(StoreError, match="is being written by process"):
        await lab.run(attempts=2)
    assert lab.engine.asked == []


async def test_a_disk_that_fills_midway_ends_the_run_and_loses_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import journal

    lab.data.count = 50
    real = journal.os.write
    left = 30

    def write(handle: int, data: bytes) -> int:
        nonlocal left
        left -= 1
        return real(handle, data if left > 0 else data[:7])

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "write", write)
        with pytest.raises(StoreError, match="disk is full"):
            await lab.run()
    journaled = set(lab.engine.asked)
    lab.engine.asked.clear()
    outcome = await lab.run()
    assert outcome.cells[0].state == "complete"
    assert len(journaled & set(lab.engine.asked)) <= lab.engine.concurrency + 1
    assert len(list(lab.view(outcome.cells[0]).completions())) == 50


async def test_nothing_secret_is_written(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    (one,) = (await lab.run()).cells
    for path in Path(one.path).rglob("*"):
        if path.is_file():
            assert b"sk-very-secret" not in path.read_bytes()


async def test_the_attempts_an_engine_holds_are_taken(lab: Lab, engine: Any) -> None:
    lab.engines = {"toy": engine(attempts=3, notes=("guessed: continuation",), identity={"sha256": "1"})}
    (one,) = (await lab.run()).cells
    assert one.expected == 18
    assert "guessed: continuation" in lab.told.notes
    lab.engines = {"toy": engine(attempts=3, identity={"sha256": "2"})}
    (two,) = (await lab.run()).cells
    assert two.path != one.path  # other answers, another cell


async def test_the_manifest_is_plain_json_with_the_contracts_keys(lab: Lab) -> None:
    (one,) = (await lab.run()).cells
    plain = json.loads((Path(one.path) / "manifest.json").read_text())
    assert set(plain) == {
        "format", "ask_id", "state", "task", "model", "datasets", "sampling",
        "seed", "expected", "attempts", "limit", "invocations", "cost",
    }  # fmt: skip
    assert plain["datasets"] == [{"name": "toy", "sha256": "0" * 64, "records": 6}]
