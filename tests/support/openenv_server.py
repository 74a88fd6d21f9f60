"""``python openenv_server.py KIND``: a server of the package ``openenv``, run by an interpreter that has it.

Prints its port. KIND: ``seeded`` (one text action, heeds seed), ``deaf`` (its reset takes no seed), ``chance`` (what
it shows is drawn anew each time), ``fields`` (an action of two fields), ``tasks`` (a task API, where there is one).
"""

from __future__ import annotations

import random
import socket
import sys
from typing import Any

import uvicorn
from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State


class Say(Action):
    message: str


class Add(Action):
    amount: int
    why: str


class Seen(Observation):
    text: str


class Counting(Environment):  # type: ignore[type-arg, misc]
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def begin(self, number: int) -> Seen:
        self.number = number
        return Seen(text=f"begin at {number}")

    def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Seen:
        return self.begin((seed or 0) % 7)

    def add(self, amount: int) -> Seen:
        self.number += amount
        done = self.number >= 7
        return Seen(text=f"it is {self.number}", done=done, reward=float(done))

    def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Seen:
        words = action.message.split()
        return self.add(int(words[1])) if len(words) == 2 and words[1].isdigit() else Seen(text="nothing happens")

    @property
    def state(self) -> State:
        return State(step_count=0)


class Deaf(Counting):
    def reset(self) -> Seen:  # type: ignore[override]
        return self.begin(3)


class Chance(Counting):
    def reset(self) -> Seen:  # type: ignore[override]
        return self.begin(random.randrange(10**9))


class Fields(Counting):
    def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Seen:
        return self.add(action.amount)


class Tasks(Counting):
    def reset(self, split: str = "train", index: int = 0) -> Seen:  # type: ignore[override]
        return self.begin(self.get_task(split, index)["start"])

    def list_splits(self) -> list[str]:
        return ["train", "test"]

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        return [
            {"start": start, "prompt": f"count from {start}"} for start in ((0, 1, 2) if split == "train" else (4,))
        ]

    def num_tasks(self, split: str) -> int:
        return len(self.list_tasks(split))

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        return self.list_tasks(split)[index]

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
        return self.list_tasks(split)[start:stop]


KINDS = {"seeded": Counting, "deaf": Deaf, "chance": Chance, "fields": Fields, "tasks": Tasks}

if __name__ == "__main__":
    kind = sys.argv[1]
    app = create_fastapi_app(KINDS[kind], Add if kind == "fields" else Say, Seen, max_concurrent_envs=4)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
