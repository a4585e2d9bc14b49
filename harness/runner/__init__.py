"""The runner: the one loop that asks, journals and scores; and scoring again, and checking the references."""

from __future__ import annotations

from harness.runner.execute import run
from harness.runner.plan import Progress, RunOutcome, RunPlan
from harness.runner.references import CheckResult, check
from harness.runner.rescore import score

__all__ = ["CheckResult", "Progress", "RunOutcome", "RunPlan", "check", "run", "score"]
