"""Prompts that were asked before are not rendered again, and what is remembered has a bound in memory."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentr_core import ChatPrompts, Message


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    from agentr_transformers.models import TINY

    return transformers.AutoTokenizer.from_pretrained(TINY)


class Counting(ChatPrompts):
    """Counts what it renders."""

    rendered = 0

    def render(self, messages: Any) -> str:
        self.rendered += 1
        return super().render(messages)


def talk(number: int, words: int = 400) -> tuple[Message, ...]:
    return (Message("system", "You answer."), Message("user", f"{number} " + "craft oak planks " * words))


def test_a_prompt_is_rendered_once(tokenizer: Any) -> None:
    prompts = Counting(tokenizer, {}, "tiny")
    ids = prompts.ids(talk(1))
    assert prompts.ids(list(talk(1))) == ids == tuple(prompts.encode(ChatPrompts.render(prompts, talk(1))))
    assert prompts.count(talk(1)) == len(ids) and prompts.rendered == 1


def test_what_is_remembered_is_bounded_by_tokens_and_the_oldest_go(tokenizer: Any) -> None:
    prompts = Counting(tokenizer, {}, "tiny")
    each = prompts.count(talk(0)) + prompts.EACH
    prompts.REMEMBERED = 5 * each
    for number in range(10):
        prompts.count(talk(number))
    before = prompts.rendered
    assert [prompts.count(talk(number)) for number in range(9, 5, -1)] and prompts.rendered == before
    prompts.count(talk(0))
    assert prompts.rendered == before + 1, "it was let go"
    prompts.REMEMBERED = 0
    assert prompts.count(talk(3)) == each - prompts.EACH, "one that is too long is answered all the same"


def test_a_remembered_token_takes_four_bytes(tokenizer: Any) -> None:
    prompts, asked = ChatPrompts(tokenizer, {}, "tiny"), [talk(number) for number in range(40)]
    prompts.count(talk(99))
    tracemalloc.start()
    try:
        tokens = sum(prompts.count(each) for each in asked)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tokens > 40_000 and taken < 6 * tokens, f"{taken / tokens:.1f} bytes a token"


def test_it_is_asked_from_two_threads(tokenizer: Any) -> None:
    prompts = ChatPrompts(tokenizer, {}, "tiny")
    prompts.REMEMBERED = 2_000
    asked = [talk(number % 7, words=20) for number in range(2_000)]
    with ThreadPoolExecutor(2) as threads:
        counted = list(threads.map(lambda part: [prompts.count(each) for each in part], [asked, asked[::-1]]))
    assert counted[0] == counted[1][::-1]
    assert prompts._size == sum(len(ids) + prompts.EACH for ids in prompts._known.values()) <= prompts.REMEMBERED
