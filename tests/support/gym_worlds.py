"""Small environments registered with Gymnasium: a corridor, told in different ways and with different bad habits."""

from __future__ import annotations

import random
import threading
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env[str, str]):
    """Go right to the treasure. How far a step goes is drawn from the *global* generators, both of them."""

    LENGTH = 6

    def __init__(self) -> None:
        self.action_space, self.observation_space = spaces.Text(1000), spaces.Text(1000)
        self.place = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = random.randrange(2)
        return f"You are at {self.place}, the treasure is at {self.LENGTH}.", self.told()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        stride = random.randrange(1, 3) if np.random.random() < 0.5 else 1
        self.place += {"right": stride, "left": -stride}.get(action, 0)
        done = self.place >= self.LENGTH
        return f"You are at {self.place}.", float(done), done, False, self.told()

    def told(self) -> dict[str, Any]:
        return {"valid_actions": ["left", "right"]}


class Locked(Corridor):
    """Cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Shared(Corridor):
    """Copies without complaint, and all copies are at the same place."""

    where: ClassVar[dict[str, int]] = {"place": 0}

    @property
    def place(self) -> int:
        return self.where["place"]

    @place.setter
    def place(self, value: int) -> None:
        self.where["place"] = value


class Moody(Corridor):
    """Shows something else each time."""

    times = 0

    def told(self) -> dict[str, Any]:
        type(self).times += 1
        return {"valid_actions": [f"right {self.times}"]}


class Board(gymnasium.Env[dict[str, Any], Any]):
    """Two switches to be set to 1 and 2; the observation has words, numbers and an array."""

    def __init__(self, actions: str = "pair") -> None:
        self.action_space = {
            "pair": spaces.MultiDiscrete([2, 3]),
            "named": spaces.Discrete(2, start=5),
            "dict": spaces.Dict({"say": spaces.Text(20), "how": spaces.Discrete(3)}),
        }[actions]
        self.observation_space = spaces.Dict({"words": spaces.Text(20), "board": spaces.Box(0, 3, (2, 2), np.int64)})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return {"words": "two switches", "board": np.zeros((2, 2), np.int64)}, {"action_mask": np.array([1, 0])}

    def step(self, action: Any) -> Any:
        self.done = [int(each) for each in np.ravel(action)] == [1, 2] if not isinstance(action, dict) else True
        return (
            {"words": repr(action), "board": np.eye(2, dtype=np.int64)},
            5.0 if self.done else -1.0,
            self.done,
            False,
            {},
        )


def louder(observation: dict[str, Any]) -> str:
    return str(observation["words"]).upper()


def yes(text: str) -> Any:
    if text != "yes":
        raise ValueError("Say yes.")
    return np.array([1, 2])


for _each in (Corridor, Locked, Shared, Moody, Board):
    gymnasium.register(f"test/{_each.__name__}-v0", entry_point=_each)
