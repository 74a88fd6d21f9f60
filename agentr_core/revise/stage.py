"""The revise stage: pair good and bad leaves, cut, splice, verify (Agent-R section 3.1; method choices 2 to 7).

It works over stored trees, so another critic or other thresholds need no new search. A tree is the unit of work:
its samples are stored in one transaction, and a resumed stage goes on with the trees that are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.account import describe
from agentr_core.errors import AgentrError, NothingToDo
from agentr_core.hashing import content_hash
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Node, Tree, take_apart
from agentr_core.play.episode import Player, Rollout, distances_along
from agentr_core.play.in_flight import Finished, not_now, run_with_second_try
from agentr_core.records import Cut, Message, SamplingParams, Step, Trajectory
from agentr_core.registry.events import RevisionsBuilt
from agentr_core.revise.no_yield import why_none
from agentr_core.revise.pairs import Contrast, Pair, contrasts, good_leaves, pair
from agentr_core.revise.splice import at_an_open_step, revision_signal, splice, training_messages
from agentr_core.revise.tree_critique import TreeCritique
from agentr_core.run_context import RunContext, StageResult, TreeWork
from agentr_core.seeds import TREE_NUMBER, derive_rng, derive_seed
from agentr_core.store.rows import Preference, RevisionSetRow, Sample, TreeRow


async def revise_trees(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> StageResult:
    """Build the revision set of one iteration with ``critic``.

    A tree that fails is left out and the rest go on (the metric ``failed`` counts them); one that failed for a reason
    that may pass is tried once more. :class:`AgentrError` where all failed, or such a reason did not pass.
    """
    trees = context.store.trees.select(context.run.id, iteration=iteration, status="done")
    if not trees:
        raise NothingToDo(f"run {context.run.short} has no finished tree in iteration {iteration}; search first")
    row = _open_set(context, policy, critic, iteration)
    work = _Reviser(context, policy, critic, row)
    done = context.store.revisions.trees(row.id)
    with context.progress.stage(f"iter {iteration} revise", len(trees), "trees") as bar:
        bar.advance(len(done))
        todo = [tree for tree in trees if tree.id not in done]
        failed: list[Finished[TreeRow, None]] = []
        async for finished in run_with_second_try(todo, work.revise, context.config.concurrency, context.stopped):
            if finished.error is not None:
                failed.append(finished)
                context.progress.say(f"warning: tree {finished.item.id} was not revised: {finished.error}")
            bar.advance()
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


def reviser(context: RunContext, policy: AnyPolicy, critic: AnyCritic, iteration: int) -> TreeWork:
    """Revises one tree of the iteration that is done, while others still grow; :func:`revise` does what is left."""
    return _Reviser(context, policy, critic, _open_set(context, policy, critic, iteration)).revise


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
    repaired = {"by": context.acting(policy), "max_tokens": context.config.evaluate.max_tokens}
    return {
        "critic": context.config.critic.model_dump(mode="json"),
        "revise": settings.model_dump(mode="json"),
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


@dataclass(slots=True)
class _Reviser:
    """Revises one tree after another with the same critic and settings."""

    context: RunContext
    policy: AnyPolicy
    critic: AnyCritic
    row: RevisionSetRow

    async def revise(self, tree_row: TreeRow) -> None:
        """Make and store all samples of one tree."""
        tree = self.context.store.trees.load(tree_row.id)
        try:
            await self._revise(tree, tree_row)
        finally:
            take_apart(tree)

    async def _revise(self, tree: Tree, tree_row: TreeRow) -> None:
        context, settings = self.context, self.context.config.revise
        alpha = settings.alpha_at(tree_row.iteration)
        pairs = pair(
            tree,
            alpha=alpha,
            beta=settings.beta,
            mode=settings.beta_mode,
            max_pairs_per_tree=settings.max_pairs_per_tree,
            max_pairs_per_leaf=settings.max_pairs_per_leaf,
            seed=derive_seed(context.config.seed, "pairs", *_names(tree_row)),
        )
        critique = self._critique(tree, tree_row)
        samples = [self._good(tree, leaf, tree_row) for leaf in good_leaves(tree, alpha)]
        for one in pairs:
            revision = await self._revision(tree, one, critique, tree_row)
            samples += [revision] if revision is not None else []
        if context.stopped():
            return  # an episode may have been cut short: the tree is revised again when the run goes on
        parted = contrasts(tree, alpha=alpha, beta=settings.beta, mode=settings.beta_mode)
        preferences = [self._preference(tree, one, tree_row) for one in parted]
        metrics = tree_metrics(samples, len(pairs), critique)
        with context.store.transaction():
            context.store.trees.save_verdicts(tree_row.id, context.config.critic.name, self._judge_hash, critique.fresh)
            context.store.revisions.save_tree(self.row.id, tree_row.id, samples, metrics, preferences)

    @property
    def _judge_hash(self) -> str:
        actor = self.context.acting(self.policy) if self.critic.uses_actor else ""
        return content_hash([self.context.config.critic.model_dump(mode="json"), actor, self.context.config.seed])

    def _critique(self, tree: Tree, row: TreeRow) -> TreeCritique:
        known = self.context.store.trees.verdicts_of(row.id, self.context.config.critic.name, self._judge_hash)
        return TreeCritique(
            tree,
            self.policy,
            self._distances,
            domain=self.context.environment.domain_of(tree.task),
            seed=derive_seed(self.context.config.seed, "critique", *_names(row)),
            session=str(row.id),
            known=known,
            make_environment=self.context.make_environment,
        )

    async def _distances(self, trajectory: Trajectory) -> list[float | None]:
        """The environment's distance to the goal along a trajectory, by playing it again."""
        async with self.context.episodes.lend() as environment:
            return await distances_along(environment, trajectory, self.context.config.revise.revision_action)

    def _messages(self, head: Sequence[Message], steps: Sequence[Step], first_trained: int) -> tuple[Message, ...]:
        refused = self.context.config.revise.train_refused
        return training_messages(head, steps, first_trained, train_refused=refused)

    def _good(self, tree: Tree, leaf: Node, tree_row: TreeRow) -> Sample:
        trajectory = tree.trajectory(leaf)
        return Sample(
            tree_id=tree_row.id,
            kind="good",
            good_leaf=leaf.index,
            reward=trajectory.reward,
            good_reward=trajectory.reward,
            messages=self._messages(trajectory.head, trajectory.steps, 0),
        )

    async def _revision(self, tree: Tree, one: Pair, critique: TreeCritique, tree_row: TreeRow) -> Sample | None:
        """One revision trajectory: the cut of the bad leaf, the signal, the good tail, executed where asked.

        None where the bad attempt had ended before it could be revised.
        """
        bad, good = tree.trajectory(one.bad), tree.trajectory(one.good)
        cut = at_an_open_step(await self.critic.judge(bad, good, critique), bad)
        if cut.step <= one.divergence:
            return None  # the attempts part at the step that ended the bad one: there is no start to go on from
        names = (*_names(tree_row), one.bad.index, one.good.index)
        signal = revision_signal(
            derive_rng(self.context.config.seed, "signal", *names), self.context.config.revise.revision_action
        )
        steps = splice(bad, good, cut=cut.step, divergence=one.divergence, signal=signal)
        seen, verified, mismatches = steps, None, 0
        if self.context.config.revise.splice == "verified":
            rollout, verified = await self._verify(tree, steps, cut, good, names)
            seen, mismatches = rollout.trajectory.steps, rollout.mismatches
        return Sample(
            tree_id=tree_row.id,
            kind="revision" if cut.judged else "direct",
            bad_leaf=one.bad.index,
            good_leaf=one.good.index,
            divergence=one.divergence,
            cut=cut.step,
            judged=cut.judged,
            verified=verified,
            kept=verified is not False,
            reward=seen[-1].reward if seen else 0.0,
            bad_reward=bad.reward,
            good_reward=good.reward,
            mismatches=mismatches,
            messages=self._messages(tree.head, seen, cut.step),
            origin={
                "critic": self.context.config.critic.name,
                "model": self.context.model_of(self.policy),
                "seed": self.context.config.seed,
            },
        )

    async def _verify(
        self, tree: Tree, steps: Sequence[Step], cut: Cut, good: Trajectory, names: tuple[str | int, ...]
    ) -> tuple[Rollout, bool]:
        """Execute the splice; where its reward falls, let the policy go on from the signal, ``repairs`` times."""
        session = f"splice-{tree.task.key}"
        async with self.context.episodes.lend() as environment:
            player = self._player(max_turns=0)
            rollout = await player.rollout(environment, tree.task, seed=0, session=session, given=steps)
            start = steps[: cut.step + 1]
            if len(rollout.trajectory.steps) > len(start) and rollout.trajectory.reward >= good.reward:
                return rollout, True  # perhaps before the tail was over: the bad start had done some of its work
            if len(rollout.trajectory.steps) < len(start):
                return rollout, False  # the environment ended inside the bad start: nothing can follow it
            for attempt in range(self.context.config.revise.repairs):
                seed = derive_seed(self.context.config.seed, "repair", *names, attempt)
                player = self._player(max_turns=max(1, len(good.steps)))
                repaired = await player.rollout(environment, tree.task, seed=seed, session=session, given=start)
                if repaired.trajectory.reward >= good.reward:
                    return repaired, True
        return rollout, False

    def _player(self, max_turns: int) -> Player:
        """Plays splices; a repair samples as the search does, at temperature 1."""
        settings = self.context.config
        params = SamplingParams(temperature=1.0, max_tokens=settings.evaluate.max_tokens)
        return Player(self.policy, params, max_turns, settings.revise.revision_action, self.context.stopped)

    def _preference(self, tree: Tree, one: Contrast, tree_row: TreeRow) -> Preference:
        chosen, rejected = tree.trajectory(one.good), tree.trajectory(one.bad)
        return Preference(
            tree_id=tree_row.id,
            node=one.node,
            chosen_leaf=one.good.index,
            rejected_leaf=one.bad.index,
            chosen_reward=chosen.reward,
            rejected_reward=rejected.reward,
            chosen_messages=chosen.messages(),
            rejected_messages=rejected.messages(),
        )


def _names(row: TreeRow) -> tuple[int, str, int]:
    """What seeds are derived from: the tree by what it is called, never by its row in this database."""
    return row.iteration, row.task, TREE_NUMBER


def tree_metrics(samples: Sequence[Sample], pairs: int, critique: TreeCritique) -> dict[str, float]:
    """Counts of one tree, summed up by :func:`set_metrics`."""
    spliced = [sample for sample in samples if sample.kind != "good"]
    kept = [sample for sample in spliced if sample.kept]
    return {
        "pairs": pairs,
        "good": len(samples) - len(spliced),
        "revisions": len(kept),
        "verified": sum(sample.verified is True for sample in spliced),
        "tried": sum(sample.verified is not None for sample in spliced),
        "judged": sum(sample.judged for sample in kept),
        "cut_sum": sum(sample.cut for sample in spliced),
        "mismatches": sum(sample.mismatches for sample in spliced),
        "verdicts": len(critique.fresh),
        "unreadable": sum(not verdict.readable for verdict in critique.fresh.values()),
        "judge_tokens": critique.tokens,
    }


def set_metrics(trees: Any) -> dict[str, float]:
    """Sums over a set's trees, and the mean cut t' (Agent-R's revision length, section 4.4)."""
    total: Counter[str] = Counter()
    for metrics in trees:
        total.update({name: float(value) for name, value in metrics.items()})
    names = (
        "pairs", "good", "revisions", "verified", "tried", "judged", "mismatches", "verdicts", "unreadable",
        "judge_tokens",
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
    }


def describe_set(metrics: Mapping[str, float]) -> str:
    """The stage's line: ``118 revisions (verified 118 of 131) · 74 good · cut after step 2.4 on average``."""
    verified = f" (verified {metrics['verified']:.0f} of {metrics['tried']:.0f})" if metrics["tried"] else ""
    return (
        f"{metrics['revisions']:,.0f} revisions{verified} · {metrics['good']:,.0f} good · "
        f"cut after step {metrics['cut_mean']:.1f} on average"
    )
