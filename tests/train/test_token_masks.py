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
    rendered = render_example(example, tokenizer, max_length=ROOMY)
    assert rendered is not None
    found = [text.replace(" <|end|>", "<|end|>").removeprefix(" ") for text in trained_texts(rendered, tokenizer)]
    assert found == [message.content + ENDINGS[template] for message in example.messages if message.train]
    check_rendered(example, rendered, tokenizer)


def test_a_trained_turn_follows_the_very_prompt_that_the_model_will_see(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    rendered = render_example(example, tokenizer, max_length=ROOMY)
    assert rendered is not None
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
    rendered = render_example(Example(tuple(turns), "good"), tokenizer, max_length=ROOMY)
    assert rendered is not None
    found = ["".join(text.split()) for text in trained_texts(rendered, tokenizer)]
    end = ENDINGS[template]
    assert found == [f"Action:get2oakplanks{end}", f"Action:craft4stick{end}"]


def test_a_long_conversation_loses_its_oldest_untrained_steps_whole(
    template: str, tokenizer_with: TokenizerWith, revision: Revision
) -> None:
    tokenizer, example = tokenizer_with(template), revision(7)
    whole = render_example(example, tokenizer, max_length=ROOMY)
    assert whole is not None
    one_less = render_example(example, tokenizer, max_length=len(whole.input_ids) - 1)
    assert one_less is not None
    text = tokenizer.decode(one_less.input_ids)
    assert "Goal: craft 7 sticks" in text  # the head stays
    assert "get 7 stone" not in text and "Got 7 stone" not in text  # the first step goes, with its observation
    assert "using 2 stone" in text  # the second one stays
    assert one_less.trained == whole.trained
    check_rendered(example, one_less, tokenizer)

    shortest = render_example(example, tokenizer, max_length=len(one_less.input_ids) - 1)
    assert shortest is not None
    assert "stone" not in tokenizer.decode(shortest.input_ids)
    assert shortest.trained == whole.trained
    # No untrained step is left: the conversation is given up rather than its trained tail.
    assert render_example(example, tokenizer, max_length=len(shortest.input_ids)) == shortest
    assert render_example(example, tokenizer, max_length=len(shortest.input_ids) - 1) is None


def test_trained_steps_are_never_dropped(tokenizer_with: TokenizerWith, revision: Revision) -> None:
    tokenizer, example = tokenizer_with("smollm2"), revision(7)
    good = replace(example, messages=tuple(replace(each, train=each.role == "assistant") for each in example.messages))
    whole = render_example(good, tokenizer, max_length=ROOMY)
    assert whole is not None
    assert render_example(good, tokenizer, max_length=len(whole.input_ids) - 1) is None


def test_nothing_to_train_renders_nothing(tokenizer_with: TokenizerWith) -> None:
    example = Example((Message("user", "hello"), Message("assistant", "hi")), "general")
    assert render_example(example, tokenizer_with("smollm2"), max_length=ROOMY) is None


@pytest.mark.parametrize(
    ("template", "content", "options", "says"),
    [
        ("forgetful", "Action: go", {}, "renders earlier turns differently"),
        ("qwen3", "Action: go", {"enable_thinking": False}, "renders earlier turns differently"),
        ("qwen3", "<think>\nhm\n</think>\n\nAction: go", {}, "changes what an assistant turn says"),
        ("endless", "Action: go", {}, "cannot be taught to stop"),
    ],
)
def test_a_template_that_cannot_be_masked_is_refused(
    template: str, content: str, options: dict[str, Any], says: str, tokenizer_with: TokenizerWith
) -> None:
    turns = (Message("user", "a"), Message("assistant", content, train=True), Message("user", "b"))
    with pytest.raises(UsageError, match=says):
        render_example(Example(turns, "good"), tokenizer_with(template), max_length=ROOMY, options=options)


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
    return RenderedExample(ids, tuple(labels))


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
    rendered = render_example(example, tokenizer, max_length=ROOMY)
    assert rendered is not None
    wrong = corrupt(rendered, how)
    assert wrong != rendered
    with pytest.raises(AgentrError, match="the loss mask"):
        check_rendered(example, wrong, tokenizer)
