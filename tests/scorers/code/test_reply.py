"""Programs in replies of chat models."""

from __future__ import annotations

import json

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
    "a session that defines it": ">>> def f(a):\n...     return a + 1\n...\n>>> f(3)\n4\n",
    "a fenced session": f"{FENCE}pycon\n>>> def f(a):\n...     return a + 1\n>>> f(3)\n4\n{FENCE}",
    "a fence on one line": f"Use {FENCE}python def f(a): return a + 1{FENCE} here.",
    "code on the line of the fence": f"{FENCE}python def f(a):\n    return a + 1\n{FENCE}",
    "a span of code": "It is `f = lambda a: a + 1`, and `f(3)` gives `4`.",
    "a fence after prose": f"**Solution:** {FENCE}python\n{G}{FENCE}\nwhich needs\n{FENCE}python\nimport math\n{FENCE}",
    "a fence in a list": f"- {FENCE}python\n  def f(a):\n      return a + 1\n  {FENCE}\n- done",
    "a quotation": "You wrote\n> def f(a):\n>     return a + 1\n\nand that is right.",
    "a quoted fence": f"> {FENCE}python\n> def f(a):\n>\n>     return a + 1\n> {FENCE}",
    "JSON": json.dumps({"reasoning": "One more.", "code": G}),
    "JSON in a fence": f"{FENCE}json\n{json.dumps({'code': G}, indent=2)}\n{FENCE}",
    "a fence in JSON": f"Here: {json.dumps([{'answer': f'{FENCE}python{chr(10)}{G}{FENCE}'}])} Done.",
    "HTML": "<pre><code class='python'>def f(a):\n    return a + 1 if a &lt; 9 else &quot;&quot;</code></pre>",
    "an end of text in the text": "def f(a):\n    return a + 1</s>",
    "invisible characters": f"{FENCE}python\n\u200bdef f(a):\n    return a\u200b + 1\ufeff\n{FENCE}",
    "typographic quotation marks": f"{FENCE}python\ndef f(a):\n    return a + len(\u2018x\u2019)\n{FENCE}",
    "bare code in parts": "First\n\nimport math\n\nthen\n\ndef g(a):\n    return math.floor(a)\n\nand\n\ndef f(a):\n    return g(a) + 1\n\nDone.",  # noqa: E501
    "bare code corrected": f"def f(a):\n    return a\n\nThat is wrong. Rather:\n\n{G}",
    "a stub that raises": f"{FENCE}python\n{G}{FENCE}\nfor\n{FENCE}python\ndef f(a):\n    # yours\n    raise NotImplementedError\n{FENCE}",  # noqa: E501
    "output like code": f"{FENCE}python\n{G}{FENCE}\nOutput:\n{FENCE}\nf = 4\n{FENCE}",
    "another language afterwards": f"{FENCE}python\n{G}{FENCE}\n{FENCE}typescript\nf = (a) => a + 2\n{FENCE}",
    "an example with a name of the function's own": f"{FENCE}python\ndef f(a):\n    result = a + 1\n    return result\n\nresult = f(int(input()))\n{FENCE}",  # noqa: E501
    "a local name that is also read": f"{FENCE}python\ndef f(a):\n    n = a + 1\n    return n\n\nn = int(input())\n{FENCE}",  # noqa: E501
    "tests beside it": f"{FENCE}python\nimport pytest\n\n{G}\n@pytest.mark.parametrize('a', [1])\ndef test_f(a):\n    assert f(a) == 2\n{FENCE}",  # noqa: E501
    "a decorator that reads a name": f"{FENCE}python\ndef named(g):\n    g.title = g.__name__\n    return g\n{FENCE}\n{FENCE}python\n@named\ndef f(a):\n    return a + 1\n{FENCE}",  # noqa: E501
    "a definition in a branch": f"{FENCE}python\nimport sys\nif sys.version_info > (3,):\n    def f(a):\n        return a + 1\nelse:\n    def f(a):\n        return a\n{FENCE}",  # noqa: E501
    "a stand-in for an import": f"{FENCE}python\ntry:\n    from nowhere import g\nexcept ImportError:\n    def g(a):\n        return a + 1\ndef f(a):\n    return g(a)\n{FENCE}",  # noqa: E501
    "a table that a function fills": f"{FENCE}python\nT = []\ndef fill():\n    for i in range(9):\n        T.append(i)\nfill()\ndef f(a):\n    return T[a + 1]\n{FENCE}",  # noqa: E501
    "the signature first": f"{FENCE}python\nfrom typing import List\ndef f(a: List) -> List:\n{FENCE}\nWe import what we need.\n{FENCE}python\n{G}{FENCE}",  # noqa: E501
    "a stub and then the function": f"{FENCE}python\ndef f(a):\n    pass\n\n{G}{FENCE}",
    "constants in branches": f"{FENCE}python\nimport sys\nif sys.maxsize > 1:\n    ONE = 1\nelse:\n    ONE = 0\ntry:\n    TWO = ONE + 1\nexcept NameError:\n    TWO = 0\ndef f(a):\n    return a + TWO - ONE\n{FENCE}",  # noqa: E501
    "prose like an assignment": f"x = 3 is the input.\n\n{G}\ny = 4 is the output.",
    "a table with less": f"{FENCE}python\nT = [0, 1]\ndel T[0]\ndef f(a):\n    return a + len(T)\n{FENCE}",
    "two names at once": f"{FENCE}python\ng = f = lambda a: a + 1\n{FENCE}",
    "two calls at once": f"{FENCE}python\nT = [1]\ndef f(a):\n    return a + len(T)\nT.append(f(1)), print(input())\nlen(T), input()\n{FENCE}",  # noqa: E501
    "imports afterwards": f"{FENCE}python\ndef f(a):\n    return math.floor(a) + os.path.isabs('/')\n{FENCE}\nYou also need\n{FENCE}python\nimport math\nimport os.path\n{FENCE}",  # noqa: E501
    "imports afterwards that nothing needs": f"{FENCE}python\ndef g(a):\n    return a + 1\ndef f(a):\n    return g(a)\n{FENCE}\nTests:\n{FENCE}python\nimport nowhere\nfrom solution import g\nprint(g(1))\n{FENCE}",  # noqa: E501
    "a stand-in for an import afterwards": f"{FENCE}python\ndef f(a):\n    return g(a)\n{FENCE}\nwith\n{FENCE}python\ntry:\n    from nowhere import g\nexcept ImportError:\n    def g(a):\n        return a + 1\n{FENCE}",  # noqa: E501
    "tests first": f"{FENCE}python\nfrom solution import f\nassert f(1) == 2\n{FENCE}\nThe function:\n{FENCE}python\n{G}{FENCE}",  # noqa: E501
    "a table with the name of a built-in": f"{FENCE}python\nopen = '([{{'\ndef f(a):\n    return a + (len(open) == 3)\n{FENCE}",  # noqa: E501
    "tables with names of built-ins": f"{FENCE}python\nopen, close = '(', ')'\ndef f(a):\n    return a + len(open)\n{FENCE}",  # noqa: E501
    "a built-in that is called for its own name": f"{FENCE}python\ndef f(input):\n    return input + 1\n\ninput = input()\nprint(f(input))\n{FENCE}",  # noqa: E501
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


@pytest.mark.parametrize(
    "block",
    [
        "try:\n    from math import gcd\nexcept ImportError:\n    def gcd(a, b):\n        return gcd(b, a % b) if b else a",  # noqa: E501
        "from math import gcd as greatest\ndef gcd(a, b):\n    return greatest(a, b)",
        "from math import floor, gcd\ndef gcd(a, b):\n    return gcd(b, floor(a % b)) if b else a",
        "from solution import gcd\ndef gcd(a, b):\n    return gcd(b, a % b) if b else a",
    ],
)
def test_an_import_of_what_has_the_functions_name_is_kept_where_it_is_needed(block: str) -> None:
    names: dict[str, object] = {}
    exec(find_program(f"{FENCE}python\n{block}\n{FENCE}", "gcd") or "", names)
    assert names["gcd"](12, 18) == 6  # type: ignore[operator]


LONG = 190_000
"""Characters of a hostile line, with which all of a reply is still looked at."""


@pytest.mark.parametrize(
    "line",
    [
        f"{FENCE}{'x' * LONG}`",
        f"{FENCE}{' ' * LONG}`",
        f"{FENCE}{' ' * LONG}",
        f"x{FENCE}{' ' * LONG}x",
        f"x{FENCE}py{' ' * LONG}x",
        f"{'~' * LONG}`",
        f"- {' ' * LONG}x",
        f"x{' ' * LONG}{FENCE}x",
        f'"{" " * LONG}',
        "`" * LONG + "x`",
        "x`" * (LONG // 2),
        "<|" + "x" * LONG,
        "&#" + "9" * LONG + ";",
        "." * LONG,
        "> " * (LONG // 2),
    ],
    ids=range(15),
)
def test_the_program_is_found_below_a_line_that_could_be_divided_in_many_ways(line: str) -> None:
    assert find_program(line, "f") is None
    assert find_program(f"{line}\n{FENCE}python\n{G}{FENCE}\n", "f") == G
    assert find_program(f"{line}\n\n{G}", "f") == G


@pytest.mark.parametrize(
    "text", ["f = 1\n", '\\"', "~~~ ", "> f\n", "`f` ", ">>> f\n", "import a # f\nprose\n", "for x in ", "<pre "]
)
def test_a_million_characters_take_no_time_to_speak_of(text: str) -> None:
    # Each may begin what the parts of the search look for and never end it; a search that goes twice takes hours.
    program = find_program(f'def f(a):\n    return "{text * (1_000_000 // len(text))}`', "f") or ""
    assert f'def f(a):\n    return "{text.splitlines()[0]}' in program
    assert ("\n" in text) == (len(program) < 100)  # to the end of the line, of as much as is looked at


def test_as_many_lines_as_may_be_are_looked_at_for_the_end_of_a_function() -> None:
    # No line ends it, and it is parsed for each that might.
    text = "def f(a):\n" + "    x = 1\n" * 18_000 + "    return (\n"
    assert find_program(text + "f 1\n" * 100, "f") == text


def test_tables_that_need_each_other_are_all_filled() -> None:
    tables = "".join(f"T{n} = []\nT{n}.append(T{n + 1})\n" for n in reversed(range(1000)))
    program = find_program(f"{FENCE}python\nT1000 = 4\n{tables}def f(a):\n    return T0\n{FENCE}", "f") or ""
    assert program.count(".append(") == 1000
    assert "T1000 = 4" in program


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        # What is broken stays broken: nothing is made up.
        (f"{FENCE}python\ndef f(a):\n    return (a + 1\n{FENCE}", "def f(a):\n    return (a + 1\n"),
        # A method is not the function that is asked for.
        (
            f"{FENCE}python\nclass S:\n    def f(self, a):\n        return a\n{FENCE}",
            "class S:\n    def f(self, a):\n        return a\n",
        ),
        # A whole function is taken as it is: what looks like markup is its own.
        (f"{FENCE}python\ndef f(a):\n    return '&lt;<br>\u2019'\n{FENCE}", "def f(a):\n    return '&lt;<br>\u2019'\n"),
    ],
)
def test_nothing_is_made_up(reply: str, program: str) -> None:
    assert find_program(reply, "f") == program


def test_without_code_there_is_no_answer() -> None:
    assert find_program("I am sorry.", "f") is None
    assert find_program("", "f") is None


def test_another_function_is_kept_and_will_fail() -> None:
    assert "def g" in (find_program(f"{FENCE}python\ndef g(a):\n    return a\n{FENCE}", "f") or "")


def test_nesting_without_end_is_no_recursion() -> None:
    assert find_program("def f(a):\n    return " + "(" * 50_000 + "\n", "f") is not None
    assert find_program("f = " * 3000 + "1", "f") == "f = " * 3000 + "1\n"


def test_a_number_without_end_in_html_is_no_error() -> None:
    assert find_program(f"&#{'9' * 5000};<br>f", "f") is None
