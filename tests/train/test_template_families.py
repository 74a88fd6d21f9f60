"""Chat templates in the structure of current model families: what is trained follows the prompt that was searched with.

The small templates beside this file write turns as their families do; the words are their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

pytest.importorskip("transformers")

from tokenizers import AddedToken, Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from agentr_core import (
    ChatPrompts,
    Example,
    Message,
    RenderedExample,
    UsageError,
    check_rendered,
    end_tokens,
    render_example,
)
from agentr_core.interfaces.turn_parsing import ParsedAction, parse_response, split_reasoning
from agentr_core.train.token_masks import IGNORE

ROOMY = 4096

#: The end of turn, and in how many rows three trained turns are trained.
FAMILIES = {
    "qwen25": ("<|im_end|>", 1),
    "qwen3": ("<|im_end|>", 1),
    "llama3": ("<|eot_id|>", 1),
    "llama32": ("<|eot_id|>", 1),
    "gemma3": ("<end_of_turn>", 1),
    "strict": ("<|end|>", 1),
    "mistral03": ("<|end|>", 3),
    "mistral7": ("<|end|>", 1),
    "phi3": ("<|end|>", 1),
    "phi4": ("<|im_end|>", 1),
    "smollm2": ("<|im_end|>", 1),
    "smollm3": ("<|im_end|>", 1),
    "magistral": ("<|end|>", 1),
    "gptoss": ("<|return|>", 3),
    "deepseek": ("<｜end▁of▁sentence｜>", 3),
    "nemotron": ("<|im_end|>", 3),
    "glm4": ("<|user|>", 1),
    "forgetful": ("<|im_end|>", 3),
    "spaced": ("<|end|>", 1),
    "tiny": ("<|end|>", 1),
}
#: Families whose models reason, and what one writes before an answer; the prompt of some has opened the block.
TAGGED, OPENED = "<think>\nI look.\n</think>\n\n", "I look.\n</think>\n\n"
BRACKETED = "[THINK]I look.[/THINK]"
FINAL = "<|channel|>final<|message|>"
CHANNELLED = f"<|channel|>analysis<|message|>I look.<|end|><|start|>assistant{FINAL}"
REASONING = {"qwen3": TAGGED, "smollm3": TAGGED, "glm4": TAGGED, "deepseek": OPENED, "nemotron": OPENED}
REASONING |= {"magistral": BRACKETED, "gptoss": CHANNELLED}
#: DeepSeek R1's template always opens the block, and Magistral's has nothing to say about it.
NO_SWITCH = [("deepseek", "off"), ("magistral", "off")]

TokenizerWith = Callable[[str], Any]
Revision = Callable[[int], Example]
Options = dict[str, Any]


def trained_turns(row: RenderedExample, tokenizer: Any) -> list[tuple[int, str]]:
    """Where each run of trained tokens begins, and its text."""
    found, at = [], 0
    for trained, run in groupby(row.labels, lambda label: label != IGNORE):
        tokens = list(run)
        if trained:
            found.append((at, tokenizer.decode(tokens)))
        at += len(tokens)
    return found


def answers_after_their_prompts(example: Example, tokenizer: Any, options: Options) -> list[str]:
    """What is trained, turn by turn; each follows the tokens that the search asks with, and ends where it stops."""
    prompts = ChatPrompts(tokenizer, options, "the model")
    ends = tuple(tokenizer.convert_ids_to_tokens(sorted(end_tokens(None, tokenizer) | prompts.end_of_turn())))
    at = [index for index, message in enumerate(example.messages) if message.train]
    answers: dict[int, str] = {}
    for row in render_example(example, tokenizer, max_length=ROOMY, options=options):
        check_rendered(example, row, tokenizer, options=options)
        for turn, (start, text) in zip(row.turns, trained_turns(row, tokenizer), strict=True):
            assert row.input_ids[:start] == prompts.ids(example.messages[: at[turn]])
            assert text.endswith(ends)
            answers[turn] = text
    assert sorted(answers) == list(range(len(at)))
    return [answers[turn] for turn in range(len(at))]


def thinking(example: Example, before: str) -> Example:
    """The conversation with reasoning before each of the agent's turns but the signal, which nobody reasoned for."""
    turns = [
        replace(each, content=f"{before}{each.content}")
        if each.role == "assistant" and "revise" not in each.content
        else each
        for each in example.messages
    ]
    return replace(example, messages=tuple(turns))


def said(text: str, ending: str) -> str:
    """An answer without its end, the spaces around it and an empty block of reasoning."""
    text = text.removesuffix(ending).removeprefix(FINAL).strip()
    return text.removeprefix("<think>").lstrip().removeprefix("</think>").strip()


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_trained_turn_follows_the_prompt_of_the_search(
    family: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example, (ending, rows) = tokenizer_with(family), revision(7), FAMILIES[family]
    answers = answers_after_their_prompts(example, tokenizer, {})
    assert [said(text, ending) for text in answers] == [turn.content for turn in example.messages if turn.train]
    assert all(text.endswith(ending) for text in answers)
    assert len(render_example(example, tokenizer, max_length=ROOMY)) == rows


def test_the_system_text_is_in_every_prompt(family: str, tokenizer_with: TokenizerWith, revision: Revision) -> None:
    messages, prompts = revision(7).messages, ChatPrompts(tokenizer_with(family), {}, family)
    for length in (2, 4, 6):
        text = prompts.render(messages[:length])
        assert text.count("You craft things.") == (0 if family == "tiny" else 1)
        assert all(turn.content in text for turn in messages[1:length])


@pytest.mark.parametrize(
    ("family", "reasoning"),
    [(family, each) for family in REASONING for each in ("strip", "keep", "off") if (family, each) not in NO_SWITCH],
)
def test_reasoning_is_trained_where_it_was_asked_for(
    family: str, reasoning: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, (ending, _) = tokenizer_with(family), FAMILIES[family]
    options = {"reasoning": reasoning}
    ending = "<|end|>" if (family, reasoning) == ("gptoss", "off") else ending
    block = REASONING[family]
    example = thinking(revision(7), block)
    signal, *answers = answers_after_their_prompts(example, tokenizer, options)
    wanted = [turn.content for turn in revision(7).messages if turn.train]
    assert said(signal, ending) == wanted[0]
    if reasoning == "off":
        assert [said(text, ending) for text in answers] == wanted[1:]
    else:
        assert [text.strip() for text in answers] == [f"{block}{content}{ending}" for content in wanted[1:]]


@pytest.mark.parametrize("family", sorted(REASONING))
def test_earlier_reasoning_is_left_out_or_kept_as_it_was_written(
    family: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, block = tokenizer_with(family), REASONING[family]
    example = thinking(revision(7), block)
    left_out, kept = (ChatPrompts(tokenizer, {"reasoning": each}, family) for each in ("strip", "keep"))
    assert "I look." not in left_out.render(example.messages)
    assert kept.render(example.messages).count(f"{TAGGED if block == OPENED else block}Thought:") == 4
    # What was asked and answered stays, so the next prompt begins with it, and one row trains it all; but in channels,
    # where a turn that is answered ends otherwise than one in history.
    for at in (2, 4, 6):
        answered = kept.render(example.messages[:at]) + kept.template.answer(example.messages[at].content)
        assert kept.render(example.messages[: at + 2]).startswith(answered)
    assert len(render_example(example, tokenizer, max_length=ROOMY, options={"reasoning": "keep"})) == (
        3 if family == "gptoss" else 1
    )
    assert len(render_example(example, tokenizer, max_length=ROOMY)) == 3


@pytest.mark.parametrize("family", ["magistral", "gptoss", "qwen3"])
def test_what_a_model_writes_is_read_with_its_reasoning_between_tags(
    family: str, tokenizer_with: TokenizerWith
) -> None:
    """The marks are special tokens of some models, which decoding leaves out."""
    prompts, block = ChatPrompts(tokenizer_with(family), {}, family), REASONING[family]
    ids = prompts.encode(f"{block}Thought: a\nAction: b")
    ends = prompts.end_of_turn()
    assert not ends & set(ids), "it would be stopped before its answer"
    text = prompts.decode([*ids, *ends])
    assert parse_response(text) == ParsedAction("b", "a")
    assert split_reasoning(text) == ("I look.", text.rpartition("</think>")[2])
    # Given back, as the conversation's history or to be trained, it is what the model wrote.
    assert prompts.template.answer(text) == f"{block}Thought: a\nAction: b"


def test_reasoning_that_is_turned_off_leaves_the_header_of_the_answer_to_the_prompt(
    tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example, off = tokenizer_with("gptoss"), revision(7), {"reasoning": "off"}
    prompts = ChatPrompts(tokenizer, off, "gptoss")
    assert prompts.render(example.messages[:2]).endswith(f"<|start|>assistant{FINAL}")
    assert prompts.end_of_turn() == {tokenizer.convert_tokens_to_ids("<|end|>")}
    answers = answers_after_their_prompts(example, tokenizer, off)
    assert answers == [f"{turn.content}<|end|>" for turn in example.messages if turn.train]
    assert len(render_example(example, tokenizer, max_length=ROOMY, options=off)) == 1


@pytest.mark.parametrize("reasoning", ["strip", "keep"])
def test_with_thinking_off_the_prompt_holds_an_empty_block(
    reasoning: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, options = tokenizer_with("qwen3"), {"enable_thinking": False, "reasoning": reasoning}
    example = revision(7)
    assert ChatPrompts(tokenizer, options, "m").render(example.messages[:2]).endswith("<think>\n\n</think>\n\n")
    answers = answers_after_their_prompts(example, tokenizer, options)
    assert answers == [f"{turn.content}<|im_end|>" for turn in example.messages if turn.train]
    rows = render_example(example, tokenizer, max_length=ROOMY, options=options)
    assert len(rows) == (1 if reasoning == "keep" else 3)
    # An answer that reasons all the same is trained without: the model is asked for none.
    assert answers_after_their_prompts(thinking(example, "<think>\nhm\n</think>\n\n"), tokenizer, options) == answers


@pytest.mark.parametrize("family", ["deepseek", "qwen25", "llama3", "magistral"])
def test_what_has_no_switch_is_not_turned_off(family: str, tokenizer_with: TokenizerWith) -> None:
    with pytest.raises(UsageError, match="has no switch"):
        ChatPrompts(tokenizer_with(family), {"reasoning": "off"}, family)


def test_rows_of_single_turns_lose_their_oldest_steps_as_the_search_does(
    tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with("mistral03"), revision(7)
    rows = render_example(example, tokenizer, max_length=ROOMY)
    assert [row.turns for row in rows] == [(0,), (1,), (2,)]
    limit = len(rows[1].input_ids) - 1
    signal, planks, sticks = render_example(example, tokenizer, max_length=limit)
    assert signal == rows[0]
    for row, before, whole in ((planks, example.messages[:8], rows[1]), (sticks, example.messages[:10], rows[2])):
        assert len(row.input_ids) <= limit
        assert row.trained == whole.trained
        kept = next(n for n in range(1, 4) if len(_without(before, n, tokenizer)) + len(row.trained) <= limit)
        assert row.input_ids[: -len(row.trained)] == _without(before, kept, tokenizer)
    # The head and the last step stay: what does not fit then is not trained, and the others are.
    (shortest, *_) = sorted(len(_without(example.messages[:at], 9, tokenizer)) for at in (6, 8, 10))
    few = render_example(example, tokenizer, max_length=shortest + max(len(row.trained) for row in rows))
    assert 0 < len(few) <= 3
    assert render_example(example, tokenizer, max_length=shortest) == ()


def _without(before: tuple[Message, ...], steps: int, tokenizer: Any) -> tuple[int, ...]:
    """The prompt without its oldest steps; head and last step stay."""
    left_out = min(2 * steps, len(before) - 4)
    return ChatPrompts(tokenizer, {}, "m").ids((*before[:2], *before[2 + left_out :]))


def test_the_end_of_a_turn_is_not_that_of_a_conversation(tokenizer_with: TokenizerWith) -> None:
    tokenizer = tokenizer_with("phi3")
    assert ChatPrompts(tokenizer, {}, "phi3").end_of_turn() == {tokenizer.convert_tokens_to_ids("<|end|>")}


def test_special_tokens_that_take_the_line_break_behind_them(tokenizer_with: TokenizerWith, revision: Revision) -> None:
    """Phi's tokenizers read ``<|end|>`` and the line break as one token."""
    backend = Tokenizer.from_str(tokenizer_with("phi3").backend_tokenizer.to_str())
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|pad|>")
    tokenizer.add_tokens([AddedToken("<|fin|>", special=True, rstrip=True)])
    tokenizer.chat_template = tokenizer_with("phi3").chat_template.replace("<|end|>", "<|fin|>")
    example = revision(7)
    answers = answers_after_their_prompts(example, tokenizer, {})
    assert answers == [f"{turn.content}<|fin|>" for turn in example.messages if turn.train]
    assert "<|fin|>\n" not in tokenizer.decode(tokenizer("<|fin|>\n")["input_ids"])


def test_an_answer_never_changes_the_last_token_of_its_prompt(tokenizer_with: TokenizerWith) -> None:
    tokenizer, turns = tokenizer_with("spaced"), [Message("user", "Goal")]
    turns += [Message("assistant", "craft 4 stick", train=True), Message("user", "ok.")] * 2
    assert len(tokenizer("assistant: craft")["input_ids"]) < len(tokenizer("assistant: ")["input_ids"]) + 2
    assert answers_after_their_prompts(Example(tuple(turns), "good"), tokenizer, {}) == ["craft 4 stick<|end|>"] * 2


@pytest.mark.parametrize("family", ["llama32", "smollm3", "gptoss"])
def test_the_day_is_that_of_the_options_and_not_of_the_clock(
    family: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, messages = tokenizer_with(family), revision(7).messages[:2]
    plain, other = (ChatPrompts(tokenizer, each, family).render(messages) for each in ({}, {"date": "2031-02-03"}))
    assert "2024" in plain and "26" in plain
    assert "2031" in other and "03" in other
    answers_after_their_prompts(revision(7), tokenizer, {"date": "2031-02-03"})


def test_a_template_that_leaves_out_what_is_said_is_refused(tokenizer_with: TokenizerWith) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer_with("phi4").backend_tokenizer)
    tokenizer.chat_template = "{% for turn in messages %}{{ turn.role }}: {{ turn.content[0].text }}{% endfor %}"
    with pytest.raises(UsageError, match="does not write turns of plain text"):
        ChatPrompts(tokenizer, {}, "seeing")


def test_of_several_templates_without_a_default_one_is_named(tokenizer_with: TokenizerWith) -> None:
    several = PreTrainedTokenizerFast(tokenizer_object=tokenizer_with("qwen25").backend_tokenizer, eos_token="<|end|>")
    several.chat_template = {
        "plain": tokenizer_with("qwen25").chat_template,
        "other": tokenizer_with("phi3").chat_template,
    }
    with pytest.raises(UsageError, match=r"of 'm' does not write turns of plain text .*'other', 'plain'"):
        ChatPrompts(several, {}, "m")
    asked = [Message("user", "Goal")]
    plain = ChatPrompts(several, {"chat_template": "plain"}, "m")
    assert plain.render(asked) == ChatPrompts(tokenizer_with("qwen25"), {}, "m").render(asked)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reasoning": "of"}, "must be 'strip', 'keep' or 'off' \\(got 'of'\\)"),
        ({"date": "today"}, "must be a day such as"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: Options, says: str, tokenizer_with: TokenizerWith) -> None:
    with pytest.raises(UsageError, match=says):
        ChatPrompts(tokenizer_with("qwen3"), options, "m")
