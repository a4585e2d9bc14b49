"""Formats: readers of files that peers write. Completions that exist already become one shape, `Replay`."""

from __future__ import annotations

from harness.formats.completions import cell_model, read_completions
from harness.formats.folder import holds_programs
from harness.formats.replay import Form, Replay, ReplayRow

__all__ = ["Form", "Replay", "ReplayRow", "cell_model", "holds_programs", "read_completions"]
