"""The revise stage: pair good and bad leaves, cut, splice, verify (Agent-R section 3.1; method choices 2 to 7).

It works over stored trees, so another critic or other thresholds need no new search. A tree is the unit of work:
its samples are stored in one transaction, and a resumed stage goes on with the trees that are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from agentr_core.account import describe
from agentr_core.errors import AgentrError, NothingToDo
from agentr_core.hashing import content_hash
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.admission import Admission
from agentr_core.play.in_flight import Finished, not_now, run_with_second_try
from agentr_core.registry.events import RevisionsBuilt
from agentr_core.revise.no_yield import why_none
from agentr_core.revise.tree_reviser import TreeReviser
from agentr_core.run_context import RunContext, StageResult, tree_session
from agentr_core.store.rows import RevisionSetRow, TreeRow
from agentr_core.workers.messages import Job


async def revise_trees(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> StageResult:
    """Build the revision set of one iteration with ``critic``.

    A tree that fails is left out and the rest go on (the metric ``failed`` counts them); one that failed for a reason
    that may pass is tried once more. :class:`AgentrError` where all failed, or such a reason did not pass.
    """
    trees = context.store.trees.select(context.run.id, iteration=iteration, status="done")
    if not trees:
        raise NothingToDo(f"run {context.run.short} has no finished tree in iteration {iteration}; search first")
    row = _open_set(context, policy, critic, iteration)
    admission, crew = context.admission(policy), context.crew

    async def revise(tree: TreeRow) -> None:
        if crew is not None:
            await crew.do(lambda: Job("revise", (tree, row), context.store.tables_of_tree(tree.id)), context.told)
            return
        try:
            told = partial(bar.partly, tree.id)
            await TreeReviser(context, policy, critic, row, tree, admission, told).revise()
        finally:
            admission.end(tree_session(tree))

    done = context.store.revisions.trees(row.id)
    with context.progress.stage(f"iter {iteration} revise", len(trees), "trees") as bar:
        bar.resume(len(done))
        todo = [tree for tree in trees if tree.id not in done]
        failed: list[Finished[TreeRow, None]] = []
        async for finished in run_with_second_try(todo, revise, admission, context.stopped):
            if finished.error is not None:
                failed.append(finished)
                context.progress.say(f"warning: tree {finished.item.id} was not revised: {finished.error}")
            bar.advance(key=finished.item.id)
        context.stop_here()
        if away := [finished for finished in failed if finished.passing]:
            left = len(trees) - len(context.store.revisions.trees(row.id))
            what = f"{left} of {len(trees)} trees of iteration {iteration} are not revised"
            raise not_now(what, away, context.advice)
        if len(failed) == len(trees):
            raise AgentrError(f"no tree of iteration {iteration} could be revised; the first: {failed[0].error}")
        metrics = {**set_metrics(context.store.revisions.trees(row.id).values()), "failed": float(len(failed))}
        account = set_account(metrics, len(trees))
        told = describe({name: count for name, count in account.items() if name != "lost"})
        bar.advance(0, describe_set(metrics) + (f" · {told}" if told else ""))
    if hint := why_none(metrics, context.config.revise, iteration):
        context.progress.say(f"no revisions: {hint}")
    context.store.revisions.finish(row.id, metrics)
    counts = {name: int(metrics[name]) for name in ("pairs", "revisions", "good")}
    context.registry.notify(RevisionsBuilt(context.run.key, iteration, context.config.critic.name, **counts))
    return StageResult(metrics, row.id, account)


@dataclass(frozen=True, slots=True)
class RevisesAhead:
    """Revises a tree that is done while others still grow; :func:`revise_trees` does what is left."""

    context: RunContext
    policy: AnyPolicy
    critic: AnyCritic
    into: RevisionSetRow

    async def __call__(self, tree: TreeRow, admission: Admission, /) -> None:
        """Revise one tree."""
        await TreeReviser(self.context, self.policy, self.critic, self.into, tree, admission).revise()


def revising_ahead(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> RevisesAhead:
    """What revises the trees of an iteration as they are done, for the set that the settings at hand make."""
    return RevisesAhead(context, policy, critic, _open_set(context, policy, critic, iteration))


def find_set(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> RevisionSetRow:
    """The finished set that the settings at hand made; :class:`NothingToDo` where there is none.

    Another model may be trained on a set that no actor judged: where another policy made its repairs, that is said.
    """
    wanted = _identity(context, policy, critic)
    rows = context.store.revisions.select(context.run.id, iteration=iteration, critic=context.config.critic.name)
    rows = [row for row in rows if row.status == "done"]
    same = [row for row in rows if row.config_hash == content_hash(wanted)]
    alike = [row for row in rows if {**row.config, "repairs": None} == {**wanted, "repairs": None}]
    if not same and alike:
        context.progress.say(f"taking revision set {alike[-1].id}, whose splices were repaired by {alike[-1].model}")
    if not same + alike:
        raise NothingToDo(
            f"run {context.run.short} has no revisions by the critic '{context.config.critic.name}' with these "
            f"settings in iteration {iteration}; make them with: agentr revise --run {context.run.short} "
            f"--critic {context.config.critic.name}"
        )
    return same[0] if same else alike[-1]


def _identity(context: RunContext, policy: AnyPolicy, critic: AnyCritic) -> dict[str, Any]:
    """What tells sets apart: the critic, all settings of the stage, and who acts where it judges or repairs."""
    settings = context.config.revise
    repairs = settings.splice == "verified" and settings.repairs > 0
    tokens = {name: context.config.evaluate_of(name).max_tokens for name in context.worlds}
    alike = len(set(tokens.values())) == 1
    repaired = {"by": context.acting(policy), "max_tokens": next(iter(tokens.values())) if alike else tokens}
    given = settings.model_dump(mode="json")
    if settings.repair_temperature == 1.0:
        del given["repair_temperature"]  # it is what all were before it could be set, and those sets still count
    return {
        "critic": context.config.critic.model_dump(mode="json"),
        "revise": given,
        "seed": context.config.seed,
        "actor": context.acting(policy) if critic.uses_actor else None,
        "repairs": repaired if repairs else None,
    }


def _open_set(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> RevisionSetRow:
    config = _identity(context, policy, critic)
    return context.store.revisions.open(
        context.run.id,
        iteration,
        context.config.critic.name,
        config=config,
        config_hash=content_hash(config),
        model=context.model_of(policy),
    )


def set_metrics(trees: Any) -> dict[str, float]:
    """Sums over a set's trees, and the mean cut t' (Agent-R's revision length, section 4.4)."""
    total: Counter[str] = Counter()
    for metrics in trees:
        total.update({name: float(value) for name, value in metrics.items()})
    names = (
        "pairs", "good", "revisions", "verified", "tried", "judged", "mismatches", "verdicts", "unreadable",
        "judge_tokens", "judge_steps", "rollouts", "unplayed",
        "shown_in_part",
    )  # fmt: skip
    sums = {name: float(total[name]) for name in names}
    return {**sums, "cut_mean": total["cut_sum"] / total["pairs"] if total["pairs"] else 0.0}


def set_account(metrics: Mapping[str, float], trees: int) -> dict[str, int]:
    """What went otherwise than it should in a set that was made of so many trees."""
    return {
        "tried": trees,
        "failed": int(metrics["failed"]),
        "verdicts": int(metrics["verdicts"]),
        "unreadable": int(metrics["unreadable"]),
        "samples": int(metrics["revisions"]),
        "direct": int(metrics["revisions"] - metrics["judged"]),
        "spliced": int(metrics["tried"]),
        "lost": int(metrics["tried"] - metrics["verified"]),
        "rollouts": int(metrics["rollouts"]),
        "unplayed": int(metrics["unplayed"]),
        "shown_in_part": int(metrics["shown_in_part"]),
    }


def describe_set(metrics: Mapping[str, float]) -> str:
    """The stage's line: ``118 revisions (verified 118 of 131) · 74 good · cut after step 2.4 on average``."""
    verified = f" (verified {metrics['verified']:.0f} of {metrics['tried']:.0f})" if metrics["tried"] else ""
    return (
        f"{metrics['revisions']:,.0f} revisions{verified} · {metrics['good']:,.0f} good · "
        f"cut after step {metrics['cut_mean']:.1f} on average"
    )
