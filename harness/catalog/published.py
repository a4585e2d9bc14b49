"""What others published: the checkpoints (`KnownModel`) and their numbers (`PublishedNumber`)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.catalog.checks import SPEC_NAME
from harness.catalog.load import Problem, convert, read_toml, refuse, shown
from harness.spelling import suggestion
from harness.types import KnownModel, PublishedNumber, Spec

_RATES = re.compile(r"(pass|base|plus)@[1-9][0-9]*|correct|win")


class PublishedFile(Spec, frozen=True, kw_only=True):
    """One file of results/published: ``[[model]]`` and ``[[number]]`` tables, in any mixture."""

    model: tuple[KnownModel, ...] = ()
    number: tuple[PublishedNumber, ...] = ()


class Published:
    """The published models and numbers of all files, checked together.

    Args:
        files: The TOML files, in order.

    Raises:
        SpecError: A file is wrong, a model's name is taken twice, or a number names a model that nobody describes.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        documents = {path: convert(read_toml(path), PublishedFile, path) for path in files}
        self._by_name: dict[str, KnownModel] = {}
        owners: dict[str, Path] = {}
        for path, document in documents.items():
            refuse(path, self._add_models(document.model, path, owners))
        names = [name for model in self._by_name.values() for name in (model.name, *model.aliases)]
        seen: dict[tuple[str, str, str, str], str] = {}
        for path, document in documents.items():
            refuse(path, self._check_numbers(document.number, path, names, seen))
        self.models = tuple(model for document in documents.values() for model in document.model)
        self.numbers = tuple(number for document in documents.values() for number in document.number)

    def model(self, name: str) -> KnownModel | None:
        """The model called ``name``: its name or an alias, or a hub id or path ending in one; case does not matter."""
        folded = name.strip().rstrip("/").casefold()
        return self._by_name.get(folded) or self._by_name.get(folded.rpartition("/")[2])

    def _add_models(self, models: Sequence[KnownModel], path: Path, owners: dict[str, Path]) -> Iterator[Problem]:
        for index, model in enumerate(models):
            for key, name in (
                ("name", model.name),
                *((f"aliases[{i}]", alias) for i, alias in enumerate(model.aliases)),
            ):
                where = f"model[{index}].{key}"
                folded = name.casefold()
                if not name.strip() or name != name.strip():
                    yield Problem(where, f"'{name}' is empty or padded with spaces")
                elif folded in owners:
                    yield Problem(where, f"'{name}' is already a name or alias in {shown(owners[folded])}")
                else:
                    owners[folded] = path
                    self._by_name[folded] = model

    def _check_numbers(
        self,
        numbers: Sequence[PublishedNumber],
        path: Path,
        names: Sequence[str],
        seen: dict[tuple[str, str, str, str], str],
    ) -> Iterator[Problem]:
        for index, number in enumerate(numbers):
            where = f"number[{index}]"
            model = self._by_name.get(number.model.casefold())
            if model is None:
                yield Problem(
                    f"{where}.model", f"'{number.model}' is no published model; {suggestion(number.model, names)}"
                )
            else:
                key = (model.name, number.task, number.metric, number.source)
                if key in seen:
                    yield Problem(where, f"the same model, task, metric and source as {seen[key]}")
                seen.setdefault(key, f"{where} of {shown(path)}")
            yield from _check_number(number, where)


def _check_number(number: PublishedNumber, where: str) -> Iterator[Problem]:
    benchmark, slash, protocol = number.task.partition("/")
    if not (slash and SPEC_NAME.fullmatch(benchmark) and SPEC_NAME.fullmatch(protocol)):
        yield Problem(f"{where}.task", f"'{number.task}' is not 'benchmark/protocol'")
    if not number.metric.strip():
        yield Problem(f"{where}.metric", "must not be empty")
    if not number.source.strip():
        yield Problem(f"{where}.source", "must not be empty; a number without a source is a rumour")
    if number.n < 0:
        yield Problem(f"{where}.n", f"must be 0 (unknown) or more, not {number.n}")
    if not math.isfinite(number.value):
        yield Problem(f"{where}.value", f"must be finite, not {number.value}")
    elif _RATES.fullmatch(number.metric) and not 0 <= number.value <= 1:
        percent = f"; {number.value:g} % is written {number.value / 100:.6g}" if 1 < number.value <= 100 else ""
        yield Problem(f"{where}.value", f"a rate is between 0 and 1{percent}")
