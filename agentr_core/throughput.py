"""How busy a search keeps its model: the same requests inside a search, in one flat batch, and one by one.

search       trees in flight, n samples in one request, states restored or taken from the nearest environment
flat         all requests of that search at once, with the very prompts, seeds and limits: what the engine can do
sequential   one tree at a time, one sample a call, every state reached by reset and replay: the official code's way
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from agentr_core.errors import AgentrError
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.in_flight import run_bounded
from agentr_core.process.busy_clock import BusyClock
from agentr_core.process.interrupt import StopSignal
from agentr_core.process.progress import Progress
from agentr_core.records import Completion, Message, SampleRequest, SamplingParams
from agentr_core.registry.lookup import Registry
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import RunContext
from agentr_core.runs.iterations import make_policy
from agentr_core.runs.start_and_resume import check_plugins, set_up
from agentr_core.search.stage import busy_seconds, grow_trees
from agentr_core.seeds import derive_seed
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import open_store


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


def measure(
    config: RunConfig, *, sequential: int, progress: Progress, registry: Registry | None = None
) -> dict[str, Any]:
    """Measure the search of ``config``; ``sequential`` trees one by one as well, unless it is 0.

    Rates are None where the policy counts no tokens. Raises :class:`~agentr_core.errors.AgentrError` where no tree
    could be grown.
    """
    registry = registry or default_registry()
    check_plugins(config, registry)
    with StopSignal() as stopped:
        with _bench(config, registry, progress, stopped) as context:
            found, recorder = asyncio.run(_search(context))
            flat_tokens, flat_seconds = asyncio.run(_flat(context, recorder.asked))
        result = {
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
            "sequential_nodes_per_second": None,
            "share": found.share,
        }
        if sequential:
            few = config.model_copy(
                update={"concurrency": 1, "search": config.search.model_copy(update={"tasks": sequential})}
            )
            with (
                _bench(few, registry, progress, stopped) as context,
                closing(EnvironmentPool(partial(_without_snapshots, context), limit=1)) as replaying,
            ):
                slow, _ = asyncio.run(_search(replace(context, pool=replaying), one_by_one=True))
            result["sequential_nodes_per_second"] = slow.nodes / slow.seconds
    return result


def _rate(tokens: int, seconds: float) -> float | None:
    return tokens / seconds if tokens else None


@contextmanager
def _bench(
    config: RunConfig, registry: Registry, progress: Progress, stopped: Callable[[], bool]
) -> Iterator[RunContext]:
    """A context over a store of its own, which is thrown away."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "bench.db") as store:
        row = store.runs.create("bench", config.model_dump(mode="json"), seed=config.seed)
        advice = "a measurement begins anew when it is asked for again"
        with set_up(store, row, config, progress, registry, stopped, advice) as context:
            yield context


def _without_snapshots(context: RunContext) -> AnyEnvironment:
    environment = context.make_environment()
    environment.supports_snapshot = False  # type: ignore[misc]
    return environment


async def _search(context: RunContext, *, one_by_one: bool = False) -> tuple[Searched, Recorder]:
    recorder = Recorder(make_policy(context), one_by_one)
    plugin = context.config.searcher
    searcher = context.registry.create("searcher", plugin.name, plugin.options)
    try:
        await _warm_up(recorder.policy)
        busy, environment = busy_seconds(recorder.policy), context.pool.busy.seconds
        began = time.perf_counter()
        made = await grow_trees(context, recorder, searcher, 1)  # type: ignore[arg-type]
        seconds = time.perf_counter() - began
        after = busy_seconds(recorder.policy)
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
            environment_seconds=context.pool.busy.seconds - environment,
            store_seconds=sum(float(tree.stats["store_seconds"]) for tree in trees),
            cached_share=recorder.cached_tokens / max(1, recorder.prompt_tokens),
        ),
        recorder,
    )


async def _flat(context: RunContext, asked: Sequence[SampleRequest]) -> tuple[int, float]:
    """Tokens and seconds of all requests of a search in one go, by a model that has seen none of them."""
    policy = make_policy(context)
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
    """Load the model before the clock runs. A scripted policy has nothing to say without a task: that is no harm."""
    words = (Message("system", "You answer."), Message("user", "Say one word."))
    try:
        await policy.sample(SampleRequest(words, SamplingParams(max_tokens=2), session="warm-up"))
    except AgentrError:
        return
