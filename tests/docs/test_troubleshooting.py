"""docs/troubleshooting.md: each sentence that it explains is one that the code can say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from code_sentences import sentences

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SAID = re.findall(r"^\| `([^`]+)` \|", PAGE.partition("## Names and settings")[2], re.MULTILINE)


def can_be_said(sentence: str) -> bool:
    """Whether a literal of the code has it; ``…`` stands for what is filled in."""
    wanted = sentence.strip("… ")
    return any(wanted in text for text in sentences())


@pytest.mark.parametrize("sentence", SAID)
def test_a_sentence_is_in_the_code(sentence: str) -> None:
    assert can_be_said(sentence)


def test_there_are_enough_and_another_one_would_be_noticed() -> None:
    assert len(SAID) > 50
    assert not can_be_said("there is no warehouse at …; build one, or name another file with --db")
