"""TextArena's games for one player with the interface of Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import textarena

from agentr_core import UsageError
from agentr_gymnasium.any_text import AnyText


class TextArenaGame(gymnasium.Env[str, str]):
    """A game without TextArena's own wrappers: what is new is shown, since the conversation holds what was before.

    As with its wrappers, an action without brackets gets them. The reward comes with the end.
    """

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        if f"{name}-raw" not in textarena.envs.registration.ENV_REGISTRY:
            raise UsageError(
                f"gymnasium.id: TextArena has no game '{name}'; names look like FrozenLake-v0, Sudoku-v0-easy, "
                "Minesweeper-v0-small"
            )
        self._game = textarena.make(f"{name}-raw", **settings)
        self._name = name
        self.action_space = AnyText()
        self.observation_space = AnyText()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the game of a seed."""
        super().reset(seed=seed)
        try:
            self._game.reset(num_players=1, seed=seed)
        except AssertionError as error:
            raise UsageError(f"TextArena's '{self._name}' is no game for one player: {error}") from None
        return self._shown(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Make one move."""
        done, _ = self._game.step(action=action if "[" in action else f"[{action}]")
        shown = self._shown()
        if not done:
            return shown, 0.0, False, False, {}
        rewards, told = self._game.close()
        reason = str(told.get(0, {}).get("reason") or "")
        new = f"{shown}\n{reason}".strip() if reason not in shown else shown
        return new, float((rewards or {}).get(0, 0.0)), True, False, {}

    def _shown(self) -> str:
        """The messages that are new, without the player's own move."""
        _, messages = self._game.get_observation()
        return "\n".join(str(text) for sender, text, *_ in messages if sender == textarena.GAME_ID).strip()
