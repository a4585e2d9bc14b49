"""The command line: parse, call, print; decide nothing.

Every command imports what it needs inside its function, so that ``harness --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command ``harness``.

    Args:
        args: Arguments after the command's name; None: those of this process.

    Returns:
        The exit code: 0 complete, 3 something unscored, 130 interrupted, 1 error, 64 usage.
    """
    try:
        from harness.cli.app import run_command
    except KeyboardInterrupt:  # Ctrl-C while Python is still loading: nothing has begun
        print("error: interrupted — run the same command again", file=sys.stderr)
        return 130
    return run_command(args)
