"""Selection by priors: PUCT (Rosin 2011; Silver et al. 2017) and Gumbel MuZero's rules (Danihelka et al. 2022).

A prior is what the acting policy thinks of a child before anything below it is known. It is taken from what the tree
has: the share of the samples that fell on the child, or the log-probability of its turn. A child that nothing has come
out of yet counts for what its parent is worth, in place of the infinity that UCT gives it: with few simulations, that a
sibling has not been tried is no reason to leave a good way.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

from agentr_core import Node, UsageError
from agentr_mcts.config import MCTSConfig

#: Where a node keeps what a value model thought of it: ``info["search"]["value"]``.
KEPT, VALUE = "search", "value"


def select_puct(node: Node, config: MCTSConfig, rng: random.Random, in_flight: Counter[Node]) -> Node | None:
    """The open child with the highest PUCT, ties at random; None where nothing below ``node`` is left to search.

    Walks in flight count as visits with reward 0 (virtual loss).
    """
    prior, parent_visits = priors(node, config.prior), node.visits + in_flight[node] - 1
    best, candidates = -math.inf, list[Node]()
    for child in open_children(node):
        visits = child.visits + in_flight[child]
        value = child.value_sum / visits if visits else expected(child)
        score = puct(value, prior[child], visits, parent_visits, config.c_puct)
        if score > best:
            best, candidates = score, [child]
        elif score == best:
            candidates.append(child)
    return rng.choice(candidates) if candidates else None


def expected(child: Node) -> float:
    """What a child is worth that nothing has come out of: what the value model says, else what its parent is worth."""
    told = child.info.get(KEPT, {}).get(VALUE)
    return float(told) if told is not None else child.parent.value if child.parent is not None else 0.0


def puct(value: float, prior: float, visits: int, parent_visits: int, c_puct: float) -> float:
    """Q + c P sqrt(N(parent)) / (1 + N); before the first visit the prior alone decides."""
    return value + c_puct * prior * math.sqrt(max(1, parent_visits)) / (1 + visits)


def select_gumbel(
    node: Node,
    config: MCTSConfig,
    number: int,
    in_flight: Counter[Node],
    rng: Callable[[str, int], random.Random],
) -> Node | None:
    """The open child that simulation ``number`` goes on to; None where there is none.

    At the root: sequential halving. The children share the first simulations alike, the better half the next ones,
    and so on; better is who has the higher sum of a Gumbel draw (one for each child of the tree), log-prior and value.
    Below the root: the child with the fewest visits beside what the improved policy, softmax(log-prior + value), gives.
    """
    candidates = open_children(node)
    if not candidates:
        return None
    logit = improved_logits(node, candidates, config, in_flight)
    if node.parent is None:
        turn = halving(sum(not child.terminal for child in node.children), config.simulations)[number]
        due = [child for child in candidates if walks_below(child) + in_flight[child] == turn]
        return max(due or candidates, key=lambda child: logit[child] + gumbel(rng("gumbel", child.index)))
    wanted = softmax([logit[child] for child in candidates])
    visits = [child.visits + in_flight[child] for child in candidates]
    behind = [share - had / (1 + sum(visits)) for share, had in zip(wanted, visits, strict=True)]
    return candidates[behind.index(max(behind))]


def improved_logits(
    node: Node, candidates: Sequence[Node], config: MCTSConfig, in_flight: Counter[Node]
) -> dict[Node, float]:
    """log P + (c_visit + max N) c_scale Q for each candidate; Q of one without a visit is :func:`expected`."""
    prior = priors(node, config.prior)
    visits = {child: child.visits + in_flight[child] for child in candidates}
    weight = (config.c_visit + max(visits.values())) * config.c_scale
    value = {child: child.value_sum / had if had else expected(child) for child, had in visits.items()}
    return {child: math.log(prior[child]) + weight * value[child] for child in candidates}


def halving(children: int, simulations: int) -> list[int]:
    """How many walks the child must have had that each simulation goes to (sequential halving, Karnin et al. 2013).

    All children are equal first; each time a share of the simulations is used up, half of them stay in it, two at the
    least.
    """
    rounds = max(1, math.ceil(math.log2(max(1, children))))
    turns, had, left = list[int](), 0, max(1, children)
    while len(turns) < simulations:
        for _ in range(max(1, simulations // (rounds * left))):
            turns += [had] * left
            had += 1
        left = max(min(2, left), left // 2)
    return turns[:simulations]


def walks_below(child: Node) -> int:
    """How many simulations have gone through ``child``, as far as the tree tells.

    A walk expands node below node until nothing but ends is left: each has left one expanded node that has no expanded
    child. So nothing needs to be remembered beside the tree.
    """
    count, waiting = 0, [child] if child.expanded else []
    while waiting:
        below = [each for each in waiting.pop().children if each.expanded]
        count += not below
        waiting += below
    return count


def gumbel(rng: random.Random) -> float:
    """One draw of the standard Gumbel distribution."""
    return -math.log(-math.log(rng.random() or 0.5))


def priors(node: Node, kind: str) -> dict[Node, float]:
    """The prior of each child of ``node``, above 0; they add up to 1.

    Raises :class:`~agentr_core.UsageError` where log-probabilities are asked for and the policy tells none.
    """
    if kind == "copies":
        weights = {child: float(child.copies) for child in node.children}
    else:
        mean = {child: mean_logprob(child) for child in node.children}
        most = max(mean.values())
        weights = {child: math.exp(max(logprob - most, -700.0)) for child, logprob in mean.items()}
    whole = sum(weights.values())
    return {child: weight / whole for child, weight in weights.items()}


def mean_logprob(child: Node) -> float:
    """The mean log-probability (natural log) of a token of the turn that leads to ``child``."""
    said = child.completion
    if said is None or not said.logprobs:
        raise UsageError(
            "mcts.prior=likelihood needs log-probabilities, and the policy tells none: begin another run with "
            "mcts.prior=copies, or with a policy that tells them (a run keeps its settings)"
        )
    return sum(said.logprobs) / len(said.logprobs)


def softmax(logits: Sequence[float]) -> list[float]:
    """Shares in proportion to exp(logit)."""
    weights = [math.exp(logit - max(logits)) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def open_children(node: Node) -> list[Node]:
    """The children below which something is left to search."""
    return [child for child in node.children if not (child.terminal or child.exhausted)]
