"""The game: one word, a letter a step, so many wrong guesses and it is over."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentr_core import Environment, Observation, StepResult, Task, UsageError
from agentr_hangman.config import HangmanConfig

WORDS = (  # noqa: SIM905 (85 quoted words are no better)
    "apple anchor basket beacon bottle branch bridge bronze butter candle canyon castle cherry circle copper cotton "
    "desert dragon engine falcon fabric flower forest garden ginger hammer harbor helmet honey island jacket jungle "
    "kettle ladder lantern lemon magnet maple marble meadow mirror needle ocean olive orange orchid paddle palace "
    "pencil pepper pillow planet pocket pond quartz rabbit ribbon river rocket saddle salmon shadow silver spider "
    "spoon stable street sugar tailor temple thunder ticket tiger timber tower tunnel valley velvet violin walnut "
    "window winter wizard zebra"
).split()
#: Every fourth word is kept for measuring.
HELD_OUT = 4


@dataclass(frozen=True)
class _State:
    word: str
    guessed: str = ""
    steps: int = 0

    @property
    def hidden(self) -> set[str]:
        return set(self.word) - set(self.guessed)

    @property
    def wrong(self) -> int:
        return len(set(self.guessed) - set(self.word))

    @property
    def pattern(self) -> str:
        return " ".join(letter if letter in self.guessed else "_" for letter in self.word)


class Hangman(Environment[HangmanConfig]):
    """Guess the word. The reward is the share of its letters that were found when the game ends."""

    config_class = HangmanConfig
    supports_snapshot = True
    domain = "a word-guessing game"
    _state: _State | None = None

    def instructions(self, task: Task) -> str:
        return (
            "Guess the hidden word, one letter at a time. Answer with 'Thought: ...' and then 'Action: guess X', "
            f"where X is a letter. {self.config.lives} wrong guesses end the game."
        )

    def splits(self) -> Sequence[str]:
        return ("train", "test")

    def tasks(self, split: str) -> Sequence[Task]:
        if split not in self.splits():
            raise UsageError(f"hangman has no split '{split}'; there are: train, test")
        words = [word for word in WORDS if len(word) >= self.config.min_length]
        return [
            Task(key=f"hangman_{word}", split=split, instruction=_goal(word), metadata={"length": len(word)})
            for number, word in enumerate(words)
            if (number % HELD_OUT == 0) == (split == "test")
        ]

    def reset(self, task: Task) -> Observation:
        self._state = _State(task.key.removeprefix("hangman_"))
        return f"{task.instruction}\n{self._state.pattern}"

    def step(self, action: str) -> StepResult:
        state = self._state
        if state is None or self._over(state):
            raise RuntimeError("step before reset, or after the end of the game")
        letter = action.strip().lower().removeprefix("guess").strip()
        if len(letter) != 1 or letter not in string.ascii_lowercase or letter in state.guessed:
            self._state = replace(state, steps=state.steps + 1)
            said = f"'{action}' is no new letter; say e.g. 'guess e'. {state.pattern}"
            return self._result(self._state, said, invalid=True)
        self._state = replace(state, guessed="".join(sorted(state.guessed + letter)), steps=state.steps + 1)
        said = "Yes." if letter in state.word else f"There is no {letter}."
        return self._result(self._state, f"{said} {self._state.pattern}", invalid=False)

    def _result(self, state: _State, observation: str, *, invalid: bool) -> StepResult:
        won, over = not state.hidden, self._over(state)
        share = sum(letter in state.guessed for letter in state.word) / len(state.word)
        return StepResult(
            observation=observation,
            reward=share if over else 0.0,
            score=float(share),
            terminated=won or state.wrong >= self.config.lives,
            truncated=over and not won and state.wrong < self.config.lives,
            info={"invalid": invalid},
        )

    def _over(self, state: _State) -> bool:
        return not state.hidden or state.wrong >= self.config.lives or state.steps >= 2 * len(string.ascii_lowercase)

    def snapshot(self) -> _State | None:
        return self._state

    def restore(self, snapshot: _State | None) -> None:
        self._state = snapshot

    def state_key(self) -> str:
        state = self._state
        return "" if state is None else f"{state.word}/{state.guessed}/{state.steps}"

    def legal_actions(self) -> Sequence[str]:
        guessed = self._state.guessed if self._state else ""
        return [f"guess {letter}" for letter in string.ascii_lowercase if letter not in guessed]

    def demonstrate(self, task: Task) -> Sequence[str]:
        return [f"guess {letter}" for letter in dict.fromkeys(task.key.removeprefix("hangman_"))]

    def distance(self) -> float | None:
        return float(len(self._state.hidden)) if self._state else None


def _goal(word: str) -> str:
    return f"Find a word of {len(word)} letters that begins with '{word[0]}' and ends with '{word[-1]}'."
