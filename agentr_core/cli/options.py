"""Options that several commands share. Importing this imports click and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from agentr_core.settings.layer import Layer
    from agentr_core.settings.layers import Resolved

F = TypeVar("F", bound=Callable[..., Any])
_META = "agentr.plugins"

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON on stdout.")
db_option = click.option(
    "--db", envvar="AGENTR_DB", default="agentr.db", metavar="PATH", show_default=True, help="The project's database."
)


def _select(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    """Add to the plugins to load or leave out; what is before and after the command's name counts together."""
    if not value:
        return
    from agentr_core.registry.lookup import Registry, use

    chosen = ctx.meta.setdefault(_META, {"plugin": (), "no_plugin": ()})
    chosen[param.name] += value
    use(Registry(files=chosen["plugin"], blocked=chosen["no_plugin"]))


def plugin_options(command: F) -> F:
    """``--plugin FILE`` and ``--no-plugin NAME``: which plugins the command sees."""
    command = click.option(
        "--no-plugin", multiple=True, metavar="NAME", expose_value=False, callback=_select, help="Leave a plugin out."
    )(command)
    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE",
        expose_value=False,
        callback=_select,
        help="Load a plugin from a .py file or a module.",
    )(command)


def given_once(command: click.Command) -> click.Command:
    """``command``, which now refuses an option of one value that is given twice, as all commands below it do.

    click takes the last one and says nothing, so that half of what was typed would be left out.
    """
    for below in getattr(command, "commands", {}).values():
        given_once(below)
    if "make_parser" not in vars(command):
        # The parser alone knows what was typed twice, and click has no setting for its class.
        vars(command)["make_parser"] = partial(_strict_parser, command.make_parser)
    return command


def _strict_parser(make: Callable[[click.Context], Any], ctx: click.Context) -> Any:
    parser = make(ctx)
    parse = parser.parse_args

    def parse_args(args: list[str]) -> tuple[Any, Any, list[click.Parameter]]:
        values, rest, order = parse(args)
        for param in order:
            if _takes_one(param) and order.count(param) > 1:
                told = f"{param.opts[-1]} is given {order.count(param)} times; give it once"
                raise click.UsageError(told + (", several as a,b" if param.name == "env" else ""), ctx)
        return values, rest, order

    parser.parse_args = parse_args
    return parser


def _takes_one(param: click.Parameter) -> bool:
    """Whether a second value would take the place of the first; a switch without an opposite says the same twice."""
    if not isinstance(param, click.Option) or param.multiple or param.count:
        return False
    return not param.is_flag or bool(param.secondary_opts)


#: flag -> the setting behind it, and how click shows it. ``-o KEY=VALUE`` sets any other.
_FLAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "--env": ("env", {"metavar": "NAME", "help": "The environment, or several: a,b."}),
    "--searcher": ("searcher", {"metavar": "NAME", "help": "How trees are grown."}),
    "--policy": ("policy", {"metavar": "NAME", "help": "What acts."}),
    "--model": ("model", {"metavar": "PATH_OR_ID", "help": "The policy's model."}),
    "--critic": ("critic", {"metavar": "NAME", "help": "What finds the first error."}),
    "--trainer": (
        "trainer",
        {"metavar": "NAME", "help": "What learns, or several in turn: a,b; 'none' only measures."},
    ),
    "--preset": ("preset", {"metavar": "NAME", "help": "quick (the default) or paper."}),
    "--iterations": ("iterations", {"type": int, "metavar": "N", "help": "How often to go round."}),
    "--tasks": ("search.tasks", {"type": int, "metavar": "N", "help": "Training tasks an iteration."}),
    "--split": ("search.split", {"metavar": "NAME", "help": "The split to train on."}),
    "--splice": ("revise.splice", {"metavar": "MODE", "help": "verified or recorded."}),
    "--recipe": ("data.recipe", {"metavar": "NAME", "help": "agent-r, direct, optimal, good or demonstrations."}),
    "--general": ("data.general", {"metavar": "FILE", "help": "General conversations to mix in (JSON lines)."}),
    "--eta": ("data.eta", {"type": float, "metavar": "SHARE", "help": "Share of agent data in the mixture."}),
    "--eval-split": ("evaluate.split", {"metavar": "NAME", "help": "The split to measure on."}),
    "--eval-tasks": ("evaluate.tasks", {"type": int, "metavar": "N", "help": "Tasks to measure on."}),
    "--repeats": (
        "evaluate.repeats",
        {"type": int, "metavar": "K", "help": "Play each of them K times at temperature 1: mean of K, and pass@K."},
    ),
    "--revision-test/--no-revision-test": (
        "evaluate.revision_test",
        {"help": "Also continue failed attempts from a cut, as the paper does."},
    ),
    "--concurrency": ("concurrency", {"type": int, "metavar": "N", "help": "Trees in flight."}),
    "--executor": ("executor", {"metavar": "NAME", "help": "Where the work is done [local: in this process]."}),
    "--seed": ("seed", {"type": int, "metavar": "S", "help": "Fixes every draw."}),
    "--name": ("name", {"metavar": "NAME", "help": "Call the run so."}),
    "--out": ("out", {"metavar": "FOLDER", "help": "Where checkpoints go [agentr-out beside the database]."}),
    "--db": ("db", {"metavar": "PATH", "help": "The project's database [agentr.db]."}),
}


def _variable(flag: str) -> str:
    return flag.split("/")[0].removeprefix("--").replace("-", "_")


#: What the help of a single stage lists of them; it takes the others too, since a run that begins with one stage keeps
#: them for those that follow.
_SHOWN = {
    "search": (
        "--env", "--searcher", "--policy", "--model", "--preset", "--iterations", "--tasks", "--split", "--concurrency",
        "--executor", "--seed", "--name", "--db",
    ),
    "revise": ("--policy", "--model", "--critic", "--splice", "--concurrency", "--executor", "--seed", "--db"),
    "train": (
        "--policy", "--model", "--critic", "--trainer", "--splice", "--recipe", "--general", "--eta", "--seed", "--out",
        "--db",
    ),
    "evaluate": (
        "--env", "--policy", "--model", "--preset", "--eval-split", "--eval-tasks", "--repeats",
        "--revision-test/--no-revision-test", "--concurrency", "--executor", "--seed", "--name", "--db",
    ),
    "play": ("--env", "--policy", "--model", "--preset", "--split", "--seed", "--db"),
}  # fmt: skip
#: What would be ignored there, and is refused.
_REFUSED = {
    "search": ("--out", "--repeats"),
    "revise": ("--out", "--name", "--repeats"),
    "train": ("--name", "--repeats"),
    "evaluate": ("--out",),
    "play": ("--out", "--name", "--repeats"),
}


def run_options(command: F) -> F:
    """Every setting of a run; the command gets them through :func:`resolve_settings` alone."""
    return _with_run_options(command, tuple(_FLAGS), ())


def stage_options(stage: str) -> Callable[[F], F]:
    """As :func:`run_options`, for a single ``stage``: its help lists the flags that mean something to it."""
    return lambda command: _with_run_options(command, _SHOWN[stage], _REFUSED[stage])


def _with_run_options(command: F, shown: tuple[str, ...], refused: tuple[str, ...]) -> F:
    command = click.option(
        "-o",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any setting, e.g. -o mcts.samples=4 -o env.max_steps=30.",
    )(command)
    command = click.option(
        "--config", "config_file", envvar="AGENTR_CONFIG", metavar="FILE", help="Read settings from a TOML file."
    )(command)
    for flag, (_, attributes) in reversed(_FLAGS.items()):
        if flag in refused:
            continue
        name = _variable(flag)
        option = click.option(
            flag,
            name,
            envvar=f"AGENTR_{name.upper()}",
            default=None,
            show_default=False,
            hidden=flag not in shown,
            **attributes,
        )
        command = option(command)
    return plugin_options(command)


def resolve_settings(ctx: click.Context, *, require: bool = True, below: Layer | None = None) -> Resolved:
    """What the user asked for, by precedence: flag, ``AGENTR_*``, the ``--config`` file, preset, default.

    With ``require``, a plugin whose packages are missing is an error here and not later. ``below`` are settings that
    count before the preset: those of a stored run.
    """
    from agentr_core.settings.layer import environment_layer, file_layer, flag_layer
    from agentr_core.settings.layers import resolve

    flags: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    for flag, (key, _) in _FLAGS.items():
        name = _variable(flag)
        if (value := ctx.params.get(name)) is None:
            continue
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            variables[key] = (f"AGENTR_{name.upper()}", value)
        else:
            flags[key] = (flag.split("/")[0], value)
    layers = [flag_layer(flags, ctx.params["options"]), environment_layer(variables)]
    _tell_misspelt_variables()
    if ctx.params["config_file"]:
        layers.append(file_layer(ctx.params["config_file"]))
    if below is not None:
        layers.append(below)
    return resolve(layers, require=require)


def environment_options(name: str, options: Sequence[str]) -> dict[str, str]:
    """What follows ``-o`` in a command about one environment, by its option: ``rules=strict``, ``env.rules=strict`` or
    ``NAME.rules=strict``. Raises :class:`~agentr_core.errors.UsageError` for one that is no ``KEY=VALUE``."""
    from agentr_core.errors import UsageError

    texts = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise UsageError(f"-o {option}: must be KEY=VALUE")
        table, _, below = key.strip().partition(".")
        texts[below if below and table in ("env", name.partition(":")[0]) else key.strip()] = text
    return texts


#: Variables that are no flags; plugins may read others, so only what is nearly one of them is a misspelling.
_OTHER_VARIABLES = (
    "AGENTR_CACHE", "AGENTR_CONFIG", "AGENTR_DB_TIMEOUT_SECONDS", "AGENTR_DEBUG", "AGENTR_DISABLE_PLUGINS",
    "AGENTR_PLUGINS", "AGENTR_STRICT_PLUGINS",
)  # fmt: skip


def _tell_misspelt_variables() -> None:
    """Warn of a variable that nothing reads and that is nearly one which is read."""
    import difflib
    import logging
    import os

    known = [*_OTHER_VARIABLES, *(f"AGENTR_{_variable(flag).upper()}" for flag in _FLAGS)]
    for name in sorted(set(os.environ) - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85) if name.startswith("AGENTR_") else []
        if near:
            logging.getLogger("agentr").warning("%s is not read; did you mean %s?", name, near[0])
