"""What models write, and the action in it: one row a test."""

from __future__ import annotations

import pytest

from agentr_core.interfaces.turn_parsing import (
    EMPTY_ACTION,
    NO_ACTION,
    TOOL_CALL,
    TWO_ACTIONS,
    _parse_any,
    parse_response,
    split_reasoning,
)

GET = "get 1 oak log"
ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
ACTIONS = {
    "the format itself": (f"Thought: logs.\nAction: {GET}", GET),
    "bold labels": (f"**Thought:** I need logs first.\n**Action:** {GET}", GET),
    "bold around label and action": (f"**Thought: logs**\n**Action: {GET}**", GET),
    "bold label and code": (f"**Thought:** logs.\n\n**Action:** `{GET}`", GET),
    "code": (f"Thought: logs.\nAction: `{GET}`", GET),
    "fenced": (f"Thought: logs.\nAction:\n```\n{GET}\n```", GET),
    "fenced with a language": (f"Thought: logs.\nAction:\n```text\n{GET}\n```", GET),
    "fence that is cut off": (f"Thought: logs.\nAction:\n```\n{GET}", GET),
    "whole answer fenced": (f"```\nThought: logs.\nAction: {GET}\n```", GET),
    "headings": (f"### Thought:\nlogs\n### Action:\n{GET}", GET),
    "numbered": (f"Thought 1: logs.\nAction 1: {GET}", GET),
    "lower case": (f"thought: logs.\naction: {GET}", GET),
    "on one line": (f"Thought: logs. Action: {GET}", GET),
    "on one line, bold": (f"**Thought:** logs. **Action:** {GET}", GET),
    "an observation made up": (f"Thought: logs.\nAction: {GET}\nObservation: Got 1 oak log", GET),
    "a block of reasoning": (f"<think>\nWe need logs.\n</think>\n\nThought: logs.\nAction: {GET}", GET),
    "reasoning about the format": (f"<think>\nThe format is\nAction: x\n</think>\nThought: logs.\nAction: {GET}", GET),
    "reasoning that the prompt opened": (
        f"Maybe\nAction: get 2 stick? No.\n</think>\n\nThought: l.\nAction: {GET}",
        GET,
    ),
    "Mistral's reasoning": (f"[THINK]Action: none?[/THINK]Thought: logs.\nAction: {GET}", GET),
    "Mistral's reasoning that the prompt opened": (f"Action: none?[/THINK]\nAction: {GET}", GET),
    "an analysis channel": (f"{ANALYSIS}Action: x<|end|><|start|>assistant{FINAL}Thought: l.\nAction: {GET}", GET),
    "the channel of an answer": (f"{FINAL}Thought: logs.\nAction: {GET}<|return|>", GET),
    "channels without their special tokens": (f"analysisAction: x? No.assistantfinalAction: {GET}", GET),
    "reasoning, then the action alone": (f"<think>logs</think>\n{GET}", GET),
    "quoted": (f'Thought: logs.\nAction: "{GET}"', GET),
    "typographic quotes": (f"Thought: logs.\nAction: \u201c{GET}\u201d", GET),
    "trailing </s>": (f"Thought: logs.\nAction: {GET}</s>", GET),
    "trailing <|im_end|>": (f"Thought: logs.\nAction: {GET}<|im_end|>", GET),
    "two stop texts": (f"Thought: logs.\nAction: {GET}<|eot_id|>\n<|end_of_text|>", GET),
    "full-width colon": (f"Thought\uff1a需要原木。\nAction\uff1a{GET}", GET),
    "the prompt's mark": (f"> {GET}", GET),
    "a tool call": ('<tool_call>\n{"name": "act", "arguments": {"action": "get 1 oak log"}}\n</tool_call>', GET),
    "a tool call with a number": ('<tool_call>{"name": "choose", "arguments": {"option": 3}}', "3"),
    "a tool call with JSON inside": (
        '<tool_call>{"name": "act", "arguments": "{\\"action\\": \\"get 1 oak log\\"}"}</tool_call>',
        GET,
    ),
    "a tool call with a text": ('<tool_call>{"name": "act", "parameters": "get 1 oak log"}', GET),
    "a tool call that is talked of": (f"Thought: no <tool_call> here.\nAction: {GET}", GET),
    "action tags": (f"<think>logs</think><action>{GET}</action>", GET),
    "answer tags": (f"<answer>{GET}</answer>", GET),
    "CRLF": (f"Thought: logs.\r\nAction: {GET}\r\n", GET),
    "no-break spaces": ("Thought: logs.\nAction:\u00a0get\u00a01\u00a0oak\u00a0log", GET),
    "zero-width space": (f"Thought: logs.\nAction: \u200b{GET}", GET),
    "transaction: in the thought": (f"Thought: In this transaction: logs.\nAction: {GET}", GET),
    "reaction: at a line's start": (f"Reaction: hm\nAction: {GET}", GET),
    "the next Action: in the thought": (f"Thought: The next Action: should fetch a log.\nAction: {GET}", GET),
    "the next action: as a whole": ("The next action: open it", "The next action: open it"),
    "complete the transaction: buy": ("complete the transaction: buy", "complete the transaction: buy"),
    "a single line": (GET, GET),
    "brackets stay": ("Thought: buy\nAction: click[Buy Now]", "click[Buy Now]"),
    "stars inside stay": ("Thought: x\nAction: search[5* hotel * soap]", "search[5* hotel * soap]"),
    "an item's colon stays": ("Thought: logs.\nAction: get 1 minecraft:oak_log", "get 1 minecraft:oak_log"),
    "quotes inside stay": ('Thought: x\nAction: say "hello" to bob', 'say "hello" to bob'),
    "a full stop stays": ("Thought: x\nAction: look at the U.S. map.", "look at the U.S. map."),
}
ERRORS = {
    "two actions": (f"Thought: a\nAction: {GET}\nAction: {GET}", TWO_ACTIONS),
    "two rounds": (f"Action: {GET}\nObservation: Got it\nThought: b\nAction: inventory", TWO_ACTIONS),
    "only a thought": ("Thought: I should get logs.", NO_ACTION),
    "several lines without a label": ("I think\nI shall get logs", NO_ACTION),
    "an empty action": ("Thought: a\nAction:", EMPTY_ACTION),
    "an action of marks alone": ("**Thought:** a\n**Action:** **", EMPTY_ACTION),
    "reasoning that is cut off": (
        "<think>\nOne option is\nAction: get 64 diamond\nbut that is silly because",
        NO_ACTION,
    ),
    "nothing after the reasoning": ("<think>logs</think>", NO_ACTION),
    "nothing": ("", EMPTY_ACTION),
    "an analysis that is cut off": (f"{ANALYSIS}One option is\nAction: get 64 diamond", NO_ACTION),
    "Mistral's reasoning that is cut off": ("[THINK]One option is\nAction: get 64 diamond", NO_ACTION),
    "an analysis without its special tokens that is cut off": ("analysisOne is\nAction: get 64 diamond", NO_ACTION),
    "a tool call with two arguments": (
        '<tool_call>{"name": "get", "arguments": {"count": 1, "item": "oak log"}}</tool_call>',
        TOOL_CALL,
    ),
    "a tool call with no argument": ('<tool_call>{"name": "inventory", "arguments": {}}</tool_call>', TOOL_CALL),
    "a tool call with a truth value": ('<tool_call>{"name": "act", "arguments": {"on": true}}', TOOL_CALL),
    "a tool call with a list": ('<tool_call>{"name": "act", "arguments": {"actions": ["a", "b"]}}', TOOL_CALL),
    "a tool call with nothing": ('<tool_call>{"name": "act", "arguments": null}', TOOL_CALL),
    "a tool call that is no JSON": ("<tool_call>get 1 oak log</tool_call>", TOOL_CALL),
    "a tool call that is cut off": ('<tool_call>{"name": "act", "argum', TOOL_CALL),
    "two tool calls": ('<tool_call>{"arguments": {"action": "a"}}</tool_call>' * 2, TWO_ACTIONS),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_the_action_of_an_answer(name: str) -> None:
    answer, action = ACTIONS[name]
    parsed = parse_response(answer)
    assert (parsed.action, parsed.error) == (action, None)


@pytest.mark.parametrize("name", ERRORS)
def test_an_answer_without_one_action_says_why(name: str) -> None:
    answer, error = ERRORS[name]
    parsed = parse_response(answer)
    assert (parsed.action, parsed.error) == (None, error)


def test_the_thought_is_told_without_its_label() -> None:
    assert parse_response(f"**Thought:** I need logs.\n**Action:** {GET}").thought == "I need logs."
    assert parse_response(f"<think>deep</think>\nAction: {GET}").thought == "deep"


def test_reasoning_is_split_off() -> None:
    assert split_reasoning("<think>a</think>b") == ("a", "b")
    assert split_reasoning("a</think>b") == ("a", "b")
    assert split_reasoning("<think>a") == ("a", "")
    assert split_reasoning("b") == ("", "b")
    assert split_reasoning("[THINK]a[/THINK]b") == ("a", "b")
    assert split_reasoning(f"{ANALYSIS}a<|end|><|start|>assistant{FINAL}b") == ("a", "b")


ENDLESS = ["Action" * 50_000, "`" * 100_000, "<think>" * 50_000, "*" * 100_000 + ":", " " * 100_000 + "x"]
ENDLESS += [
    "```\n" + " " * 100_000 + "x",
    "<tool_call>{" * 20_000,
    "<action>" * 50_000,
    "</s> " * 50_000,
    "> " * 50_000,
    "[THINK]" * 50_000,
    ANALYSIS * 20_000,
    "analysisAassistant" * 20_000,
    '<tool_call>{"arguments":' * 10_000,
    '<tool_call>{"arguments": "{' + "[" * 100_000 + '"}',
]


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:12].strip())
def test_an_endless_answer_is_read_all_the_same(text: str) -> None:
    """A pattern that tries every place against every other would take minutes here."""
    parsed = parse_response(text)
    assert (parsed.action is None) == (parsed.error is not None)


@pytest.mark.parametrize("name", [*ACTIONS, *ERRORS])
def test_the_short_way_for_plain_turns_gives_what_the_long_one_gives(name: str) -> None:
    answer = (ACTIONS | ERRORS)[name][0]
    for text in (
        answer,
        f"Thought: I need logs, so: get them (2).\nAction: {answer}",
        "Thought: a\nAction: get 1 oak log  ",
    ):
        assert parse_response(text) == _parse_any(text)
