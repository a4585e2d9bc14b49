from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.catalog import Catalog, PluginError, registry
from harness.errors import HarnessError, UsageError

Install = Callable[..., None]

BUILTIN = {"ordered": "collections:OrderedDict", "fraction": "fractions:Fraction"}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its entry points (group -> {name: value}) and its only module's text."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(name: str, points: dict[str, dict[str, str]], module: str = "") -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "\n".join(
                f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in entries.items())
                for group, entries in points.items()
            )
        )
        (tmp_path / f"{name}_module.py").write_text(module)

    yield install
    for module in set(sys.modules) - before:
        if module.endswith("_module"):
            del sys.modules[module]


def test_builtin_names_load_when_used() -> None:
    found = registry("harness.scorers.of.nobody", BUILTIN)
    assert found.names() == ("fraction", "ordered")
    assert found.load("fraction").__name__ == "Fraction"
    assert found.distribution("fraction") is None
    assert "fraction" in found
    assert "x" not in found


def test_plugins_join_the_builtin_names(install: Install) -> None:
    install("mine", {"harness.scorers": {"half": "mine_module:Half"}}, "class Half: ...")
    found = registry("harness.scorers", BUILTIN)
    assert {"half", "fraction", "ordered"} <= set(found.names())
    assert "mine_module" not in sys.modules
    assert found.load("half").__name__ == "Half"
    assert found.distribution("half") == "mine==1.0"


def test_an_unknown_name_gets_the_nearest() -> None:
    found = registry("harness.scorers", BUILTIN)
    for method in (found.load, found.distribution):
        with pytest.raises(UsageError, match=r"unknown scorer 'fracton'; did you mean 'fraction'\?"):
            method("fracton")
    with pytest.raises(UsageError, match="unknown engine"):
        registry("harness.engines", BUILTIN).load("")


@pytest.mark.parametrize(
    ("value", "module", "cause"),
    [
        ("mine_module:Gone", "", "AttributeError: "),
        ("mine_modul:X", "", "ModuleNotFoundError: No module named 'mine_modul'"),
        ("mine_module:X", "import nothing_of_the_sort", "ModuleNotFoundError: "),
        ("mine_module:X", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("mine_module:X", "this is no python", "SyntaxError: "),
    ],
)
def test_a_broken_plugin_is_named(install: Install, value: str, module: str, cause: str) -> None:
    install("mine", {"harness.scorers": {"half": value}}, module)
    found = registry("harness.scorers", BUILTIN)
    assert "half" in found.names()
    with pytest.raises(PluginError) as caught:
        found.load("half")
    assert isinstance(caught.value, HarnessError)
    assert caught.value.message.startswith("mine==1.0: its harness.scorers entry point 'half' (")
    assert cause in caught.value.message
    assert caught.value.exit_code == 1
    assert found.load("fraction")


def test_nobody_takes_a_name_of_ours(install: Install) -> None:
    install("mine", {"harness.scorers": {"fraction": "mine_module:X"}}, "X = 1")
    found = registry("harness.scorers", BUILTIN)
    for method in (found.load, found.distribution):
        with pytest.raises(PluginError, match=r"mine==1\.0: brings 'fraction' to harness\.scorers, which is a name of"):
            method("fraction")


def test_two_plugins_with_one_name_are_both_named(install: Install) -> None:
    install("mine", {"harness.scorers": {"half": "mine_module:X"}}, "X = 1")
    install("yours", {"harness.scorers": {"half": "yours_module:X"}}, "X = 2")
    with pytest.raises(PluginError, match=r"mine==1\.0 and yours==1\.0: all bring 'half'"):
        registry("harness.scorers", BUILTIN).load("half")


# --- catalogs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module",
    [
        "from pathlib import Path\nCATALOG = Path({folder!r})",
        "CATALOG = {folder!r}",
        "from pathlib import Path\ndef CATALOG():\n    return Path({folder!r})",
    ],
    ids=["path", "string", "function"],
)
def test_a_catalog_is_a_path_a_string_or_a_function(
    install: Install, folder: Path, module: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    install("mine", {"harness.catalog": {"mine": "mine_module:CATALOG"}}, module.format(folder=str(folder)))
    catalog = Catalog.load()
    assert catalog.problems() == ()
    assert catalog.task("sums/plain").name == "sums/plain"


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        ("CATALOG = 3", "TypeError: 'mine_module:CATALOG' is no path of a folder but of type int"),
        ("CATALOG = '/nowhere/at/all'", "does not exist"),
        ("def CATALOG():\n    raise OSError('unplugged')", "OSError: unplugged"),
        ("def CATALOG(x):\n    return x", "TypeError: "),
        ("raise ValueError('bad day')", "ValueError: bad day"),
    ],
)
def test_a_broken_catalog_plugin_breaks_no_other(install: Install, module: str, cause: str) -> None:
    install("mine", {"harness.catalog": {"mine": "mine_module:CATALOG"}}, module)
    catalog = Catalog.load()
    assert catalog.task("humaneval/zero-shot")
    (problem,) = catalog.problems()
    assert isinstance(problem, PluginError)
    assert problem.message.startswith("mine==1.0: its harness.catalog entry point 'mine'")
    assert cause in problem.message
    with pytest.raises(UsageError, match=r"unknown task 'mine/task'.*not loaded: mine==1\.0"):
        catalog.task("mine/task")


def test_a_plugin_cannot_take_a_task_of_ours(install: Install, tmp_path: Path, task_text: str) -> None:
    (tmp_path / "own" / "tasks" / "humaneval").mkdir(parents=True)
    (tmp_path / "own" / "tasks" / "humaneval" / "zero-shot.toml").write_text(task_text)
    install("mine", {"harness.catalog": {"mine": "mine_module:CATALOG"}}, f"CATALOG = {str(tmp_path / 'own')!r}")
    with pytest.raises(UsageError, match="task 'humaneval/zero-shot' is defined twice: "):
        Catalog.load()
