"""Groups of commands about one kind of thing."""

from __future__ import annotations

import click


class ListingGroup(click.Group):
    """A group whose first use is to list: ``agentr runs --json`` is ``agentr runs list --json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before flags that follow the group's name directly, help excepted."""
        asks_for_help = bool(args) and args[0] in ctx.help_option_names
        if not asks_for_help and (not args or args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)
