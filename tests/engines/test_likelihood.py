from typing import Any

import pytest

from harness.engines.likelihood import likelihood_fields, read_likelihood
from harness.engines.retry import TryError
from harness.types import LogProbs


def echoed(tokens: list[str], values: list[float | None], **changes: Any) -> dict[str, Any]:
    """A response with these tokens, of which the last is generated."""
    columns = {
        "tokens": tokens,
        "token_logprobs": values,
        "text_offset": [sum(map(len, tokens[:n])) for n in range(len(tokens))],
        "top_logprobs": [None if value is None else {"x": value} for value in values],
    }
    return {"choices": [{"text": "".join(tokens), "logprobs": columns | changes}]}


def test_one_token_is_asked_and_dropped() -> None:
    assert likelihood_fields("ab")["max_tokens"] == 1
    body = echoed(["a", "b", "c", "junk"], [None, -1.0, -2.0, -50.0])
    assert read_likelihood(body, "a", "bc") == LogProbs(total=-3.0, tokens=2, greedy=True)


def test_nothing_generated() -> None:
    body = echoed(["a", "b", "c"], [None, -1.0, -2.0]) | {"usage": {"prompt_tokens": 3}}
    assert read_likelihood(body, "a", "bc") == LogProbs(total=-3.0, tokens=2, greedy=True)


def test_the_name_of_the_first_token_shifts_offsets() -> None:
    body = echoed(["<s>", "a", "b", "junk"], [None, -9.0, -1.0, -50.0])
    assert read_likelihood(body, "a", "b") == LogProbs(total=-1.0, tokens=1, greedy=True)


def test_a_token_across_the_border_belongs_to_the_continuation() -> None:
    body = echoed(["a", "bc", "d", "junk"], [None, -1.0, -2.0, -50.0])
    assert read_likelihood(body, "ab", "cd") == LogProbs(total=-3.0, tokens=2, greedy=True)
    body = echoed(["a", "bcd", "junk"], [None, -1.0, -50.0])
    assert read_likelihood(body, "ab", "cd") == LogProbs(total=-1.0, tokens=1, greedy=True)


def test_not_the_most_likely() -> None:
    body = echoed(["a", "b", "junk"], [None, -1.0, -50.0], top_logprobs=[None, {"b": -1.0, "z": -0.5}, {"x": -50.0}])
    assert read_likelihood(body, "a", "b").greedy is False


def test_text_that_offsets_do_not_match_needs_a_count() -> None:
    # Two tokens that hold half a character each decode to nothing and to all of it, or to replacement characters.
    body = echoed(["a", "\ufffd", "\ufffd", "junk"], [None, -1.0, -2.0, -50.0])
    with pytest.raises(TryError) as caught:
        read_likelihood(body, "a", "é")
    assert caught.value.code == "alignment"
    assert read_likelihood(body, "a", "é", prompt_tokens=1) == LogProbs(total=-3.0, tokens=2, greedy=True)


def test_no_context_at_all() -> None:
    with pytest.raises(TryError, match="no context") as caught:
        read_likelihood(echoed(["a", "junk"], [None, -50.0]), "", "a")
    assert caught.value.code == "alignment"


@pytest.mark.parametrize(
    "changes",
    [
        {"token_logprobs": []},
        {"text_offset": None},
        {"top_logprobs": None},
        {"top_logprobs": [None, None, None]},
        {"top_logprobs": [None, {}, {}]},
    ],
)
def test_incomplete(changes: dict[str, Any]) -> None:
    with pytest.raises(TryError) as caught:
        read_likelihood(echoed(["a", "b", "junk"], [None, -1.0, -50.0], **changes), "a", "b")
    assert caught.value.code == "no-logprobs"


def test_none_at_all() -> None:
    with pytest.raises(TryError) as caught:
        read_likelihood({"choices": [{"text": "ab", "logprobs": None}]}, "a", "b")
    assert caught.value.code == "no-logprobs"
