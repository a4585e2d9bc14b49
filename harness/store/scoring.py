"""Writing one scoring of a cell: scores as they are known, estimates at the end."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.clock import stamp
from harness.errors import StoreError
from harness.store.disk import make_folder, store_error, sweep, write_atomic
from harness.store.journal import Journal, Syncer, records
from harness.store.records import RecordError, dumps, encode
from harness.store.view import read_scoring
from harness.types import Estimate, Score


class Scoring:
    """One scoring, open for writing by the holder of the cell's lock. Use as a context.

    A score whose value is null is the instrument's fault and is tried again, so reopening drops it. So is the last
    attempt of a scoring that never ended: a power cut may have left only some of its metrics.

    Args:
        folder: ``scores/<score8>`` of the cell.
        score_id: Identity of the rule.
        spec: What scoring.json says of the rule (see `ScoringFacts`), without the ``score_id``.
        syncer: The cell's.
        keep: Tells of a sample and attempt whether its scores still stand (its completions are there); absent: all do.
        fresh: Score everything anew; the old scores stay in place until `finish` replaces them.

    Raises:
        StoreError: The folder cannot be written, or belongs to another rule.
    """

    def __init__(
        self,
        folder: Path,
        score_id: str,
        spec: Mapping[str, Any],
        syncer: Syncer,
        *,
        fresh: bool = False,
        keep: Callable[[str, int], bool] | None = None,
    ) -> None:
        self.score_id = score_id
        self.folder = folder
        self._staging = folder.with_name(f".{folder.name}.new") if fresh else folder
        self._syncer = syncer
        self._fresh = fresh
        self._outdated = False
        _remove(folder.with_name(f".{folder.name}.new"))  # left by a rescoring that died
        self._check_owner()
        make_folder(self._staging)
        sweep(self._staging)
        if fresh or not (folder / "scoring.json").exists():
            facts = {"score_id": score_id, **spec, "created": self._created(spec)}
            write_atomic(self._staging / "scoring.json", dumps(facts, indent=2).encode() + b"\n")
        if not fresh:
            self._drop_unfinished(keep or _always)
        self._keys: set[tuple[str, int, int, str]] = set()
        self._attempts: set[tuple[str, int]] = set()
        self._journal: Journal[Score] = Journal(self._staging / "scores.jsonl", syncer)
        try:
            for score in records(self._journal.path, Score, derived=True):
                self._keys.add((score.sample, score.attempt, score.turn, score.metric))
                self._attempts.add((score.sample, score.attempt))
        except BaseException:
            self._journal.close()
            raise

    def has(self, sample: str, attempt: int) -> bool:
        """Whether this attempt has its scores, none of them null."""
        return (sample, attempt) in self._attempts

    def append(self, *scores: Score) -> None:
        """Journal the scores of one attempt in one write.

        Raises:
            RecordError: One of them is there already, is null without being unscored, or has no JSON form.
            StoreError: The disk is full or broken.
        """
        keys = [(score.sample, score.attempt, score.turn, score.metric) for score in scores]
        doubled = [key for place, key in enumerate(keys) if key in self._keys or key in keys[:place]]
        if doubled:
            raise RecordError(f"{self._journal.path}: {doubled[0]} is scored twice", "please report it", code="doubled")
        for score in scores:
            if (score.value is None) != (score.reason == "unscored"):
                what = f"{score.sample}: value {score.value} with reason {score.reason!r}"
                raise RecordError(what, "a value is null exactly when the reason is 'unscored'")
        if not self._fresh and not self._outdated:
            _remove(self.folder / "estimates.json")  # they do not cover what comes now
            self._outdated = True
        self._journal.append(*scores)
        self._keys.update(keys)
        if all(score.value is not None for score in scores):
            self._attempts.update((score.sample, score.attempt) for score in scores)

    def rows(self) -> Iterator[Score]:
        """Stream all scores so far as they were journaled, with their texts and details."""
        return records(self._journal.path, Score, derived=True)

    def finish(self, estimates: Sequence[Estimate]) -> None:
        """Write the estimates; a fresh scoring now takes the place of the old one, file by file.

        Raises:
            StoreError: The disk is full or broken.
        """
        self._journal.sync()
        data = dumps(list(estimates), indent=2).encode() + b"\n"
        if self._fresh:
            make_folder(self.folder)
            _remove(self.folder / "estimates.json")  # so that old estimates never stand beside new scores
            try:
                for name in ("scores.jsonl", "scoring.json"):
                    (self._staging / name).replace(self.folder / name)
            except OSError as error:
                raise store_error("cannot replace the scores in", self.folder, error) from error
        write_atomic(self.folder / "estimates.json", data)
        self._outdated = False

    def close(self) -> None:
        """Close the journal; a fresh scoring that did not finish leaves the old one untouched."""
        self._journal.close()
        if self._fresh:
            _remove(self._staging)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _created(self, spec: Mapping[str, Any]) -> str:
        """When this scoring began: later than the others of the cell, whatever the clock did meanwhile.

        The newest scoring is the one that is shown, so that a clock set back must not hide it.
        """
        created = str(spec.get("created", ""))
        newest = ""
        for file in self.folder.parent.glob("[!.]*/scoring.json"):
            with contextlib.suppress(StoreError):  # a damaged neighbour is told when it is read
                newest = max(newest, read_scoring(file).created)
        if not newest or created > newest:
            return created
        try:
            return stamp(datetime.fromisoformat(newest) + timedelta(milliseconds=1))
        except ValueError:
            return created

    def _check_owner(self) -> None:
        path = self.folder / "scoring.json"
        if not path.exists():
            if (self.folder / "scores.jsonl").exists():  # scores without a rule prove nothing
                _remove(self.folder)
            return
        owner = read_scoring(path).score_id
        if owner != self.score_id:
            raise StoreError(f"{self.folder} holds the scoring {owner}, not {self.score_id}", "move that folder away")

    def _drop_unfinished(self, keep: Callable[[str, int], bool]) -> None:
        """Rewrite scores.jsonl without what must be scored again."""
        path = self.folder / "scores.jsonl"
        dropped: set[tuple[str, int]] = set()
        last: tuple[str, int] | None = None
        for score in records(path, Score, derived=True):
            last = (score.sample, score.attempt)
            if score.value is None or not keep(*last):
                dropped.add(last)
        if last is not None and not (self.folder / "estimates.json").exists():
            dropped.add(last)
        if not dropped:
            return
        kept = (s for s in records(path, Score, derived=True) if (s.sample, s.attempt) not in dropped)
        replacement = path.with_name(".scores.jsonl.new")
        try:
            with replacement.open("wb") as stream:
                stream.writelines(encode(score) for score in kept)
            replacement.replace(path)
        except OSError as error:
            _remove(replacement)
            raise store_error("cannot rewrite", path, error) from error


def _always(sample: str, attempt: int) -> bool:
    return True


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise store_error("cannot remove", path, error) from error
