"""HumanEval's rule: the program passes when the data set's ``check`` accepts it.

Source: Chen et al. 2021 (arXiv 2107.03374) and openai/human-eval@6d43fb98 ``human_eval/execution.py``: prompt,
completion, test and ``check(entry_point)`` are executed, and whatever raises or takes longer than 3 s has failed. Ours
executes prompt and completion in one process and the test in another, so that a completion cannot reach what judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.sandbox import Trial
from harness.scorers.code.checked import Checked
from harness.types import Sample


class HumanEval(Checked):
    """The record has ``prompt``, ``test`` (defines ``check``), ``entry_point`` and ``canonical_solution``.

    Helpers that tests use come from the prompt with its reference solution.
    """

    name = "human-eval"
    fields = ("prompt", "test", "entry_point", "canonical_solution")

    def entry_point(self, record: Mapping[str, Any]) -> str:
        """Name of the function that is asked for."""
        return str(record["entry_point"])

    def tests(self, sample: Sample) -> str:
        """The tests, as the data set has them."""
        return str(self.record(sample)["test"])

    def lines_before(self, sample: Sample) -> int:
        """Lines before the tests in what is executed: the helpers and the empty line after them."""
        return self._helpers(sample).count("\n") + 2

    def _helpers(self, sample: Sample) -> str:
        record = self.record(sample)
        return str(record["prompt"] + record["canonical_solution"])

    def trial(self, sample: Sample, program: str) -> Trial:
        """The trial of a program."""
        record = self.record(sample)
        return Trial(
            program=program,
            entry_point=record["entry_point"],
            helpers=self._helpers(sample),
            test=self.tests(sample),
            limits=self.limits,
        )
