"""Real vLLM on the CPU as candidate and as judge: the pipeline runs, and what a random model says is unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import runner
from harness.engines import EngineOptions
from harness.judging.panel import JudgeOptions
from harness.runner import RunPlan

from .conftest import Bench, Told


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_random_model_judges_itself(tmp_path: Path, vllm_server: str) -> None:
    bench = Bench(tmp_path, count=2)
    told = Told()
    plan = RunPlan(
        models=(f"{vllm_server}#tiny",),
        tasks=("toy/single",),
        runs=bench.runs,
        chat_format="vicuna_v1.1",
        sampling={"max_new_tokens": 8},
        judge=JudgeOptions(
            model=f"{vllm_server}#tiny",
            chat_format="vicuna_v1.1",
            max_tokens=8,
            engine=EngineOptions(concurrency=4),
        ),
    )
    outcome = await runner.run(plan, catalog=bench.catalog, data=bench.data, progress=told)
    [cell] = outcome.cells
    assert cell.done == 2
    verdicts = list(bench.view(cell).verdicts())
    assert len(verdicts) >= 4
    assert all(one.prompt_tokens and one.completion_tokens for one in verdicts)
    unread = {(one.sample, one.turn) for one in verdicts} - {
        (one.sample, one.turn) for one in verdicts if one.parsed is not None
    }
    nulls = {(score.sample, score.turn) for score in bench.scores(cell) if score.value is None}
    assert nulls == unread
    assert unread  # random tokens are no verdict
    assert {error.code for error in bench.view(cell).errors()} <= {"no-verdict", "cut-off", "out-of-scale"}
