"""Trees begin while the engine has room for their prefixes."""

from __future__ import annotations

import asyncio
from typing import Any

from agentr_core import EngineLoad, PluginConfig, Policy
from agentr_core.play.admission import Admission
from agentr_core.play.in_flight import run_bounded


class Roomy(Policy[PluginConfig]):
    """An engine that holds so many tokens; it is never asked for text."""

    def __init__(self, kv_tokens: int | None, context: int | None) -> None:
        super().__init__(PluginConfig())
        self.kv_tokens, self.context = kv_tokens, context

    @property
    def context_length(self) -> int | None:
        return self.context

    def engine_load(self) -> EngineLoad:
        return EngineLoad(kv_tokens=self.kv_tokens)

    async def sample(self, request: Any) -> Any:
        raise AssertionError


def most_at_once(admission: Admission, takes: int, items: int = 40) -> int:
    """How many items are at work at once, each of which takes ``takes`` tokens in a hundred steps."""
    busy = most = 0

    async def grow(item: int) -> None:
        nonlocal busy, most
        busy, session = busy + 1, str(item)
        most = max(most, busy)
        for step in range(1, 101):
            await asyncio.sleep(0)
            admission.note(session, takes * step // 100)
        busy -= 1
        admission.end(session)

    async def play() -> int:
        return len([one async for one in run_bounded(range(items), grow, admission)])

    assert asyncio.run(play()) == items
    return most


def test_without_a_word_from_the_engine_the_count_is_the_limit():
    assert most_at_once(Admission(12), takes=1000) == 12
    assert most_at_once(Admission(12, Roomy(None, 4000)), takes=1000) == 12


def test_no_more_are_in_flight_than_the_engine_has_room_for():
    assert most_at_once(Admission(64, Roomy(10_000, 4000)), takes=1000) == 10
    assert most_at_once(Admission(64, Roomy(100_000, 4000)), takes=1000, items=100) == 64, "100 trees have room"


def test_some_begin_before_anything_is_known_and_one_is_always_in_flight():
    assert most_at_once(Admission(64, Roomy(10, 4000)), takes=1000) == Admission.FIRST
    full = Admission(64, Roomy(10, 4000))
    full.note("a", 1000)
    full.end("a")
    assert full.allows(0) and not full.allows(1)


def test_what_an_item_takes_is_learnt_from_those_that_ended():
    admission = Admission(64, Roomy(1000, 100))
    assert admission.expected == 100 and admission.allows(9) and not admission.allows(10)
    admission.note("a", 50)
    admission.note("b", 10)
    assert admission.expected == 100, "they may still grow"
    admission.note("a", 20)  # a trimmed prompt: what it took at its largest counts
    admission.end("a")
    assert admission.expected == 50 and admission.allows(19) and not admission.allows(20)
    admission.end("b")
    assert admission.expected == 30
    admission.end("never asked")
    assert admission.expected == 30


def test_those_that_have_grown_beyond_what_was_learnt_take_what_they_have():
    """The short ones end first: from them alone the rest would be taken to be short as well."""
    admission = Admission(64, Roomy(1000, 100))
    admission.note("short", 50)
    admission.end("short")
    for session in "abcde":
        admission.note(session, 150)
    assert admission.expected == 50
    assert admission.allows(9) and not admission.allows(10), "5 x 150 and 5 x 50 are the room"
    admission.end("a")
    assert admission.expected == 100


def test_an_engine_that_reads_without_end_is_bounded_once_a_tree_has_ended():
    admission = Admission(64, Roomy(1000, None))
    assert admission.expected is None and admission.allows(63) and not admission.allows(64)
    admission.note("a", 100)
    admission.end("a")
    assert not admission.allows(10)
