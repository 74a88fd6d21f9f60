"""Any environment that is registered with Gymnasium, in words: a seed is a task, a text an action."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from agentr_core import Environment, Observation, PluginConfig, StepResult, Task, content_hash
from agentr_gymnasium.config import GymnasiumConfig
from agentr_gymnasium.player import Copy, Player, Seen
from agentr_gymnasium.probing import Trial, trial
from agentr_gymnasium.tasks import TaskTable
from agentr_gymnasium.worlds import game_files, package_version

_NOT_STARTED, _ENDED = "there is no episode: call reset first", "the episode has ended: call reset first"

_INSTRUCTIONS = """\
You are in an interactive environment. You are shown what happens and do one action at a time. {how}
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""


class State(NamedTuple):
    """An episode: its seed, what was said and shown since, what counts, and a copy of the world where there is one."""

    seed: int
    said: tuple[str, ...]
    shown: tuple[str, ...]
    seen: Seen
    score: float = 0.0
    done: bool = False
    copy: Copy | None = None


class GymnasiumEnvironment(Environment[GymnasiumConfig]):
    """One world, and the state that it is to be in before the next action.

    A snapshot is a :class:`State`, good for every instance. The world is brought there when it is needed: by its copy
    where copies are exact (:mod:`agentr_gymnasium.probing`), else by playing what was said.
    """

    config_class: ClassVar[type[PluginConfig]] = GymnasiumConfig
    supports_snapshot: ClassVar[bool] = True

    def __init__(self, config: GymnasiumConfig) -> None:
        super().__init__(config)
        self._table = TaskTable(config.id, config.splits, len(game_files(config)) or None)
        self._made: Player | None = None
        self._state: State | None = None
        #: What the world stands at; the state itself where nobody has asked for another one.
        self._at: State | None = None

    @property
    def version(self) -> str:
        """The environment and its package, all settings that an observation depends on, and whether replay is exact."""
        config = self.config
        told = {"kwargs", "modules", "instructions", "actions", "observation", "action", "reward_range"}
        exact = "exact" if self._trial.replay else "inexact"
        return (
            f"gymnasium-1/{config.id}/{package_version(config)}"
            f"/settings={content_hash(config.model_dump(mode='json', include=told))[:16]}"
            f"/max_steps={config.max_steps}/{exact}"
        )

    def instructions(self, task: Task) -> str:
        """The setting ``instructions``; by default a frame around what an action looks like."""
        return self.config.instructions or _INSTRUCTIONS.format(how=self._player.wording.how)

    def splits(self) -> Sequence[str]:
        """The names of the ranges of seeds."""
        return tuple(self._table.splits)

    def tasks(self, split: str) -> Sequence[Task]:
        """The seeds of a split, in order."""
        return self._table.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key: ``seed_17``, whether it is in a split or not."""
        return self._table.task(key)

    def reset(self, task: Task) -> Observation:
        """Begin the episode of the task's seed."""
        self._state = self._at = None
        _ = self._trial
        seed = int(task.metadata["seed"])
        seen = self._player.begin(seed)
        self._state = self._at = State(seed, (), (seen.observation,), seen)
        return seen.observation

    def step(self, action: str) -> StepResult:
        """Do one action. The score is the sum of the rewards so far, the reward where that lies in ``reward_range``."""
        now = self._started()
        if now.done:
            raise RuntimeError(_ENDED)
        self._bring(now)
        self._at = None  # where the world stands if it raises
        text = action.strip()
        seen = self._player.step(text)
        said = (*now.said, text)
        truncated = not seen.terminated and (seen.truncated or 0 < self.config.max_steps <= len(said))
        score = now.score + seen.reward
        done = seen.terminated or truncated
        self._state = self._at = State(now.seed, said, (*now.shown, seen.observation), seen, score, done)
        return StepResult(
            observation=seen.observation,
            reward=self._reward(score),
            score=score,
            terminated=seen.terminated,
            truncated=truncated,
            info={"invalid": True} if seen.refused else {},
        )

    def snapshot(self) -> State:
        """The present state, with a copy of the world where copies are exact."""
        now = self._started()
        if now.copy is None and not now.done and self._trial.copies:
            self._bring(now)
            self._state = self._at = now = now._replace(copy=self._player.copy())
        return now

    def restore(self, snapshot: State) -> None:
        """Go back to a state. The world is brought there when it is needed."""
        self._state = snapshot

    def state_key(self) -> str:
        """The seed and all that was said, but for what did not reach the world."""
        now = self._started()
        return content_hash([now.seed, now.said, now.done])

    def legal_actions(self) -> Sequence[str] | None:
        """What the environment says can be done now, or its numbered actions; None where it does not say."""
        now = self._started()
        return [] if now.done else (None if now.seen.valid is None else list(now.seen.valid))

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """What the environment itself says leads to success, played; None where it says nothing, or it does not."""
        player = GymnasiumEnvironment(self.config)
        try:
            player.reset(task)
            actions = player._started().seen.expert or ()
            for count, action in enumerate(actions, 1):
                result = player.step(action)
                if result.terminated or result.truncated:
                    return list(actions[:count]) if result.terminated and result.reward >= 1.0 else None
            return None
        finally:
            player.close()

    def distance(self) -> float | None:
        """The number of actions that the environment says lead to success from here; None where it does not say."""
        now = self._started()
        if now.done and now.seen.terminated:
            return 0.0 if self._reward(now.score) >= 1.0 else math.inf
        return None if now.seen.expert is None else float(len(now.seen.expert))

    def close(self) -> None:
        """Close the world. May be called twice."""
        if self._made is not None:
            self._made.close()
        self._made = self._state = self._at = None

    @property
    def _player(self) -> Player:
        if self._made is None:
            self._made = Player(self.config)
        return self._made

    @property
    def _trial(self) -> Trial:
        """Tried with two seeds of the splits; where there is but one, with that."""
        seeds = [seed for found in self._table.splits.values() for seed in (*found[:2], *found[-1:])]
        return trial(self.config, seeds[0], seeds[-1])

    def _started(self) -> State:
        if self._state is None:
            raise RuntimeError(_NOT_STARTED)
        return self._state

    def _reward(self, score: float) -> float:
        low, high = self.config.reward_range
        return min(max((score - low) / (high - low), 0.0), 1.0)

    def _bring(self, state: State) -> None:
        """Have the world stand at ``state``: as it is, by a copy, or by playing what was said."""
        if self._at is state:
            return
        if state.copy is not None and self._trial.copies:
            self._player.put(state.copy)
        else:
            self._replay(state)
        self._at = state

    def _replay(self, state: State) -> None:
        """From where the world stands if that is on the way, else from the start; what shows must be what showed."""
        at = self._at
        begins = at is not None and at.seed == state.seed and at.said == state.said[: len(at.said)]
        done = len(at.said) if at is not None and begins else 0
        shown = [] if begins else [self._player.begin(state.seed).observation]
        shown += [self._player.step(text).observation for text in state.said[done:]]
        if shown and tuple(shown) != state.shown[-len(shown) :]:
            self.mismatches += 1
