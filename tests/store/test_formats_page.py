"""docs/formats.md states every key of every record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from harness.store import ScoringFacts
from harness.types import Completion, ErrorRecord, Estimate, Invocation, Manifest, Sampling, Score, Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
KEY = {"sample", "attempt", "turn"}


def _section(title: str) -> str:
    """The text below a heading, up to the next one."""
    _, _, rest = PAGE.replace("\\", "").partition(f"## {title}\n")
    assert rest, title
    return rest.split("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("manifest.json", Manifest),
        ("manifest.json", Invocation),
        ("manifest.json", Sampling),
        ("completions.jsonl", Completion),
        ("errors.jsonl", ErrorRecord),
        ("verdicts/<judge8>.jsonl", Verdict),
        ("scores/<score8>/scoring.json", ScoringFacts),
        ("scores/<score8>/scores.jsonl", Score),
        ("scores/<score8>/estimates.json", Estimate),
    ],
)
def test_every_key_is_stated(title: str, kind: type) -> None:
    stated = set(re.findall(r"`(\w+)`", _section(title)))
    assert set(kind.__struct_fields__) - KEY <= stated  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("manifest.json", (Manifest, Invocation)),
        ("completions.jsonl", (Completion,)),
        ("errors.jsonl", (ErrorRecord,)),
        ("verdicts/<judge8>.jsonl", (Verdict,)),
        ("scores/<score8>/scoring.json", (ScoringFacts,)),
        ("scores/<score8>/scores.jsonl", (Score,)),
        ("scores/<score8>/estimates.json", (Estimate,)),
    ],
)
def test_every_stated_key_has_the_stated_default(title: str, kinds: tuple[type, ...]) -> None:
    fields = {field.name: field for kind in kinds for field in msgspec.structs.fields(kind)}
    rows = [line.split("|") for line in _section(title).splitlines() if line.startswith("| `")]
    assert rows
    for _, first, _, third, *_ in rows:
        keys, stated = re.findall(r"`(\w+)`", first), re.findall(r"`([^`]+)`", third)
        if stated and stated[0] in keys:  # `ended`: `null`
            keys, stated = stated[:1], stated[1:]
        for number, key in enumerate(keys):
            if not stated:
                assert fields[key].required, key
                continue
            default = fields[key].default_factory() if fields[key].default is msgspec.NODEFAULT else fields[key].default
            assert json.loads(stated[number % len(stated)]) == json.loads(msgspec.json.encode(default)), key
