"""``agentr serve``: an environment for others."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

import click

from agentr_core import AnyEnvironment, MissingDependencyError, UsageError, create
from agentr_core.cli import resolve_settings, say

PROTOCOLS = ("agentgym", "openenv")


@click.command()
@click.option("--env", metavar="NAME", help="The environment [textcraft].")
@click.option("-o", "options", multiple=True, metavar="KEY=VALUE", help="Its settings, e.g. -o env.max_steps=0.")
@click.option("--config", "config_file", metavar="FILE", help="Read settings from a TOML file.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="agentgym", show_default=True, help="Whose clients.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; others see 0.0.0.0.")
@click.option("--port", type=click.IntRange(0, 65535), default=36001, show_default=True, help="0: any that is free.")
@click.option(
    "--sessions", type=click.IntRange(min=1), default=10_000, show_default=True, help="Most sessions at once."
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0),
    default=3600.0,
    show_default=True,
    help="Seconds after which a session that nobody asks ends; 0: never.",
)
@click.pass_context
def serve(
    ctx: click.Context, /, env: str | None, protocol: str, host: str, port: int, sessions: int, idle: float, **_: Any
) -> None:
    """Serve an environment under AgentGym's protocol or OpenEnv's, until Ctrl-C.

    agentr serve --env webshop        There is no password: whoever reaches the port may play.
    """
    for package in ("starlette", "uvicorn", "websockets"):
        if find_spec(package) is None:
            raise MissingDependencyError("agentr serve", package, "pip install 'agentr-core[serve]'")
    from agentr_serve.listening import answer_until_stopped, bound, server
    from agentr_serve.sessions import Sessions

    chosen, *others = resolve_settings(ctx, require=False).config.env
    if others:
        raise UsageError(f"--env: one server serves one environment; start another for '{others[0].name}'")
    make = partial(_make, chosen.name, dict(chosen.options))
    listener = bound(host, port)
    kept = Sessions(make, most=sessions, idle=idle)
    app = _app(protocol, chosen.name, kept)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    say(f"{chosen.name} as {'AgentGym' if protocol == 'agentgym' else 'OpenEnv'} serves it: {address} (Ctrl-C ends it)")
    with suppress(KeyboardInterrupt):
        asyncio.run(answer_until_stopped(server(app), listener, kept))
    told = ", ".join(f"{count:,} {name}" for name, count in kept.told().items())
    say(f"sessions: {told}")


def _make(name: str, options: dict[str, Any]) -> AnyEnvironment:
    made: AnyEnvironment = create("env", name, **options)
    return made


def _app(protocol: str, name: str, sessions: Any) -> Any:
    if protocol == "openenv":
        from agentr_serve.openenv import OpenEnvServer

        return OpenEnvServer(name, sessions).app()
    from agentr_serve.agentgym import AgentGymServer

    return AgentGymServer(name, sessions).app()
