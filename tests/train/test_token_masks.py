"""What is trained: the revision signal and the good tail with their ends of turn, in any model's chat template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from agentr_core import AgentrError, Example, Message, RenderedExample, UsageError, check_rendered, render_example
from agentr_core.train.token_masks import IGNORE

#: The end of turn that each template writes.
ENDINGS = {
    "tiny": "<|end|>",
    "smollm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "qwen25": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "strict": "<|end|>",
}
ROOMY = 4096

TokenizerWith = Callable[[str], Any]
Revision = Callable[[int], Example]


def one_row(example: Example, tokenizer: Any, max_length: int = ROOMY) -> RenderedExample:
    """The only row of a conversation in a template that keeps what it has written."""
    (row,) = render_example(example, tokenizer, max_length=max_length)
    return row


def trained_texts(rendered: RenderedExample, tokenizer: Any) -> list[str]:
    """The unbroken runs of trained tokens as text."""
    pairs = zip(rendered.input_ids, rendered.labels, strict=True)
    runs = [list(run) for trained, run in groupby(pairs, lambda pair: pair[1] != IGNORE) if trained]
    assert all(token == label for run in runs for token, label in run)
    return [tokenizer.decode([token for token, _ in run]) for run in runs]


@pytest.fixture(params=sorted(ENDINGS))
def template(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_signal_and_the_good_tail_are_trained_and_nothing_else(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    rendered = one_row(example, tokenizer)
    found = [text.replace(" <|end|>", "<|end|>").removeprefix(" ") for text in trained_texts(rendered, tokenizer)]
    assert found == [message.content + ENDINGS[template] for message in example.messages if message.train]
    check_rendered(example, rendered, tokenizer)


def test_a_trained_turn_follows_the_very_prompt_that_the_model_will_see(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    rendered = one_row(example, tokenizer)
    messages = [message.as_dict() for message in example.messages]
    shift = 0
    if template == "strict":  # knows no system turn: it goes into the first user turn
        system = messages.pop(0)
        messages[0]["content"] = f"{system['content']}\n\n{messages[0]['content']}"
        shift = 1
    for index, message in enumerate(example.messages):
        if message.train:
            prompt = tokenizer.apply_chat_template(
                messages[: index - shift], tokenize=False, add_generation_prompt=True
            )
            ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            assert list(rendered.input_ids[: len(ids)]) == ids
            assert rendered.labels[len(ids) - 1] == IGNORE
            assert rendered.labels[len(ids)] == rendered.input_ids[len(ids)]


def test_a_conversation_that_ends_with_a_trained_turn_is_rendered_as_history(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    shorter = replace(example, messages=example.messages[:-1])
    # Nothing follows the last trained turn either way, and Qwen 3 puts no empty thought before it.
    assert render_example(shorter, tokenizer, max_length=ROOMY) == render_example(example, tokenizer, max_length=ROOMY)


def test_a_good_trajectory_trains_every_agent_turn(template: str, tokenizer_with: TokenizerWith) -> None:
    tokenizer = tokenizer_with(template)
    turns = [Message("user", "Goal: craft stick."), Message("assistant", "Action: get 2 oak planks", train=True)]
    turns += [Message("user", "Got 2 oak planks"), Message("assistant", " Action: craft 4 stick\n", train=True)]
    rendered = one_row(Example(tuple(turns), "good"), tokenizer)
    found = ["".join(text.split()) for text in trained_texts(rendered, tokenizer)]
    end = ENDINGS[template]
    assert found == [f"Action:get2oakplanks{end}", f"Action:craft4stick{end}"]


def test_a_long_conversation_loses_its_oldest_untrained_steps_whole(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    whole = one_row(example, tokenizer)
    one_less = one_row(example, tokenizer, len(whole.input_ids) - 1)
    text = tokenizer.decode(one_less.input_ids)
    assert "Goal: craft 7 sticks" in text  # the head stays
    assert "get 7 stone" not in text and "Got 7 stone" not in text  # the first step goes, with its observation
    assert "using 2 stone" in text  # the second one stays
    assert one_less.trained == whole.trained
    check_rendered(example, one_less, tokenizer)

    shortest = one_row(example, tokenizer, len(one_less.input_ids) - 1)
    assert "stone" not in tokenizer.decode(shortest.input_ids)
    assert shortest.trained == whole.trained
    # No untrained step is left: the conversation is given up rather than its trained tail.
    assert one_row(example, tokenizer, len(shortest.input_ids)) == shortest
    assert render_example(example, tokenizer, max_length=len(shortest.input_ids) - 1) == ()


def test_trained_steps_are_never_dropped(tokenizer_with: TokenizerWith, revision: Revision) -> None:
    tokenizer, example = tokenizer_with("smollm2"), revision(7)
    good = replace(example, messages=tuple(replace(each, train=each.role == "assistant") for each in example.messages))
    whole = one_row(good, tokenizer)
    assert render_example(good, tokenizer, max_length=len(whole.input_ids) - 1) == ()


def test_nothing_to_train_renders_nothing(tokenizer_with: TokenizerWith) -> None:
    example = Example((Message("user", "hello"), Message("assistant", "hi")), "general")
    assert render_example(example, tokenizer_with("smollm2"), max_length=ROOMY) == ()


def test_a_template_that_does_not_end_its_turns_is_refused(tokenizer_with: TokenizerWith, revision: Revision) -> None:
    with pytest.raises(UsageError, match="cannot be taught to stop"):
        render_example(revision(7), tokenizer_with("endless"), max_length=ROOMY)


def corrupt(rendered: RenderedExample, how: str) -> RenderedExample:
    """A mask with one mistake in it."""
    ids, labels = rendered.input_ids, list(rendered.labels)
    trained = [index for index, label in enumerate(labels) if label != IGNORE]
    first, last = trained[0], trained[-1]
    gap = next(index for index in range(first, last) if labels[index] == IGNORE)  # after the first trained turn
    if how == "no end of turn":
        labels[last] = IGNORE
    elif how == "a beginning missing":
        labels[first : first + 2] = [IGNORE] * 2
    elif how == "a hole":
        labels[first + 3] = IGNORE
    elif how == "a turn missing":
        labels[first:gap] = [IGNORE] * (gap - first)
    elif how == "prompt leaks in":
        labels[first - 1] = ids[first - 1]
    elif how == "a header leaks in":
        labels[gap] = ids[gap]
    elif how == "the bad start is trained":
        labels[5:first] = ids[5:first]
    elif how == "everything is trained":
        labels = list(ids)
    elif how == "nothing is trained":
        labels = [IGNORE] * len(ids)
    elif how == "another token":
        labels[first] = ids[first] + 1
    elif how == "shifted":
        labels = [IGNORE if labels[index - 1] == IGNORE else ids[index] for index in range(len(ids))]
    return replace(rendered, labels=tuple(labels))


@pytest.mark.parametrize(
    "how",
    [
        "no end of turn", "a beginning missing", "a hole", "a turn missing", "prompt leaks in", "a header leaks in",
        "the bad start is trained", "everything is trained", "nothing is trained", "another token", "shifted",
    ],
)  # fmt: skip
def test_the_self_check_finds_a_wrong_mask(
    how: str, template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    rendered = one_row(example, tokenizer)
    wrong = corrupt(rendered, how)
    assert wrong != rendered
    with pytest.raises(AgentrError, match="the loss mask"):
        check_rendered(example, wrong, tokenizer)
