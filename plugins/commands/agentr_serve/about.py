"""What the protocols do not have: pages under ``/agentr`` with which a client of agentr is as good as in-process.

Tasks with their words, instructions, demonstrations, and the present state's possible actions and distance. Other
clients never ask for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentr_core import StepResult, Task
from agentr_serve.answers import answer, finite
from agentr_serve.numbering import Numbering
from agentr_serve.sessions import Session, Sessions

Page = Callable[[Request], Awaitable[Response]]


def beside(result: StepResult, state_key: str) -> dict[str, Any]:
    """What a step says in-process and no protocol has a field for."""
    return {"truncated": result.truncated, "score": result.score, "info": result.info, "state_key": state_key}


class About:
    """The pages. ``session`` finds the session that a request is about."""

    def __init__(
        self, name: str, sessions: Sessions, numbering: Numbering, session: Callable[[Request], Session]
    ) -> None:
        self._name, self._sessions, self._numbering, self._session = name, sessions, numbering, session
        self._environment = sessions.reference

    def routes(self, wrapped: Callable[[Page], Page], under: str = "") -> Sequence[Route]:
        """The pages, each ``wrapped``."""
        pages = {
            "/agentr": self._about,
            "/agentr/tasks": self._tasks,
            "/agentr/task": self._task,
            "/agentr/demonstration": self._demonstration,
            "/agentr/legal_actions": self._legal,
            "/agentr/distance": self._distance,
            "/agentr/counts": self._counts,
        }
        return [Route(under + path, wrapped(page), methods=["GET"]) for path, page in pages.items()]

    async def _about(self, request: Request) -> Response:
        environment = self._environment
        told = {"env": self._name, "version": environment.version, "splits": list(environment.splits())}
        return answer({**told, "domain": environment.domain, "counts": self._sessions.told()})

    async def _counts(self, request: Request) -> Response:
        return answer(self._sessions.told())

    async def _tasks(self, request: Request) -> Response:
        tasks = self._environment.tasks(request.query_params.get("split", ""))
        return answer([self._told(task) for task in tasks])

    async def _task(self, request: Request) -> Response:
        task = self._asked(request)
        words = {"instructions": self._environment.instructions(task), "domain": self._environment.domain_of(task)}
        return answer({**self._told(task), **words})

    async def _demonstration(self, request: Request) -> Response:
        task, environment = self._asked(request), self._sessions.reference
        shown = await Session(0, environment, 0.0).do(environment.demonstrate, task)
        return answer(None if shown is None else list(shown))

    async def _legal(self, request: Request) -> Response:
        session = self._session(request)
        legal = await session.do(session.environment.legal_actions)
        return answer(None if legal is None else list(legal))

    async def _distance(self, request: Request) -> Response:
        session = self._session(request)
        return answer(finite(await session.do(session.environment.distance)))

    def _asked(self, request: Request) -> Task:
        return self._environment.task(request.query_params.get("key", ""))

    def _told(self, task: Task) -> dict[str, Any]:
        return {"index": self._numbering.number(task), "task": task.model_dump(mode="json")}
