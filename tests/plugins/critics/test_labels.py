"""A critic's question, and what an answer means: one final label, or uncertain."""

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
        ("**Judgment:** bad", "bad"),
        ("- *Judgment*: `good`!", "good"),
        ("_Judgment: good_", "good"),
        ("It is good, I would say, not bad.\r\nJudgment: bad\r\n", "bad"),
        ("Judgment: bad\nOn second thoughts.\nJudgment: good", "good"),
        ("Judgment: not good", "uncertain"),
        ("Judgment: good or bad", "uncertain"),
        ("Judgment: good, bad or uncertain", "uncertain"),
        ("Judgment: goodness", "uncertain"),
        ("Judgment: bad because it was refused", "uncertain"),
        ("Judgment bad", "uncertain"),
        ("My Judgment: bad", "uncertain"),
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


def test_the_question(court) -> None:
    system, user = judge_prompt(court.trajectory("short"), 3, "a counting game")
    assert (system.role, user.role) == ("system", "user")
    assert "agent in a counting game" in system.content and "science" not in system.content
    assert system.content.endswith("Judgment: good, bad or uncertain")
    assert user.content == (
        "Task:\nCount to 7. You are at 1.\n\n"
        "History:\nAction: add 2\nObservation: You are at 3.\nAction: add 1\nObservation: You are at 4.\n\n"
        "Action: jump\nObservation: 'jump' is not an action.\n\n"
        "Is this action good, bad or uncertain?"
    )
    assert "\n\nHistory:\nnone\n\nAction: add 2\n" in judge_prompt(court.trajectory("short"), 1, "x")[1].content


def test_the_labels_of_the_prompt_are_no_answer(court) -> None:
    assert parse_label(judge_prompt(court.trajectory("over"), 1, "a game")[0].content) == "uncertain"
