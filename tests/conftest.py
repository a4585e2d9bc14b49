"""Fixtures that tests of several packages use."""

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.engines.vllm_fixture"]

REPOSITORY = Path(__file__).resolve().parents[1]

# A shell's background job ignores SIGINT, and so would every process that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def mirror() -> Path:
    """A folder of published benchmark data: HARNESS_TEST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("HARNESS_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no mirror of benchmark data at {folder}; name one with HARNESS_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the user's settings or writes in the user's cache or another test's."""
    for name in ("HARNESS_RUNS", "HARNESS_DATA_DIR", "HARNESS_ENDPOINT_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
