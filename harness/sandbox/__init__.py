"""The sandbox: the only place that starts untrusted code. `docs/sandbox.md` says what it holds and what it does not."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sandbox.calculator import Calculator
    from harness.sandbox.computation import Computation, Computed, Result
    from harness.sandbox.pool import Sandbox
    from harness.sandbox.probing import Probe, probe
    from harness.sandbox.trial import Calls, Limits, Outcome, Trial

__all__ = [
    "Calculator",
    "Calls",
    "Computation",
    "Computed",
    "Limits",
    "Outcome",
    "Probe",
    "Result",
    "Sandbox",
    "Trial",
    "probe",
]

# Lazy, because the zygote imports this package too and must stay small.
_HOMES = {
    "Calculator": "calculator",
    "Computation": "computation",
    "Computed": "computation",
    "Calls": "trial",
    "Limits": "trial",
    "Outcome": "trial",
    "Probe": "probing",
    "Result": "computation",
    "Sandbox": "pool",
    "Trial": "trial",
    "probe": "probing",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"harness.sandbox.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
