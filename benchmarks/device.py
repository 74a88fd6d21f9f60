"""The transformers policy on the device at hand: tokens a second for each batch size, beside what memory allows.

    python benchmarks/device.py --model smollm2-135m                 on the GPU where there is one
    python benchmarks/device.py --model tiny --device cpu --rows 1 16 64

A decode step reads all weights once and each row's keys and values, so no more steps a second can be done than the
device's memory bandwidth allows: rows x bandwidth / (weights + rows x context x bytes of a token). The bandwidth is
measured by copying a large tensor. "growing" and "fixed" are ``transformers.static_cache`` false and true. Then a
search of ``--trees`` trees is compared with one flat batch of its own requests, as ``agentr bench`` does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
from agentr_bench.throughput import measure
from policy import games

from agentr_core import AnyPolicy, Message, Progress, SampleRequest, SamplingParams, configure, create


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs, and how many bytes a second its memory gives."""

    torch: torch.device
    name: str
    bandwidth: float

    @classmethod
    def at_hand(cls, wanted: str) -> Device:
        """The device called ``wanted``; ``auto`` is the first GPU, else the CPU."""
        gpu = torch.cuda.is_available() if wanted == "auto" else wanted.startswith("cuda")
        device = torch.device(("cuda" if wanted == "auto" else wanted) if gpu else "cpu")
        name = torch.cuda.get_device_name(device) if gpu else f"{cpu_name()}, {torch.get_num_threads()} threads"
        return cls(device, name, copied_bytes_per_second(device))


def cpu_name() -> str:
    """What the CPU calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def copied_bytes_per_second(device: torch.device) -> float:
    """Bytes read and written in the fastest of some copies of a tensor too large for any cache."""
    source = torch.ones((1 << 30 if device.type == "cuda" else 1 << 26), dtype=torch.float32, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(5):
        settle(device)
        began = time.perf_counter()
        target.copy_(source)
        settle(device)
        best = max(best, 2 * source.numel() * source.element_size() / (time.perf_counter() - began))
    return best


def settle(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


async def decode(policy: AnyPolicy, prompts: list[list[Message]], n: int, tokens: int) -> tuple[float, int]:
    """Seconds and tokens of one batch whose prompts are known to the prefix cache: what is left is decoding."""
    drawn = 0
    for limit in (1, tokens):  # the first pass fills the cache
        params = SamplingParams(max_tokens=limit)
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(policy.sample(SampleRequest(tuple(one), params, n, seed)) for seed, one in enumerate(prompts))
        )
        seconds, drawn = time.perf_counter() - began, sum(len(each.token_ids) for answer in answers for each in answer)
    return seconds, drawn


async def sweep(options: argparse.Namespace, device: Device) -> None:
    """The table of batch sizes."""
    policies = [
        create("policy", "transformers", model=options.model, device=str(device.torch), max_rows=1 << 16,
               static_cache=fixed, prefix_cache_mb=options.cache_mb, batch_mb=options.batch_mb)
        for fixed in (False, True)
    ]  # fmt: skip
    engine = policies[0]._engine
    weights = sum(each.numel() * each.element_size() for each in engine._runner._model.parameters())
    print(f"weights {weights / 1e6:.0f} MB, {engine.token_bytes / 1e3:.1f} kB of keys and values a token\n")
    print("| rows | context | growing tokens/s | fixed tokens/s | bound tokens/s | fixed of the bound |")
    print("|-----:|--------:|-----------------:|---------------:|---------------:|-------------------:|")
    talk = [game.messages for game in games(max(1, max(options.rows) // 4))]
    for rows in options.rows:
        n = min(4, rows)
        prompts = [list(talk[number % len(talk)]) for number in range(rows // n)]
        context = sum(map(policies[0].count_tokens, prompts)) / len(prompts)
        growing, fixed = [await best_of_three(policy, prompts, n, options.max_tokens) for policy in policies]
        bound = rows * device.bandwidth / (weights + rows * context * engine.token_bytes)
        print(
            f"| {rows:4} | {context:7.0f} | {growing:16,.0f} | {fixed:14,.0f} | {bound:14,.0f} "
            f"| {fixed / bound:18.1%} |",
            flush=True,
        )
    for policy in policies:
        await policy.close()


async def best_of_three(policy: AnyPolicy, prompts: list[list[Message]], n: int, tokens: int) -> float:
    """Tokens a second of the fastest of three batches."""
    runs = [await decode(policy, prompts, n, tokens) for _ in range(3)]
    return max(drawn / seconds for seconds, drawn in runs)


def search(options: argparse.Namespace, device: Device) -> None:
    """A search against one flat batch of its own requests."""
    config = configure(
        env="textcraft",
        transformers={"model": options.model, "device": str(device.torch)},
        search={"tasks": options.trees},
        mcts={"max_tokens": options.max_tokens, "depth": 12, "simulations": 2},
    )
    found = measure(config, sequential=0, progress=Progress(quiet=True))
    share = found["search_tokens_per_second"] / found["flat_tokens_per_second"]
    print(
        f"\nsearch of {found['trees']} trees: {found['search_tokens_per_second']:,.0f} tokens/s, flat batch "
        f"{found['flat_tokens_per_second']:,.0f} ({share:.0%}); framework {found['share']['framework']:.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 4, 16, 64, 256, 1024], help="none: no table")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--cache-mb", type=int, default=4096, help="memory of each policy's prefix cache")
    parser.add_argument("--batch-mb", type=int, default=16384, help="memory of one batch")
    parser.add_argument("--trees", type=int, default=64, help="trees of the search; 0: no search")
    options = parser.parse_args()
    device = Device.at_hand(options.device)
    print(f"{options.model} on {device.name}; memory copies {device.bandwidth / 1e9:,.0f} GB/s")
    if device.torch.type == "cpu":
        print("no GPU is used: on one, the same table shows how near a decode step comes to the card's bandwidth")
    if options.rows:
        asyncio.run(sweep(options, device))
    if options.trees:
        search(options, device)


if __name__ == "__main__":
    main()
