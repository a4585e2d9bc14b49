from pathlib import Path

import pytest

from harness.datasets import default_cache, mirrors_from_environment
from harness.errors import DataError


def test_the_cache_by_precedence(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "own"
    monkeypatch.setenv("HARNESS_CACHE", "")
    assert default_cache() == tmp_path / "xdg" / "wizard-harness"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache() == tmp_path / "home" / ".cache" / "wizard-harness"
    monkeypatch.setenv("HARNESS_CACHE", "~/c")
    assert default_cache() == tmp_path / "home" / "c"


def test_no_home_folder_is_said(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HARNESS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(DataError, match="HARNESS_CACHE"):
        default_cache()


def test_mirrors_by_precedence(monkeypatch):
    assert mirrors_from_environment(None) == []
    monkeypatch.setenv("HARNESS_DATA_DIR", "/a::/b:/a")
    assert mirrors_from_environment(None) == [Path("/a"), Path("/b")]
    assert mirrors_from_environment(Path("/c")) == [Path("/c"), Path("/a"), Path("/b")]
