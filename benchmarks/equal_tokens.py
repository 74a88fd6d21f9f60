"""What each way to search makes of the same number of sampled tokens, on TextCraft with a small model.

Every tree stops after the simulation in which it has sampled so many tokens. For each setting, over all trees: tokens
sampled for a tree, the share of tasks solved and of trees with a solved and a failed attempt, pairs that revision could
splice and nodes where a preference can be read off (both a tree), the share of samples that were copies, finished
attempts and environment steps (both a tree), and the seconds that the setting took.

    python benchmarks/equal_tokens.py --tasks 20 --seeds 2 --tokens 1500

With a value model (a checkpoint of the trainer ``value``, of other tasks) also what its guidance brings;
what it is asked takes none of the tokens, and the seconds tell:

    agentr search --env textcraft --tasks 60 -o mcts.simulations=8
    agentr train --run last --trainer value -o value.before_step=true
    python benchmarks/equal_tokens.py --split test --value-model agentr-out/RUN/iteration-1-.../model
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from agentr_core import AnyPolicy, Task, create, derive_seed, run_bounded
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.revise.pairs import contrasts, pair
from agentr_core.search.search_context import TreeContext
from agentr_core.settings.run_config import ReviseSettings

#: More than a tree's tokens allow: they end the search. Gumbel halves over a number that must be known before.
MANY = 1_000
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "best of n": ("best_of_n", {"attempts": MANY, "attempts_in_flight": 2}),
    "mcts, uct": ("mcts", {"simulations": MANY}),
    "mcts, uct, again at 1": ("mcts", {"simulations": MANY, "again": 1}),
    "mcts, uct, again at 1.5": ("mcts", {"simulations": MANY, "again": 1, "again_temperature": 1.5}),
    "mcts, puct, copies": ("mcts", {"simulations": MANY, "selection": "puct"}),
    "mcts, puct, likelihood": ("mcts", {"simulations": MANY, "selection": "puct", "prior": "likelihood"}),
    "mcts, gumbel": ("mcts", {"simulations": 4, "selection": "gumbel"}),
    "branch, shallow": ("branch", {"rounds": MANY, "nodes": 2}),
    "branch, random": ("branch", {"rounds": MANY, "nodes": 2, "choose": "random"}),
    "branch, spread": ("branch", {"rounds": MANY, "nodes": 2, "choose": "spread"}),
    "beam, reward": ("beam", {"width": 4}),
    "reflect": ("reflect", {"reflections": MANY}),
    "reflect, again at 1.5": ("reflect", {"reflections": MANY, "again": 2, "again_temperature": 1.5}),
}
#: The same search without a guide, with one, and with one that also chooses what is done.
_PUCT: dict[str, Any] = {"simulations": MANY, "selection": "puct"}
GUIDED: dict[str, dict[str, Any]] = {
    "mcts, puct, value": _PUCT,
    "mcts, gumbel, value": {"simulations": 4, "selection": "gumbel"},
    "mcts, puct, value, 4 of 8": {**_PUCT, "consider": 8},
    "mcts, puct, value, 2 of 4": {**_PUCT, "samples": 2, "consider": 4},
}
COLUMNS = ("tokens", "solved", "mixed", "pairs", "preferences", "copies", "attempts", "env steps")


async def no_store(tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
    """Commits go nowhere."""


async def grow(
    task: Task, seed: int, searcher: AnySearcher, pool: EnvironmentPool, policy: AnyPolicy, tokens: int
) -> list[float]:
    """One tree of so many sampled tokens; the values of :data:`COLUMNS`."""

    def spent() -> bool:
        return context.stats.completion_tokens >= tokens

    context = await TreeContext.open(
        task, pool=pool, policy=policy, save=no_store, seed=derive_seed(seed, task.key), session=task.key, stop=spent
    )
    tree = await searcher.search(task, context)
    context.close()
    leaves, nodes, stats = tree.leaves(), len(tree.nodes) - 1, context.stats
    return [
        stats.completion_tokens,
        tree.best_reward >= 1.0,
        len({leaf.reward >= 1.0 for leaf in leaves}) == 2,
        *usable(tree, seed),
        sum(node.copies - 1 for node in tree.nodes[1:]) / max(1, nodes + sum(n.copies - 1 for n in tree.nodes[1:])),
        sum(leaf.visits for leaf in leaves),
        context.branches.stats.steps,
    ]


def usable(tree: Tree, seed: int) -> tuple[int, int]:
    """Pairs that the revise stage would cut and splice, under its default caps; preference pairs."""
    settings = ReviseSettings()
    alpha = settings.alpha_at(1)
    pairs = pair(
        tree,
        alpha=alpha,
        beta=settings.beta,
        mode=settings.beta_mode,
        max_pairs_per_tree=settings.max_pairs_per_tree,
        max_pairs_per_leaf=settings.max_pairs_per_leaf,
        seed=seed,
    )
    return len(pairs), len(contrasts(tree, alpha=alpha, beta=settings.beta, mode=settings.beta_mode))


async def measure(name: str, options: argparse.Namespace, policy: AnyPolicy) -> list[float]:
    """Means over the trees of all tasks and seeds."""
    kind, settings = (
        SETTINGS[name] if name in SETTINGS else ("mcts", {**GUIDED[name], "value_model": options.value_model})
    )
    searcher = create("searcher", kind, max_tokens=48, depth=options.depth, **settings)
    pool = EnvironmentPool(lambda: create("env", "textcraft"))
    tasks = pool.reference.tasks(options.split)
    chosen = tasks[:: max(1, len(tasks) // options.tasks)][: options.tasks]
    trees = [(task, seed) for seed in range(options.seeds) for task in chosen]

    async def one(item: tuple[Task, int]) -> list[float]:
        return await grow(*item, searcher, pool, policy, options.tokens)

    rows = []
    async for finished in run_bounded(trees, one, len(trees)):
        if finished.error is not None:
            raise finished.error
        rows.append(finished.result or [])
    pool.close()
    await searcher.close()
    return [fmean(column) for column in zip(*rows, strict=True)]


async def all_of_them(options: argparse.Namespace) -> None:
    policy: AnyPolicy = create("policy", "transformers", model=options.model)
    policy.bind(lambda task=None: create("env", "textcraft"))
    for name in options.only or [*SETTINGS, *(GUIDED if options.value_model else ())]:
        began = time.perf_counter()
        row = dict(zip(COLUMNS, await measure(name, options, policy), strict=True))
        shares = ("solved", "mixed", "copies")
        cells = [f"{row[key]:11.0%}" if key in shares else f"{row[key]:11,.1f}" for key in COLUMNS]
        print(f"| {name:24} | " + " | ".join([*cells, f"{time.perf_counter() - began:7.0f}"]) + " |", flush=True)
    await policy.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="what each way to search makes of the same number of sampled tokens")
    parser.add_argument("--tasks", type=int, default=20, help="tasks, spread over the split")
    parser.add_argument("--split", default="train")
    parser.add_argument("--value-model", metavar="FOLDER", help="a checkpoint of the trainer 'value'")
    parser.add_argument("--seeds", type=int, default=2, help="trees of each task")
    parser.add_argument("--tokens", type=int, default=1_500, help="sampled tokens of a tree")
    parser.add_argument("--depth", type=int, default=20, help="actions of an attempt at the most")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--only", nargs="*", choices=[*SETTINGS, *GUIDED], help="only these settings")
    options = parser.parse_args()
    print(f"| {'setting':24} | " + " | ".join(f"{name:>11}" for name in (*COLUMNS,)) + " | seconds |")
    print("|" + "-" * 26 + "|" + "------------:|" * len(COLUMNS) + "--------:|")
    asyncio.run(all_of_them(options))


if __name__ == "__main__":
    main()
