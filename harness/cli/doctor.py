"""``harness doctor``: what this machine can do, and what to install for the rest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, session

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.cli.failures import Failure
    from harness.datasets import DataStore
    from harness.sandbox.attacks import Finding

DISTRIBUTION = "wizard-harness"
KEYS = ("HARNESS_ENDPOINT_KEY", "OPENAI_API_KEY")
"""Environment variables that engines read; only whether they are set is ever shown."""

_ENGINE_KEY = {"openai": "OPENAI_API_KEY"}
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)")
_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"]")

Facts = dict[str, object]


@click.command(short_help="What this machine can do, and what to install for the rest.")
@click.option("--quick", is_flag=True, help="Do not try the table of attacks on the sandbox.")
@options.data
@options.as_json
def doctor(*, quick: bool, catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool, as_json: bool) -> int:
    """Say what this machine can do: Python, sandbox, engines, data, keys; and what to install for the rest.

    A table of attacks is tried on the sandbox, on this very machine; where one gets through, the exit code is 1.
    """
    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    found = examine(catalog, data, attacks=not quick)
    failure = _leak(found["sandbox"])
    code = failure.exit_code if failure else 0
    if as_json:
        from harness.cli.output import document, print_document

        print_document(document((), code, failure, **found))
    else:
        for line in _lines(found):
            session.say(line)
        _print_attacks(found["sandbox"])
    if failure:
        session.say(failure.line, err=True)
    return code


def examine(catalog: Catalog, data: DataStore, *, attacks: bool = True) -> dict[str, Facts]:
    """Look at everything the doctor reports; nothing is downloaded and no key's value is kept."""
    return {
        "machine": _machine(),
        "sandbox": _sandbox(attacks=attacks),
        "engines": _engines(),
        "data": _data(catalog, data),
        "keys": {name: bool(os.environ.get(name)) for name in KEYS},
        "extras": {extra: _missing(names) for extra, names in extras().items()},
    }


def extras() -> dict[str, list[str]]:
    """The extras of this distribution, each with the names of its packages."""
    from importlib import metadata

    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:  # run from a source folder that was never installed
        return {}
    found: dict[str, list[str]] = {extra: [] for extra in about.get_all("Provides-Extra") or ()}
    for requirement in about.get_all("Requires-Dist") or ():
        extra, name = _EXTRA.search(requirement), _REQUIREMENT.match(requirement)
        if extra and name:
            found.setdefault(extra["extra"], []).append(name["name"])
    return found


def _machine() -> Facts:
    import platform

    from harness import __version__

    return {
        "harness": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _sandbox(*, attacks: bool) -> Facts:
    from harness import sandbox

    found = sandbox.probe()
    tried = _attacks() if attacks and found.level is not None else []
    return {"level": found.level, "reason": found.reason, "facts": dict(found.facts), "attacks": tried}


def _attacks() -> list[Finding]:
    """Try the table of attacks at the level in use; a sandbox that breaks under it did not hold."""
    import asyncio

    from harness.errors import HarnessError
    from harness.sandbox import Sandbox
    from harness.sandbox.attacks import Finding, Place, try_attacks

    async def attempt() -> list[Finding]:
        with Place() as place:
            async with Sandbox(workers=2) as sandbox:
                return await try_attacks(sandbox, place)

    try:
        return asyncio.run(attempt())
    except (HarnessError, OSError) as error:
        broken = f"the table could not be tried to its end: {error}"
        return [Finding(attack="(all)", category="escape", tried="the whole table", held=False, detail=broken)]


def _leak(jail: Facts) -> Failure | None:
    """What to say, and how to end, when an attack got through."""
    from harness.cli.failures import explain
    from harness.errors import SandboxError

    through = [finding for finding in _findings(jail) if not finding.held]
    if not through:
        return None
    said = "; ".join(f"{finding.attack}: {finding.detail}" for finding in through)
    return explain(
        SandboxError(
            f"{len(through)} of {len(_findings(jail))} attacks got through the sandbox (level {jail['level']}): {said}",
            "run no untrusted code on this machine; update the kernel, install bubblewrap, and report this table",
            code="leak",
        )
    )


def _findings(jail: Facts) -> list[Finding]:
    found = jail["attacks"]
    return found if isinstance(found, list) else []


def _print_attacks(jail: Facts) -> None:
    found = _findings(jail)
    if not found:
        return
    session.say(f"attacks on the sandbox, tried now at level {jail['level']}")
    rows = [
        (finding.category, finding.attack, finding.tried, "held" if finding.held else "GOT THROUGH", finding.detail)
        for finding in found
    ]
    session.print_table(("kind", "attack", "tried", "held", "how it ended"), rows)


def _engines() -> Facts:
    from harness.catalog import registry
    from harness.engines import ENGINES
    from harness.errors import HarnessError

    engines = registry("harness.engines", ENGINES)
    states: Facts = {}
    for name in engines.names():
        try:
            engines.load(name)
        except (HarnessError, ImportError) as error:
            states[name] = f"cannot be loaded: {error}"
            continue
        if name == "vllm":
            states[name] = _vllm()
            continue
        key = _ENGINE_KEY.get(name)
        states[name] = f"needs {key} in the environment" if key and not os.environ.get(key) else "ready"
    return states


def _vllm() -> str:
    """Which command would serve a checkpoint."""
    from harness.engines.vllm.launch import program_of
    from harness.engines.vllm.options import VllmOptions
    from harness.errors import HarnessError

    try:
        return f"ready: {' '.join(program_of(VllmOptions(command=os.environ.get('HARNESS_VLLM_COMMAND') or None)))}"
    except HarnessError as error:
        return str(error)


def _data(catalog: Catalog, data: DataStore) -> Facts:
    from harness.errors import HarnessError

    states: Facts = {}
    for name in catalog.tasks():
        try:
            task = catalog.task(name)
        except HarnessError as error:
            states[name] = f"broken: {error}"
            continue
        sources = [data.locate(pin) for pin in (task.dataset, *task.texts.values())]
        lacking = any(source is None for source in sources)
        states[name] = f"missing; run harness data fetch {name}" if lacking else ", ".join(filter(None, sources))
    return states


def _missing(names: list[str]) -> list[str]:
    from importlib import metadata

    lacking = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            lacking.append(name)
    return lacking


def _lines(found: Mapping[str, Facts]) -> Iterator[str]:
    machine, jail = found["machine"], found["sandbox"]
    yield (
        f"harness {machine['harness']}, Python {machine['python']}, {machine['system']} {machine['kernel']}, "
        f"{machine['cores']} cores"
    )
    level = jail["level"]
    if level:
        yield f"sandbox   {level}" + (f" ({jail['reason']})" if jail["reason"] else "")
    else:
        yield f"sandbox   none: {jail['reason']}; code is refused unless --unsafe-exec"
    facts = jail["facts"]
    if isinstance(facts, Mapping):
        yield from (f"  {name}: {value}" for name, value in facts.items())
    yield "engines"
    yield from (f"  {name}: {state}" for name, state in found["engines"].items())
    yield "data"
    yield from (f"  {name}: {state}" for name, state in found["data"].items())
    yield "keys"
    yield from (f"  {name}: {'set' if present else 'not set'}" for name, present in found["keys"].items())
    yield "extras"
    for extra, lacking in found["extras"].items():
        names = ", ".join(lacking) if isinstance(lacking, list) else ""
        yield f"  {extra}: " + (f"pip install '{DISTRIBUTION}[{extra}]' brings {names}" if names else "installed")
