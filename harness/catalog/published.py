"""What others published: the checkpoints (`KnownModel`) and their numbers (`PublishedNumber`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.catalog.checks import SPEC_NAME
from harness.catalog.load import Problem, convert, read_toml, refuse, shown
from harness.spelling import suggestion
from harness.types import RATE_METRICS, KnownModel, PublishedNumber, Spec


class PublishedFile(Spec, frozen=True, kw_only=True):
    """One file of results/published: ``[[model]]`` and ``[[number]]`` tables, in any mixture."""

    model: tuple[KnownModel, ...] = ()
    number: tuple[PublishedNumber, ...] = ()


def models_by_name(models: Iterable[KnownModel]) -> dict[str, KnownModel]:
    """Every name and alias, case folded, with its model; what `find_model` searches."""
    return {name.casefold(): model for model in models for name in (model.name, *model.aliases)}


def find_model(name: str, known: Mapping[str, KnownModel]) -> KnownModel | None:
    """The model called ``name``: its name or an alias, or a hub id or path ending in one; case does not matter."""
    folded = name.strip().rstrip("/").casefold()
    return known.get(folded) or known.get(folded.rpartition("/")[2])


class Published:
    """The published models and numbers of all files, checked together.

    Args:
        files: The TOML files, in order.

    Raises:
        SpecError: A file is wrong, a model's name is taken twice, or a number names a model that nobody describes.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        documents = {path: convert(read_toml(path), PublishedFile, path) for path in files}
        owners: dict[str, Path] = {}
        for path, document in documents.items():
            refuse(path, _check_models(document.model, path, owners))
        self.models = tuple(model for document in documents.values() for model in document.model)
        self._by_name = models_by_name(self.models)
        seen: dict[tuple[str, str, str, str], str] = {}
        for path, document in documents.items():
            refuse(path, self._check_numbers(document.number, path, seen))
        self.numbers = tuple(number for document in documents.values() for number in document.number)

    def model(self, name: str) -> KnownModel | None:
        """The model called ``name``, in any spelling that `find_model` knows."""
        return find_model(name, self._by_name)

    def _check_numbers(
        self,
        numbers: Sequence[PublishedNumber],
        path: Path,
        seen: dict[tuple[str, str, str, str], str],
    ) -> Iterator[Problem]:
        for index, number in enumerate(numbers):
            where = f"number[{index}]"
            model = self._by_name.get(number.model.casefold())
            if model is None:
                names = [name for model in self.models for name in (model.name, *model.aliases)]
                hint = suggestion(number.model, names)
                yield Problem(f"{where}.model", f"'{number.model}' is no published model; {hint}")
            else:
                key = (model.name, number.task, number.metric, number.source)
                if key in seen:
                    yield Problem(where, f"the same model, task, metric and source as {seen[key]}")
                seen.setdefault(key, f"{where} of {shown(path)}")
            yield from _check_number(number, where)


def _check_models(models: Sequence[KnownModel], path: Path, owners: dict[str, Path]) -> Iterator[Problem]:
    """Problems of one file's models; ``owners`` collects who has taken which name."""
    for index, model in enumerate(models):
        keys = ["name", *(f"aliases[{number}]" for number in range(len(model.aliases)))]
        for key, name in zip(keys, (model.name, *model.aliases), strict=True):
            where = f"model[{index}].{key}"
            if not name.strip() or name != name.strip():
                yield Problem(where, f"'{name}' is empty or padded with spaces")
            elif name.casefold() in owners:
                yield Problem(where, f"'{name}' is already a name or alias in {shown(owners[name.casefold()])}")
            else:
                owners[name.casefold()] = path


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
    elif number.metric.partition("@")[0] in RATE_METRICS and not 0 <= number.value <= 1:
        percent = f"; {number.value:g} % is written {number.value / 100:.6g}" if 1 < number.value <= 100 else ""
        yield Problem(f"{where}.value", f"a rate is between 0 and 1{percent}")
