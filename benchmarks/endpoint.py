"""Thousands of trees over an endpoint: are requests linear, is memory flat, is the event loop ever blocked?

    python benchmarks/endpoint.py
    python benchmarks/endpoint.py --trees 2000 --in-flight 2000

A server of our own, in another process, answers at once; the policy ``openai`` asks it. All trees are queued, so many
are in flight, and every simulation is committed. "blocked" is the longest single piece of work on the event loop, in
which nothing else can be done; "round" is the longest that the loop took to come round to the next one.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from framework import plan, saver

from agentr_core import create, derive_seed
from agentr_core.interfaces.tree import take_apart
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.in_flight import run_bounded
from agentr_core.process.garbage import release_memory, seldom_collecting
from agentr_core.search.search_context import TreeContext
from agentr_core.store import Store, open_store

ACTIONS = ("get 1 oak log", "craft 4 oak planks using 1 oak log", "inventory", "get 2 iron ingot", "get 1 moonlight")


def serve(pipe: Any) -> None:
    """A server that answers at once; tells its port through ``pipe``."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        texts = [f"Thought: {asked['seed'] + n}\nAction: {ACTIONS[(asked['seed'] + n) % 5]}" for n in range(asked["n"])]
        choices = [
            {"index": n, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            for n, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 3000, "completion_tokens": 12 * len(texts)}
        return web.json_response({"id": "1", "object": "chat.completion", "choices": choices, "usage": usage})

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def server() -> Iterator[str]:
    """The base URL of a running server."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()


@dataclass(slots=True)
class Watch:
    """The longest piece of work on the event loop, the longest that it took to come round, and the most memory."""

    blocked: float = 0.0
    round: float = 0.0
    memory: int = 0
    every: float = 0.005

    async def look(self) -> None:
        """Look every few milliseconds until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(self.every)
            self.round = max(self.round, time.perf_counter() - before - self.every)
            self.memory = max(self.memory, resident())

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time every callback of the event loop."""
        run = asyncio.events.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            began = time.perf_counter()
            run(handle)
            self.blocked = max(self.blocked, time.perf_counter() - began)

        asyncio.events.Handle._run = timed  # type: ignore[method-assign]
        try:
            yield
        finally:
            asyncio.events.Handle._run = run  # type: ignore[method-assign]


def resident() -> int:
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def grow(url: str, trees: int, in_flight: int, store: Store) -> str:
    """Grow the trees; one line of the table."""
    policy = create("policy", "openai", base_url=[url], model="stub", concurrency=256)
    searcher = create("searcher", "mcts", simulations=2, samples=2, depth=5)
    pool = EnvironmentPool(partial(create, "env", "textcraft"), limit=1)
    split = pool.reference.tasks("train")
    tasks = [split[number % len(split)] for number in range(trees)]
    rows = plan(store, tasks)

    async def one(number: int) -> int:
        context = await TreeContext.open(
            tasks[number],
            pool=pool,
            policy=policy,
            save=saver(store, rows[number]),
            seed=derive_seed(0, number),
            session=str(number),
        )
        tree = await searcher.search(tasks[number], context)
        context.close()
        take_apart(tree)
        return context.stats.requests

    watch, before, requests = Watch(), resident(), 0
    looking = asyncio.create_task(watch.look())
    began, cpu = time.perf_counter(), time.process_time()
    with watch.timing():
        async for finished in run_bounded(range(trees), one, in_flight):
            if finished.error is not None:
                raise finished.error
            requests += finished.result or 0
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    looking.cancel()
    await policy.close()
    pool.close()
    return (
        f"| {trees:5} | {in_flight:9} | {requests:8,} | {seconds:7.1f} | {1000 * seconds / requests:10.2f} "
        f"| {1000 * cpu / requests:6.2f} | {(watch.memory - before) / 1e6:9.0f} | {1000 * watch.blocked:10.0f} "
        f"| {1000 * watch.round:8.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 2000])
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    print("| trees | in flight | requests | seconds | ms/request | CPU ms | memory MB | blocked ms | round ms |")
    print("|------:|----------:|---------:|--------:|-----------:|-------:|----------:|-----------:|---------:|")
    with server() as url, seldom_collecting():
        for in_flight in options.in_flight:
            for trees in options.trees:
                release_memory()
                with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "benchmark.db") as store:
                    print(asyncio.run(grow(url, trees, min(in_flight, trees), store)), flush=True)


if __name__ == "__main__":
    main()
