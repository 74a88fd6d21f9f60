"""Servers that answer as AgentGym's do whose environments agentr does not have, written down by hand.

The world is a counter: it begins at the task's number, ``add N`` adds N, and at 7 or more the episode is over.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

GOAL = 7


@dataclass
class World:
    number: int = 0
    done: bool = False

    def act(self, action: str) -> str:
        words = action.split()
        if len(words) < 2 or words[-2] != "add" or not words[-1].isdigit():
            return f"nothing happens at {self.number}"
        self.number += int(words[-1])
        self.done = self.number >= GOAL
        return f"it is {self.number}"


@dataclass(frozen=True)
class Shape:
    """How a server is asked and how it answers."""

    id_field: str
    index_field: str
    created: Callable[[int], Any]
    reset: Callable[[str], Any]
    stepped: Callable[[str, float, float, bool], Any]
    under: str = ""
    needs: dict[str, Any] = field(default_factory=dict)
    hints: Any = None


def score(text: str, added: float, total: float, done: bool) -> Any:
    return {"observation": text, "reward": added, "score": total, "done": done}


def tool(text: str, added: float, total: float, done: bool) -> Any:
    return {"observation": text, "reward": total, "done": done}


ACTIONS = ["add 1", "add 3"]
TOOL = Shape("env_idx", "id", lambda n: n, lambda text: text, tool)
SHAPES = {
    "alfworld": Shape(
        "id",
        "game",
        lambda n: {"id": n},
        lambda text: {"id": 1, "observation": text, "available_actions": ACTIONS, "task_type": "count"},
        lambda text, added, total, done: {
            "observation": text,
            "reward": total,
            "available_actions": ACTIONS,
            "done": done,
        },
        needs={"world_type": "Text"},
        hints=ACTIONS,
    ),
    "babyai": Shape("id", "data_idx", lambda n: {"id": n}, lambda text: score(text, 0, 0, False), score),
    "maze": Shape(
        "id",
        "game",
        lambda n: {"id": n},
        lambda text: {"observation": text},
        lambda text, added, total, done: {"observation": text, "reward": total - 1, "done": done},
        under="/maze",
        hints=ACTIONS,
    ),
    "wordle": Shape(
        "id", "seed", lambda n: {"id": n}, lambda text: {"id": 1, "observation": text}, tool, under="/wordle"
    ),
    "sqlgym": Shape(
        "env_idx",
        "item_id",
        lambda n: n,
        lambda text: [text, None],
        lambda text, added, total, done: {"state": text, "reward": total, "done": done, "info": None},
    ),
    "webarena": Shape(
        "env_idx",
        "idx",
        lambda n: {"env_idx": n},
        lambda text: {"observation": text},
        lambda text, added, total, done: {
            "observation": text,
            "reward": total,
            "terminated": done,
            "truncated": False,
            "info": {},
        },
        needs={"seed": 0},
    ),
    **dict.fromkeys(("weather", "movie", "academia", "sheet", "todo"), TOOL),
}


class Fake:
    """``with Fake("alfworld") as server``: that kind at ``server.url``. Ids count from 0, and there is no /close, as at
    most of them, unless ``closes``. Requests take the next fault first: an answer in place of the proper one, or None
    for none at all."""

    def __init__(self, kind: str, *, closes: bool = False) -> None:
        self.shape, self.closes = SHAPES[kind], closes
        self.worlds: dict[int, World] = {}
        self.faults: deque[tuple[int, bytes] | None] = deque()
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Fake:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """As if started again: no sessions, and ids from 0."""
        self.worlds.clear()

    def answer(self, path: str, asked: dict[str, Any]) -> Any:
        shape = self.shape
        if path == "/create":
            number = len(self.worlds)
            self.worlds[number] = World()
            return shape.created(number)
        if path == "/available_actions" and shape.hints:
            return shape.hints
        number = int(asked[shape.id_field])
        if number not in self.worlds:
            return {"error": f"The id {number} is not valid."}
        if path == "/close" and self.closes:
            del self.worlds[number]
            return "closed"
        if path == "/reset":
            assert all(asked[name] == value for name, value in shape.needs.items())
            self.worlds[number] = World(int(asked[shape.index_field]))
            return shape.reset(f"begin at {self.worlds[number].number}")
        if path == "/step":
            return self._step(self.worlds[number], asked["action"])
        return None

    def _step(self, world: World, action: str) -> Any:
        if world.done:
            return {"error": "The task with environment 1 has finished."}
        text = world.act(action)
        return self.shape.stepped(text, float(world.done), float(world.done), world.done)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self.reply(urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})

            def do_POST(self) -> None:
                self.reply(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))

            def reply(self, path: str, asked: dict[str, Any]) -> None:
                fake.paths.append(path)
                if fake.faults and (path.endswith("/step") or path.endswith("/reset")):
                    fault = fake.faults.popleft()
                    if fault is None:
                        self.close_connection = True
                        return
                    self.say(*fault)
                    return
                found = fake.answer(path.removeprefix(fake.shape.under), asked) if fake.within(path) else None
                self.say(*((404, b'{"detail": "Not Found"}') if found is None else (200, json.dumps(found).encode())))

            def say(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def within(self, path: str) -> bool:
        return path.startswith(self.shape.under) and not path.endswith("/agentr")
