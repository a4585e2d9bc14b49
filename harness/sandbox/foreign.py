"""A foreign program that executes untrusted code in its own way: as a whole in namespaces, by bubblewrap.

Weaker than the jail of a worker: no network, no file but those named, no environment, processes that end with it; but
no filter of system calls, no limits, and the tested code shares the jail with the program that judges it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from harness.errors import SandboxError
from harness.sandbox import bwrap

_LINE: Final = 1 << 16
_SYSTEM: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")


async def start(
    command: Sequence[str], read: Iterable[str], env: Mapping[str, str], *, unsafe: bool
) -> tuple[asyncio.subprocess.Process, str]:
    """Start a program with pipes for its input and output; its messages go nowhere.

    Args:
        command: Its executable, by its real path, and arguments.
        read: Files and folders that it needs, beside the executable and the system's libraries.
        env: The whole environment, beside those that name the scratch folder.
        unsafe: Start it without walls where there is no bubblewrap.

    Returns:
        The process, and the level: ``namespaces`` or ``unsafe``.

    Raises:
        SandboxError: There is no bubblewrap, and ``unsafe`` is not set; or the program cannot be started.
    """
    program = bwrap.installed()
    if program is None and not unsafe:
        raise SandboxError(
            "a program that executes model-written code by itself needs bubblewrap, which is not installed",
            "install the package bubblewrap, or accept the risk with --unsafe-exec",
            code="no-jail",
        )
    level, environment = "unsafe", dict(env)
    if program is not None:
        level, environment = "namespaces", {**env, "HOME": bwrap.SCRATCH, "TMPDIR": bwrap.SCRATCH}
        bound = [*_SYSTEM, *(path for path in read if not path.startswith(_SYSTEM))]
        command = bwrap.command(program, command, bound, user_namespace=True, shared_memory=True)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=environment,
            limit=_LINE,
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"{command[0]} cannot be started: {error.strerror}", "check the command") from error
    return process, level


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a program and, in its namespace, all that it started; without one, its process group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
