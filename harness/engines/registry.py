"""From what follows ``--model`` to an engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.errors import HarnessError, UsageError
from harness.redaction import redact_url

if TYPE_CHECKING:
    from harness.engines import Engine, EngineOptions

ENGINES: Mapping[str, str] = {
    "http": "harness.engines.endpoint:Endpoint",
    "https": "harness.engines.endpoint:Endpoint",
    "openai": "harness.engines.openai:OpenAI",
    "replay": "harness.engines.replay:Replay",
    "vllm": "harness.engines.vllm.engine:Vllm",
    "reference": "harness.engines.reference:Reference",
    "reference-with-faults": "harness.engines.reference:ReferenceWithFaults",
}
"""Scheme -> ``module:attr`` of a class called with ``(target, options)``; plug-ins (entry points ``harness.engines``)
likewise. The target is what follows ``scheme:``; for http and https the whole URL."""

_BARE = frozenset({"reference", "reference-with-faults"})
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")
_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-fA-F:]+\]):\d+(/.*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*")
_FORMS = (
    "write http://HOST:PORT/v1#NAME, a checkpoint's path or hub id, openai:NAME, replay:PATH, reference or "
    "reference-with-faults"
)


def open_engine(model: str, options: EngineOptions) -> Engine:
    """Make the engine that ``model`` means; nothing is contacted before it is entered.

    Args:
        model: A checkpoint's path or hub id, ``http(s)://host/v1#served``, ``openai:NAME``, ``replay:PATH``,
            ``reference``, ``reference-with-faults`` or a plug-in's ``scheme:rest``.
        options: What the command line says about engines.

    Raises:
        UsageError: Nothing of these, or the engine refuses target or options.
        HarnessError: A plug-in cannot be loaded.
    """
    from harness.catalog import registry

    engines = registry("harness.engines", ENGINES)
    scheme, target = _split(model, engines.names())
    build = engines.load(scheme)
    try:
        engine = build(target, options)
    except HarnessError:
        raise
    except Exception as error:
        distribution = engines.distribution(scheme)
        if distribution is None:
            raise
        raise HarnessError(
            f"{distribution}: its engine '{scheme}' cannot be made: {type(error).__name__}: {error}",
            "repair or uninstall this distribution",
            code="plugin",
        ) from error
    return cast("Engine", engine)


def _split(model: str, names: tuple[str, ...]) -> tuple[str, str]:
    """Scheme and target of ``model``; raises as `open_engine`."""
    if model in names and (model in _BARE or model not in ENGINES):
        return model, ""
    scheme, colon, rest = model.partition(":")
    if scheme in ("http", "https") and rest.startswith("//"):
        return scheme, model
    if colon and scheme in names and scheme not in ("http", "https"):
        return scheme, rest
    if is_checkpoint(model):
        return "vllm", model
    raise _unknown(model, names)


def is_checkpoint(model: str) -> bool:
    """Whether ``--model`` means a checkpoint that we serve: ``vllm:...``, a folder, or a hub id."""
    if model.startswith("vllm:"):
        return True
    if not model.strip():
        return False
    path = Path(model).expanduser()
    if _exists(path):
        return path.is_dir() and not (path / "completions.jsonl").is_file()
    return model.startswith((".", "/", "~")) or _HUB_ID.fullmatch(model) is not None


def _unknown(model: str, names: tuple[str, ...]) -> HarnessError:
    """What to say of a ``--model`` that no engine takes."""
    if not model.strip():
        return UsageError("--model is empty", _FORMS)
    shown = redact_url(model)
    if _HOST.fullmatch(model.partition("#")[0]):
        return UsageError(f"--model {shown}: not a URL", f"write http://{shown}")
    path = Path(model).expanduser()
    if _exists(path):
        return UsageError(f"--model {model}: is a file of completions or a cell, not a model", f"write replay:{model}")
    if model.endswith((".jsonl", ".json", ".gz")) and ":" not in model:
        return UsageError(f"--model {model}: no such file", f"check the path; a file of completions is replay:{model}")
    scheme = model.partition(":")[0]
    if _SCHEME.fullmatch(scheme):
        from harness.spelling import suggestion

        return UsageError(f"--model {shown}: unknown engine '{scheme}'; {suggestion(scheme, names)}", _FORMS)
    return UsageError(f"--model {shown}: no engine takes this", _FORMS)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or a null byte: no path, whatever else it is
        return False
