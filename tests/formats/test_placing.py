"""Rows without ids find their samples."""

from __future__ import annotations

from harness.formats.placing import placed
from harness.types import Sample

SAMPLES = [
    Sample(id="1", record={"q": " one? "}),
    Sample(id="2", record={"q": "two?", "n": 5}),
    Sample(id="3", record={"turns": ["two?"]}),
    Sample(id="4", record={"q": "four?"}),
]


def test_rows_are_placed_by_what_they_say_was_asked() -> None:
    assert placed(["four?", "one?"], SAMPLES) == ["4", "1"]
    assert placed(["two?", "x", "two?"], SAMPLES) == ["2", None, "3"]  # the same question twice: by order
    assert placed(["four?", "two?", "one?", "two?"], SAMPLES) == ["4", "2", "1", "3"]


def test_a_whole_file_is_in_order_even_where_it_words_a_question_otherwise() -> None:
    assert placed(["one?", "two?", "two, said otherwise?", "four?"], SAMPLES) == ["1", "2", "3", "4"]
