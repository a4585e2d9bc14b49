"""A group of commands that names the nearest one when one is misspelt."""

from __future__ import annotations

import click

from harness.cli.failures import spelled


class Commands(click.Group):
    """A `click.Group` whose errors say which command was meant, or which there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with a usage error."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            hint = spelled(args[0], self.list_commands(ctx))
            raise click.UsageError(f"no such command: {args[0]}" + (f" ({hint})" if hint else ""), ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; a group without a command is a usage error that names the commands."""
        if not args and not self.invoke_without_command:
            raise click.UsageError(f"which command? There are {', '.join(self.list_commands(ctx))}", ctx)
        return super().parse_args(ctx, args)
