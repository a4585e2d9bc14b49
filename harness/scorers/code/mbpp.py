"""MBPP's rule: the program passes when every assertion of the data set holds.

Source: Austin et al. 2021 (arXiv 2108.07732); bigcode-evaluation-harness ``bigcode_eval/tasks/mbpp.py`` executes the
program and then ``test_list``. Ours also executes ``test_setup_code``, without which Mbpp/367 has no tests to speak of.
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Mapping
from typing import Any

from harness.errors import SpecError
from harness.sandbox import Trial
from harness.scorers.code.checked import Checked
from harness.types import Sample

_SHARED = "_all_assertions_hold"


class Mbpp(Checked):
    """The record has ``code`` (the reference solution), ``test_list`` (assertions) and ``test_setup_code``.

    The function under test is the one of ``code`` that the first assertion calls.
    """

    name = "mbpp"
    fields = ("code",)

    def entry_point(self, record: Mapping[str, Any]) -> str:
        """Name of the function that is asked for."""
        return tested_function(record["code"], record["test_list"][0])

    def tests(self, sample: Sample) -> str:
        """The tests, as the data set has them."""
        record = self.record(sample)
        return "\n".join([record.get("test_setup_code") or "", *record["test_list"]])

    def trial(self, sample: Sample, program: str) -> Trial:
        """The trial of a program."""
        record = self.record(sample)
        setup, assertions = record.get("test_setup_code") or "", record["test_list"]
        name = self.entry_point(record)
        if sample.id in self.options.shared:
            body = "\n".join(f"    {line.strip()}" for line in [*setup.splitlines(), *assertions])
            return Trial(
                program=f"{program}\n\ndef {_SHARED}():\n{body}\n    return True\n",
                entry_point=_SHARED,
                helpers="",
                test="def check(candidate):\n    assert candidate() is True\n",
                limits=self.limits,
            )
        # At module level: what an assertion names may be assigned by the ones before it.
        return Trial(
            program=program,
            entry_point=name,
            helpers=record["code"].replace("\r", ""),
            test=(
                f"_LINES = compile({self.tests(sample)!r}, '<test>', 'exec', dont_inherit=True)\n"
                "def check(candidate):\n"
                f"    names = {{**globals(), {name!r}: candidate}}\n"
                "    exec(_LINES, names)\n"
            ),
            limits=self.limits,
        )

    def record(self, sample: Sample) -> Mapping[str, Any]:
        """The sample's record, with the fields that the scorer needs."""
        record = super().record(sample)
        tests = record.get("test_list")
        if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
            raise SpecError(
                f"task {self.task.name}: sample {sample.id} has no list of assertions 'test_list'",
                "scorer mbpp needs it; use a data set in MBPP's form",
            )
        return record


@functools.lru_cache(maxsize=2048)
def tested_function(code: str, assertion: str) -> str:
    """The function that a reference solution defines and an assertion calls.

    Raises:
        SpecError: There is none.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of escape sequences, which are the data set's own
            solution, test = ast.parse(code.replace("\r", "")), ast.parse(assertion)
        defined = [node.name for node in solution.body if isinstance(node, ast.FunctionDef)]
        called = {
            node.func.id for node in ast.walk(test) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
    except (SyntaxError, ValueError) as error:
        raise SpecError(f"a reference solution or assertion of MBPP cannot be parsed: {error}") from error
    for name in defined:
        if name in called:
            return name
    raise SpecError(f"no function of the reference solution is called by {assertion[:80]!r}")
