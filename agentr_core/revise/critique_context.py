"""What a critic is lent while it judges trajectories of one tree (a critic's ``CritiqueContext``)."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agentr_core.errors import EnvironmentFailure, PolicyFailure, UsageError, boundary
from agentr_core.interfaces.policy import AnyPolicy, MakeEnvironment
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.admission import Admission
from agentr_core.play.from_nodes import NodePlayer
from agentr_core.process.gather import gather_all
from agentr_core.records import Completion, SampleRequest, SamplingParams, Trajectory, Verdict
from agentr_core.seeds import derive_rng, derive_seed
from agentr_core.turns import Message

#: Distances to the goal along a trajectory: before the first step and after each step (length T + 1).
Distances = Callable[[Trajectory], Awaitable[list[float | None]]]


class TreeCritique:
    """Answers a critic's questions about ``tree``.

    ``known`` are verdicts already given, by node; ``fresh`` collects the new ones, for the store. ``admission`` is told
    what the questions take of the engine of the acting policy. ``player`` plays rollouts; ``played`` counts them, and
    ``unplayed`` those in which the environment failed.
    """

    def __init__(
        self,
        tree: Tree,
        policy: AnyPolicy,
        distances: Distances,
        *,
        domain: str,
        seed: int,
        session: str,
        known: Mapping[int, Verdict],
        make_environment: MakeEnvironment | None = None,
        admission: Admission | None = None,
        player: NodePlayer | None = None,
    ) -> None:
        self._tree, self._policy, self._distances, self._player = tree, policy, distances, player
        self._make_environment, self._admission = make_environment, admission
        self._domain, self._seed, self._session = domain, seed, session
        self._known = dict(known)
        self._best: list[float] | None = None
        self.fresh: dict[int, Verdict] = {}
        self._asked = self.played = self.unplayed = 0

    @property
    def tokens(self) -> int:
        """What the critic's questions, models and rollouts took, in tokens of prompts and completions."""
        return self._asked + (self._player.tokens if self._player is not None else 0)

    @property
    def steps(self) -> int:
        """The actions that its rollouts did in the environment."""
        return self._player.steps if self._player is not None else 0

    @property
    def mismatches(self) -> int:
        """Replays for rollouts that did not show what was recorded."""
        return self._player.mismatches if self._player is not None else 0

    @property
    def shown_in_part(self) -> int:
        """Observations of its rollouts that were shortened."""
        return self._player.shortened if self._player is not None else 0

    @property
    def domain(self) -> str:
        """What the environment calls the world of the tree's task."""
        return self._domain

    def rng(self, *names: str | int) -> random.Random:
        """A generator for one purpose; equal names, equal numbers."""
        return derive_rng(self._seed, *names)

    async def ask(
        self,
        prompts: Sequence[Sequence[Message]],
        params: SamplingParams,
        *,
        n: int = 1,
        policy: AnyPolicy | None = None,
    ) -> list[list[Completion]]:
        """``n`` answers of ``policy`` (by default the acting one) to each prompt, all prompts asked at once.

        The seed of an answer depends on the prompt alone: a question that is asked again is answered alike.
        """
        judge = policy or self._policy
        with boundary(PolicyFailure, f"the judging policy '{judge.model}' failed on task '{self._tree.task.key}'"):
            answers = await gather_all(judge.sample(self._question(prompt, params, n)) for prompt in prompts)
        sizes = [
            completions[0].prompt_tokens + sum(len(completion.token_ids) for completion in completions)
            for completions in answers
            if completions
        ]
        self._asked += sum(sizes)
        if self._admission is not None and judge is self._policy:
            # The largest: questions about one path begin alike, and one that is answered does not come back.
            self._admission.note(self._session, max(sizes, default=0))
        return answers

    def count(self, tokens: int) -> None:
        """Count what a model of the critic's own has read."""
        self._asked += tokens

    def _question(self, prompt: Sequence[Message], params: SamplingParams, n: int) -> SampleRequest:
        seed = derive_seed(self._seed, "ask", prompt[-1].content)
        return SampleRequest(tuple(prompt), params, n, seed, self._session, self._tree.task, "judge")

    def fits(self, prompt: Sequence[Message], params: SamplingParams, policy: AnyPolicy | None = None) -> bool:
        """True where the prompt and an answer fit the context of ``policy`` (by default the acting one)."""
        judge = policy or self._policy
        limit = judge.context_length
        return limit is None or judge.count_tokens(prompt) + params.max_tokens <= limit

    def prepare(self, policy: AnyPolicy) -> None:
        """Offer a policy of the critic's own a way to make an environment."""
        if self._make_environment is not None:
            policy.bind(self._make_environment)

    async def distances(self, trajectory: Trajectory) -> list[float | None]:
        """The environment's distance to the goal before the first step and after each step."""
        return await self._distances(trajectory)

    async def rollouts(
        self, node: int, n: int, params: SamplingParams, *, depth: int | None = None
    ) -> list[Trajectory]:
        """``n`` attempts of the acting policy from the node on, without those in which the environment failed.

        Their seeds depend on the node and their number alone. A failure that may pass is raised: the tree is tried
        again. Raises :class:`~agentr_core.errors.UsageError` where there is nothing to play in.
        """
        if self._player is None:
            raise UsageError("there is no environment to play in here: rollouts are played in the revise stage")
        deepest = max(each.depth for each in self._tree.nodes) if depth is None else depth
        start, player = self._tree.nodes[node], self._player
        attempts = await gather_all(self._rollout(player, start, number, params, deepest) for number in range(n))
        found = [attempt for attempt in attempts if attempt is not None]
        self.played, self.unplayed = self.played + n, self.unplayed + n - len(found)
        return found

    async def _rollout(
        self, player: NodePlayer, start: Node, number: int, params: SamplingParams, depth: int
    ) -> Trajectory | None:
        try:
            seed = derive_seed(self._seed, "rollout", start.index, number)
            return await player.play(start, params, depth=depth, seed=seed)
        except EnvironmentFailure as error:
            if error.passing:
                raise
            return None

    def best_return(self, node: int) -> float:
        """The highest reward of any leaf below the node, itself included; 0 where there is none."""
        if self._best is None:
            self._best = best_returns(self._tree)
        return self._best[node]

    def remembered(self, nodes: Sequence[int]) -> Mapping[int, Verdict]:
        """Verdicts already given on these nodes."""
        return {node: self._known[node] for node in nodes if node in self._known}

    def remember(self, verdicts: Mapping[int, Verdict]) -> None:
        """Keep new verdicts by node."""
        self._known.update(verdicts)
        self.fresh.update(verdicts)


def best_returns(tree: Tree) -> list[float]:
    """By node index: the highest reward of any leaf below. Children come after their parents in ``tree.nodes``."""
    best = [node.reward if node.terminal else 0.0 for node in tree.nodes]
    for node in reversed(tree.nodes):
        if node.parent is not None:
            best[node.parent.index] = max(best[node.parent.index], best[node.index])
    return best
