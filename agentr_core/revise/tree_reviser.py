"""The samples of one tree: its pairs cut, spliced and verified (Agent-R section 3.1; method choices 2 to 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Node, Tree, take_apart
from agentr_core.play.admission import Admission
from agentr_core.play.branches import Branches
from agentr_core.play.episode import Player, Rollout, distances_along
from agentr_core.play.from_nodes import NodePlayer
from agentr_core.records import Cut, SamplingParams, Step, Trajectory
from agentr_core.revise.critique_context import TreeCritique
from agentr_core.revise.pairs import Contrast, Pair, contrasts, good_leaves, pair
from agentr_core.revise.splice import at_an_open_step, revision_signal, splice, training_messages
from agentr_core.run_context import RunContext, tree_session
from agentr_core.seeds import TREE_NUMBER, derive_rng, derive_seed
from agentr_core.store.rows import Preference, RevisionSetRow, Sample, TreeRow
from agentr_core.store.trees import judge_hash
from agentr_core.turns import Message


@dataclass(slots=True)
class TreeReviser:
    """Makes the samples of the tree ``row`` for the set ``into``; ``admission`` is told what it takes of the engine."""

    context: RunContext
    policy: AnyPolicy
    critic: AnyCritic
    into: RevisionSetRow
    row: TreeRow
    admission: Admission
    #: Told how much of the tree is done, 0 to 1.
    told: Callable[[float], None] = lambda share: None
    #: Observations of the splices made of it that were shown in part.
    shown_in_part: int = 0

    async def revise(self) -> None:
        """Make and store all samples of the tree."""
        tree = self.context.store.trees.load(self.row.id)
        action = self.context.config.revise.revision_action
        branches = Branches(tree.task, self.context.worlds.of(tree.task).pool, revision_action=action)
        try:
            await self._revise(tree, branches)
        finally:
            branches.close()
            take_apart(tree)

    async def _revise(self, tree: Tree, branches: Branches) -> None:
        context, settings = self.context, self.context.config.revise
        alpha = settings.alpha_at(self.row.iteration)
        pairs = pair(
            tree,
            alpha=alpha,
            beta=settings.beta,
            mode=settings.beta_mode,
            max_pairs_per_tree=settings.max_pairs_per_tree,
            max_pairs_per_leaf=settings.max_pairs_per_leaf,
            seed=derive_seed(context.config.seed, "pairs", *self._names),
        )
        critique = self._critique(tree, branches)
        samples = [self._good(tree, leaf) for leaf in good_leaves(tree, alpha)]
        for number, one in enumerate(pairs, 1):
            revision = await self._revision(tree, one, critique)
            if context.stopped():
                return  # an episode may have been cut short: the tree is revised again when the run goes on
            samples += [revision] if revision is not None else []
            self.told(number / len(pairs))
        parted = contrasts(tree, alpha=alpha, beta=settings.beta, mode=settings.beta_mode)
        preferences = [self._preference(tree, one) for one in parted]
        metrics = tree_metrics(samples, len(pairs), critique, self.shown_in_part)
        judge = verdict_identity(context, self.policy, self.critic)
        store = context.store
        verdicts = store.trees.verdict_rows(self.row.id, context.config.critic.name, judge, critique.fresh)
        await context.commit(
            store.revisions.revised(self.into.id, self.row.id, samples, metrics, preferences, verdicts)
        )

    @property
    def _names(self) -> tuple[int, str, int]:
        """What seeds are derived from: the tree by what it is called, never by its row in this database."""
        return self.row.iteration, self.row.task, TREE_NUMBER

    def _critique(self, tree: Tree, branches: Branches) -> TreeCritique:
        session = tree_session(self.row)
        judge = verdict_identity(self.context, self.policy, self.critic)
        known = self.context.store.trees.verdicts_of(self.row.id, self.context.config.critic.name, judge)
        return TreeCritique(
            tree,
            self.policy,
            self._distances,
            domain=self.context.worlds.of(tree.task).environment.domain_of(tree.task),
            seed=derive_seed(self.context.config.seed, "critique", *self._names),
            session=session,
            known=known,
            make_environment=self.context.worlds.make,
            admission=self.admission,
            player=NodePlayer(tree, branches, self.policy, session, self.context.stopped, self.admission),
        )

    async def _distances(self, trajectory: Trajectory) -> list[float | None]:
        """The environment's distance to the goal along a trajectory, by playing it again."""
        async with self.context.worlds.of(trajectory.task).episodes.lend() as environment:
            return await distances_along(environment, trajectory, self.context.config.revise.revision_action)

    def _messages(self, head: Sequence[Message], steps: Sequence[Step], first_trained: int) -> tuple[Message, ...]:
        refused = self.context.config.revise.train_refused
        return training_messages(head, steps, first_trained, train_refused=refused)

    def _good(self, tree: Tree, leaf: Node) -> Sample:
        trajectory = tree.trajectory(leaf)
        return Sample(
            tree_id=self.row.id,
            kind="good",
            good_leaf=leaf.index,
            reward=trajectory.reward,
            good_reward=trajectory.reward,
            messages=self._messages(trajectory.head, trajectory.steps, 0),
        )

    async def _revision(self, tree: Tree, one: Pair, critique: TreeCritique) -> Sample | None:
        """One revision trajectory: the cut of the bad leaf, the signal, the good tail, executed where asked.

        None where the bad attempt had ended before it could be revised.
        """
        bad, good = tree.trajectory(one.bad), tree.trajectory(one.good)
        cut = at_an_open_step(await self.critic.judge(bad, good, critique), bad)
        if cut.step <= one.divergence:
            return None  # the attempts part at the step that ended the bad one: there is no start to go on from
        names = (*self._names, one.bad.index, one.good.index)
        signal = revision_signal(
            derive_rng(self.context.config.seed, "signal", *names), self.context.config.revise.revision_action
        )
        steps = splice(bad, good, cut=cut.step, divergence=one.divergence, signal=signal)
        seen, verified, mismatches = steps, None, 0
        if self.context.config.revise.splice == "verified":
            rollout, verified = await self._verify(tree, steps, cut, good, names)
            seen, mismatches = rollout.trajectory.steps, rollout.mismatches
            self.shown_in_part += rollout.shortened
        return Sample(
            tree_id=self.row.id,
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
        session = tree_session(self.row)
        async with self.context.worlds.of(tree.task).episodes.lend() as environment:
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
        """Plays splices, and samples what repairs them."""
        settings = self.context.config
        tokens = settings.evaluate_of(self.row.env).max_tokens
        params = SamplingParams(temperature=settings.revise.repair_temperature, max_tokens=tokens)
        action = settings.revise.revision_action
        return Player(self.policy, params, max_turns, action, self.context.stopped, self.admission)

    def _preference(self, tree: Tree, one: Contrast) -> Preference:
        chosen, rejected = tree.trajectory(one.good), tree.trajectory(one.bad)
        return Preference(
            tree_id=self.row.id,
            node=one.node,
            chosen_leaf=one.good.index,
            rejected_leaf=one.bad.index,
            chosen_reward=chosen.reward,
            rejected_reward=rejected.reward,
            chosen_messages=chosen.messages(),
            rejected_messages=rejected.messages(),
        )


def verdict_identity(context: RunContext, policy: AnyPolicy, critic: AnyCritic) -> str:
    """What verdicts are found again under (:func:`agentr_core.store.trees.judge_hash`)."""
    actor = context.acting(policy) if critic.uses_actor else None
    return judge_hash(context.config.critic.model_dump(mode="json"), actor, context.config.seed)


def tree_metrics(samples: Sequence[Sample], pairs: int, critique: TreeCritique, shown_in_part: int) -> dict[str, float]:
    """Counts of one tree, summed up by :func:`set_metrics`; ``shown_in_part``: observations of its splices."""
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
        "mismatches": sum(sample.mismatches for sample in spliced) + critique.mismatches,
        "verdicts": len(critique.fresh),
        "unreadable": sum(not verdict.readable for verdict in critique.fresh.values()),
        "judge_tokens": critique.tokens,
        "judge_steps": critique.steps,
        "rollouts": critique.played,
        "unplayed": critique.unplayed,
        "shown_in_part": shown_in_part + critique.shown_in_part,
    }
