"""TextWorld's game files with the interface of Gymnasium. A seed is the number of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import textworld

from agentr_core import UsageError
from agentr_gymnasium.any_text import AnyText

#: A command is cut off here: the interpreters have small buffers.
LONGEST = 200
_WANTED = ("admissible_commands", "policy_commands", "max_score", "won", "lost", "score")


class TextWorldGame(gymnasium.Env[str, str]):
    """Plays ``files``. The reward of a step is its share of the points that can be had; winning brings the rest."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._game: Any = None
        self._paid = 0.0
        self.action_space = AnyText()
        self.observation_space = AnyText()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start file number ``seed``."""
        super().reset(seed=seed)
        number = seed or 0
        if number >= len(self._files):
            raise UsageError(f"there are {len(self._files)} game files, and no number {number}; numbers begin with 0")
        self.close()
        infos = textworld.EnvInfos(**dict.fromkeys(_WANTED, True))
        self._game, self._paid = textworld.start(self._files[number], request_infos=infos), 0.0
        state = self._game.reset()
        return str(state.feedback).strip(), self._told(state)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do one command."""
        state, score, done = self._game.step(_typed(action))
        paid = 1.0 if state.won else min(float(score) / (state.max_score or 1), 1.0)
        reward, self._paid = paid - self._paid, paid
        return str(state.feedback).strip(), reward, bool(done), False, self._told(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> TextWorldGame:
        raise TypeError("the game runs in an interpreter that has no copies")

    def close(self) -> None:
        """End the interpreter."""
        if self._game is not None:
            self._game.close()
            self._game = None

    def _told(self, state: Any) -> dict[str, Any]:
        """What the game says besides; the commands of its quest from here on, where it knows them."""
        commands = state.policy_commands
        return {
            "valid_actions": sorted(state.admissible_commands or ()),
            "expert_actions": list(commands) if commands else None,
        }


def _typed(text: str) -> str:
    """What can be typed of a text: an interpreter that is sent a control character may never answer."""
    return "".join(letter if " " <= letter <= "~" else " " for letter in text)[:LONGEST]
