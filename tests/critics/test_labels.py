"""What a critic's answer means: one final label, or uncertain."""

from __future__ import annotations

import pytest
from agentr_critics.prompts import judge_prompt, parse_label, vote


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("It crafts what is needed.\nJudgment: good", "good"),
        ("It fails.\nJudgment: bad", "bad"),
        ("Who knows.\nJudgment: uncertain", "uncertain"),
        ("Judgement: Bad.", "bad"),
        ("**Judgment: GOOD**", "good"),
        ("  Judgment : good  \n\n", "good"),
        ("Judgment: bad\nOn second thoughts.\nJudgment: good", "good"),
        ("Judgment: not good", "uncertain"),
        ("Judgment: good or bad", "uncertain"),
        ("Judgment: good, bad or uncertain", "uncertain"),
        ("Judgment: goodness", "uncertain"),
        ("Judgment: maybe", "uncertain"),
        ("Judgment:", "uncertain"),
        ("Judgment:\nbad", "uncertain"),
        ("This is a bad action.", "uncertain"),
        ("good", "uncertain"),
        ("Judgment: bad\nbecause it wastes", "uncertain"),
        ("", "uncertain"),
        ("\x00\n", "uncertain"),
    ],
)
def test_label_of_an_answer(answer: str, label: str) -> None:
    assert parse_label(answer) == label


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (["good"], "good"),
        (["bad", "good", "bad"], "bad"),
        (["bad", "good"], "uncertain"),
        (["bad", "good", "uncertain"], "uncertain"),
        (["uncertain", "uncertain", "bad"], "uncertain"),
        ([], "uncertain"),
    ],
)
def test_vote(labels: list[str], label: str) -> None:
    assert vote(labels) == label  # type: ignore[arg-type]


def test_prompt_names_the_world_and_shows_what_came_before_and_not_after(scene) -> None:
    system, user = judge_prompt(scene.trajectory("far"), 2, "a counting game")
    assert "a counting game" in system.content and "science" not in system.content
    assert "Count to 7." in user.content
    history, _, judged = user.content.partition("\n\nAction: add 1\n")
    assert history.endswith("History:\nAction: add 2\nObservation: You are at 3.")
    assert judged.startswith("Observation: You are at 4.")
    assert "double" not in user.content
