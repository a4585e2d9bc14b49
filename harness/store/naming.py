"""Where a cell lives below the root, for any model name a server can make up."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_LONGEST = 100


def cell_path(root: Path, model: str, task: str, ask_id: str) -> Path:
    """Name a cell's folder: ``root/<model>/<benchmark>/<protocol>/<ask8>``.

    Args:
        root: The runs folder.
        model: The model's name; any text.
        task: ``benchmark/protocol``.
        ask_id: The identity of what is asked, a hex digest.
    """
    benchmark, _, protocol = task.partition("/")
    return root / safe_name(model) / safe_name(benchmark) / safe_name(protocol or "task") / safe_name(ask_id[:8])


def safe_name(name: str) -> str:
    """Make one path component of any text.

    Letters, digits and ``. _ - + = @`` stay. A name that had to change ends in a digest of the original, so that two
    names never meet in one folder.
    """
    plain = re.sub(r"[^A-Za-z0-9._+=@-]", "_", name).lstrip(".-")[:_LONGEST]
    if plain == name and plain:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest
