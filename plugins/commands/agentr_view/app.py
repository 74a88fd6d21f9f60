"""The application: which address shows what."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentr_core import Store, __version__
from agentr_view.answers import Page, as_json, endpoint
from agentr_view.asked import Asked
from agentr_view.events import Events
from agentr_view.files import static_file
from agentr_view.guard import Guard, Keys
from agentr_view.pages import critics, datasets, evals, nodes, revisions, runs, trees
from agentr_view.stores import Changes, Stores

#: Address -> what makes the page of it.
PAGES: dict[str, Page] = {
    "/api/runs": runs.listing,
    "/api/runs/{key}": runs.one,
    "/api/runs/{key}/matrix": evals.matrix,
    "/api/compare": runs.compare,
    "/api/critics": critics.of_run,
    "/api/trees": trees.listing,
    "/api/trees/{tree}": trees.skeleton,
    "/api/trees/{tree}/marks": trees.marks,
    "/api/trees/{tree}/nodes/{node}": nodes.one,
    "/api/search": trees.search,
    "/api/revisions": revisions.listing,
    "/api/revisions/{set}/{tree}/{kind}/{bad}/{good}": revisions.one,
    "/api/preferences": revisions.preferences,
    "/api/datasets": datasets.listing,
    "/api/datasets/{dataset}": datasets.one,
    "/api/datasets/{dataset}/items": datasets.items,
    "/api/evals": evals.listing,
    "/api/evals/{eval}/results": evals.results,
    "/api/episodes/{eval}/{task}/{repeat}": evals.episode,
}


def create_app(
    db_path: Path,
    token: str,
    *,
    hosts: Iterable[str],
    cookie: str = "agentr_view",
    root_path: str = "",
    renewed: Callable[[str], None] = lambda token: None,
) -> Starlette:
    """The viewer of one database, which is only read.

    ``token`` is the secret of the first link and ``renewed`` is told each that follows; ``hosts`` are the values of
    ``Host`` that it answers to, ``root_path`` the path below which a proxy shows it. Raises
    :class:`~agentr_core.StoreError` for a file that is no database of agentr's.
    """
    changes, stores = Changes(db_path), Stores(db_path)
    events = Events(stores, changes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        stores.close()
        changes.close()

    def state(store: Store, asked: Asked) -> dict[str, Any]:
        schema = store.connection.all("PRAGMA user_version")[0][0]
        return {"version": __version__, "database": db_path.name, "change": changes.now(), "schema": schema}

    routes = [Route(path, endpoint(page, stores, changes), methods=["GET"]) for path, page in PAGES.items()]
    routes += [
        Route("/api/state", endpoint(state, stores, changes), methods=["GET"]),
        Route("/api/events", events.answer, methods=["GET"]),
        Route("/api/{path:path}", _unknown, methods=["GET"]),
        Route("/{path:path}", static_file, methods=["GET"]),
    ]
    guard = Middleware(Guard, Keys(token, renewed), hosts, cookie=cookie, root=root_path)
    app = Starlette(routes=routes, middleware=[guard], lifespan=lifespan)
    app.state.end_streams = events.end
    return app


def new_token() -> str:
    """A secret for the first link."""
    return secrets.token_urlsafe(32)


async def _unknown(request: Request) -> Response:
    return as_json({"error": "there is no such page"}, 404)
