"""A group that does its main work when no verb of its own is given: `tune model.onnx` beside `tune status`."""

from __future__ import annotations

import click


class DefaultVerbGroup(click.Group):
    """Calls the command named ``default`` when the first word is none of the group's verbs."""

    default: str

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb in front where none was given; help is the group's own."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
