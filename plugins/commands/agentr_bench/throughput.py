"""How busy a search keeps its model: the same requests inside a search, in one flat batch, and one by one.

search       trees in flight, n samples in one request, states restored or taken from the nearest environment
flat         all requests of that search at once, with the very prompts, seeds and limits: what the engine can do
sequential   one tree at a time, one sample a call, every state reached by reset and replay: the official code's way
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from agentr_core import (
    AgentrError,
    AnyEnvironment,
    AnyPolicy,
    BusyClock,
    Completion,
    Message,
    Progress,
    RunConfig,
    RunContext,
    SampleRequest,
    SamplingParams,
    World,
    Worlds,
    derive_seed,
    grow_trees,
    run_bounded,
    scratch_run,
)


@dataclass(slots=True)
class Recorder:
    """A policy that keeps what it was asked, counts what it answered, and knows how long a request was in flight.

    ``one_by_one`` splits a request for n samples into n requests, one after another.
    """

    policy: AnyPolicy
    one_by_one: bool = False
    asked: list[SampleRequest] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    waiting: BusyClock = field(default_factory=BusyClock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """The policy's own answer."""
        with self.waiting:
            answers = await self._ask(request)
        self.asked.append(request)
        self.tokens += sum(len(answer.token_ids) for answer in answers)
        self.prompt_tokens += sum(answer.prompt_tokens for answer in answers[:1])
        self.cached_tokens += sum(answer.cached_tokens for answer in answers[:1])
        return answers

    async def _ask(self, request: SampleRequest) -> list[Completion]:
        if not self.one_by_one:
            return await self.policy.sample(request)
        answers: list[Completion] = []
        for number in range(request.n):
            one = replace(request, n=1, seed=derive_seed(request.seed, "one", number))
            answers += await self.policy.sample(one)
        return answers


@dataclass(frozen=True, slots=True)
class Searched:
    """What one search came to; seconds of the wall clock."""

    trees: int
    nodes: int
    tokens: int
    seconds: float
    model_seconds: float
    environment_seconds: float
    store_seconds: float
    cached_share: float

    @property
    def share(self) -> dict[str, float]:
        """Shares of the wall clock. ``framework`` is what is neither engine nor environment nor store."""
        parts = {"model": self.model_seconds, "environment": self.environment_seconds, "store": self.store_seconds}
        share = {name: seconds / self.seconds for name, seconds in parts.items()}
        return {**share, "framework": max(0.0, 1.0 - sum(share.values()))}


def measure(config: RunConfig, *, sequential: int, progress: Progress) -> dict[str, Any]:
    """Measure the search of ``config``; ``sequential`` trees one by one as well, unless it is 0.

    Rates are None where the policy counts no tokens. Raises :class:`~agentr_core.errors.AgentrError` where no tree
    could be grown.
    """
    with scratch_run(config, progress=progress) as context:
        found, recorder = asyncio.run(_search(context))
        flat_tokens, flat_seconds = asyncio.run(_flat(context, recorder.asked))
    return {
        "model": recorder.policy.model,
        "trees": found.trees,
        "nodes": found.nodes,
        "requests": len(recorder.asked),
        "generated_tokens": found.tokens,
        "cached_share": found.cached_share,
        "search_seconds": found.seconds,
        "flat_seconds": flat_seconds,
        "flat_tokens": flat_tokens,
        "flat_tokens_per_second": _rate(flat_tokens, flat_seconds),
        "search_tokens_per_second": _rate(found.tokens, found.seconds),
        "nodes_per_second": found.nodes / found.seconds,
        "sequential_nodes_per_second": _sequential(config, sequential, progress) if sequential else None,
        "share": found.share,
    }


def _rate(tokens: int, seconds: float) -> float | None:
    return tokens / seconds if tokens else None


def _sequential(config: RunConfig, trees: int, progress: Progress) -> float:
    """Nodes a second of so many trees the sequential way."""
    few = config.model_copy(update={"concurrency": 1, "search": config.search.model_copy(update={"tasks": trees})})
    with scratch_run(few, progress=progress) as context:
        replaying = [
            World(world.name, partial(_without_snapshots, world), in_flight=1) for world in context.worlds.values()
        ]
        with closing(Worlds(replaying)) as worlds:
            found, _ = asyncio.run(_search(replace(context, worlds=worlds), one_by_one=True))
    return found.nodes / found.seconds


def _without_snapshots(world: World) -> AnyEnvironment:
    environment = world.make()
    environment.supports_snapshot = False  # type: ignore[misc]
    return environment


async def _search(context: RunContext, *, one_by_one: bool = False) -> tuple[Searched, Recorder]:
    recorder = Recorder(context.make_policy(), one_by_one)
    searcher = context.make_searcher()
    try:
        await _warm_up(recorder.policy)
        busy, environment = recorder.policy.busy_seconds, context.worlds.busy_seconds
        began = time.perf_counter()
        made = await grow_trees(context, recorder, searcher, 1)  # type: ignore[arg-type]
        seconds = time.perf_counter() - began
        after = recorder.policy.busy_seconds
    finally:
        await recorder.policy.close()
    trees = context.store.trees.select(context.run.id, status="done")
    return (
        Searched(
            trees=len(trees),
            nodes=int(made.metrics["nodes"]),
            tokens=recorder.tokens,
            seconds=seconds,
            model_seconds=recorder.waiting.seconds if busy is None or after is None else after - busy,
            environment_seconds=context.worlds.busy_seconds - environment,
            store_seconds=sum(float(tree.stats["store_seconds"]) for tree in trees),
            cached_share=recorder.cached_tokens / max(1, recorder.prompt_tokens),
        ),
        recorder,
    )


async def _flat(context: RunContext, asked: Sequence[SampleRequest]) -> tuple[int, float]:
    """Tokens and seconds of all requests of a search in one go, by a model that has seen none of them."""
    policy = context.make_policy()
    tokens = 0

    async def ask(request: SampleRequest) -> int:
        answers = await policy.sample(request)
        return sum(len(answer.token_ids) for answer in answers)

    try:
        await _warm_up(policy)
        with context.progress.stage("flat batch", len(asked), "requests") as bar:
            began = time.perf_counter()
            async for finished in run_bounded(asked, ask, len(asked), context.stopped):
                context.stop_here()
                if finished.error is not None:
                    raise finished.error
                tokens += finished.result or 0
                bar.advance()
            return tokens, time.perf_counter() - began
    finally:
        await policy.close()


async def _warm_up(policy: AnyPolicy) -> None:
    """Get the policy ready, as a run does, and its model loaded before the clock runs.

    A scripted policy has nothing to say without a task: that is no harm.
    """
    await policy.ready()
    words = (Message("system", "You answer."), Message("user", "Say one word."))
    try:
        await policy.sample(SampleRequest(words, SamplingParams(max_tokens=2), session="warm-up"))
    except AgentrError:
        return
