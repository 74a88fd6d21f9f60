"""Environments under AgentGym's protocol: ``/create``, ``/reset``, ``/step``, ``/observation``, hints, ``/close``.

AgentGym's servers differ in names and shapes; :data:`DIALECTS` has those of the environments that agentr brings, and
any other environment speaks TextCraft's. Beyond the protocol there is ``/close`` everywhere, and in each answer an
object ``agentr``, which AgentGym's clients ignore: whether an episode was cut off, the score, the state's key, and
``info``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentr_core import AgentrError, StepResult, Task
from agentr_serve.about import About, Page, beside
from agentr_serve.answers import BadRequest, answer, body
from agentr_serve.numbering import Numbering
from agentr_serve.sessions import Full, NoSession, Session, Sessions

#: What the agent sees, and what is told beside it.
Shown = tuple[str, dict[str, Any]]

#: How a look around begins in ScienceWorld, which AgentGym sends apart from the task's description.
_LOOK = re.compile(r"\n(?=This (?:room|outside location) is called)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one of AgentGym's servers names and shapes things.

    ``id_field`` and ``index_field``: what requests call a session and a task. ``created``, ``reset``, ``stepped``: the
    answers. ``error_status``: the HTTP status of an error.
    """

    id_field: str
    index_field: str
    created: Callable[[Session], Any]
    reset: Callable[[Session, dict[str, Any]], Any]
    stepped: Callable[[Session, StepResult, float, dict[str, Any]], Any]
    greeting: str
    hints: Mapping[str, Callable[[Session], Any]]
    begins: bool = False
    error_status: int = 200


def _textcraft_step(session: Session, result: StepResult, before: float, more: dict[str, Any]) -> Any:
    done = result.terminated or result.truncated
    return {"observation": result.observation, "reward": result.reward, "done": done, "agentr": more}


def _webshop_step(session: Session, result: StepResult, before: float, more: dict[str, Any]) -> Any:
    done = result.terminated or result.truncated
    return {"state": result.observation, "reward": result.reward, "done": done, "info": None, "agentr": more}


def _sciworld_step(session: Session, result: StepResult, before: float, more: dict[str, Any]) -> Any:
    score, earned = int(result.score), int(result.score - before)
    done = result.terminated or result.truncated
    return {"observation": result.observation, "reward": earned, "score": score, "done": done, "agentr": more}


def _sciworld_reset(session: Session, more: dict[str, Any]) -> Any:
    """AgentGym's client joins the two texts with a line break: wherever they are parted, they come out right."""
    description, look = (_LOOK if _LOOK.search(session.observation) else re.compile("\n")).split(session.observation, 1)
    told = {"task_description": description, "observation": look, "reward": 0, "score": 0}
    return {**told, "deleted": False, "done": False, "agentr": more}


def _shop_actions(session: Session) -> Any:
    shop: Any = session.environment
    return {"has_search_bar": shop.has_search_bar, "clickables": list(shop.clickables())}


def _shop_instruction(session: Session) -> Any:
    page = session.observation.split(" [SEP] ")
    told = page[page.index("Instruction:") + 1] if "Instruction:" in page[:-1] else ""
    return f"Instruction: {told}"


PLAIN = Dialect(
    id_field="id",
    index_field="data_idx",
    created=lambda session: {"id": session.number, "observation": session.observation, "done": False, "reward": 0},
    reset=lambda session, more: {
        "id": session.number,
        "observation": session.observation,
        "done": False,
        "reward": 0,
        "agentr": more,
    },
    stepped=_textcraft_step,
    greeting="This is environment {}.",
    hints={},
    begins=True,
)
DIALECTS: Mapping[str, Dialect] = {
    "textcraft": PLAIN,
    "webshop": Dialect(
        id_field="env_idx",
        index_field="session_id",
        created=lambda session: session.number,
        reset=lambda session, more: [session.observation, None, more],
        stepped=_webshop_step,
        greeting="ok",
        hints={"available_actions": _shop_actions, "instruction_text": _shop_instruction},
        error_status=500,
    ),
    "sciworld": Dialect(
        id_field="id",
        index_field="data_idx",
        created=lambda session: {"id": session.number},
        reset=_sciworld_reset,
        stepped=_sciworld_step,
        greeting="This is environment ScienceWorld.",
        hints={},
    ),
}


class AgentGymServer:
    """The pages of one environment; ``name`` chooses the dialect."""

    def __init__(self, name: str, sessions: Sessions) -> None:
        self._name, self._sessions = name, sessions
        self._dialect = DIALECTS.get(name, PLAIN)
        self._numbering = Numbering(sessions.reference)

    def app(self) -> Starlette:
        """The application."""
        posts = {"/create": self._create, "/reset": self._reset, "/step": self._step, "/close": self._close}
        gets: dict[str, Page] = {"/": self._hello, "/observation": self._observation, "/detail": self._detail}
        gets |= {f"/{name}": self._hint(ask) for name, ask in self._dialect.hints.items()}
        about = About(self._name, self._sessions, self._numbering, self._named)
        return Starlette(
            routes=[
                *(Route(path, self._guarded(page), methods=["POST"]) for path, page in posts.items()),
                *(Route(path, self._guarded(page), methods=["GET"]) for path, page in gets.items()),
                *about.routes(self._guarded),
            ]
        )

    def _guarded(self, page: Page) -> Page:
        """The page; whatever goes wrong in it is an error as AgentGym gives them."""

        async def guarded(request: Request) -> Response:
            self._sessions.counts.requests += 1
            try:
                return await page(request)
            except BadRequest as error:
                said, status = str(error), 422
            except (NoSession, Full, AgentrError, RuntimeError) as error:
                said, status = str(error), self._dialect.error_status
            except Exception as error:  # an environment raises what it likes, and other sessions go on
                said, status = f"{type(error).__name__}: {error}", self._dialect.error_status
            self._sessions.counts.errors += 1
            return answer({"error": said}, status)

        return guarded

    async def _hello(self, request: Request) -> Response:
        return answer(self._dialect.greeting.format(type(self._sessions.reference).__name__))

    async def _create(self, request: Request) -> Response:
        session = self._sessions.open()
        if self._dialect.begins:
            await self._begin(session, self._numbering.task(0))
        return answer(self._dialect.created(session))

    async def _reset(self, request: Request) -> Response:
        asked = await body(request)
        session = self._sessions.get(asked.get(self._dialect.id_field))
        more = await self._begin(session, self._wanted(asked))
        return answer(self._dialect.reset(session, more))

    async def _step(self, request: Request) -> Response:
        asked = await body(request)
        session, action = self._sessions.get(asked.get(self._dialect.id_field)), asked.get("action")
        if not isinstance(action, str):
            raise BadRequest("'action' must be a text")
        if session.ended:
            raise RuntimeError(f"The task with environment {session.number} has finished.")

        def act() -> tuple[StepResult, float, str]:
            before = session.score
            result = session.show(session.environment.step(action))
            return result, before, session.environment.state_key()

        result, before, key = await session.do(act)
        return answer(self._dialect.stepped(session, result, before, beside(result, key)))

    async def _close(self, request: Request) -> Response:
        session = self._sessions.get((await body(request)).get(self._dialect.id_field))
        await self._sessions.close(session)
        return answer({"closed": True})

    async def _observation(self, request: Request) -> Response:
        return answer(self._named(request).observation)

    async def _detail(self, request: Request) -> Response:
        session = self._named(request)
        return answer({"observation": session.observation, "done": session.ended, "score": session.score})

    def _hint(self, ask: Callable[[Session], Any]) -> Page:
        async def page(request: Request) -> Response:
            session = self._named(request)
            return answer(await session.do(ask, session))

        return page

    def _named(self, request: Request) -> Session:
        number = request.query_params.get(self._dialect.id_field, "")
        return self._sessions.get(int(number) if number.isascii() and number.isdigit() else number)

    def _wanted(self, asked: Mapping[str, Any]) -> Task:
        """The task of a request: by its number, or by its key, which only agentr's own client sends."""
        if isinstance(key := asked.get("key"), str):
            return self._sessions.reference.task(key)
        number = asked.get(self._dialect.index_field, 0)
        if not isinstance(number, int):
            raise BadRequest(f"'{self._dialect.index_field}' must be a number")
        return self._numbering.task(number)

    async def _begin(self, session: Session, task: Task) -> dict[str, Any]:
        def begin() -> dict[str, Any]:
            session.observation = session.environment.reset(task)
            session.score, session.ended = 0.0, False
            return {"state_key": session.environment.state_key()}

        return await session.do(begin)
