"""What the choice of tasks brings: the samplers side by side on TextCraft, with the flawed expert (no model needed).

The expert errs more often the deeper a recipe is (``RATES``, by depth), and less in each iteration (``--learns``), as a
model does that is trained in between; it learns the same whatever was searched. For each sampler and iteration: the
trees and their tasks' mean depth, the share of trees that a task was solved in, that hold both ends, and what they give
for training: pairs and revisions a tree, and for 1,000 samples, which is what they cost.

    python benchmarks/samplers.py --tasks 60 --iterations 3
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from statistics import fmean

from agentr_core import (
    TASK_SAMPLERS,
    AnyPolicy,
    Completion,
    MakeEnvironment,
    PluginConfig,
    Policy,
    RunContext,
    SampleRequest,
    configure,
    create,
    grow_trees,
    scratch_run,
)
from agentr_core.revise.stage import revise_trees

#: Share of wrong actions in the first iteration, by depth of the task.
RATES = {1: 0.3, 2: 0.55, 3: 0.75, 4: 0.85}
COLUMNS = ("trees", "depth", "solved", "both ends", "samples", "pairs", "revisions", "pairs/1k", "revisions/1k")


class ByDepth(Policy[PluginConfig]):
    """The flawed expert with a rate of errors for each depth."""

    def __init__(self, rates: Mapping[int, float]) -> None:
        super().__init__(PluginConfig())
        self._rates = dict(rates)
        self._policies: dict[int, AnyPolicy] = {
            depth: create("policy", "flawed", rate=rate) for depth, rate in rates.items()
        }

    @property
    def model(self) -> str:
        """The rates: others, other answers."""
        return "flawed-" + "-".join(f"{rate:.3f}" for rate in self._rates.values())

    def bind(self, make_environment: MakeEnvironment) -> None:
        """Each makes environments of its own."""
        for policy in self._policies.values():
            policy.bind(make_environment)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """The answers of the expert for the task's depth."""
        assert request.task is not None
        return await self._policies[request.task.metadata["depth"]].sample(request)

    async def close(self) -> None:
        """Close all of them."""
        for policy in self._policies.values():
            await policy.close()


async def iterate(context: RunContext, iteration: int, rates: Mapping[int, float]) -> list[float]:
    """One iteration's search and revision; the values of :data:`COLUMNS`."""
    policy, critic = ByDepth(rates), context.make_critic()
    policy.bind(context.worlds.make)
    await grow_trees(context, policy, context.make_searcher(), iteration)
    made = (await revise_trees(context, policy, critic, iteration)).metrics
    await policy.close()
    rows, store = context.store.trees.select(context.run.id, iteration=iteration), context.store
    ends = [{leaf.reward >= 1.0 for leaf in store.trees.load(row.id).leaves()} for row in rows]
    samples = sum(row.stats["samples"] for row in rows)
    return [
        len(rows),
        fmean(store.tasks.get(row.task_id).metadata["depth"] for row in rows),
        fmean(True in each for each in ends),
        fmean(len(each) == 2 for each in ends),
        samples / len(rows),
        made["pairs"] / len(rows),
        made["revisions"] / len(rows),
        1000 * made["pairs"] / samples,
        1000 * made["revisions"] / samples,
    ]


def measure(sampler: str, options: argparse.Namespace) -> list[list[float]]:
    """The rows of a run's iterations, and their means (of trees: the sum)."""
    config = configure(
        policy="flawed",
        critic="value",
        trainer="none",
        seed=options.seed,
        iterations=options.iterations,
        search={"tasks": options.tasks, "sampler": sampler},
        mcts={"simulations": options.simulations},
    )
    numbers = range(1, options.iterations + 1)
    with scratch_run(config) as context:
        rows = [asyncio.run(iterate(context, number, learnt(options.learns, number))) for number in numbers]
    trees, *columns = zip(*rows, strict=True)
    *means, samples, pairs, revisions = map(fmean, columns[:-2])
    yields = [1000 * pairs / samples, 1000 * revisions / samples]
    return [*rows, [sum(trees), *means, samples, pairs, revisions, *yields]]


def learnt(learns: float, iteration: int) -> dict[int, float]:
    """The rates of an iteration."""
    return {depth: rate * learns ** (iteration - 1) for depth, rate in RATES.items()}


def line(name: str, iteration: str, values: Sequence[float]) -> str:
    """One row of the table."""
    forms = ("{:.0f}", "{:.2f}", "{:.0%}", "{:.0%}", "{:.1f}", "{:.2f}", "{:.2f}", "{:.1f}", "{:.1f}")
    cells = [form.format(value) for form, value in zip(forms, values, strict=True)]
    sizes = [max(len(column), 6) for column in COLUMNS]
    padded = [cell.rjust(size) for cell, size in zip(cells, sizes, strict=True)]
    return f"| {name:13} | {iteration:9} | {' | '.join(padded)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="what the choice of tasks brings")
    parser.add_argument("--tasks", type=int, default=60, help="trees in an iteration")
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=8, help="of each tree")
    parser.add_argument("--learns", type=float, default=0.8, help="an iteration's rates are so much of the last one's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    titles = [column.rjust(max(len(column), 6)) for column in COLUMNS]
    print(f"| {'sampler':13} | iteration | {' | '.join(titles)} |")
    print("|" + "-" * 15 + "|" + "-" * 11 + "|" + "".join("-" * (len(title) + 1) + ":|" for title in titles))
    for name in TASK_SAMPLERS:
        for number, values in enumerate(measure(name, options), 1):
            print(line(name, str(number) if number <= options.iterations else "all", values), flush=True)


if __name__ == "__main__":
    main()
