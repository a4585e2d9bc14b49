# ruff: noqa: E501 - a row of a table reads best in one line
"""Texts that hang, swell or crash other graders: each is graded, in bounded time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable

import pytest

from harness.sandbox import Calculator
from harness.scorers.math import asking, hendrycks, minerva, wizardmath
from harness.scorers.math.equivalence import math_equivalent
from harness.scorers.math.exact import decide
from harness.scorers.math.graders import GRADERS
from harness.scorers.math.reading import read
from harness.scorers.math.verdict import Verdict

Decide = Callable[[str, str], Verdict]

SIZES = (3, 30, 300, 3_000, 30_000)
_UNITS = (
    "(", ")", "[", "{", "}", "\\{", "\\left(", "\\frac{", "\\frac", "\\sqrt{", "\\sqrt", "^", "_", "^{", "!", "-", "+", "1+", "x", "9", "9,", "1/",
    "|", "\\text{", "\\begin{pmatrix}", "&", "\\\\", "$", "\\", " ", "\n", "\\pm ", "\\cup ", "=", "<", "(1,", "\\boxed{", "x_", "e^", "\\sin ", "0.",
)  # fmt: skip
_TOWERS = (
    "9^9^9^9",
    "9^{9^{9^{9}}}",
    "(9^9)^(9^9)",
    "10^{100000}",
    "999999!",
    "9!!!!!!",
    "\\binom{99999}{5000}",
    "2^{2^{100}}",
    "x^{99999}",
    "(x+y+z)^{500}",
)
_ODD = (
    "nan", "NaN", "inf", "-inf", "Infinity", "1e999999", "0x10", "٣", "１２", "²", "½", "\x00", "\ud800", "\u202e5", "💥", "1/0", "0/0", "0^0", "0^{-1}",
    "\\frac{0}{0}", "\\sqrt{-1}", "\\sqrt[0]{5}", "\\sqrt[1000000]{5}", "\\log 0", "\\tan(\\pi/2)", "__import__('os').system('true')", "lambda: 0",
    "exec('1')", "().__class__", "\\input{/etc/passwd}", "\\def\\a{\\a\\a}\\a", "5_5_5", "12_1", "7_{99999999}", "9_{}", "\\frac{}{}", "\\begin{pmatrix}",
    "\\end{pmatrix}", "\\begin{array}{", "(1,2", "1,2)", "[1,2}", "{1,2]", ":", "1:", ":1", "1:0", "0:0", "%", "\\%", "^\\circ", "\\$", "=", "==", "x=", "=x",
    "<", "1<2<", "x \\in", "\\cup", "\\setminus", "\\pm", "\\pm\\pm\\pm 1", "!", "!5", "5!!", "-5!", "|", "||", "|x", "\\text{", "\\text{}", "\\mathrm",
)  # fmt: skip


def texts() -> list[str]:
    repeated = [unit * size for unit in _UNITS for size in SIZES]
    nested = [
        f"{a * size}1{b * size}"
        for a, b in (("(", ")"), ("{", "}"), ("\\frac{1}{", "}"), ("\\sqrt{", "}"), ("-(", ")"))
        for size in SIZES
    ]
    long = [
        "9" * 100_000,
        "1," * 50_000,
        "x+" * 50_000 + "x",
        "\\frac12" * 15_000,
        "(" * 50_000 + ")" * 50_000,
        "0." + "3" * 99_998,
    ]
    products = [f"(x+{n})" * 60 for n in range(3)] + ["\\sqrt{" + "7" * n + "}" for n in (10, 100, 1_000)]
    powers = [f"({'+'.join('abcdefgh'[:n])})^{{{k}}}" for n in (3, 5, 8) for k in (9, 40, 400)]
    return [*repeated, *nested, *long, *products, *powers, *_TOWERS, *_ODD]


def spent(rule: Decide, answer: str, gold: str) -> tuple[float, Verdict]:
    """Processor seconds and the verdict; a slow one is tried again, for a busy machine makes processor time dearer."""
    seconds = 0.0
    for _ in range(3):
        read.cache_clear()
        started = time.process_time()
        verdict = rule(answer, gold)
        seconds = time.process_time() - started
        if seconds < 0.5:
            break
    return seconds, verdict


def test_there_are_enough() -> None:
    assert len(set(texts())) >= 300


def test_each_is_graded_within_a_second() -> None:
    slow = []
    for text in texts():
        for answer, gold in ((text, "7"), ("7", text)):
            seconds, verdict = spent(decide, answer, gold)
            if seconds > 1:
                slow.append((text[:40], len(text), seconds))
            assert verdict.equal in (True, False, None)
            if verdict.equal:
                pytest.fail(f"{text[:60]!r} is taken for 7")
    assert slow == []


@pytest.mark.parametrize("rule", [hendrycks.decide, minerva.decide, wizardmath.decide])
def test_the_published_rules_end(rule: Decide) -> None:
    for text in texts():
        assert spent(rule, text, "7")[0] < 1, text[:40]


@pytest.mark.slow
def test_what_is_left_to_sympy_ends() -> None:
    pytest.importorskip("math_verify")
    asked = {
        "harness": ("\\sum_{n=1}^{9^{9^{9}}} n!", "\\int_0^1 x^{x^{x^{x}}} dx", "\\prod_{i=1}^{99999999} i"),
        "minerva": ("9^{9^{9^{9}}}", "(x+y+z)^{5000}"),
    }
    with Calculator(packages=asking.PACKAGES, preload=asking.PRELOAD) as calculator:
        for name, hostile in asked.items():
            # The limit is the process's, so any other would do: a short one, for time.
            rule = GRADERS[name]._replace(seconds=0.5)
            verdicts = [rule.decide(text, "7") for text in hostile]
            assert [verdict.equal for verdict in verdicts] == [None] * len(hostile)
            results = calculator.compute(asking.computation(rule, verdicts)).results
            ended = [asking.concluded(verdict, result) for verdict, result in zip(verdicts, results, strict=True)]
            assert [verdict.equal for verdict in ended] == [False] * len(hostile)
            assert all(result.cpu_seconds < 2 for result in results)


@pytest.mark.slow
def test_a_fork_asks_processes_of_its_own() -> None:
    """Pools fork: the child cannot use what its parent started, and must not end it."""
    pytest.importorskip("math_verify")
    asked = ("\\sum_{i=1}^{3} i", "6")
    assert math_equivalent(*asked)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(math_equivalent, asked).get(timeout=60)
    assert math_equivalent("\\sum_{i=1}^{4} i", "10")
