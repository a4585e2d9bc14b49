from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import ask_id, ask_spec, digest, score_id, score_spec
from harness.catalog.identity import canonical
from harness.types import DatasetPin, Extraction, Prompt, Reference, Sampling, ScorerSpec, Spec, Task

PIN = DatasetPin(name="sums", source="file:/a/sums.jsonl", sha256="ab" * 32)
BASE = Task(
    name="sums/plain",
    version=1,
    title="Sums",
    dataset=PIN,
    prompt=Prompt(turns=("{question}",)),
    sampling=Sampling(temperature=0.0, max_new_tokens=16),
    scorer=ScorerSpec(name="exact", options={"gold": "answer"}),
    metric="correct",
)


def asked(task: Task, **changes: Any) -> str:
    values: dict[str, Any] = {
        "sampling": task.sampling,
        "chat_format": "raw",
        "seed": 0,
        "model": {"name": "m", "weights": "w"},
        "settings": {},
    }
    return ask_id(task, **(values | changes))


def scored(task: Task) -> str:
    return score_id(task, scorer_version=1)


def changed(part: str, **changes: Any) -> Task:
    return msgspec.structs.replace(BASE, **{part: msgspec.structs.replace(getattr(BASE, part), **changes)})


def top(**changes: Any) -> Task:
    return msgspec.structs.replace(BASE, **changes)


SAME = {
    "title": top(title="Other"),
    "source": top(source="a paper"),
    "version": top(version=2),
    "name": top(name="sums/other"),
    "attempts": top(attempts=5),
    "k": top(k=(1, 10)),
    "known failures": top(known_reference_failures=("3",)),
    "reference": top(reference=Reference(text="{answer}")),
    "data source": changed("dataset", source="url:https://example.org/sums.jsonl"),
    "data name": changed("dataset", name="additions"),
    "licence": changed("dataset", licence="MIT"),
    "records": changed("dataset", records=10),
}
ASKED = {
    "turns": changed("prompt", turns=("{question} ",)),
    "system": changed("prompt", system="Be brief."),
    "pinned format": changed("prompt", format="raw"),
    "template": changed("prompt", template="<{instruction}>"),
    "response prefix": changed("prompt", response_prefix=" So"),
    "temperature": changed("sampling", temperature=0.2),
    "length": changed("sampling", max_new_tokens=17),
    "stop": changed("sampling", stop=("\n",)),
    "texts": top(texts={"rules": PIN}),
}
SCORED = {
    "extraction": top(extraction=Extraction(strip=True)),
    "pattern": top(extraction=Extraction(pattern="[0-9]+")),
    "scorer": changed("scorer", name="other"),
    "option": changed("scorer", options={"gold": "result"}),
    "new option": changed("scorer", options={"gold": "answer", "tolerance": 0.1}),
    "metric": top(metric="score"),
    "slices": top(slices=("level",)),
}
BOTH = {
    "data": changed("dataset", sha256="cd" * 32),
    "data format": changed("dataset", format="json"),
    "sample ids": changed("dataset", id="key"),
    "stage": top(stage="continuation"),
}


@pytest.mark.parametrize("task", SAME.values(), ids=SAME)
def test_what_describes_moves_nothing(task: Task) -> None:
    assert (asked(task), scored(task)) == (asked(BASE), scored(BASE))


@pytest.mark.parametrize("task", ASKED.values(), ids=ASKED)
def test_what_asks_moves_the_ask_alone(task: Task) -> None:
    assert asked(task) != asked(BASE)
    assert scored(task) == scored(BASE)


@pytest.mark.parametrize("task", SCORED.values(), ids=SCORED)
def test_what_scores_moves_the_score_alone(task: Task) -> None:
    assert asked(task) == asked(BASE)
    assert scored(task) != scored(BASE)


@pytest.mark.parametrize("task", BOTH.values(), ids=BOTH)
def test_the_data_and_the_stage_move_both(task: Task) -> None:
    assert asked(task) != asked(BASE)
    assert scored(task) != scored(BASE)


def test_all_these_identities_differ() -> None:
    moved = ASKED | BOTH
    assert len({asked(task) for task in moved.values()}) == len(moved)
    moved = SCORED | BOTH
    assert len({scored(task) for task in moved.values()}) == len(moved)


@pytest.mark.parametrize(
    "changes",
    [
        {"sampling": Sampling(temperature=0.7, max_new_tokens=16)},
        {"chat_format": "alpaca"},
        {"seed": 1},
        {"model": {"name": "m", "weights": "other"}},
        {"settings": {"dtype": "float16"}},
    ],
)
def test_each_part_of_a_run_moves_the_ask(changes: Mapping[str, Any]) -> None:
    assert asked(BASE, **changes) != asked(BASE)


def test_an_override_equals_the_same_value_in_the_task() -> None:
    hot = Sampling(temperature=0.7, max_new_tokens=16)
    assert asked(BASE, sampling=hot) == asked(top(sampling=hot))


def test_likelihoods_are_not_sampled() -> None:
    task = top(kind="loglikelihood", prompt=Prompt(turns=("{question}",), choices="options"))
    hot = Sampling(temperature=0.7, max_new_tokens=9)
    assert "sampling" not in ask_spec(task)
    assert asked(task) == asked(task, sampling=hot) == asked(msgspec.structs.replace(task, sampling=hot), sampling=hot)
    assert asked(task) != asked(BASE)
    assert scored(task) != scored(BASE)


def test_the_scorers_version_and_distribution_move_the_score() -> None:
    ids = {
        score_id(BASE, scorer_version=1),
        score_id(BASE, scorer_version=2),
        score_id(BASE, scorer_version=1, distribution="plug==1.0"),
        score_id(BASE, scorer_version=1, distribution="plug==1.1"),
    }
    assert len(ids) == 4


# --- the canonical encoding -------------------------------------------------------------------------------------------


def test_known_encodings() -> None:
    """Typed by hand: an identity that exists on somebody's disk must never change."""
    assert ask_spec(BASE) == {
        "dataset": {"sha256": "ab" * 32},
        "prompt": {"turns": ["{question}"]},
        "sampling": {"temperature": 0, "max_new_tokens": 16},
    }
    assert score_spec(BASE) == {
        "dataset": {"sha256": "ab" * 32},
        "scorer": {"name": "exact", "options": {"gold": "answer"}},
        "metric": "correct",
    }
    # printf '%s' '{"a":"\u00e4","b":[1,0.5,true]}' | sha256sum
    assert digest({"b": (1.0, 0.5, True), "a": "ä", "c": None}) == (
        "cf97cab7a9f58a3445880098e90161a29cac9fa92161830427626d26c18c7415"
    )


FIELDS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "top_p": (st.sampled_from([1.0, 0.9]), 1.0),
    "top_k": (st.sampled_from([0, 40]), 0),
    "min_p": (st.sampled_from([0.0, 0.1]), 0.0),
    "min_tokens": (st.sampled_from([0, 3]), 0),
    "stop": (st.sampled_from([[], ["\n"], ["a", "b"]]), []),
}


@given(st.fixed_dictionaries({name: strategy for name, (strategy, _) in FIELDS.items()}))
def test_a_default_written_down_is_a_default_left_out(values: dict[str, Any]) -> None:
    full = {"temperature": 0, "max_new_tokens": 16, **values}
    short = {key: value for key, value in full.items() if key not in FIELDS or value != FIELDS[key][1]}
    one, two = (msgspec.convert(document, Sampling, strict=True) for document in (full, short))
    assert canonical(one) == canonical(two)
    assert asked(top(sampling=one)) == asked(top(sampling=two))


def test_explicit_defaults_of_a_whole_task() -> None:
    full = top(
        extraction=Extraction(occurrence="last", take="last", remove=(), strip=False),
        stage="reply",
        kind="generate",
        texts={},
        slices=(),
        prompt=Prompt(turns=("{question}",), files=(), response_prefix="", system=None),
    )
    assert (asked(full), scored(full)) == (asked(BASE), scored(BASE))


class Old(Spec, frozen=True, kw_only=True):
    name: str
    weight: float = 1.0


class New(Spec, frozen=True, kw_only=True):
    name: str
    weight: float = 1.0
    colour: str | None = None
    sizes: tuple[int, ...] = (1,)
    options: Mapping[str, Any] = {}
    inner: Old = Old(name="x")


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_a_new_optional_key_keeps_the_identity(name: str, weight: float) -> None:
    assert digest(Old(name=name, weight=weight)) == digest(New(name=name, weight=weight))
    assert digest(New(name=name, weight=weight, inner=Old(name="x", weight=1.0), options={})) == digest(
        Old(name=name, weight=weight)
    )


@pytest.mark.parametrize("part", [Prompt, Sampling, Extraction, ScorerSpec])
def test_a_new_optional_key_of_any_part_keeps_the_identity(part: type[msgspec.Struct]) -> None:
    field = {Prompt: "prompt", Sampling: "sampling", Extraction: "extraction", ScorerSpec: "scorer"}[part]
    old = getattr(BASE, field)
    fields = [
        (f.name, f.type, f.default)
        for f in msgspec.structs.fields(part)
        if not f.required and f.default_factory is msgspec.NODEFAULT
    ]
    required = [(f.name, f.type) for f in msgspec.structs.fields(part) if f.required]
    lists = [
        (f.name, f.type, msgspec.field(default_factory=f.default_factory))
        for f in msgspec.structs.fields(part)
        if f.default_factory is not msgspec.NODEFAULT
    ]
    grown = msgspec.defstruct("Grown", [*required, *fields, *lists, ("extra", bool, False)], frozen=True, kw_only=True)
    value = grown(**msgspec.structs.asdict(old))
    assert digest(value) == digest(old)
    assert digest(msgspec.structs.replace(value, extra=True)) != digest(old)


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_canonical_data_is_its_own_canonical_form(value: Any) -> None:
    once = canonical(value)
    assert canonical(once) == once
    assert digest(once) == digest(value)
    assert digest(msgspec.json.decode(msgspec.json.encode(once))) == digest(value) if _exact(value) else True


def _exact(value: Any) -> bool:
    """Whether another JSON library can carry the value (integers beyond 64 bits and lone surrogates it cannot)."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(canonical(value))) == canonical(value))
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError):
        return False


@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=4))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_numbers_mean_what_they_say() -> None:
    assert digest({"x": 1}) == digest({"x": 1.0})
    assert digest({"x": 0.0}) == digest({"x": -0.0})
    assert digest({"x": 1}) != digest({"x": True})
    assert digest({"x": 1}) != digest({"x": "1"})
    assert digest({"x": 0.1}) != digest({"x": 0.1 + 1e-17 + 1e-16})


@pytest.mark.parametrize("value", [{1: 2}, {"x": object()}, [b"x"], {"x": {1, 2}}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        digest(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        digest([value])


def test_loading_a_task_from_files_or_in_line_gives_one_identity(
    write: Callable[[str], Any], task_text: str, folder: Any
) -> None:
    inline = write(task_text).task("sums/plain")
    (folder / "tasks" / "sums" / "q.txt").write_text("{question}")
    from_file = write(task_text.replace('turns = ["{question}"]', 'files = ["q.txt"]')).task("sums/plain")
    assert asked(inline) == asked(from_file)
