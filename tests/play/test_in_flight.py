from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from agentr_core.errors import EnvironmentFailure, StoreError
from agentr_core.play.in_flight import run_bounded
from agentr_core.process.gather import gather_all


class Office:
    """Workers that take as many turns of the loop as their item says, and a record of how many work at once."""

    def __init__(self) -> None:
        self.busy = self.most = 0
        self.begun: list[int] = []
        self.cancelled: list[int] = []

    async def work(self, item: int) -> str:
        self.begun.append(item)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            for _ in range(item):
                await asyncio.sleep(0)
            if item == 13:
                raise EnvironmentFailure("unlucky")
            if item == 17:
                raise KeyError("a bug in a plugin")
            if item == 66:
                raise StoreError("disk full")
            return f"done {item}"
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.busy -= 1


def test_items_come_as_they_end_and_never_more_than_the_limit_at_once() -> None:
    office = Office()

    async def play() -> list[int]:
        return [finished.item async for finished in run_bounded([90, 5, 30, 1, 2], office.work, 2)]

    order = asyncio.run(play())
    assert sorted(order) == [1, 2, 5, 30, 90]
    assert order[0] == 5 and order[-1] == 90
    assert office.most == 2


def test_a_failure_is_an_event_among_others() -> None:
    office = Office()

    async def play() -> dict[int, object]:
        return {
            finished.item: finished.error or finished.result
            async for finished in run_bounded([1, 13, 17, 2], office.work, 4)
        }

    ended = asyncio.run(play())
    assert (ended[1], ended[2]) == ("done 1", "done 2")
    assert isinstance(ended[13], EnvironmentFailure)
    assert isinstance(ended[17], KeyError)


def test_stop_lets_work_in_flight_end_and_begins_no_more() -> None:
    office = Office()
    ended: list[int] = []

    async def play() -> None:
        async for finished in run_bounded(range(3, 300, 20), office.work, 4, lambda: len(ended) >= 2):
            ended.append(finished.item)

    asyncio.run(play())
    assert ended == office.begun == [3, 23, 43, 63, 83]
    assert not office.cancelled


def test_a_store_that_fails_ends_everything() -> None:
    office = Office()

    async def play() -> None:
        async for _ in run_bounded([1, 66, 500, 600], office.work, 3):
            pass

    with pytest.raises(StoreError, match="disk full"):
        asyncio.run(play())
    assert sorted(office.cancelled) == [500, 600]


def test_leaving_the_loop_cancels_the_rest() -> None:
    office = Office()

    async def play() -> None:
        async with aclosing(run_bounded([1, 500, 600], office.work, 3)) as events:
            async for _ in events:
                break

    asyncio.run(play())
    assert sorted(office.cancelled) == [500, 600]
    assert office.busy == 0


def test_gather_all_waits_for_all_and_raises_the_first_in_order() -> None:
    office = Office()

    async def play() -> None:
        with pytest.raises(EnvironmentFailure, match="unlucky"):
            await gather_all(office.work(item) for item in (40, 13, 66, 2))
        assert office.busy == 0
        assert await gather_all(office.work(item) for item in (9, 2)) == ["done 9", "done 2"]

    asyncio.run(play())
