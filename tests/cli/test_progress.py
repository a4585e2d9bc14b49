import io

import pytest

from harness.cli.progress import Downloads, Lines, LiveBar, Tally, closing, number, open_progress
from harness.types import CellResult, Completion, ErrorRecord, Estimate, Score


def completion(sample: str) -> Completion:
    return Completion(sample=sample, attempt=0, turn=0, prompt="p", prompt_sha256="0", text="t")


def score(sample: str, metric: str = "pass", attempt: int = 0) -> Score:
    return Score(sample=sample, attempt=attempt, turn=0, metric=metric, value=1.0, reason="ok")


def failure(sample: str) -> ErrorRecord:
    return ErrorRecord(sample=sample, attempt=0, turn=0, where="request", code="http-500", message="no")


def result(**changes: object) -> CellResult:
    values: dict[str, object] = {
        "path": "runs/m",
        "ask_id": "a",
        "task": "b/p",
        "model": "m",
        "state": "complete",
        "expected": 4,
        "done": 4,
        "unscored": 0,
        "errors": 0,
        "score_id": None,
    }
    return CellResult(**(values | changes))  # type: ignore[arg-type]


def estimate(metric: str, value: float | None) -> Estimate:
    return Estimate(metric=metric, value=value, low=None, high=None, method="wilson", n=4)


def test_attempts_are_counted_once_whatever_they_give() -> None:
    tally = Tally()
    tally.started(4, 1)
    for each in (score("1", "base"), score("1", "plus"), score("2", "base"), score("2", "base", attempt=1)):
        tally.ended(each.sample, each.attempt)
    assert tally.line == "4 of 4 attempts done"


def test_without_a_cell_the_count_has_no_whole() -> None:
    tally = Tally()
    tally.ended("1", 0)
    assert tally.line == "1 attempts done"


def test_the_count_never_passes_what_is_expected() -> None:
    tally = Tally()
    tally.started(1, 1)
    tally.ended("1", 0)
    assert tally.done == 1


def test_lines_are_seldom_but_notes_are_said_at_once() -> None:
    stream = io.StringIO()
    with Lines(stream, every=3600) as lines:
        lines.started("m", "b/p", 3, 0)
        for name in "abc":
            lines.asked(completion(name))
            lines.scored(score(name))
        lines.note("a guess")
        lines.finished(result(expected=3, done=3))
    assert stream.getvalue().splitlines() == ["m · b/p: 3 attempts", "a guess", "m · b/p: complete, 3 of 3"]


def test_lines_tell_the_count_when_it_is_time() -> None:
    stream = io.StringIO()
    with Lines(stream, every=0) as lines:
        lines.started("m", "b/p", 3, 1)
        lines.asked(completion("a"))
        lines.failed(failure("a"))
    assert stream.getvalue().splitlines() == [
        "m · b/p: resuming, 1 of 3 attempts exist",
        "1 of 3 attempts done, 1 asked now",
        "unscored so far, a: http-500: no",
        "2 of 3 attempts done, 1 asked now, 1 failed",
    ]


def test_text_from_outside_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "tok-123456789")
    stream = io.StringIO()
    with Lines(stream) as lines:
        lines.note("\x1b[2J tok-123456789")
    assert "\x1b" not in stream.getvalue()
    assert "tok-123456789" not in stream.getvalue()


def test_the_bar_shows_notes_and_leaves_nothing_of_itself(capfd: pytest.CaptureFixture[str]) -> None:
    with LiveBar() as bar:
        bar.started("m", "b/p", 2, 0)
        bar.asked(completion("a"))
        bar.scored(score("a"))
        bar.failed(failure("b"))
        bar.finished(result(state="partial", expected=2, done=1, unscored=1))
    said = capfd.readouterr()
    assert said.out == ""
    assert "m · b/p: partial, 1 of 2, 1 unscored" in said.err


def test_without_a_terminal_progress_is_lines() -> None:
    assert isinstance(open_progress(), Lines)


def test_closing_line_holds_the_headline_number() -> None:
    sliced = Estimate(metric="pass@1", slice={"level": "1"}, value=0.1, low=None, high=None, method="wilson", n=1)
    assert closing(result(estimates=(sliced, estimate("pass@1", 0.5)))) == "m · b/p: complete, 4 of 4, pass@1 50.0"


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [("pass@1", 1.0, "pass@1 100.0"), ("score", 0.9, "score 0.9"), ("correct", None, "correct without a value")],
)
def test_numbers(metric: str, value: float | None, said: str) -> None:
    assert number(estimate(metric, value)) == said


def test_downloads_say_begin_and_end_and_little_between() -> None:
    stream = io.StringIO()
    show = Downloads(stream)
    for done in range(0, 2_000_001, 100_000):
        show("gsm8k", done, 2_000_000)
    show("unknown", 10, None)
    assert stream.getvalue().splitlines() == [
        "fetching gsm8k: 0 B of 2.0 MB",
        "fetching gsm8k: 2.0 MB of 2.0 MB",
        "fetching unknown: 10 B",
    ]
