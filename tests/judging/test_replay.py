"""Fidelity by replay: published judgments, annotations and reviews give the published numbers."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog
from harness.datasets import DataStore
from harness.formats.fastchat import read_votes
from harness.judging import alpaca, build, fastchat, length_control, material, reading, relative
from harness.types import Completion, Message

JUDGMENTS = {
    "FasterDecoding__Medusa": ("vicuna-7b-v1.3", (6.73125, 5.475, 6.103125)),
    "muhan421__fastchat-eval": ("claude-3-opus-20240229", None),
}
AVERAGES = {
    "vicuna-7b-v1.3": 6.103125,
    "claude-3-5-sonnet-20240620": 9.20625,
    "claude-3-opus-20240229": 8.675,
}


def rows(path: Path) -> list[Any]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return json.loads(text) if text.lstrip()[:1] == "[" else [json.loads(line) for line in text.splitlines() if line]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def data(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    return DataStore([mirror], tmp_path_factory.mktemp("cache"), offline=True)


@pytest.fixture(scope="module")
def mtbench(catalog: Catalog, data: DataStore) -> material.Material:
    task = catalog.task("mt-bench/single-v1")
    return material.load(catalog.judge("mt-bench/single-v1"), task, data.samples(task), data)


def judgments(mirror: Path) -> Iterator[dict[str, Any]]:
    for folder in JUDGMENTS:
        yield from rows(mirror / "mtbench" / "model_judgment" / folder / "gpt-4_single.jsonl.gz")


def answers_in(
    prompts: Sequence[build.Template], recorded: Mapping[tuple[str, int], str]
) -> dict[str, tuple[str, str]]:
    """The two answers of every question as the recorded prompts hold them, found between the templates' own texts."""
    first, second = {}, {}
    for (question, turn), prompt in recorded.items():
        for template in prompts:
            text = template.messages[-1].content
            mark = "{answer_2}" if turn == 2 else "{answer}"
            if mark not in text or (("ref_answer" in text) != ("Reference" in prompt.partition("Assistant")[0])):
                continue
            head, _, after = text.partition(mark)
            head = head.rpartition("}")[2]
            end = len(prompt) - len(after)
            assert prompt.endswith(after)
            start = prompt.rindex(head, 0, end) if turn == 2 else prompt.index(head)
            (first if turn == 1 else second)[question] = prompt[start + len(head) : end]
    return {question: (first[question], second[question]) for question in first}


def test_every_recorded_prompt_is_built_byte_for_byte(
    mirror: Path, mtbench: material.Material, data: DataStore
) -> None:
    """Two models' answers are published as files; the others' are taken from the recorded prompts themselves."""
    samples = {sample.id: sample for sample in data.samples(mtbench.task)}
    by_model: dict[str, dict[tuple[str, int], str]] = {}
    for row in judgments(mirror):
        by_model.setdefault(row["model"], {})[str(row["question_id"]), row["turn"]] = row["user_prompt"]
    built = 0
    folder = mirror / "mtbench" / "model_judgment" / "muhan421__fastchat-eval" / "model_answer"
    for model, recorded in by_model.items():
        file = folder / f"{model}.jsonl.gz"
        if file.exists():
            answers = {str(one["question_id"]): tuple(one["choices"][0]["turns"]) for one in rows(file)}
        else:
            answers = answers_in(mtbench.templates, recorded)
        assert len(answers) == 80
        for (question, turn), prompt in recorded.items():
            said = [
                Completion(sample=question, attempt=0, turn=number, prompt_sha256="", text=text)
                for number, text in enumerate(answers[question])
            ]
            calls = mtbench.calls(mtbench.case(samples[question], said))
            assert calls[turn - 1].messages[-1].content == prompt, (model, question, turn)
            built += 1
    assert built == 800


def test_every_recorded_judgment_is_read_as_recorded(mirror: Path, mtbench: material.Material) -> None:
    read = [
        (reading.rating(row["judgment"], mtbench.judge.reading.patterns), row["score"]) for row in judgments(mirror)
    ]
    assert len(read) == 800
    assert all(found == recorded for found, recorded in read)


def test_published_averages_follow(mirror: Path) -> None:
    found: dict[str, list[fastchat.Rating]] = {}
    for row in judgments(mirror):
        found.setdefault(row["model"], []).append(fastchat.Rating(turn=row["turn"], score=row["score"]))
    for model, average in AVERAGES.items():
        assert fastchat.single_means(found[model]).average == pytest.approx(average, abs=1e-12)
    turns = fastchat.single_means(found["vicuna-7b-v1.3"]).by_turn
    assert (round(turns[1], 3), round(turns[2], 3)) == (6.731, 5.475)


def test_invalid_rows_are_dropped_and_doubled_ones_count() -> None:
    given = [(1, 8.0), (1, 8.0), (1, -1), (2, 2.0)]
    means = fastchat.single_means([fastchat.Rating(turn=turn, score=score) for turn, score in given])
    assert (means.average, dict(means.by_turn), means.valid, means.invalid) == (6.0, {1: 8.0, 2: 2.0}, 3, 1)


@pytest.mark.parametrize("model", ["lmsys--vicuna-7b-v1.3", "gpt-3.5-turbo-0613", "WizardLM--WizardCoder-15B-V1.0"])
def test_fasteval_scores_and_categories_to_the_digit(
    mirror: Path, mtbench: material.Material, data: DataStore, model: str
) -> None:
    folder = mirror / "fasteval" / "mt-bench" / model
    with gzip.open(folder / "scores.json.gz", "rt") as stream:
        published = json.load(stream)
    category = {sample.id: sample.record["category"] for sample in data.samples(mtbench.task)}
    found = []
    for row in rows(folder / "judge-replies.json.gz"):
        score = reading.rating(row["judge_reply"], mtbench.judge.reading.patterns)
        turn = row["turn_number"] + 1
        found.append(
            fastchat.Rating(
                turn=turn, score=fastchat.INVALID if score is None else score, category=category[row["question_id"]]
            )
        )
    means = fastchat.single_means(found)
    assert means.average == pytest.approx(published["average"], abs=1e-12)
    assert means.by_turn[1] == pytest.approx(published["first_turn"], abs=1e-12)
    assert means.by_turn[2] == pytest.approx(published["second_turn"], abs=1e-12)
    assert means.by_category == pytest.approx(published["categories"], abs=1e-12)


# --- AlpacaEval ---

EVALUATORS = {
    "alpaca_eval_gpt4": "data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv",
    "weighted_alpaca_eval_gpt4_turbo": "data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv",
}
ANNOTATED = [(evaluator, model) for evaluator in EVALUATORS for model in ("claude-2", "phi-2", "wizardlm-13b")]


def annotations(mirror: Path, evaluator: str, model: str) -> list[Any]:
    return rows(mirror / "alpaca_eval" / "results" / model / evaluator / "annotations.json.gz")


@pytest.mark.parametrize(("evaluator", "model"), ANNOTATED)
def test_leaderboard_rows_follow_from_annotations(mirror: Path, evaluator: str, model: str) -> None:
    board = {row[""]: row for row in table(mirror / "alpaca_eval" / "leaderboards" / EVALUATORS[evaluator])}
    given = annotations(mirror, evaluator, model)
    found = alpaca.win_rate(row["preference"] for row in given)
    published = board[model]
    for name in ("win_rate", "standard_error", "discrete_win_rate"):
        assert getattr(found, name) == pytest.approx(float(published[name]), abs=1e-8), name
    for name in ("n_wins", "n_wins_base", "n_draws", "n_total"):
        assert getattr(found, name) == int(published[name]), name
    length = alpaca.average_length([row["output_2"] for row in given], 805)
    assert length == int(published["avg_length"])


@pytest.mark.parametrize("model", ["claude-2", "phi-2", "wizardlm-13b"])
def test_preferences_follow_from_raw_logprobs_in_every_row(mirror: Path, model: str) -> None:
    checked = 0
    for row in annotations(mirror, "weighted_alpaca_eval_gpt4_turbo", model):
        if row.get("raw_completion") is None:  # the two outputs are the same text
            assert row["output_1"] == row["output_2"]
            continue
        listed = row["raw_completion"]["logprobs"]["content"][0]["top_logprobs"]
        shown = reading.token_preference({one["token"]: one["logprob"] for one in listed}, "m", "M")
        assert shown is not None
        preference = 3 - shown if build.switched(row["instruction"]) else shown
        assert preference == pytest.approx(row["preference"], abs=1e-6)
        checked += 1
    assert checked > 790


def test_406_of_805_pairs_are_switched(catalog: Catalog, data: DataStore) -> None:
    samples = data.samples(catalog.task("alpaca-eval/gpt4"))
    assert sum(build.switched(sample.record["instruction"]) for sample in samples) == 406


@pytest.mark.parametrize("judge", ["alpaca-eval/gpt4", "alpaca-eval/weighted-gpt4-turbo"])
def test_the_baseline_is_the_annotations_own(mirror: Path, catalog: Catalog, data: DataStore, judge: str) -> None:
    task = catalog.task(judge)
    samples = data.samples(task)
    loaded = material.load(catalog.judge(judge), task, samples, data)
    evaluator = catalog.judge(judge).aliases[0]
    for sample, row in zip(samples, annotations(mirror, evaluator, "wizardlm-13b"), strict=True):
        assert loaded.baseline[sample.id] == (row["output_1"],)
        assert sample.record["instruction"] == row["instruction"]


@pytest.fixture(scope="module")
def difficulty(mirror: Path) -> list[float]:
    found = table(mirror / "alpaca_eval" / "derived" / "instruction_difficulty_recovered.csv")
    return [float(row["instruction_difficulty"]) for row in found]


@pytest.fixture(scope="module")
def gamed(mirror: Path) -> length_control.Gamed:
    return length_control.gamed_rows(table(mirror / "alpaca_eval" / "oracle" / "df_gamed_surrogate.csv"))


def lengths(given: list[Any]) -> tuple[list[int], list[int]]:
    return [len(row["output_1"]) for row in given], [len(row["output_2"]) for row in given]


@pytest.mark.parametrize(("evaluator", "model"), ANNOTATED)
def test_length_controlled_rates_equal_the_oracle_at_its_c(
    mirror: Path, difficulty: list[float], gamed: length_control.Gamed, evaluator: str, model: str
) -> None:
    oracle = {
        row["model"]: row
        for row in table(mirror / "alpaca_eval" / "oracle" / "oracle_alpaca.csv")
        if row["evaluator"] == evaluator
    }[model]
    given = annotations(mirror, evaluator, model)
    preferences = [row["preference"] for row in given]
    fit = length_control.length_controlled(
        preferences, *lengths(given), difficulty, gamed, C=float(oracle["C_of_published_lc"])
    )
    assert fit.win_rate == pytest.approx(float(oracle["lc_at_that_C"]), abs=1e-6)
    assert fit.win_rate == pytest.approx(float(oracle["pub_lc"]), abs=1e-6)
    assert fit.standard_error == pytest.approx(float(oracle["lc_se_at_that_C"]), abs=1e-6)


def test_stable_folds_do_not_depend_on_anything_but_the_rows(
    mirror: Path, difficulty: list[float], gamed: length_control.Gamed
) -> None:
    given = annotations(mirror, "weighted_alpaca_eval_gpt4_turbo", "wizardlm-13b")
    preferences = [row["preference"] for row in given]
    found = {length_control.length_controlled(preferences, *lengths(given), difficulty, gamed) for _ in range(2)}
    assert len(found) == 1
    assert abs(found.pop().win_rate - 9.82815) < 0.15


@pytest.mark.parametrize(
    ("evaluator", "known"),
    [
        ("weighted_alpaca_eval_gpt4_turbo", {"NullModel", "dbrx-instruct"}),
        ("claude_3_opus_ranking", set()),
        ("mistral-large-2402_ranking", set()),
    ],
)
def test_published_length_controlled_rows_follow_from_published_weights(
    mirror: Path, difficulty: list[float], evaluator: str, known: set[str]
) -> None:
    folder = mirror / "alpaca_eval"
    board = {
        row[""]: row for row in table(folder / "leaderboards" / "data_AlpacaEval_2" / f"{evaluator}_leaderboard.csv")
    }
    weights = table(
        folder / "metrics" / "weights" / evaluator / "length_controlled_v1" / "baseline_gpt4_1106_preview.csv"
    )
    off, checked = set(), 0
    for row in weights:
        if row[""] not in board:
            continue
        hard, own = float(row["instruction_difficulty"]), float(row["not_gamed_baseline.astype(float)"])
        published = float(board[row[""]]["length_controlled_winrate"])
        # Files that lost rows were averaged over the first positions.
        near = min(
            abs(length_control.from_weights(hard, own, difficulty[:count]) - published) for count in range(798, 806)
        )
        checked += 1
        if near > 1e-6:
            off.add(row[""])
    assert off == known
    assert checked >= 6


# --- Evol-Instruct and Vicuna-80: two-number reviews in both orders ---


@pytest.mark.parametrize(
    ("file", "size", "sums", "record", "contradictions"),
    [
        ("wizardlm_wrap_reviews_gpt3.5.json.gz", 218, (1780.0, 1775.0), (50, 135, 33), 128),
        ("vicuna_wrap_reviews_gpt4.json.gz", 80, (633.25, 605.5), (44, 15, 21), 12),
    ],
)
def test_reviews_in_both_orders(
    mirror: Path,
    file: str,
    size: int,
    sums: tuple[float, float],
    record: tuple[int, int, int],
    contradictions: int,
) -> None:
    from harness.formats.fastchat import read_judgments

    found = read_judgments(mirror / "evol_instruct" / "cherry_vs_alpaca" / file)
    assert len(found) == 2 * size
    assert all(list(reading.two_scores(one.reply) or ()) == one.recorded for one in found)
    pairs: dict[str, list[tuple[float, float]]] = {}
    for one in found:
        first, second = reading.two_scores(one.reply) or (0.0, 0.0)
        pairs.setdefault(one.sample, []).append((first, second) if one.order == "ab" else (second, first))
    reviews = [relative.Review(sample=sample, scores=tuple(scores)) for sample, scores in pairs.items()]
    total = relative.relative(reviews)
    assert (total.candidate, total.reference) == sums
    assert (total.win, total.tie, total.lose) == record
    assert sum(relative.contradicts(review.scores) for review in reviews) == contradictions


def test_skills_and_difficulties_add_up(mirror: Path, catalog: Catalog, data: DataStore) -> None:
    from harness.formats.fastchat import read_judgments

    file = mirror / "evol_instruct" / "cherry_vs_alpaca" / "wizardlm_wrap_reviews_gpt3.5.json.gz"
    slices = {
        sample.id: {"Skill": sample.record["Skill"], "Difficulty": str(sample.record["Difficulty"])}
        for sample in data.samples(catalog.task("evol-instruct/review"))
    }
    reviews = [
        relative.Review(
            sample=one.sample, scores=(reading.two_scores(one.reply) or (0.0, 0.0),), slices=slices[one.sample]
        )
        for one in read_judgments(file)
        if one.order == "ab"
    ]
    total = relative.relative(reviews)
    skills = {name: relative.relative(some) for name, some in relative.parts(reviews, "Skill").items()}
    assert (total.candidate, total.reference) == (1743.0, 1807.0)
    assert len(skills) == 29
    assert sum(one.candidate for one in skills.values()) == total.candidate
    levels = relative.parts(reviews, "Difficulty")
    assert list(levels) == [*map(str, range(1, 11)), ">=8"]
    assert len(levels[">=8"]) == 63
    assert total.percent == pytest.approx(100 * 1743 / 1807)  # weighted by questions, not the mean of the skills
    mean_of_skills = sum(one.percent or 0 for one in skills.values()) / 29
    assert abs(mean_of_skills - (total.percent or 0)) > 0.1


# --- people ---


def test_human_agreement_by_fastchats_definition(mirror: Path) -> None:
    folder = mirror / "mtbench" / "human_judgments"
    human, judge = read_votes(folder / "human.jsonl.gz"), read_votes(folder / "gpt4_pair.jsonl.gz")
    for turn, with_ties, n, without, m in ((1, 65.97, 1343, 84.63, 859), (2, 65.74, 1325, 84.61, 864)):
        found = fastchat.agreement(fastchat.experts(human), judge, turn=turn)
        assert (round(100 * (found.with_ties or 0), 2), found.n_with_ties) == (with_ties, n)
        assert (round(100 * (found.without_ties or 0), 2), found.n_without_ties) == (without, m)


def test_a_pair_of_games_that_disagree_is_a_tie() -> None:
    games = [("a", "b", "model_1", "model_1"), ("a", "b", "model_1", "model_2"), ("a", "b", "error", "model_1")]
    found = fastchat.pairwise(games)  # type: ignore[arg-type]
    assert found["a"] == fastchat.Record(win=1, loss=0, tie=1)
    assert found["b"].win_rate_adjusted == 0.25


def test_chatml_prompts_become_messages(catalog: Catalog, data: DataStore) -> None:
    task = catalog.task("alpaca-eval/weighted-gpt4-turbo")
    samples = data.samples(task)
    loaded = material.load(catalog.judge(task.name), task, samples, data)
    pick = random.Random(0).choice(samples)
    said = Completion(sample=pick.id, attempt=0, turn=0, prompt_sha256="", text="An answer")
    [call] = loaded.calls(loaded.case(pick, [said]))
    system, user = call.messages
    assert isinstance(system, Message)
    assert (system.role, user.role) == ("system", "user")
    assert "<|im_start|>" not in system.content + user.content
    ours, theirs = user.content.index("An answer"), user.content.index(loaded.baseline[pick.id][0])
    assert (ours > theirs) == call.candidate_second


# --- prompts nobody recorded: filled as their authors' own code fills them ---


@pytest.mark.parametrize("name", ["alpaca-eval/gpt4", "alpaca-eval/weighted-gpt4-turbo"])
def test_alpaca_evals_prompts_as_its_own_code_fills_them(catalog: Catalog, data: DataStore, name: str) -> None:
    """Replaced one after the other, stripped, parted at the ChatML marks: tatsu-lab/alpaca_eval@cd543a1 utils.py."""
    task, judge = catalog.task(name), catalog.judge(name)
    samples = data.samples(task)
    loaded = material.load(judge, task, samples, data)
    [text] = [data.records(pin)[0]["text"] for pin in judge.texts.values()]
    for sample in samples:
        [baseline] = loaded.baseline[sample.id]
        answer = f"Answer {sample.id}, with {{braces}} and\nlines. "
        said = Completion(sample=sample.id, attempt=0, turn=0, prompt_sha256="", text=answer)
        case = loaded.case(sample, [said])
        [call] = loaded.calls(case)
        outputs = [baseline, case.answers[0]]
        if build.switched(sample.record["instruction"]):
            outputs.reverse()
        filled = text.replace("{instruction}", sample.record["instruction"], 1)
        for number, output in enumerate(outputs, 1):
            filled = filled.replace(f"{{output_{number}}}", output, 1)
        parts = [part.partition("\n") for part in filled.strip().split("<|im_start|>")[1:]]
        expected = [(role.strip(), rest.partition("<|im_end|>")[0].strip()) for role, _, rest in parts]
        assert [(one.role, one.content.strip()) for one in call.messages] == expected, sample.id


@pytest.mark.parametrize("name", ["evol-instruct/review-both-orders", "vicuna-80/review", "mt-bench/pair-v2"])
def test_fastchats_prompts_as_its_own_code_fills_them(
    mirror: Path, catalog: Catalog, data: DataStore, tmp_path: Path, name: str
) -> None:
    """``str.format`` on the pinned rows: lm-sys/FastChat@69d085e eval_gpt_review.py, @0e6d3e4 llm_judge/common.py."""
    judge = catalog.judge(name)
    task = next(catalog.task(one) for one in catalog.tasks() if one.partition("/")[0] == name.partition("/")[0])
    samples = data.samples(task)
    turns = len(task.prompt.turns)
    other = tmp_path / "other.jsonl"
    lines = [
        {"sample": one.id, "turn": turn, "text": f"b {turn} {{x}}", "stage": "reply"}
        for one in samples
        for turn in range(turns)
    ]
    other.write_text("".join(json.dumps(line) + "\n" for line in lines))
    loaded = material.load(judge, task, samples, data, baseline=other)
    pinned = {row.get("name", row.get("prompt_id")): row for pin in judge.texts.values() for row in data.records(pin)}
    for sample in samples:
        said = [
            Completion(sample=sample.id, attempt=0, turn=turn, prompt_sha256="", text=f"a {turn} {{answer_b}}")
            for turn in range(turns)
        ]
        case = loaded.case(sample, said)
        for call in loaded.calls(case):
            where = build.choose(judge, call.turn, case.category).where
            row = pinned[where.get("name", where.get("prompt_id"))]
            one, two = (case.baseline, case.answers) if call.candidate_second else (case.answers, case.baseline)
            values = {"question": case.questions[call.turn], **row.get("defaults", {})}
            for side, letter, answers in ((1, "a", one), (2, "b", two)):
                values |= {f"answer_{side}": answers[call.turn], f"answer_{letter}": answers[call.turn]}
                values |= {f"answer_{letter}_{turn + 1}": text for turn, text in enumerate(answers)}
            values |= {f"question_{turn + 1}": text for turn, text in enumerate(case.questions)}
            values |= {f"ref_answer_{turn + 1}": text for turn, text in enumerate(case.references)}
            expected = [row["system_prompt"], row["prompt_template"].format(**values)]
            assert [message.content for message in call.messages] == expected, (sample.id, call.turn, call.order)
