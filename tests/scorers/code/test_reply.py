"""Programs in replies of chat models."""

from __future__ import annotations

import pytest

pytest.importorskip("tree_sitter_python")

from harness.engines.reasoning import split_reasoning
from harness.scorers.code.reply import find_program

FENCE = "```"


def run(text: str) -> object:
    program = find_program(text, "f")
    assert program is not None
    names: dict[str, object] = {}
    exec(program, names)
    return names["f"](3)  # type: ignore[operator]


@pytest.mark.parametrize(
    "reply",
    [
        f"Sure!\n\n{FENCE}python\ndef f(a):\n    return a + 1\n{FENCE}\nIt adds one.",
        f"{FENCE}\ndef f(a):\n    return a + 1\n{FENCE}",
        f"{FENCE}py\ndef f(a):\n    return a + 1",
        "~~~python\ndef f(a):\n    return a + 1\n~~~",
        "def f(a):\n    return a + 1\n\nThis function adds one.",
        "The answer:\n\n    def f(a):\n        return a + 1\n\nDone.",
        f"1. First\n\n   {FENCE}python\n   def f(a):\n       return a + 1\n   {FENCE}\n",
        f"{FENCE}python\ndef f(a):\n    return a\n{FENCE}\nThat is wrong. Corrected:\n{FENCE}python\ndef f(a):\n    return a + 1\n{FENCE}",  # noqa: E501
        f"{FENCE}python\ndef g(a):\n    return a + 1\n{FENCE}\nand\n{FENCE}python\ndef f(a):\n    return g(a)\n{FENCE}",
        f"{FENCE}python\nONE = 1\ndef f(a):\n    return a + ONE\nassert f(1) == 5\nprint(1 / 0)\nif __name__ == '__main__':\n    f()\n{FENCE}",  # noqa: E501
        f"{FENCE}python\nfrom __future__ import annotations\nf = lambda a: a + 1\n{FENCE}",
        f"{FENCE}python\nx = int(input())\ndef f(a):\n    return a + 1\n{FENCE}\nOutput:\n{FENCE}text\n4\n{FENCE}",
        f"{FENCE}python\r\ndef f(a):\r\n    return a + 1\r\n{FENCE}\r\n",
    ],
)
def test_the_program_is_found(reply: str) -> None:
    assert run(reply) == 4


G = "def f(a):\n    return a + 1\n"
ADVERSARIAL = {
    "a fence in the docstring": f'{FENCE}python\ndef f(a):\n    """\n    {FENCE}\n    f(1)\n    {FENCE}\n    """\n    return a + 1\n{FENCE}',  # noqa: E501
    "a fence with a language in the docstring": f'{FENCE}python\ndef f(a):\n    """For example:\n{FENCE}python\nf(1)\n{FENCE}\n    """\n    return a + 1\n{FENCE}\nDone.',  # noqa: E501
    "the fence ends on the line of code": f"{FENCE}python\ndef f(a):\n    return a + 1{FENCE}\nIt adds one.",
    "prose after the closing fence": f"{FENCE}python\n{G}{FENCE} This works.",
    "attributes of a fence": f'{FENCE}{{.python title="f.py"}}\n{G}{FENCE}',
    "the language in capitals": f"{FENCE}Python3\n{G}{FENCE}",
    "a block in a block": f"````markdown\n{FENCE}python\n{G}{FENCE}\n````",
    "carriage returns alone": f"{FENCE}python\r{G}{FENCE}".replace("\n", "\r"),
    "a byte order mark": f"\ufeff{FENCE}python\n\ufeff{G}{FENCE}",
    "a byte order mark before bare code": f"\ufeff{G}",
    "tabs and spaces": f"{FENCE}python\ndef f(a):\n\tif a:\n\t    return a + 1\n{FENCE}",
    "no-break spaces": f"{FENCE}python\ndef f(a):\n\xa0\xa0\xa0\xa0return a + 1\n{FENCE}",
    "the signature once more": f"{FENCE}python\n{G}{FENCE}\nThe signature is\n{FENCE}python\ndef f(a):\n{FENCE}",
    "a stub afterwards": f'{FENCE}python\n{G}{FENCE}\nwhere\n{FENCE}python\ndef f(a):\n    """Add."""\n    ...\n{FENCE}',  # noqa: E501
    "examples afterwards": f"{FENCE}python\n{G}{FENCE}\nUsage:\n{FENCE}python\nfrom solution import f\nprint(f(int(input())))\n{FENCE}",  # noqa: E501
    "another function that is cut off": f"{FENCE}python\n{G}\ndef g(b):\n    return [b for",
    "a table that a loop fills": f"{FENCE}python\nN = 9\nT = []\nfor i in range(N):\n    T.append(i)\ndef f(a):\n    return T[a + 1]\n{FENCE}",  # noqa: E501
    "a sieve": f"{FENCE}python\nP = [True] * 10\nfor i in range(4, 10, 2):\n    P[i] = False\nfor p in P:\n    print(f(p))\ndef f(a):\n    return a + (not P[4])\n{FENCE}",  # noqa: E501
    "a deeper recursion": f"{FENCE}python\nimport sys\nsys.setrecursionlimit(5000)\ndef f(a):\n    return a + (sys.getrecursionlimit() == 5000)\n{FENCE}",  # noqa: E501
    "bare code over open brackets": "from typing import List\n\ndef f(a):\n    x = [\n1,\n2]\n    return a + x[0]\n\nThat is all.",  # noqa: E501
    "bare code with a docstring at the margin": 'def f(a):\n    """Add.\n\nReturns more.\n"""\n    return a + 1\n\nThat is all.',  # noqa: E501
    "bare code in tags": f"<answer>\n{G}</answer>",
    "a session": "def f(a):\n    return a + 1\n>>> f(3)\n4\n",
}  # fmt: skip


@pytest.mark.parametrize("reply", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_the_program_is_found_where_replies_are_untidy(reply: str) -> None:
    assert run(reply) == 4


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (f"<think>\n{FENCE}python\ndef f(a):\n    return 0\n{FENCE}\n</think>\n{FENCE}python\n{G}{FENCE}", True),
        (f"So\n{FENCE}python\ndef f(a):\n    return 0\n{FENCE}\n</think>\n{FENCE}python\n{G}{FENCE}", True),
        (f"<think>\n{FENCE}python\n{G}{FENCE}", False),
    ],
)
def test_reasoning_is_no_answer(reply: str, found: bool) -> None:
    text, _ = split_reasoning(reply)
    assert (run(text) == 4) if found else find_program(text, "f") is None


def test_many_fences_take_no_time_to_speak_of() -> None:
    # Every fence might end the block that the first one begins.
    assert find_program(f"{FENCE}python\ndef f(a): return (\n" + f"x\n{FENCE}\n" * 5_000, "f") is not None


def test_without_code_there_is_no_answer() -> None:
    assert find_program("I am sorry.", "f") is None
    assert find_program("", "f") is None


def test_another_function_is_kept_and_will_fail() -> None:
    assert "def g" in (find_program(f"{FENCE}python\ndef g(a):\n    return a\n{FENCE}", "f") or "")


def test_nesting_without_end_is_no_recursion() -> None:
    assert find_program("def f(a):\n    return " + "(" * 50_000 + "\n", "f") is not None
