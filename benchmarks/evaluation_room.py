"""Long evaluation episodes: what is computed again where more are in flight than the prefix cache holds.

    python benchmarks/evaluation_room.py                                 48 episodes of 20 turns, smollm2-135m
    python benchmarks/evaluation_room.py --episodes 8 --turns 6          a try
    python benchmarks/evaluation_room.py --cache-mb 512 2048 6144

The evaluate stage plays the same greedy episodes for each size of the prefix cache, once with all of them in flight
(the engine does not tell what it has room for), and once with as many as fit the cache (it tells:
``play/admission.py``). "computed" are the prompt tokens that were not found in the cache; "again" is how many times as
many that is as the fewest of all rows. All in one process, one after another; each row has a policy of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")

from agentr_core import AnyPolicy, Completion, EngineLoad, RunConfig, SampleRequest, configure, scratch_run
from agentr_core.evaluate.stage import evaluate_policy


@dataclass(slots=True)
class Counted:
    """A policy that counts what it was asked; ``tells``: whether it says what its engine has room for."""

    policy: AnyPolicy
    tells: bool
    turns: int = 0
    prompt: int = 0
    cached: int = 0
    asking: int = 0
    most: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def engine_load(self) -> EngineLoad | None:
        """The policy's own, or nothing."""
        return self.policy.engine_load() if self.tells else None

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """The policy's own answer."""
        self.asking += 1
        self.most = max(self.most, self.asking)
        answers = await self.policy.sample(request)
        self.asking -= 1
        self.turns += 1
        self.prompt += answers[0].prompt_tokens
        self.cached += answers[0].cached_tokens
        return answers


@dataclass(frozen=True, slots=True)
class Row:
    """One evaluation: seconds of the stage, tokens, most turns asked for at once, and how it came out."""

    cache_mb: int
    admission: bool
    seconds: float
    counted: Counted
    metrics: dict[str, float]

    @property
    def computed(self) -> int:
        """Prompt tokens that the cache did not have."""
        return self.counted.prompt - self.counted.cached


def settings(options: argparse.Namespace, cache_mb: int) -> RunConfig:
    """An evaluation of as many episodes as asked for, each of as many turns unless the task is solved before."""
    return configure(
        env="textcraft",
        textcraft={"max_steps": options.turns},
        transformers={"model": options.model, "device": options.device, "prefix_cache_mb": cache_mb},
        concurrency=options.episodes,
        evaluate={
            "split": options.split,
            "tasks": options.episodes,
            "max_turns": options.turns,
            "max_tokens": options.max_tokens,
            "revision_test": False,
        },
    )


def play(options: argparse.Namespace, cache_mb: int, *, admission: bool) -> Row:
    """One evaluation over a store that is thrown away."""
    with scratch_run(settings(options, cache_mb)) as context:

        async def work() -> Row:
            policy = context.make_policy()
            counted, began = Counted(policy, tells=admission), time.perf_counter()
            try:
                metrics = dict((await evaluate_policy(context, counted, 0)).metrics)  # type: ignore[arg-type]
                return Row(cache_mb, admission, time.perf_counter() - began, counted, metrics)
            finally:
                await policy.close()

        return asyncio.run(work())


def show(row: Row, rows: list[Row]) -> str:
    """A line of the table; ratios are to the first row, and to the fewest tokens computed so far."""
    fewest = min(each.computed for each in rows)
    return (
        f"| {row.cache_mb:8,} | {'on' if row.admission else 'off':<9} | {row.counted.most:9} | {row.seconds:7.1f} "
        f"| {row.counted.prompt:13,} | {row.computed:10,} | {row.counted.cached / row.counted.prompt:6.0%} "
        f"| {row.computed / fewest:5.1f} | {rows[0].seconds / row.seconds:12.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--split", default="test")
    parser.add_argument("--episodes", type=int, default=48)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=32, help="of one turn")
    parser.add_argument("--cache-mb", type=int, nargs="+", default=[512, 6144], help="sizes of the prefix cache")
    options = parser.parse_args()
    rows: list[Row] = []
    for cache_mb in options.cache_mb:
        for admission in (False, True):
            rows.append(play(options, cache_mb, admission=admission))
            last = rows[-1]
            print(f"cache {cache_mb:,} MB, admission {'on' if admission else 'off'}: {last.seconds:.1f} s", flush=True)
    print(f"\n{options.model}: {options.episodes} episodes, {rows[0].counted.turns:,} turns\n")
    print("| cache MB | admission | in flight | seconds | prompt tokens |   computed | cached | again | times faster |")
    print("|---------:|-----------|----------:|--------:|--------------:|-----------:|-------:|------:|-------------:|")
    for row in rows:
        print(show(row, rows))
    if len({(row.counted.turns, row.metrics["reward"], row.metrics["invalid"]) for row in rows}) > 1:
        print("\nthe rows did not play the same episodes: batched arithmetic rounds, and a greedy turn may tip over")


if __name__ == "__main__":
    main()
