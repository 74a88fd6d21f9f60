from __future__ import annotations

from agentr_hangman.config import HangmanConfig
from agentr_hangman.env import Hangman

import agentr_core


def test_every_demonstration_wins() -> None:
    game = agentr_core.create("env", "hangman")
    for split in game.splits():
        for task in game.tasks(split):
            game.reset(task)
            *_, last = [game.step(action) for action in game.demonstrate(task)]
            assert (last.reward, last.terminated) == (1.0, True)


def test_wrong_guesses_end_the_game_and_pay_for_what_was_found() -> None:
    game = Hangman(HangmanConfig(lives=2))
    task = game.task("hangman_apple")
    game.reset(task)
    assert not game.step("guess p").terminated
    assert game.step("guess z").observation == "There is no z. _ p p _ _"
    last = game.step("x")
    assert last.terminated and last.reward == 0.4
