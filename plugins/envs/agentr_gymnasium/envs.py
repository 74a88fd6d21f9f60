"""The other direction: every environment of agentr in ``gymnasium.make``. Importing this module registers them.

    import gymnasium
    import agentr_gymnasium.envs

    world = gymnasium.make("agentr/textcraft-v0", split="train", world="synthetic")
    observation, info = world.reset(seed=3)             # the split's task number 3
    observation, reward, terminated, truncated, info = world.step("inventory")

``gymnasium.make("agentr_gymnasium.envs:agentr/textcraft-v0")`` needs no import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium

from agentr_core import AnyEnvironment, Task, UsageError, create, plugin_names
from agentr_gymnasium.any_text import AnyText

NAMESPACE, VERSION = "agentr", 0


class AgentrEnv(gymnasium.Env[str, str]):
    """The environment ``env`` of agentr, made with ``options`` (its settings, as in ``-o NAME.KEY=VALUE``).

    An episode is the task ``task`` (a key); without one, ``reset(seed=S)`` takes task number S of ``split`` (counted
    round its end) and a reset without a seed one by chance; ``reset(options={"task": KEY})`` takes any. Actions are
    bare texts. agentr's reward is that of the state reached, so a step here brings what it adds: the sum over an
    episode is agentr's final reward. ``info`` has ``score`` and, unless ``valid_actions`` is False, ``valid_actions``
    where the environment lists them; after a reset also ``task``, ``instruction`` and ``instructions`` (rules and
    answer format).
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(
        self,
        env: str,
        *,
        task: str | None = None,
        split: str | None = None,
        valid_actions: bool = True,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self._env: AnyEnvironment = create("env", env, **options)
        self._fixed: Task | None = None if task is None else self._env.task(task)
        self._split = split or next(iter(self._env.splits()))
        self._tasks: Sequence[Task] = self._env.tasks(self._split)
        if self._fixed is None and not self._tasks:
            raise UsageError(
                f"the split '{self._split}' of {env} has no task; there are: {', '.join(self._env.splits())}"
            )
        self._lists, self.render_mode = valid_actions, render_mode
        self._reward, self._shown = 0.0, ""
        self.action_space, self.observation_space = AnyText(), AnyText()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; which, the class says."""
        super().reset(seed=seed)
        task = self._chosen(seed, options or {})
        self._shown, self._reward = self._env.reset(task), 0.0
        about = {"task": task.key, "instruction": task.instruction, "instructions": self._env.instructions(task)}
        return self._shown, {"score": 0.0, **about, **self._listed()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do one action, any text."""
        result = self._env.step(action)
        reward, self._reward = result.reward - self._reward, result.reward
        self._shown = result.observation
        info = {**result.info, "score": result.score, **self._listed()}
        return self._shown, reward, result.terminated, result.truncated, info

    def render(self) -> str | None:
        """What was shown last, where ``render_mode`` is ``ansi``."""
        return self._shown if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Close the environment. May be called twice."""
        self._env.close()

    def _chosen(self, seed: int | None, options: dict[str, Any]) -> Task:
        if key := options.get("task"):
            return self._env.task(str(key))
        if self._fixed is not None:
            return self._fixed
        number = int(self.np_random.integers(len(self._tasks))) if seed is None else seed
        return self._tasks[number % len(self._tasks)]

    def _listed(self) -> dict[str, Any]:
        actions = self._env.legal_actions() if self._lists else None
        return {} if actions is None else {"valid_actions": list(actions)}


def register_all() -> list[str]:
    """Register every installed environment but ``gymnasium`` itself; the ids, e.g. ``agentr/webshop-v0``."""
    ids = []
    for name in plugin_names("env"):
        if name != "gymnasium":
            ids.append(f"{NAMESPACE}/{name}-v{VERSION}")
            if ids[-1] not in gymnasium.registry:
                gymnasium.register(ids[-1], entry_point="agentr_gymnasium.envs:AgentrEnv", kwargs={"env": name})
    return ids


register_all()
