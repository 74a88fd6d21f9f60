"""Reasoning in what models write: what of it is left out, and what templates see of it."""

from __future__ import annotations

from datetime import date

import pytest

from agentr_core.errors import UsageError
from agentr_core.interfaces.reasoning_marks import BRACKETS, CHANNELS, TAGS, Marks, tagged
from agentr_core.prompts.reasoning import dated, hidden, reasoning_of, shown, without_reasoning


@pytest.mark.parametrize(
    ("content", "rest"),
    [
        ("Action: go", "Action: go"),
        ("<think>\nhm\n</think>\n\nAction: go", "Action: go"),
        ("hm\n</think>\n\nAction: go", "Action: go"),  # the prompt opened the block
        ("<think>a</think>b<think>c</think> d", " d"),
        ("<think>\nnever closed", ""),
        ("[THINK]hm[/THINK]Action: go", "Action: go"),
        ("[THINK]never closed", ""),
        (f"{CHANNELS.opened}hm{CHANNELS.closed}Action: go", "Action: go"),
        (f"{CHANNELS.opened}never closed", ""),
        ("Thought: <think> is a tag", "Thought: <think> is a tag"),
        ("", ""),
    ],
)
def test_what_follows_the_reasoning_stays(content: str, rest: str) -> None:
    assert without_reasoning(content) == rest


def test_what_is_hidden_from_a_template_comes_back() -> None:
    said = "<think>\nhm\n</think>\n\nAction: go"
    assert "<think>" not in hidden(said) and "</think>" not in hidden(said)
    assert shown(hidden(said)) == said


@pytest.mark.parametrize("marks", [TAGS, BRACKETS, CHANNELS], ids=lambda marks: marks.opened)
def test_reasoning_comes_back_between_the_models_own_marks(marks: Marks) -> None:
    said = f"{marks.opened}hm{marks.closed}Action: go"
    assert marks.tagged(said) == tagged(said) == "<think>hm</think>Action: go"
    assert marks.written(tagged(said)) == shown(hidden(tagged(said)), marks) == said


def test_the_options_of_the_template_are_told_from_agentrs_own() -> None:
    plain = reasoning_of({"enable_thinking": True})
    assert plain == ("strip", date(2024, 7, 26), {"enable_thinking": True})
    off = reasoning_of({"reasoning": "off", "date": "2031-02-03", "tools": []})
    assert off == ("off", date(2031, 2, 3), {"enable_thinking": False, "thinking": False, "tools": []})
    with pytest.raises(UsageError, match=r"template_options.reasoning: .*got 'none'"):
        reasoning_of({"reasoning": "none"})


def test_a_template_without_a_clock_stays_as_it_is() -> None:
    assert dated("{{ messages }}", date(2031, 2, 3)) is None
    assert dated({"default": "strftime_now"}, date(2031, 2, 3)) is None
    jinja2 = pytest.importorskip("jinja2")
    source = dated("\n{{ strftime_now('%d %b %Y, %A') }}.", date(2031, 2, 3))
    assert jinja2.Environment(trim_blocks=True).from_string(source).render() == "\n03 Feb 2031, Monday."
