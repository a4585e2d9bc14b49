"""Rows without ids find their sample: by their number, or by the question they record."""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import Sample


def placed(asked: Sequence[str], samples: Sequence[Sample]) -> list[str | None]:
    """The sample that each row of a file belongs to, or None where no sample asks its question.

    Rows are placed by their questions; where several samples ask the same, by order. A file as long as the data set
    that records some questions otherwise has its rows in the data set's order all the same.

    Args:
        asked: What each row says was asked.
        samples: All samples of the data set, in its order.
    """
    places: dict[str, list[str]] = {}
    for sample in samples:
        for value in sample.record.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    places.setdefault(text.strip(), []).append(sample.id)
    found: list[str | None] = []
    for question in asked:
        left = places.get(question.strip())
        found.append(left.pop(0) if left else None)
    if None in found and len(asked) == len(samples):
        return [sample.id for sample in samples]
    return found
