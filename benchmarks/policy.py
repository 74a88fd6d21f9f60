"""How fast the transformers policy answers: batch sizes, the sequential way, and what the prefix cache brings.

    python benchmarks/policy.py [--model tiny] [--turns 8] [--prompts 64]

The prompts are TextCraft conversations of real tasks that grow turn by turn, as those of a search do: each turn every
conversation is asked for n samples, and goes on with the first of them and the environment's answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentr_core import AnyEnvironment, Completion, Message, SampleRequest, SamplingParams, create, head


@dataclass
class Game:
    """One conversation with its environment."""

    environment: AnyEnvironment
    messages: list[Message] = field(default_factory=list)
    expert: list[str] = field(default_factory=list)

    def answer(self, turn: int) -> None:
        """Go on with the expert's action, so that every policy is asked the same."""
        if turn >= len(self.expert) - 1:
            return
        result = self.environment.step(self.expert[turn])
        said = f"Thought: I go on.\nAction: {self.expert[turn]}"
        self.messages += [Message("assistant", said), Message("user", result.observation)]


def games(count: int) -> list[Game]:
    """Games of the deepest training tasks."""
    found = []
    tasks = create("env", "textcraft").tasks("train")[::-1]
    for task in tasks[:count]:
        environment = create("env", "textcraft")
        first = environment.reset(task)
        found.append(Game(environment, list(head(environment, task, first)), list(environment.demonstrate(task) or ())))
    return found


async def play(
    policy: object, count: int, n: int, turns: int, params: SamplingParams, *, sequential: bool = False
) -> dict[str, float]:
    """Ask for every turn of every game; rates over the whole time."""
    playing = games(count)
    asked = tokens = prompt = cached = 0
    start, busy = time.perf_counter(), time.process_time()
    for turn in range(turns):
        answers: Sequence[list[Completion]]
        if sequential:
            answers = [
                [(await sample(policy, game, 1, params, turn * 100 + i))[0] for i in range(n)] for game in playing
            ]
        else:
            answers = await asyncio.gather(*(sample(policy, game, n, params, turn) for game in playing))
        for game, drawn in zip(playing, answers, strict=True):
            asked += len(drawn)
            tokens += sum(len(completion.token_ids) for completion in drawn)
            prompt += drawn[0].prompt_tokens
            cached += drawn[0].cached_tokens
            game.answer(turn)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - busy
    return {
        "seconds": seconds,
        "cpu": cpu,
        "nodes/s": asked / seconds,
        "tok/s": tokens / seconds,
        "cached": cached / prompt,
    }


async def sample(policy: object, game: Game, n: int, params: SamplingParams, seed: int) -> list[Completion]:
    request = SampleRequest(tuple(game.messages), params, n, seed)
    return await policy.sample(request)  # type: ignore[attr-defined]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--prompts", type=int, default=64, help="conversations at a time in the last two rows")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=40)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batches", default="1,8,64,256", help="rows of a batch, 4 samples a prompt from 4 on")
    options = parser.parse_args()
    params = SamplingParams(max_tokens=options.max_tokens)
    base = {"model": options.model, "threads": options.threads, "max_rows": 4096}
    print(f"{'':<34}{'seconds':>9}{'cpu s':>9}{'nodes/s':>9}{'tok/s':>9}{'cached':>9}")

    async def row(label: str, count: int, n: int, *, sequential: bool = False, **config: int) -> float:
        policy = create("policy", "transformers", **base, **config)
        await sample(policy, games(1)[0], 1, params, 0)  # warm up
        found = await play(policy, count, n, options.turns, params, sequential=sequential)
        await policy.close()
        print(
            f"{label:<34}{found['seconds']:>9.2f}{found['cpu']:>9.2f}{found['nodes/s']:>9.1f}"
            f"{found['tok/s']:>9.0f}{found['cached']:>9.0%}",
            flush=True,
        )
        return found["nodes/s"]

    sequential = await row("sequential, no cache", 2, 4, sequential=True, prefix_cache_mb=0)
    for rows in map(int, options.batches.split(",")):
        n = min(4, rows)
        for cache in (0, 512):
            await row(f"{rows} rows ({rows // n} x {n}), cache {cache} MB", rows // n, n, prefix_cache_mb=cache)
    best = await row(f"{options.prompts} x 4 rows, cache 512 MB", options.prompts, 4, prefix_cache_mb=512)
    print(f"batched against sequential: {best / sequential:.1f} times the nodes a second")


if __name__ == "__main__":
    asyncio.run(main())
