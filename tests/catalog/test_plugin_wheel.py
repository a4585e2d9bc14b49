"""Wheels: ours carries the catalog, and a separately built one adds a task, a report, a scorer and an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog, folders

SOURCE = Path(__file__).parent / "plugin"
REPOSITORY = Path(__file__).parents[2]


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=os.environ | environment, cwd=SOURCE.anchor, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def install(project: Path, scratch: Path, wheel: str) -> Path:
    """Build a project's wheel and install it alone into a new folder."""
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", scratch / "dist", project)
    (built,) = (scratch / "dist").glob(wheel)
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", scratch / "site", built)
    return scratch / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the plug-in was installed from its wheel."""
    scratch = tmp_path_factory.mktemp("plugin")
    shutil.copytree(SOURCE, scratch / "project", ignore=shutil.ignore_patterns("__pycache__"))
    return install(scratch / "project", scratch, "harness_sums-1.2-*.whl")


@pytest.fixture(scope="module")
def seen(site: Path) -> dict[str, Any]:
    """What a process sees that has the plug-in installed."""
    document: dict[str, Any] = json.loads(run(SOURCE / "check.py", PYTHONPATH=f"{site}{os.pathsep}{REPOSITORY}"))
    assert Path(document["file"]).is_relative_to(site)
    return document


def test_the_wheels_task_and_report_are_in_the_catalog(seen: dict[str, Any], site: Path) -> None:
    assert seen["problems"] == []
    assert {"sums/plain", "humaneval/zero-shot"} <= set(seen["tasks"])
    assert set(seen["reports"]) == {"comparison", "sums"}
    assert seen["prompt"] == ["What is {left} + {right}?"]
    assert seen["source"] == f"file:{site}/harness_sums/catalog/tasks/sums/sums.jsonl"


def test_the_wheels_engine_answers_and_its_scorer_grades(seen: dict[str, Any]) -> None:
    assert seen["engines"] == ["adder"]
    assert seen["right"] == [1.0, 1.0, 1.0]
    assert seen["wrong"] == [0.0, 0.0, 0.0]


def test_the_distribution_is_part_of_the_score_id(seen: dict[str, Any]) -> None:
    assert seen["scorer"] == [1, "harness-sums==1.2"]
    with_distribution, without = seen["score_ids"]
    assert with_distribution != without
    assert len(seen["ask_id"]) == 64


def test_our_wheel_carries_the_catalog(tmp_path: Path) -> None:
    shipped = install(REPOSITORY, tmp_path, "wizard_harness-*.whl")
    assert {entry.name for entry in shipped.iterdir() if not entry.name.endswith(".dist-info")} <= {"harness", "bin"}
    script = (
        "import json, harness; from harness.catalog import Catalog; c = Catalog.load(); names = c.tasks();"
        "paths = [str(c.path('task', name)) for name in names];"
        "print(json.dumps([harness.__file__, names, paths, len(c.published())]))"
    )
    file, tasks, paths, published = json.loads(run("-c", script, PYTHONPATH=str(shipped)))
    assert Path(file).is_relative_to(shipped)
    ours = Catalog(folders.index([folders.shipped()]))
    assert tuple(tasks) == ours.tasks()
    assert all(Path(path).is_relative_to(shipped / "harness" / "_catalog" / "tasks") for path in paths)
    assert published == len(ours.published())


def test_the_command_line_runs_the_wheels_task_with_its_engine(
    seen: dict[str, Any], site: Path, tmp_path: Path
) -> None:
    command = ("-m", "harness", "run", "--model", "adder:0", "--model", "adder:1", "--task", "sums/plain", "--json")
    places = {"PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY}", "HARNESS_CACHE": str(tmp_path / "cache")}
    printed = run(*command, "--runs", tmp_path / "runs", **places)
    document = json.loads(printed)
    assert {cell["model"]: cell["estimates"][0]["value"] for cell in document["cells"]} == {
        "adder0": 1.0,
        "adder1": 0.0,
    }
    assert {cell["state"] for cell in document["cells"]} == {"complete"}
    scorings = [json.loads(path.read_text()) for path in tmp_path.rglob("scoring.json")]
    assert len(scorings) == 2
    assert {scoring["score_id"] for scoring in scorings} == {seen["score_ids"][0]}
