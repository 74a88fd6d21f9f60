"""How much of each environment's agent data is trained on, where a run has several (Agent-R section 4.2, multi-task).

The paper takes what each environment's trees brought. Weights fix the proportions instead, and a largest share keeps
one environment from drowning the others; both only ever leave out, they repeat nothing. A weight of 0 leaves out all:
over the same trees, that is single-task training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from agentr_core.seeds import derive_rng
from agentr_core.settings.run_config import RunConfig
from agentr_core.turns import Example


def named(name: str, config: RunConfig) -> str:
    """What a dataset is called: with the environments that it is of, where those are not all of the run's."""
    trained = config.trained_environments
    return name if trained == config.environments else f"{name}-{'+'.join(trained)}"


def in_proportion(
    examples: Sequence[Example], weights: Mapping[str, float], *, max_share: float = 1.0, seed: int
) -> list[Example]:
    """The examples that the mixture takes, in their order; ``origin["env"]`` says whose each is.

    ``weights`` of those environments that have any data decide the proportions (none above 0: what was collected), and
    none has more than ``max_share`` of the whole, as far as that can be: of two, one has at least a half. Which ones
    are left out is drawn by ``seed``. Nothing is taken of an environment of weight 0.
    """
    quota = _quotas(Counter(str(example.origin["env"]) for example in examples), weights, max_share)
    kept = set[int]()
    for name, size in quota.items():
        own = [index for index, example in enumerate(examples) if example.origin["env"] == name]
        kept |= set(own if size == len(own) else derive_rng(seed, "mixture", name).sample(own, size))
    return [example for index, example in enumerate(examples) if index in kept]


def trees_in_proportion(
    trees: Mapping[int, tuple[str, int]], weights: Mapping[str, float], *, max_share: float = 1.0, seed: int
) -> set[int]:
    """Of ``trees`` (environment and number of rows of each) those that the mixture takes whole, by the same rule.

    An environment's trees are taken in an order that is drawn by ``seed`` while they fit its part, one at the least: so
    it may have a tree's rows fewer than its part.
    """
    there = Counter[str]()
    for name, rows in trees.values():
        there[name] += rows
    quota = _quotas(+there, weights, max_share)
    kept = set[int]()
    for name, left in quota.items():
        own = [tree for tree, (env, rows) in trees.items() if env == name and rows]
        if left < there[name]:
            derive_rng(seed, "mixture", name).shuffle(own)
        for number, tree in enumerate(own):
            if trees[tree][1] <= left or not number:
                kept.add(tree)
                left -= trees[tree][1]
    return kept


def _quotas(there: Mapping[str, int], weights: Mapping[str, float], max_share: float) -> dict[str, int]:
    """The most that each environment has of what is ``there``; one of weight 0 is not among them."""
    there = {name: count for name, count in there.items() if weights.get(name, 1.0)}
    weights = {name: weight for name, weight in weights.items() if weight}
    return _capped(_weighted(there, weights) if weights else there, max_share) if there else {}


def _weighted(there: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """The most of each environment that is in the proportion of the weights; the scarcest is taken whole."""
    unit = min(count / weights.get(name, 1.0) for name, count in there.items())
    return {name: max(1, round(unit * weights.get(name, 1.0))) for name in there}


def _capped(quota: dict[str, int], max_share: float) -> dict[str, int]:
    """No environment with more than ``max_share`` of what is then the whole: the largest is cut down, again and again.

    Of n environments the largest has at least one n-th: a smaller share makes them all equal.
    """
    share = max(max_share, 1 / len(quota))
    while True:
        name = max(quota, key=lambda each: quota[each])
        rest = sum(quota.values()) - quota[name]
        allowed = max(1, int(share * rest / (1 - share) + 1e-9)) if share < 1.0 else quota[name]
        if quota[name] <= allowed:
            return quota
        quota = {**quota, name: allowed}
