"""From a completion to the program that is executed.

The `published` rules are those that published numbers were made with, mistakes included; `program` is ours, for
replies of chat models: it reads fences, prose around code and several blocks, and looks for the function by
tree-sitter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from harness.prompts import render
from harness.sandbox.inside.showing import shown
from harness.scorers.extraction import extract
from harness.types import Extraction, Reason, Sample, Stage, Task

BEFORE: Final = "{prompt}"
"""What is executed before a reply or a continuation where the task says nothing else."""

PLUS_SCORERS: Final = frozenset({"plus", "evalplus"})
"""Those that grade by base and extra inputs."""
CODE_SCORERS: Final = PLUS_SCORERS | {"human-eval", "mbpp"}
_TOLD: Final = 5
"""Inputs that are told to a person."""
REASONS: Final[Mapping[str, Reason]] = {"passed": "ok", "wrong": "wrong", "error": "error", "timeout": "timeout"}
"""A trial's status as a score's reason."""


def program_of(text: str, stage: Stage, rule: Extraction, entry_point: str) -> str | None:
    """What a completion contributes to the program: extracted from a reply, any other as it is.

    Args:
        text: What came back.
        stage: What it is.
        rule: How replies are read.
        entry_point: Name of the function that is asked for.

    Returns:
        The code; None where the reply has none.
    """
    if stage != "reply":
        return text
    code = text if rule.code is None else CODE_RULES[rule.code](text, entry_point)
    return None if code is None else extract(code, rule)


def whole_program(task: Task, sample: Sample, text: str, stage: Stage, before: str = BEFORE) -> str:
    """What is executed: a program as it is, any other after what the task puts before it.

    Args:
        task: For messages.
        sample: Whose record fills the placeholders.
        text: A completion's code, as `program_of` gives it.
        stage: What the completion is.
        before: The task's ``scorer.options.before``.
    """
    if stage == "program":
        return text
    return render(before, sample.record, where=f"{task.name}: scorer.options.before, sample {sample.id!r}") + text


def told_tests(task: Task, sample: Sample) -> str | None:
    """What programs for a sample are tested by, for a person to read; None where the scorer is none of code."""
    record = sample.record
    if task.scorer.name == "human-eval":
        return str(record.get("test", "")).strip()
    if task.scorer.name == "mbpp":
        return "\n".join([record.get("test_setup_code") or "", *record.get("test_list", ())]).strip()
    if task.scorer.name not in PLUS_SCORERS:
        return None
    base, extra = (record.get(name) or [] for name in ("base_input", "plus_input"))
    calls = [f"{record.get('entry_point')}({', '.join(map(shown, arguments))})" for arguments in base[:_TOLD]]
    more = [f"... and {len(base) - _TOLD} more"] if len(base) > _TOLD else []
    words = f"the reference solution's results on {len(base)} original inputs and {len(extra)} extra ones:"
    return "\n".join([words, *calls, *more])


def _program(text: str, entry_point: str) -> str | None:
    from harness.scorers.code.reply import find_program

    return find_program(text, entry_point)


def _wizardcoder(text: str, *, fence: str, cuts: tuple[str, ...]) -> str:
    """The post-processing of the WizardCoder scripts: the first ```` ```python ```` fence, then cuts.

    Where the reply has no such fence, all of it is the program. A main guard that is spelled differently crashes the
    published script; here it stays.
    """
    text = text.replace("\t", "    ")
    opening = "```python"
    if opening in text:
        text = text[text.find(opening) :].strip().replace(opening, "")
        end = text.find(fence)
        text = (text if end < 0 else text[:end]).strip()
    for literal in cuts:
        at = text.find(literal)
        if at >= 0:
            text = text[:at].strip()
    return text


_MAIN: Final = 'if __name__ == "__main__":'


def _wizardcoder_humaneval(text: str, entry_point: str) -> str:
    return _wizardcoder(text.replace("\r", ""), fence="```", cuts=(_MAIN, "# Example usage"))


def _wizardcoder_mbpp(text: str, entry_point: str) -> str:
    return _wizardcoder(text, fence="\n```", cuts=(_MAIN, "# Example usage", "# Test examples"))


def _wizardcoder_mbpp_plus(text: str, entry_point: str) -> str:
    return _wizardcoder(text.replace("\r", ""), fence="\n```", cuts=(_MAIN, "# Example usage", "assert"))


CODE_RULES: Final[Mapping[str, Callable[[str, str], str | None]]] = {
    "program": _program,
    "wizardcoder-humaneval": _wizardcoder_humaneval,
    "wizardcoder-mbpp": _wizardcoder_mbpp,
    "wizardcoder-mbpp-plus": _wizardcoder_mbpp_plus,
}
"""`Extraction.code` -> from reply and entry point to the program. Sources: nlpxucan/WizardLM@cd4b4cc
WizardCoder/src/process_humaneval.py, process_mbpp.py and mbppplus_process_preds.py."""

CODE_RULE_CHANGES: Final[Mapping[str, int]] = {"program": 1}
"""How often the programs that a rule finds have changed; that counts in the version of the scorer that grades them."""
