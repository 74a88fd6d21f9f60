"""The reference of the command line, from click's own tree."""

from __future__ import annotations

from collections.abc import Iterator

import click

from agentr_core.cli.main import COMMANDS, cli
from agentr_core.registry.lookup import registry
from tools.docs.words import code, page, table

ABOUT = """\
Every command, from what the program itself says with `--help`. Each option of a run has a variable of the same name
(`--eval-tasks`: `AGENTR_EVAL_TASKS`); any other setting is `-o KEY=VALUE`, and all of them are in
[Settings](settings.md). `--json` prints JSON on stdout; what is told meanwhile goes to stderr. Exit codes: 0 done, 1
failed, 2 wrong use, 3 some items failed, 4 a plugin, 5 nothing to do, 130 interrupted."""


def cli_page() -> str:
    """The page."""
    plugins = sorted(registry().commands())
    sections = {**{title: list(rows) for title, rows in COMMANDS.items()}, "Of plugins": plugins}
    return page("Command line", ABOUT, _sections(sections))


def _sections(sections: dict[str, list[str]]) -> Iterator[str]:
    top = click.Context(cli, info_name="agentr")
    for title, names in sections.items():
        yield f"## {title}"
        for name in names:
            command = cli.get_command(top, name)
            assert command is not None
            yield from _command(command, name, top)


def _command(command: click.Command, name: str, above: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above)
    yield f"### {context.command_path}"
    if isinstance(command, click.Group):
        yield _help(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _command(found, below, context)
        return
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
    yield _help(command)
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        yield table(("option", "what it does"), [_option(each, context) for each in options])


def _help(command: click.Command) -> str:
    return (command.help or command.short_help or "").replace("\b\n", "").strip()


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    names = " / ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else " " + option.make_metavar(context)
    default = f" Default: {code(option.default)}." if _worth_showing(option) else ""
    return code(names + value), f"{option.help or ''}{default}"


def _worth_showing(option: click.Option) -> bool:
    default = option.default
    return not (default is None or callable(default) or default in ((), "", False) or "UNSET" in repr(default))
