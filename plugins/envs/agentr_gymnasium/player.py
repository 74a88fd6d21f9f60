"""One world at play: texts in, texts out, its luck kept apart, and deep copies of where it stands."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import gymnasium

from agentr_gymnasium.config import GymnasiumConfig
from agentr_gymnasium.luck import Luck, State, seed_everything
from agentr_gymnasium.wording import Refused, Wording
from agentr_gymnasium.worlds import make_world

#: Where environments say what an expert would do from here on to success.
EXPERT_KEY = "expert_actions"


class Seen(NamedTuple):
    """What a text brought.

    ``reward``: the environment's own, of this step. ``valid``: what can be done now, ``expert``: what leads to success
    from here, None where the environment does not say.
    """

    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    refused: bool = False
    valid: tuple[str, ...] | None = None
    expert: tuple[str, ...] | None = None


class Copy(NamedTuple):
    """A deep copy of a world, the global random generators that belong to it, and what was seen last."""

    world: gymnasium.Env[Any, Any]
    luck: State | None
    last: Seen


class Player:
    """Plays one world after ``config``. Whatever it does leaves the global random generators as they were."""

    def __init__(self, config: GymnasiumConfig) -> None:
        self._luck = Luck()
        with self._luck.in_place():
            self.world = make_world(config)
            self.wording = Wording(config, self.world)
        self._last = Seen("")

    def begin(self, seed: int) -> Seen:
        """Start the episode of a seed."""
        with self._luck.in_place():
            seed_everything(seed)
            observation, info = self.world.reset(seed=seed)
            self._last = self._seen(observation, info)
        return self._last

    def step(self, text: str) -> Seen:
        """Do what a text says; one that says nothing does not reach the world."""
        try:
            action = self.wording.action_of(text)
        except Refused as refused:
            return self._last._replace(observation=str(refused), reward=0.0, refused=True)
        with self._luck.in_place():
            observation, reward, terminated, truncated, info = self.world.step(action)
            seen = self._seen(observation, info)
        self._last = seen._replace(reward=float(reward), terminated=bool(terminated), truncated=bool(truncated))
        return self._last

    def copy(self) -> Copy:
        """Where the world stands; raises whatever it raises where it cannot be copied."""
        with self._luck.in_place():
            return Copy(copy.deepcopy(self.world), self._luck.state, self._last)

    def put(self, kept: Copy) -> None:
        """Stand where ``kept`` does; it can be put again."""
        with self._luck.in_place():
            self.world = copy.deepcopy(kept.world)
        self._luck.state, self._last = kept.luck, kept.last

    def close(self) -> None:
        """Close the world. May be called twice."""
        self.world.close()

    def _seen(self, observation: Any, info: dict[str, Any]) -> Seen:
        expert = info.get(EXPERT_KEY)
        known = tuple(str(each) for each in expert) if isinstance(expert, list | tuple) else None
        return Seen(self.wording.text_of(observation), valid=self.wording.valid(info), expert=known)
