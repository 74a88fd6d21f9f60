"""The ``agentr`` program: the table of commands, and what happens to errors.

``agentr --help`` imports click and nothing else: a command's module is imported when the command is used, and plugins
are looked for only where a name is not in the table.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from agentr_core import __version__
from agentr_core.cli.options import given_once, plugin_options
from agentr_core.cli.streams import give_up_stdout, system_error, write_what_can_be_written
from agentr_core.errors import AgentrError, ExitCode

if TYPE_CHECKING:
    from agentr_core.registry.specs import CommandSpec

#: section -> command -> (where it is, short help)
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "run": ("agentr_core.cli.run:run", "Search, revise, train and evaluate, iteration after iteration."),
        "resume": ("agentr_core.cli.run:resume", "Go on with a run that was interrupted."),
        "retry": ("agentr_core.cli.run:retry", "Take up again what failed in a run that is done."),
        "sweep": ("agentr_core.cli.sweep:sweep", "Make the runs of a grid of settings, over the same trees."),
        "search": ("agentr_core.cli.stages:search", "Grow trees of attempts."),
        "revise": ("agentr_core.cli.stages:revise", "Find first errors and splice revision trajectories."),
        "train": ("agentr_core.cli.stages:train", "Train on what a run's trees hold."),
        "eval": ("agentr_core.cli.stages:evaluate", "Measure a policy on tasks it has not seen."),
        "play": ("agentr_core.cli.play:play", "Play by hand, watch a model play, and keep it to train on."),
    },
    "Look": {
        "runs": ("agentr_core.cli.runs:runs", "List and show runs."),
        "trees": ("agentr_core.cli.trees:trees", "List, draw and export search trees."),
        "trajectories": ("agentr_core.cli.trajectories:trajectories", "List, show and export attempts."),
        "revisions": ("agentr_core.cli.revisions:revisions", "List, show and export revision trajectories."),
        "datasets": (
            "agentr_core.cli.datasets:datasets",
            "List, show and export what is trained on; import conversations.",
        ),
        "checkpoints": ("agentr_core.cli.checkpoints:checkpoints", "List and show trained models."),
        "evals": ("agentr_core.cli.evals:evals", "List and show evaluations, task by task."),
        "compare": ("agentr_core.cli.compare:compare", "Put runs, critics or trainers side by side."),
        "report": ("agentr_core.cli.report:report", "Write one page about runs, to send to others."),
    },
    "Tools": {
        "plugins": ("agentr_core.cli.plugins:plugins", "List, show and check plugins."),
        "envs": ("agentr_core.cli.envs:envs", "Check an environment, rule by rule, and measure it."),
        "tasks": ("agentr_core.cli.tasks:tasks", "List and show an environment's tasks."),
        "config": ("agentr_core.cli.config:config", "Show the resolved configuration, or a plugin's options."),
        "data": ("agentr_core.cli.data:data", "List and fetch the data sets of plugins."),
        "new": ("agentr_core.cli.new:new", "Start a plugin package of your own."),
        "db": ("agentr_core.cli.db:db", "Path, state and backup of the database."),
        "doctor": ("agentr_core.cli.doctor:doctor", "Check that everything agentr needs is there."),
    },
}
TARGETS = {name: row for section in COMMANDS.values() for name, row in section.items()}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used; plugins may add more."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The built-in commands, without importing them."""
        return list(TARGETS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A built-in command, else a plugin's, else None."""
        if cmd_name in TARGETS:
            return _import_command(TARGETS[cmd_name][0])
        spec = _commands_of_plugins().get(cmd_name)
        return _import_command(spec.target) if spec is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess for a name that does not exist."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib

            near = difflib.get_close_matches(args[0], [*TARGETS, *_commands_of_plugins()], n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"there is no command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, section by section."""
        for section, rows in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl([(name, text) for name, (_, text) in rows.items()])
        formatter.write_paragraph()
        formatter.write_text("Plugins add commands and models of their own: agentr plugins list")


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "AGENTR",
        "show_default": True,
        "max_content_width": 120,
    },
)
@click.version_option(__version__, "--version", prog_name="agentr", message="%(prog)s %(version)s")
@plugin_options
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Language-model agents that learn to notice and repair their own mistakes.

    Search trees of attempts, let a critic find the first error of a failed one, splice the failed start, a reflection
    and a good continuation into one conversation, fine-tune, and go round again with the better model.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code (see :class:`~agentr_core.errors.ExitCode`).

    Errors that agentr raises on purpose are one line on stderr; ``AGENTR_DEBUG=1`` shows where they come from.
    """
    # torch spins its idle threads and starves its neighbours unless this is set before the import.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    debug = os.environ.get("AGENTR_DEBUG", "") not in ("", "0")
    write_what_can_be_written()
    with _logging_to_stderr(logging.DEBUG if debug else logging.WARNING):
        try:
            return _run(args)
        except click.ClickException as error:
            return _show_usage(error)
        except click.Abort:
            click.echo("interrupted", err=True)
            return ExitCode.INTERRUPTED
        except AgentrError as error:
            return _show(str(error), error.exit_code)
        except OSError as error:
            give_up_stdout(error)
            return _show(system_error(error))


def _run(args: Sequence[str] | None) -> int:
    """Run the command and write out what it has printed, so that a full disk is noticed here."""
    colour = False if os.environ.get("NO_COLOR") else None  # https://no-color.org; None: on a terminal
    result: Any = cli.main(args, prog_name="agentr", standalone_mode=False, color=colour)
    sys.stdout.flush()
    return result if isinstance(result, int) else ExitCode.OK


def _show(said: str, code: ExitCode = ExitCode.FAILED) -> int:
    logging.getLogger("agentr").debug("where it comes from", exc_info=True)
    from agentr_core.cli.calling import hint
    from agentr_core.process.terminal import visible

    click.echo("\n".join(filter(None, (f"error: {visible(said)}", hint(said)))), err=True)
    return code


def _show_usage(error: click.ClickException) -> int:
    if isinstance(error, click.BadParameter) and (variable := _variable_behind(error)):
        error.param_hint = variable
    from agentr_core.process.terminal import visible

    click.echo(f"error: {visible(_lowered(error.format_message()))}", err=True)
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        click.echo(f"Help: {ctx.command_path} --help", err=True)
    return error.exit_code


def _variable_behind(error: click.BadParameter) -> str | None:
    """The variable that a wrong value came from, where it was not typed as a flag."""
    from click.core import ParameterSource

    parameter, ctx = error.param, error.ctx
    if parameter is None or ctx is None or parameter.name is None:
        return None
    if ctx.get_parameter_source(parameter.name) is not ParameterSource.ENVIRONMENT:
        return None
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else [*(parameter.envvar or ())]
    return next((name for name in names if name in os.environ), None)


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


class _Lowercase(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        from agentr_core.process.terminal import visible

        return f"{record.levelname.lower()}: {visible(super().format(record))}"


@contextmanager
def _logging_to_stderr(level: int) -> Iterator[None]:
    logger, handler = logging.getLogger("agentr"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lowercase("%(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _commands_of_plugins() -> Mapping[str, CommandSpec]:
    from agentr_core.registry.lookup import registry

    return registry().commands()


def _import_command(target: str) -> click.Command:
    module, _, name = target.partition(":")
    command = getattr(importlib.import_module(module), name)
    assert isinstance(command, click.Command)
    return given_once(command)


if __name__ == "__main__":
    sys.exit(main())
