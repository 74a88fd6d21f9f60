"""``agentr view``: a link to the store's pages, until Ctrl-C."""

from __future__ import annotations

import os
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import click

from agentr_core import MissingDependencyError, UsageError, open_store
from agentr_core.cli import say

#: By how much the server is less urgent than a run: where both want all of a core, a quarter is the server's.
NICE = 5


@click.command()
@click.argument("reference", metavar="[RUN]", required=False)
@click.option(
    "--db", envvar="AGENTR_DB", default="agentr.db", metavar="PATH", show_default=True, help="The project's database."
)
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Where [the first free of 7373-7383]; 0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen at.")
@click.option(
    "--trusted-host", "trusted", multiple=True, metavar="HOST[:PORT]", help="What browsers call it (proxies, --host)."
)
@click.option("--root-path", default="", metavar="PATH", help="The path below which a proxy shows it.")
@click.option("--no-browser", is_flag=True, help="Print the link only.")
def view(
    reference: str | None,
    db: str,
    port: int | None,
    host: str,
    trusted: tuple[str, ...],
    root_path: str,
    no_browser: bool,
) -> None:
    """Look at runs, trees, revisions and evaluations in a browser, also while a run works; Ctrl-C ends it.

    It only reads, listens on this machine alone, and each link that it prints is good for one browser.
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise MissingDependencyError("agentr view", package, "pip install 'agentr-core[view]'")
    from agentr_view.listening import LOOPBACK

    if host not in LOOPBACK and not trusted:
        raise UsageError(
            f"--host {host}: others can then reach it; say under which name with --trusted-host NAME:PORT, or leave "
            "--host out and use an ssh tunnel"
        )
    if root_path and (not root_path.startswith("/") or root_path.endswith("/")):
        raise UsageError(f"--root-path {root_path}: must begin with '/' and not end in one, as in /user/me/proxy/7373")
    place = _place(db, reference)
    _serve(Path(db), place, port, host, trusted, root_path, opens=not no_browser)


def _place(db: str, reference: str | None) -> str:
    """Where in the pages the link leads: to a run, where one is named."""
    with open_store(db, read_only=True) as store:
        return f"#/run/{store.runs.find(reference).key}" if reference else ""


def _serve(
    db: Path, place: str, port: int | None, host: str, trusted: tuple[str, ...], root_path: str, *, opens: bool
) -> None:
    from agentr_view.app import create_app, new_token
    from agentr_view.listening import bound, has_browser, link, own_hosts, server, tunnel

    listener = bound(host, port)
    number = listener.getsockname()[1]

    def address(token: str) -> str:
        return link(host, number, token, trusted=trusted, root_path=root_path) + place

    token = new_token()
    app = create_app(
        db,
        token,
        hosts=own_hosts(host, number, trusted),
        cookie=f"agentr_view_{number}",
        root_path=root_path,
        renewed=lambda token: say(f"for another browser: {address(token)}"),
    )
    say(f"{db} in a browser (Ctrl-C ends it):\n\n  {address(token)}\n")
    if opens and has_browser():
        webbrowser.open(address(token))
    elif not has_browser():
        say(f"from another machine: {tunnel(number)}")
    if hasattr(os, "nice"):
        os.nice(NICE)  # a run on this machine comes first
    with suppress(KeyboardInterrupt):
        server(app).run(sockets=[listener])
