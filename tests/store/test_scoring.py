from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store import Cell
from harness.types import Estimate, Manifest, Score

Make = Callable[..., Score]
ONE = "11" * 32
TWO = "22" * 32
SPEC = {"task": "toy/plain", "version": 1, "scorer": {"name": "exact-match"}, "extraction": {}, "created": "2026"}
ESTIMATE = Estimate(metric="pass@1", value=0.5, low=0.1, high=0.9, method="wilson", n=2)


def test_two_scorings_live_in_one_cell(cell_folder: Path, manifest: Manifest, score: Make) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        for identity, value in ((ONE, 1.0), (TWO, 0.0)):
            with cell.scoring(identity, SPEC) as scoring:
                scoring.append(score("0", value))
                assert scoring.has("0", 0)
                assert not scoring.has("1", 0)
                scoring.finish([ESTIMATE])
    view = Cell.read(cell_folder)
    assert list(view.scorings()) == [ONE, TWO]
    assert view.scorings()[TWO] == cell_folder / "scores" / "22222222"
    assert [one.value for one in view.scores(ONE)] == [1.0]
    assert [one.value for one in view.scores("22222222")] == [0.0]
    assert view.estimates(ONE) == (ESTIMATE,)
    assert view.scoring(ONE).scorer == {"name": "exact-match"}
    with pytest.raises(StoreError, match="no scoring"):
        view.scores("33" * 32)


def test_a_null_is_dropped_on_reopening_and_scored_again(cell_folder: Path, manifest: Manifest, score: Make) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        with cell.scoring(ONE, SPEC) as scoring:
            scoring.append(score("0", None))
            assert not scoring.has("0", 0)
            scoring.append(score("1"))
            scoring.finish([])
        with cell.scoring(ONE, SPEC) as scoring:
            assert not scoring.has("0", 0)
            assert scoring.has("1", 0)
            scoring.append(score("0", 0.0))
            scoring.finish([])
    rows = [(one.sample, one.value) for one in Cell.read(cell_folder).scores(ONE)]
    assert rows == [("1", 1.0), ("0", 0.0)]


def test_the_last_attempt_of_a_scoring_that_died_is_scored_again(
    cell_folder: Path, manifest: Manifest, score: Make
) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        with cell.scoring(ONE, SPEC) as scoring:
            scoring.append(score("0", metric="base"), score("0", metric="plus"))
            scoring.append(score("1", metric="base"))  # as after a power cut: `plus` is lost
        with cell.scoring(ONE, SPEC) as scoring:
            assert scoring.has("0", 0)
            assert not scoring.has("1", 0)


def test_scores_without_completions_do_not_stand(cell_folder: Path, manifest: Manifest, score: Make) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        with cell.scoring(ONE, SPEC) as scoring:
            scoring.append(score("0"))
            scoring.append(score("1"))
            scoring.finish([])
        with cell.scoring(ONE, SPEC, keep=lambda sample, attempt: sample != "0") as scoring:
            assert not scoring.has("0", 0)
            assert scoring.has("1", 0)


def test_a_doubled_score_is_refused(cell_folder: Path, manifest: Manifest, score: Make) -> None:
    with Cell.open(cell_folder, manifest) as cell, cell.scoring(ONE, SPEC) as scoring:
        scoring.append(score("0"))
        with pytest.raises(StoreError, match="twice"):
            scoring.append(score("0", 0.0))
        with pytest.raises(StoreError, match="twice"):
            scoring.append(score("1"), score("1"))


def test_null_and_unscored_go_together(cell_folder: Path, manifest: Manifest) -> None:
    with Cell.open(cell_folder, manifest) as cell, cell.scoring(ONE, SPEC) as scoring:
        for value, reason in ((None, "ok"), (0.0, "unscored")):
            bad = Score(sample="0", attempt=0, turn=0, metric="pass", value=value, reason=reason)  # type: ignore[arg-type]
            with pytest.raises(StoreError, match="unscored"):
                scoring.append(bad)


def test_estimates_never_stand_beside_scores_they_do_not_cover(
    cell_folder: Path, manifest: Manifest, score: Make
) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        with cell.scoring(ONE, SPEC) as scoring:
            scoring.append(score("0"))
            scoring.finish([ESTIMATE])
        with cell.scoring(ONE, SPEC) as scoring:
            assert Cell.read(cell_folder).estimates(ONE) == (ESTIMATE,)
            scoring.append(score("1"))
            assert Cell.read(cell_folder).estimates(ONE) == ()
            scoring.finish([ESTIMATE])
    assert Cell.read(cell_folder).estimates(ONE) == (ESTIMATE,)


def test_a_fresh_scoring_replaces_the_old_one_only_at_its_end(
    cell_folder: Path, manifest: Manifest, score: Make
) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        with cell.scoring(ONE, SPEC) as scoring:
            scoring.append(score("0", 0.0))
            scoring.finish([ESTIMATE])
        with cell.scoring(ONE, SPEC, fresh=True) as scoring:  # given up
            scoring.append(score("0", 1.0))
        view = Cell.read(cell_folder)
        assert [one.value for one in view.scores(ONE)] == [0.0]
        assert view.estimates(ONE) == (ESTIMATE,)
        with cell.scoring(ONE, SPEC, fresh=True) as scoring:
            assert not scoring.has("0", 0)
            scoring.append(score("0", 1.0))
            assert list(view.scorings()) == [ONE]
            scoring.finish([])
        assert [one.value for one in view.scores(ONE)] == [1.0]
        assert view.estimates(ONE) == ()
    assert sorted(one.name for one in (cell_folder / "scores").iterdir()) == ["11111111"]


def test_a_folder_of_another_rule_is_refused(cell_folder: Path, manifest: Manifest) -> None:
    with Cell.open(cell_folder, manifest) as cell:
        cell.scoring(ONE, SPEC).close()
        with pytest.raises(StoreError, match="holds the scoring"):
            cell.scoring(ONE[:8] + "f" * 56, SPEC)
