"""The answer to "what can this machine do?"."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.sandbox import bwrap
from harness.sandbox.inside import jail
from harness.sandbox.pool import Sandbox


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox can do on this machine.

    Attributes:
        level: ``bwrap`` or ``landlock``, or None where untrusted code is refused.
        reason: Why it is refused, or why a better level is not used; empty where it is the best.
        facts: Kernel, architecture, Landlock version.
    """

    level: str | None
    reason: str
    facts: Mapping[str, Any]


def probe() -> Probe:
    """Start one worker, set the canary on it, and say what holds."""
    facts = {"kernel": platform.release(), "machine": platform.machine(), "landlock_abi": jail.landlock_abi()}

    async def attempt() -> Probe:
        async with Sandbox(workers=1) as sandbox:
            missing = [] if sandbox.level == "bwrap" or bwrap.installed() else ["bwrap: bubblewrap is not installed"]
            return Probe(level=sandbox.level, reason="; ".join(missing + sandbox.refusals), facts=facts)

    try:
        return asyncio.run(attempt())
    except HarnessError as error:
        return Probe(level=None, reason=str(error), facts=facts)
