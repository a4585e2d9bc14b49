"""Which numbers a comparison has, what they are called, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.reporting import Comparison, compare
from harness.types import Estimate, KnownModel, PublishedNumber, Report

Make = Callable[..., Any]


def number(model: str, value: float, **more: Any) -> PublishedNumber:
    facts = {"task": "toy/zero-shot", "metric": "pass@1", "source": "somewhere", **more}
    return PublishedNumber(model=model, value=value, **facts)


def test_rows_stand_by_task_and_then_by_their_pessimistic_end(make_cell: Make) -> None:
    cells = [
        make_cell("good", passed=14),
        # 15 of 16 scored items pass, but at worst it is 15 of 20... while the next is certain to have 16.
        make_cell("unsure", passed=15, errors={(f"Toy/{i}", 0): "timeout" for i in range(16, 20)}),
        make_cell("sure", passed=16),
        make_cell("first", "alpha/zero-shot"),
    ]
    found = compare(cells, [], [])
    assert [(row.task, row.model) for row in found.rows] == [
        ("alpha/zero-shot", "first"), ("toy/zero-shot", "sure"), ("toy/zero-shot", "unsure"), ("toy/zero-shot", "good"),
    ]  # fmt: skip
    unsure = found.rows[2]
    assert unsure.value == 15 / 16
    assert unsure.pessimistic == 0.75
    assert unsure.unscored == {"timeout": 4}


def test_a_row_without_a_value_comes_last(make_cell: Make) -> None:
    failed = {(f"Toy/{i}", 0): "http-500" for i in range(20)}
    found = compare([make_cell("dead", errors=failed), make_cell("zero", passed=0)], [], [])
    assert [row.model for row in found.rows] == ["zero", "dead"]
    assert found.rows[1].value is None


def test_overrides_are_in_the_name(make_cell: Make) -> None:
    cell = make_cell(overrides={"temperature": 0.2, "stop": ("\n",)})
    assert compare([cell], [], []).rows[0].name == 'toy/zero-shot (stop=["\\n"], temperature=0.2)'


def test_two_cells_of_one_name_are_told_apart(make_cell: Make) -> None:
    found = compare([make_cell(ask_id="aa" * 32), make_cell(ask_id="bb" * 32), make_cell("other")], [], [])
    assert sorted((row.model, row.name) for row in found.rows) == [
        ("other", "toy/zero-shot"),
        ("wizard-7b", "toy/zero-shot [aaaaaaaa]"),
        ("wizard-7b", "toy/zero-shot [bbbbbbbb]"),
    ]


@pytest.mark.parametrize(
    ("options", "marks"),
    [
        ({}, ()),
        ({"state": "partial"}, ("partial",)),
        ({"state": "running"}, ("running",)),
        ({"items": 5, "total": 20, "limit": 5}, ("limited: 5 of 20",)),
        ({"items": 5, "total": 20}, ("limited: 5 of 20",)),
        ({"limit": 500}, ()),
    ],
)
def test_marks(make_cell: Make, options: dict[str, Any], marks: tuple[str, ...]) -> None:
    assert compare([make_cell(**options)], [], []).rows[0].marks == marks


def test_published_numbers_are_found_by_name_alias_and_hub_id(make_cell: Make) -> None:
    models = [KnownModel(name="Wizard-7B-V1", aliases=("wizard-7b",))]
    for name in ("wizard-7b", "WIZARD-7B-v1", "org/wizard-7b"):
        (row,) = compare([make_cell(name)], [number("Wizard-7B-V1", 0.5)], models).rows
        assert [entry.value for entry in row.published] == [0.5], name
    (row,) = compare([make_cell("wizard-70b")], [number("Wizard-7B-V1", 0.5)], models).rows
    assert row.published == ()


@pytest.mark.parametrize(("value", "inside"), [(0.55, True), (0.2, False), (0.95, False)])
def test_difference_and_interval(make_cell: Make, value: float, inside: bool) -> None:
    (row,) = compare([make_cell(passed=12)], [number("wizard-7b", value, note="greedy", n=20)], []).rows
    (entry,) = row.published
    assert entry.difference == pytest.approx(0.6 - value)
    assert entry.inside is inside
    assert (entry.source, entry.note, entry.n, entry.reference, entry.incomparable) == (
        "somewhere", "greedy", 20, 1, "",
    )  # fmt: skip


def test_another_benchmark_or_metric_is_never_beside_it(make_cell: Make) -> None:
    published = [number("wizard-7b", 0.5, task="other/zero-shot"), number("wizard-7b", 0.5, metric="pass@10")]
    assert compare([make_cell()], published, []).rows[0].published == ()


def test_another_protocol_of_the_benchmark_is_shown_as_not_comparable(make_cell: Make) -> None:
    other = number("wizard-7b", 0.5, task="toy/few-shot")
    (entry,) = compare([make_cell()], [other], []).rows[0].published
    assert (entry.difference, entry.incomparable) == (None, "made by toy/few-shot")
    (entry,) = compare([make_cell()], [other, number("wizard-7b", 0.5)], []).rows[0].published
    assert entry.incomparable == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"state": "partial"}, "partial"),
        ({"items": 5, "total": 20}, "limited: 5 of 20"),
        ({"overrides": {"temperature": 0.2}}, "other sampling"),
        ({"errors": {(f"Toy/{i}", 0): "x" for i in range(20)}}, "nothing scored"),
    ],
)
def test_what_cannot_be_compared_has_no_difference(make_cell: Make, options: dict[str, Any], reason: str) -> None:
    (row,) = compare([make_cell(**options)], [number("wizard-7b", 0.5)], []).rows
    (entry,) = row.published
    assert (entry.value, entry.difference, entry.inside, entry.incomparable) == (0.5, None, None, reason)


def test_sources_are_numbered_once(make_cell: Make) -> None:
    cells = [make_cell("a", passed=12), make_cell("b", passed=11), make_cell("c", passed=10)]
    published = [number("a", 0.1), number("b", 0.2, source="elsewhere"), number("c", 0.3)]
    found = compare(cells, published, [])
    assert found.sources == (("somewhere", ""), ("elsewhere", ""))
    assert [row.published[0].reference for row in found.rows] == [1, 2, 1]


def test_the_newest_finished_scoring_of_each_task_counts(make_cell: Make) -> None:
    cell = make_cell()
    first, scores, estimates = cell.scored["5c" * 32]
    changed = [msgspec.structs.replace(entry, value=0.9) for entry in estimates]
    newer = msgspec.structs.replace(first, score_id="77" * 32, created="2026-02-01T00:00:00Z")
    unfinished = msgspec.structs.replace(first, score_id="88" * 32, created="2026-03-01T00:00:00Z")
    other = msgspec.structs.replace(first, score_id="99" * 32, task="toy/lenient")
    cell.add(newer, scores, changed)
    cell.add(unfinished, scores, ())
    cell.add(other, scores, estimates)
    found = compare([cell], [], [])
    assert [(row.task, row.value, row.marks) for row in found.rows] == [
        ("toy/lenient", 0.6, ("asked as toy/zero-shot",)), ("toy/zero-shot", 0.9, ()),
    ]  # fmt: skip
    assert found.origins[found.rows[1].origin].score_id == "77" * 32
    assert found.origins[0].others == 3


def test_a_cell_without_a_scoring_is_said(make_cell: Make) -> None:
    cell = make_cell()
    cell.scored.clear()
    found = compare([cell], [], [])
    assert found.rows == ()
    assert found.notes == (
        "model/toy/zero-shot/a1a1a1a1 has no finished scoring; `harness score model/toy/zero-shot/a1a1a1a1` makes one",
    )


def test_a_report_chooses_tasks_and_metrics(make_cell: Make) -> None:
    cells = [make_cell(attempts=2, k=(1, 2)), make_cell(task="math/zero-shot", metric="correct")]
    report = Report(name="r", title="Chosen", tasks=("toy/*",), metrics=("pass@2",), figure="none", caption="Why.")
    found = compare(cells, [], [], report)
    assert [(row.task, row.metric) for row in found.rows] == [("toy/zero-shot", "pass@2")]
    assert (found.title, found.caption, found.figure) == ("Chosen", "Why.", "none")


def test_k_is_ordered_as_a_number(make_cell: Make) -> None:
    found = compare([make_cell(attempts=10, k=(10, 2, 1))], [], [])
    assert [row.metric for row in found.rows] == ["pass@1", "pass@2", "pass@10"]


@pytest.mark.parametrize(
    ("metric", "value", "rate"),
    [("score", 0.5, False), ("bleu", 0.5, False), ("acc_norm", 0.5, True), ("pass@1", 0.5, True)],
)
def test_rates_and_other_scales(make_cell: Make, metric: str, value: float, rate: bool) -> None:
    cell = make_cell()
    facts, scores, _ = cell.scored["5c" * 32]
    shown = Estimate(metric=metric, value=value, low=value, high=value, method="t-clustered", n=20)
    cell.add(facts, scores, [shown])
    assert compare([cell], [], []).rows[0].rate is rate


def test_origins_tell_how_a_number_was_made(example: Comparison) -> None:
    origin = example.origins[example.rows[0].origin]
    assert (origin.engine, origin.sandbox, origin.harness) == ("endpoint 1", "landlock", "0.1.0")
    assert origin.datasets == (("toy", "0123456789abcdef" * 4, 20),)
    assert origin.sampling == {"temperature": 0.0, "max_new_tokens": 512}
    assert (origin.scorer, origin.path) == ("human-eval (version 1)", "model/toy/ten-samples/a1a1a1a1")


def test_nothing_of_the_machines_folders_is_in_a_comparison(example: Comparison) -> None:
    assert b"/home" not in msgspec.json.encode(example)
