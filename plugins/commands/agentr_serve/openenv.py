"""Environments under OpenEnv's protocol: ``/ws`` with a session for each connection, ``/schema``, and the task API.

An action is ``{"text": ...}``. An observation has the ``text`` that the agent sees and, beside it, what the in-process
environment says: whether the episode was cut off, the score, the state's key, ``info``. A task is chosen by
``reset(split=, index=)`` or ``reset(key=)``; without any of them it is the first one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from agentr_core import AgentrError, StepResult, Task, UsageError
from agentr_serve.about import About, Page, beside
from agentr_serve.answers import BadRequest, answer, body
from agentr_serve.numbering import Numbering
from agentr_serve.sessions import Full, NoSession, Session, Sessions

#: OpenEnv's names of the kinds of splits; what has another name counts as the second.
_KINDS = {"train": "train", "test": "test"}
_TEXT = {"type": "string", "description": "what the agent sees"}
_ACTION = {
    "title": "TextAction",
    "type": "object",
    "properties": {"text": {"type": "string", "description": "the action"}},
    "required": ["text"],
    "additionalProperties": False,
}
_OBSERVATION = {"title": "TextObservation", "type": "object", "properties": {"text": _TEXT}, "required": ["text"]}
_STATE = {
    "title": "State",
    "type": "object",
    "properties": {"episode_id": {"type": "string"}, "step_count": {"type": "integer"}},
}


class Wrong(Exception):
    """A message that cannot be done: OpenEnv's ``code``, and a sentence."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


class Episode:
    """What one connection plays."""

    def __init__(self, session: Session, server: OpenEnvServer) -> None:
        self._session, self._server = session, server
        self._steps, self._key = 0, ""

    async def do(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a message of the type reset, step or state."""
        kind, data = message.get("type"), message.get("data") or {}
        if not isinstance(data, dict):
            raise Wrong("VALIDATION_ERROR", "'data' must be an object")
        if kind == "reset":
            return {"type": "observation", "data": await self._reset(data)}
        if kind == "step":
            return {"type": "observation", "data": await self._step(data)}
        if kind == "state":
            return {"type": "state", "data": {"episode_id": self._key, "step_count": self._steps}}
        raise Wrong("UNKNOWN_TYPE", f"there is no message of the type {kind!r}; there are: reset, step, state, close")

    async def _reset(self, data: Mapping[str, Any]) -> dict[str, Any]:
        task, session = self._server.wanted(data), self._session

        def begin() -> tuple[str, str]:
            return session.environment.reset(task), session.environment.state_key()

        text, key = await session.do(begin)
        session.ended, self._steps, self._key = False, 0, task.key
        return {"observation": {"text": text, "state_key": key, "task": task.key}, "reward": None, "done": False}

    async def _step(self, data: Mapping[str, Any]) -> dict[str, Any]:
        action, session = data.get("text"), self._session
        if not isinstance(action, str):
            raise Wrong("VALIDATION_ERROR", "an action is an object with a text under 'text'")

        def act() -> tuple[StepResult, str]:
            return session.show(session.environment.step(action)), session.environment.state_key()

        result, key = await session.do(act)
        self._steps += 1
        shown = {"text": result.observation, **beside(result, key)}
        return {"observation": shown, "reward": result.reward, "done": session.ended}


class OpenEnvServer:
    """The pages of one environment."""

    def __init__(self, name: str, sessions: Sessions) -> None:
        self._name, self._sessions = name, sessions

    def app(self) -> Starlette:
        """The application."""
        gets: dict[str, Page] = {
            "/": self._metadata,
            "/metadata": self._metadata,
            "/health": self._health,
            "/schema": self._schema,
            "/list_environments": self._environments,
            "/{env}/splits": self._splits,
        }
        posts = {"tasks": self._tasks, "num_tasks": self._count, "task": self._task, "task_range": self._range}
        about = About(self._name, self._sessions, Numbering(self._sessions.reference), self._no_session)
        return Starlette(
            routes=[
                WebSocketRoute("/ws", self._play),
                *about.routes(self._guarded),
                *(Route(path, self._guarded(page), methods=["GET"]) for path, page in gets.items()),
                *(Route(f"/{{env}}/{name}", self._guarded(page), methods=["POST"]) for name, page in posts.items()),
            ]
        )

    def wanted(self, data: Mapping[str, Any]) -> Task:
        """The task of a reset; :class:`~agentr_core.UsageError` where there is none such."""
        environment = self._sessions.reference
        if isinstance(key := data.get("key"), str):
            return environment.task(key)
        split = str(data.get("split") or environment.splits()[0])
        return _nth(environment.tasks(split), data.get("index", 0), split)

    async def _play(self, socket: WebSocket) -> None:
        """One connection: a session from its first message to its end."""
        await socket.accept()
        try:
            session = self._sessions.open()
        except Full as error:
            await _send(socket, _error("CAPACITY_REACHED", str(error)))
            await socket.close()
            return
        episode = Episode(session, self)
        try:
            while True:
                message = _read(await socket.receive_text())
                self._sessions.counts.requests += 1
                if message.get("type") == "close":
                    break
                self._sessions.get(session.number)
                await _send(socket, await self._answered(episode, message))
            await socket.close()
        except NoSession:
            await _send(socket, _error("SESSION_ERROR", "the session was idle for too long and has ended (--idle)"))
            await socket.close()
        except WebSocketDisconnect:
            pass
        finally:
            await self._sessions.close(session)

    async def _answered(self, episode: Episode, message: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await episode.do(message)
        except Wrong as error:
            failed = _error(error.code, str(error))
        except Exception as error:  # an environment raises what it likes, and other sessions go on
            said = str(error) if isinstance(error, AgentrError | RuntimeError) else f"{type(error).__name__}: {error}"
            failed = _error("EXECUTION_ERROR", said)
        self._sessions.counts.errors += 1
        return failed

    def _guarded(self, page: Page) -> Page:
        async def guarded(request: Request) -> Response:
            self._sessions.counts.requests += 1
            try:
                if request.path_params.get("env", self._name).lower() != self._name.lower():
                    return answer({"detail": f"unknown environment '{request.path_params['env']}'"}, 404)
                return await page(request)
            except (AgentrError, BadRequest, NoSession) as error:
                self._sessions.counts.errors += 1
                return answer({"detail": str(error)}, 400)

        return guarded

    async def _metadata(self, request: Request) -> Response:
        environment = self._sessions.reference
        return answer({"name": self._name, "description": environment.domain, "version": environment.version})

    async def _health(self, request: Request) -> Response:
        return answer({"status": "healthy"})

    async def _schema(self, request: Request) -> Response:
        return answer({"action": _ACTION, "observation": _OBSERVATION, "state": _STATE})

    async def _environments(self, request: Request) -> Response:
        return answer([self._name])

    async def _splits(self, request: Request) -> Response:
        splits = self._sessions.reference.splits()
        return answer([{"name": split, "type": _KINDS.get(split, "validation")} for split in splits])

    async def _tasks(self, request: Request) -> Response:
        _, tasks = await self._of_split(request)
        return answer({"tasks": [task.model_dump(mode="json") for task in tasks], "env_name": self._name})

    async def _count(self, request: Request) -> Response:
        _, tasks = await self._of_split(request)
        return answer({"num_tasks": len(tasks)})

    async def _task(self, request: Request) -> Response:
        asked, tasks = await self._of_split(request)
        return answer({"task": _nth(tasks, asked.get("index"), str(asked["split"])).model_dump(mode="json")})

    async def _range(self, request: Request) -> Response:
        asked, tasks = await self._of_split(request)
        start, stop = asked.get("start") or 0, asked.get("stop")
        if not isinstance(start, int) or not isinstance(stop, int | None):
            raise BadRequest("'start' and 'stop' must be numbers")
        return answer({"tasks": [task.model_dump(mode="json") for task in tasks[start:stop]]})

    async def _of_split(self, request: Request) -> tuple[dict[str, Any], Sequence[Task]]:
        asked = await body(request)
        return asked, self._sessions.reference.tasks(str(asked.get("split", "")))

    def _no_session(self, request: Request) -> Session:
        raise NoSession("a session is a connection here: what needs one is asked at /ws")


def _nth(tasks: Sequence[Task], index: Any, split: str) -> Task:
    if not isinstance(index, int) or not 0 <= index < len(tasks):
        raise UsageError(f"the split '{split}' has no task {index!r}; they go from 0 to {len(tasks) - 1}")
    return tasks[index]


def _read(raw: str) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {"type": "something that is no JSON object"}


def _error(code: str, said: str) -> dict[str, Any]:
    return {"type": "error", "data": {"message": said, "code": code}}


async def _send(socket: WebSocket, message: Mapping[str, Any]) -> None:
    await socket.send_text(json.dumps(message))
