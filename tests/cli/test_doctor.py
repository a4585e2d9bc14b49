"""harness doctor: the table of attacks, tried on this very machine."""

import json
from collections.abc import Callable

import pytest

from harness.sandbox.attacks import TABLE, Finding

Command = Callable[..., int]


@pytest.fixture
def confined() -> None:
    from harness.sandbox import probe

    if probe().level is None:
        pytest.skip("no sandbox on this machine")


@pytest.mark.usefixtures("confined")
def test_the_table_of_attacks_is_tried_and_printed(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("doctor") == 0
    said = capsys.readouterr().out
    for attack in TABLE:
        (line,) = (line for line in said.splitlines() if f"  {attack.name}  " in line)
        assert attack.tries in line
        assert "  held  " in line
    assert "GOT THROUGH" not in said


@pytest.mark.usefixtures("confined")
def test_the_document_holds_the_table(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["exit"], found["error"]) == ("complete", 0, None)
    attacks = found["sandbox"]["attacks"]
    assert [attack["attack"] for attack in attacks] == [attack.name for attack in TABLE]
    assert {attack["category"] for attack in attacks} == {"escape", "forgery", "resources", "text"}
    assert {attack["held"] for attack in attacks} == {True}


def test_quick_leaves_the_table_out(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("doctor", "--quick") == 0
    assert "terminal escapes" not in capsys.readouterr().out
    assert harness("doctor", "--quick", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sandbox"]["attacks"] == []


def test_an_attack_that_gets_through_is_an_error_with_a_remedy(
    harness: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The walls are really taken away, and the attacks really get through.
    found_leaks = without_walls()
    monkeypatch.setattr("harness.cli.doctor._attacks", lambda: found_leaks)
    assert harness("doctor") == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert "a file in HOME: its verdict was 'passed'" in line
    assert "a file outside: it left its mark outside" in line
    assert "equal to everything" not in line
    assert "run no untrusted code on this machine" in line
    assert said.out.count("GOT THROUGH") >= 6
    assert harness("doctor", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["exit"], found["error"]["code"]) == ("error", 1, "leak")
    assert found["error"]["remedy"]


def test_a_sandbox_that_breaks_under_attack_did_not_hold(
    harness: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise OSError("no space left")

    monkeypatch.setattr("harness.sandbox.attacks.Place.__enter__", lambda place: broken())
    monkeypatch.setattr("harness.cli.doctor._sandbox", sandbox_with_attacks)
    assert harness("doctor") == 1
    assert "could not be tried to its end: no space left" in capsys.readouterr().err


def sandbox_with_attacks(*, attacks: bool) -> dict[str, object]:
    from harness.cli import doctor

    return {"level": "landlock", "reason": "", "facts": {}, "attacks": doctor._attacks()}


def without_walls() -> list[Finding]:
    import asyncio

    from harness.sandbox import Sandbox
    from harness.sandbox.attacks import Place, try_attacks

    async def attempt() -> list[Finding]:
        with pytest.MonkeyPatch.context() as patch, Place() as place:
            patch.setattr("harness.sandbox.inside.jail.landlock_abi", lambda: 0)
            patch.setattr("shutil.which", lambda *a, **k: None)
            async with Sandbox(workers=1, unsafe=True) as sandbox:
                assert sandbox.level == "unsafe"
                return await try_attacks(sandbox, place)

    return asyncio.run(attempt())
