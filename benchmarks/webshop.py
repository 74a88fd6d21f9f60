"""What WebShop costs: steps and resets per second, and the memory of many sessions at once.

The actions are recorded first, half of the episodes by the oracle and half by an agent that clicks at random and
searches for words of some title; then they are played with nothing kept of any search.

    python benchmarks/webshop.py
    python benchmarks/webshop.py --data FOLDER --episodes 4000
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from collections.abc import Sequence
from statistics import median

from agentr_webshop.config import WebShopConfig
from agentr_webshop.env import WebShop

from agentr_core import Task

#: Actions of a random episode at the most.
LONGEST = 12
Episode = tuple[Task, tuple[str, ...]]


def record(env: WebShop, episodes: int) -> list[Episode]:
    """Episodes of the oracle and of the random agent, in turns, over tasks drawn from all goals."""
    rng, tasks = random.Random(0), env.tasks("all")
    titles = [product.title.split() for product in env._world.catalogue.products]
    recorded = []
    for number in range(episodes):
        task = rng.choice(tasks)
        plan = env.demonstrate(task) if number % 2 else None
        recorded.append((task, tuple(plan) if plan else stroll(env, task, rng, titles)))
    return recorded


def stroll(env: WebShop, task: Task, rng: random.Random, titles: Sequence[list[str]]) -> tuple[str, ...]:
    """The actions of one random episode."""
    env.reset(task)
    actions: list[str] = []
    while len(actions) < LONGEST:
        if env.has_search_bar:
            words = rng.choice(titles)
            actions.append(f"search[{' '.join(rng.sample(words, min(4, len(words))))}]")
        else:
            actions.append(rng.choice(env.legal_actions()))
        if env.step(actions[-1]).terminated:
            break
    return tuple(actions)


def play(env: WebShop, episodes: Sequence[Episode]) -> tuple[int, int]:
    """Play the episodes; the number of steps and of searches among them."""
    steps = searches = 0
    for task, actions in episodes:
        env.reset(task)
        env._shop._kept_hits.cache_clear()
        for action in actions:
            env.step(action)
        steps += len(actions)
        searches += sum(action.startswith("search[") for action in actions)
    return steps, searches


def sessions_bytes(config: WebShopConfig, episodes: Sequence[Episode], count: int) -> int:
    """The memory that ``count`` environments add, each in the middle of an episode."""
    gc.collect()
    tracemalloc.start()
    environments = []
    for number in range(count):
        task, actions = episodes[number % len(episodes)]
        env = WebShop(config)
        env.reset(task)
        for action in actions[:-1]:
            env.step(action)
        environments.append(env)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="generated", help="generated, or a folder with WebShop's files")
    parser.add_argument("--mode", default="text", choices=["text", "text_rich"])
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=10_000)
    options = parser.parse_args()

    config = WebShopConfig(data=options.data, mode=options.mode, max_steps=0)
    began = time.perf_counter()
    env = WebShop(config)
    loaded = time.perf_counter() - began
    episodes = record(env, options.episodes)
    rates = []
    for _ in range(options.repeat):
        cpu = time.process_time()
        steps, searches = play(env, episodes)
        rates.append(steps / (time.process_time() - cpu))
    cpu = time.process_time()
    for task, _ in episodes:
        env.reset(task)
    reset = (time.process_time() - cpu) / len(episodes)
    used = sessions_bytes(config, episodes, options.sessions)

    print("| products | mode | load s | steps | searches | steps/CPU s (median) | (best) | reset ms | sessions | MB |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {len(env._world.catalogue.products):,} | {options.mode} | {loaded:.2f} | {steps:,} | {searches:,} "
        f"| {median(rates):,.0f} | {max(rates):,.0f} | {reset * 1e3:.4f} | {options.sessions:,} | {used / 1e6:.1f} |"
    )


if __name__ == "__main__":
    main()
