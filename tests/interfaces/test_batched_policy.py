"""Batching: what is asked at the same moment is one batch, and one caller's trouble stays with that caller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from agentr_core import (
    BatchedPolicy,
    Completion,
    Message,
    PluginConfig,
    PolicyFailure,
    SampleRequest,
)


class Echo(BatchedPolicy[PluginConfig]):
    """Answers with the last turn; 'explode' raises in the batch, 'refuse' fails alone, 'wait' waits to be let go."""

    def __init__(self, rows: int = 256) -> None:
        super().__init__(PluginConfig())
        self.rows, self.batches = rows, list[list[str]]()
        self.entered, self.go = threading.Event(), threading.Event()
        self.released = 0

    @property
    def max_rows(self) -> int:
        return self.rows

    def complete(self, requests: Sequence[SampleRequest]) -> list[list[Completion] | PolicyFailure]:
        texts = [request.messages[-1].content for request in requests]
        self.batches.append(texts)
        if "wait" in texts:
            self.entered.set()
            assert self.go.wait(30)
        if "explode" in texts:
            raise ValueError("boom")
        return [
            PolicyFailure("no") if text == "refuse" else [Completion(text=text)] * request.n
            for text, request in zip(texts, requests, strict=True)
        ]

    def release(self) -> None:
        self.released += 1


async def ask(policy: Echo, text: str, n: int = 1) -> list[str]:
    answers = await policy.sample(SampleRequest((Message("user", text),), n=n))
    return [answer.text for answer in answers]


def test_concurrent_requests_are_one_batch():
    policy = Echo()

    async def run() -> list[list[str]]:
        return await asyncio.gather(*(ask(policy, str(number), 2) for number in range(50)))

    assert asyncio.run(run()) == [[str(number)] * 2 for number in range(50)]
    assert policy.batches == [[str(number) for number in range(50)]]
    assert (policy.counters.batches, policy.counters.requests, policy.counters.rows) == (1, 50, 100)
    assert policy.busy_seconds == policy.counters.busy_seconds > 0


def test_a_tree_that_needs_a_few_passes_of_the_loop_is_in_the_same_batch():
    policy = Echo()

    async def late(passes: int) -> list[str]:
        for _ in range(passes):
            await asyncio.sleep(0)
        return await ask(policy, str(passes))

    async def run() -> None:
        await asyncio.gather(*(late(passes) for passes in range(6)))

    asyncio.run(run())
    assert len(policy.batches) == 1


def test_batches_are_bounded_and_a_larger_request_goes_alone():
    policy = Echo(rows=4)

    async def run() -> list[list[str]]:
        sizes = [2, 2, 1, 9, 3, 1]
        return await asyncio.gather(*(ask(policy, str(at), size) for at, size in enumerate(sizes)))

    answers = asyncio.run(run())
    assert [len(answer) for answer in answers] == [2, 2, 1, 9, 3, 1]
    assert policy.batches == [["0", "1"], ["2"], ["3"], ["4", "5"]]


def test_requests_made_while_a_batch_is_computed_form_the_next_one():
    policy = Echo()

    async def run() -> None:
        first = asyncio.create_task(ask(policy, "wait"))
        await asyncio.to_thread(policy.entered.wait, 30)
        others = [asyncio.create_task(ask(policy, str(number))) for number in range(5)]
        await asyncio.sleep(0)
        policy.go.set()
        await asyncio.gather(first, *others)

    asyncio.run(run())
    assert policy.batches == [["wait"], ["0", "1", "2", "3", "4"]]


def test_an_exception_reaches_only_those_that_fail_alone():
    policy = Echo()

    async def run() -> list[object]:
        texts = ["a", "b", "explode", "c", "refuse", "d"]
        return await asyncio.gather(*(ask(policy, text) for text in texts), return_exceptions=True)

    a, b, exploded, c, refused, d = asyncio.run(run())
    assert [a, b, c, d] == [["a"], ["b"], ["c"], ["d"]]
    assert isinstance(exploded, PolicyFailure) and "boom" in str(exploded) and "ValueError" in str(exploded)
    assert isinstance(refused, PolicyFailure) and str(refused) == "no"


def test_asking_for_nothing_gives_nothing():
    policy = Echo()
    assert asyncio.run(ask(policy, "a", 0)) == [] and policy.batches == []


def test_a_wrong_number_of_answers_is_a_failure():
    class Short(Echo):
        def complete(self, requests: Sequence[SampleRequest]) -> list[list[Completion] | PolicyFailure]:
            return []

    with pytest.raises(PolicyFailure, match="gave 0 answers to 1 requests"):
        asyncio.run(ask(Short(), "a"))


def test_a_cancelled_caller_is_left_out():
    policy = Echo()

    async def run() -> list[str]:
        gone = asyncio.create_task(ask(policy, "gone"))
        kept = asyncio.create_task(ask(policy, "kept"))
        await asyncio.sleep(0)
        gone.cancel()
        return await kept

    assert asyncio.run(run()) == ["kept"]
    assert policy.batches == [["kept"]]


def test_closing_fails_what_waits_lets_the_batch_end_and_releases_once():
    policy = Echo()

    async def run() -> tuple[list[str], object]:
        computing = asyncio.create_task(ask(policy, "wait"))
        await asyncio.to_thread(policy.entered.wait, 30)
        waiting = asyncio.create_task(ask(policy, "late"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(policy.close())
        (failure,) = await asyncio.gather(waiting, return_exceptions=True)
        policy.go.set()
        await closing
        await policy.close()
        return await computing, failure

    answer, failure = asyncio.run(run())
    assert answer == ["wait"] and isinstance(failure, PolicyFailure) and "closed" in str(failure)
    assert policy.released == 1
    with pytest.raises(PolicyFailure, match="closed"):
        asyncio.run(ask(policy, "after"))


def test_one_policy_serves_one_event_loop_after_another():
    policy = Echo()
    assert [asyncio.run(ask(policy, text)) for text in "ab"] == [["a"], ["b"]]


def test_interrupting_the_loop_leaves_nothing_hanging():
    policy = Echo()

    async def interrupted() -> None:
        tasks = [asyncio.create_task(ask(policy, text)) for text in ("wait", "b")]
        await asyncio.to_thread(policy.entered.wait, 30)
        policy.go.set()
        for task in tasks:
            task.cancel()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert asyncio.run(ask(policy, "again")) == ["again"]
