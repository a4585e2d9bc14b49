import pytest

from harness.engines.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("plain", "plain", None),
        ("", "", None),
        ("<think>Hm.</think>\n\n42", "42", "Hm."),
        ("\n <think>\nHm.\n</think>42", "42", "Hm."),
        ("<think>Hm.</think>    return 1\n", "    return 1\n", "Hm."),
        ("<think>\n\n</think>\n\n42", "42", None),
        ("<think>It never en", "", "It never en"),
        ("<think>", "", None),
        ("Hm.</think>42", "42", "Hm."),
        ("Write <think> and </think> tags.", "Write <think> and </think> tags.", None),
        ("<think>a</think>b</think>c", "b</think>c", "a"),
    ],
)
def test_reasoning_in_the_text(text: str, answer: str, reasoning: str | None) -> None:
    assert split_reasoning(text) == (answer, reasoning)


def test_a_field_of_its_own() -> None:
    assert split_reasoning("42", "Hm.") == ("42", "Hm.")
    assert split_reasoning("", "It never en") == ("", "It never en")
    assert split_reasoning("42", "") == ("42", None)
    assert split_reasoning("42", None) == ("42", None)


def test_a_field_of_its_own_and_tags_are_joined() -> None:
    assert split_reasoning("<think>More.</think>42", "Hm.") == ("42", "Hm.\nMore.")


def test_a_close_in_an_answer_parted_by_the_server_is_left_alone() -> None:
    assert split_reasoning("The tag is </think>.", "Hm.") == ("The tag is </think>.", "Hm.")


def test_opened_by_the_prompt() -> None:
    assert split_reasoning("Hm.</think>42", opened=True) == ("42", "Hm.")
    assert split_reasoning("It never en", opened=True) == ("", "It never en")
    assert split_reasoning("42", "Hm.", opened=True) == ("42", "Hm.")


def test_code_that_speaks_of_the_tag_is_left_alone() -> None:
    code = "    return text.split('</think>')[-1]\n"
    assert split_reasoning(code, lone_close=False) == (code, None)
    assert split_reasoning("<think>Hm.</think>" + code, lone_close=False) == (code, "Hm.")
