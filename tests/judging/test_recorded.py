"""Verdicts that exist already count for the very prompt they were given on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, UsageError
from harness.judging import estimates

from .conftest import Bench, MockJudge, write_lines


def recorded(bench: Bench, path: Path, prompts: dict[tuple[str, int], str], **changed: Any) -> Path:
    rows = [
        {
            "question_id": sample,
            "model": "m",
            "judge": ["toy-judge", "one"],
            "user_prompt": prompt,
            "judgment": f"Rating: [[{5 + turn}]]",
            "score": 5 + turn,
            "turn": turn + 1,
            "tstamp": 0,
        }
        | changed
        for (sample, turn), prompt in prompts.items()
    ]
    write_lines(path, rows)
    return path


async def prompts_of(bench: Bench, judge: MockJudge, answers: Path) -> dict[tuple[str, int], str]:
    await bench.run(answers, judge.url)
    found = {}
    for body in judge.asked:
        text = body["messages"][-1]["content"]
        number = text.split("first ")[1].split("?")[0]
        found[f"q{number}", int("second" in text)] = text
    return found


async def test_recorded_verdicts_score_a_run_and_ask_nobody(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: f"a{n}.{turn}")
    prompts = await prompts_of(bench, judge, answers)
    asked = len(judge.asked)
    [cell] = (await bench.run(answers, judge.url)).cells
    file = recorded(bench, bench.folder / "gpt-4_single.jsonl", prompts)
    found = await bench.score(cell.path, None, verdicts=file)
    assert found is not None
    assert len(judge.asked) == asked
    assert found.estimates[0].value == 5.5
    assert found.score_id != cell.score_id


async def test_verdicts_on_other_answers_do_not_count(bench: Bench, judge: MockJudge) -> None:
    prompts = await prompts_of(bench, judge, bench.answers("m", lambda n, turn: f"a{n}.{turn}"))
    other = bench.answers("other", lambda n, turn: f"a{n}.{turn}" if n else "another answer")
    [cell] = (await bench.run(other, judge.url)).cells
    file = recorded(bench, bench.folder / "verdicts.jsonl", prompts)
    found = await bench.score(cell.path, None, verdicts=file)
    assert found is not None
    assert found.unscored == 1
    assert {error.code for error in bench.told.errors} == {"other-prompt"}
    trusted = await bench.score(cell.path, None, verdicts=file, trusted=True)
    assert trusted is not None
    assert trusted.unscored == 0
    assert trusted.score_id != found.score_id


async def test_doubled_and_invalid_rows_as_fastchat_counts_them(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: f"a{n}.{turn}")
    prompts = await prompts_of(bench, judge, answers)
    file = recorded(bench, bench.folder / "v.jsonl", prompts)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows.append({**rows[0], "judgment": "[[10]]", "score": 10})
    rows[-2] |= {"judgment": "$ERROR$", "score": -1}
    write_lines(file, rows)
    [cell] = (await bench.run(answers, judge.url)).cells
    found = await bench.score(cell.path, None, verdicts=file)
    assert found is not None
    means = estimates.means(bench.scores(found))
    valid = [row["score"] for row in rows if row["score"] != -1]
    assert means.average == pytest.approx(sum(valid) / len(valid))
    assert (means.valid, means.invalid) == (12, 1)
    by_metric = {one.metric: one for one in found.estimates if one.slice is None}
    assert by_metric["score_fastchat"].value == pytest.approx(means.average)
    assert by_metric["score"].value != by_metric["score_fastchat"].value  # ours: one score a turn
    assert found.unscored == 1


async def test_ratings_outside_the_scale_as_fastchat_counts_them(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: f"a{n}.{turn}")
    prompts = await prompts_of(bench, judge, answers)
    file = recorded(bench, bench.folder / "v.jsonl", prompts)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0] |= {"judgment": "Rating: [[100]]", "score": 100}
    rows[1] |= {"judgment": "Rating: [[0]]", "score": 0}
    write_lines(file, rows)
    [cell] = (await bench.run(answers, judge.url)).cells
    found = await bench.score(cell.path, None, verdicts=file)
    assert found is not None
    means = estimates.means(bench.scores(found))
    assert means.average == pytest.approx(sum(row["score"] for row in rows) / len(rows))
    [ours] = [one for one in found.estimates if one.metric == "score" and one.slice is None]
    assert (found.unscored, ours.n) == (1, 6)  # 100 is no rating of this judge, 0 is
    assert (ours.value or 99) < 7
    assert any("1 verdicts are read otherwise than the file's recorded score" in note for note in bench.told.notes)


async def test_files_of_another_kind_are_refused(bench: Bench, judge: MockJudge) -> None:
    [cell] = (await bench.run(bench.answers("m", lambda n, turn: "x"), judge.url)).cells
    file = bench.folder / "v.jsonl"
    write_lines(file, [{"question_id": 1, "g1_judgment": "[[A]]", "g2_judgment": "[[B]]", "turn": 1}])
    with pytest.raises(UsageError, match="not of kind 'single'"):
        await bench.score(cell.path, None, verdicts=file)
    write_lines(file, [{"a": 1}])
    with pytest.raises(DataError, match="no judgment that FastChat writes"):
        await bench.score(cell.path, None, verdicts=file)


async def test_rows_of_another_model_do_not_count_as_repeats(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: f"a{n}.{turn}")
    prompts = await prompts_of(bench, judge, answers)
    mine = recorded(bench, bench.folder / "v.jsonl", prompts)
    theirs = recorded(bench, bench.folder / "w.jsonl", prompts, model="another", judgment="[[1]]", score=1)
    mine.write_text(theirs.read_text() + mine.read_text())
    [cell] = (await bench.run(answers, judge.url)).cells
    found = await bench.score(cell.path, None, verdicts=mine)
    assert found is not None
    assert found.estimates[0].value == 5.5
    assert estimates.means(bench.scores(found)).valid == 12


async def test_nobodys_verdicts_are_mixed(bench: Bench, judge: MockJudge) -> None:
    answers = bench.answers("m", lambda n, turn: f"a{n}.{turn}")
    prompts = await prompts_of(bench, judge, answers)
    mine = recorded(bench, bench.folder / "v.jsonl", prompts, model="x")
    theirs = recorded(bench, bench.folder / "w.jsonl", prompts, model="y", judgment="[[1]]", score=1)
    mine.write_text(mine.read_text() + theirs.read_text())
    [cell] = (await bench.run(answers, judge.url)).cells
    with pytest.raises(UsageError, match=r"answers of 2 models \(x, y\), none called m"):
        await bench.score(cell.path, None, verdicts=mine, trusted=True)
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    write_lines(mine, [{**row, "user_prompt": None} for row in rows])
    with pytest.raises(UsageError, match="none called m"):
        await bench.score(cell.path, None, verdicts=mine)
    write_lines(mine, [{**row, "user_prompt": None, "model": "m"} for row in rows[:12]])
    found = await bench.score(cell.path, None, verdicts=mine)
    assert found is not None
    assert found.estimates[0].value == 5.5


async def test_a_wrapped_file_of_reviews_counts_for_the_pairs_it_shows(tmp_path: Path, judge: MockJudge) -> None:
    """Reviews in both orders: which side is the baseline's is told by the texts."""
    bench = Bench(tmp_path, turns=1)
    task = (tmp_path / "catalog" / "judges" / "toy" / "pair.toml").read_text()
    review = task.replace('aggregation = "pairwise"', 'aggregation = "relative"\nscale = [1, 10]\nfirst = "baseline"')
    start, end = review.index("[reading]"), review.index("[texts")
    review = review[:start] + '[reading]\nreader = "two-scores"\n' + review[end:]
    (tmp_path / "catalog" / "judges" / "toy" / "review.toml").write_text(review)
    bench = _again(bench)
    ours = bench.answers("ours", lambda n, turn: f"ours {n}")
    theirs = bench.answers("theirs", lambda n, turn: f"theirs {n}")
    rows = [
        {
            "idx": f"q{n}",
            "Answer1": f"ours {n}",
            "Answer2": f"theirs {n}",
            "review": "9 5\nfirst",
            "scores": "[9.0, 5.0]",
            "review_reverse": "6 8\nsecond" if n else "no scores",
            "scores_reverse": "[6.0, 8.0]",
        }
        for n in range(6)
    ]
    file = tmp_path / "wrap.json"
    file.write_text(json.dumps({"Meta_Info": {}, "data": rows}, indent=1))
    [cell] = (await bench.run(ours, judge.url, off=True)).cells
    found = await bench.score(cell.path, None, judge="toy/review", verdicts=file, baseline=theirs)
    assert found is not None
    by_metric = {one.metric: one for one in found.estimates if one.slice is None}
    assert by_metric["relative"].value == pytest.approx(100 * 8.5 / 5.5)
    assert by_metric["won"].value == 1
    assert by_metric["score"].unscored == {"no-verdict": 1}
    other = bench.answers("other", lambda n, turn: f"others {n}")
    [cell] = (await bench.run(other, judge.url, off=True)).cells
    strict = await bench.score(cell.path, None, judge="toy/review", verdicts=file, baseline=theirs)
    assert strict is not None
    assert strict.unscored == 6
    trusted = await bench.score(cell.path, None, judge="toy/review", verdicts=file, trusted=True)
    assert trusted is not None  # the file's first side is the candidate's, whatever this run answered
    assert {one.metric: one.value for one in trusted.estimates}["relative"] == pytest.approx(100 * 8.5 / 5.5)


def _again(bench: Bench) -> Bench:
    from harness.catalog import Catalog

    bench.catalog = Catalog.load([bench.folder / "catalog"])
    return bench
