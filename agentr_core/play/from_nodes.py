"""Playing on from the nodes of a tree, beside it: how a critic measures what a state is worth.

The environment is brought to a node as the search brings it there (:mod:`agentr_core.play.branches`): by snapshot, by
replay, or from what the tree remembers. Nothing is added to the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from agentr_core.errors import EnvironmentFailure, PolicyFailure, boundary
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.interfaces.turn_parsing import parse_turn, step_of
from agentr_core.play.admission import Admission
from agentr_core.play.branches import Branches
from agentr_core.prompts.conversation import fit, fits
from agentr_core.records import Completion, SampleRequest, SamplingParams, Trajectory
from agentr_core.seeds import derive_seed
from agentr_core.turns import Message


@dataclass(slots=True)
class NodePlayer:
    """Lets ``policy`` play on from nodes of ``tree``; ``stopped`` ends an attempt early, which then counts for nothing.

    ``branches`` need not know the tree yet: it is shown to them when it is first played in.
    ``tokens`` (prompts and completions) and ``steps`` (actions that the environment was asked to do, whether or not it
    had been asked before) are what was played so far; ``mismatches`` replays did not show what was recorded, and
    ``shortened`` observations were shown in part.
    """

    tree: Tree
    branches: Branches
    policy: AnyPolicy
    session: str
    stopped: Callable[[], bool] = lambda: False
    admission: Admission | None = None
    tokens: int = 0
    steps: int = 0
    shortened: int = 0
    _follows: bool = False
    #: Numbers for what is no node of the tree: :class:`Branches` knows places by them.
    _numbers: count[int] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = count(len(self.tree.nodes))

    @property
    def mismatches(self) -> int:
        """Replays that did not show what was recorded."""
        return self.branches.stats.mismatches

    async def play(self, node: Node, params: SamplingParams, *, depth: int, seed: int) -> Trajectory:
        """One attempt from ``node`` to its end, at the latest after ``depth`` actions, those before ``node`` included.

        Equal seeds give equal attempts. Raises :class:`~agentr_core.errors.EnvironmentFailure` and
        :class:`~agentr_core.errors.PolicyFailure`.
        """
        if not self._follows:
            self.branches.follow(self.tree)
            self._follows = True
        turns, here, head_turns = self.tree.messages(node), node, len(self.tree.head)
        while here.depth < depth and not (here.terminated or here.truncated or self.stopped()):
            if not fits(self.policy, turns, params, head_turns=head_turns):
                break
            said = await self._say(turns, params, derive_seed(seed, "turn", here.depth))
            here = await self._do(here, said)
            turns += (Message("assistant", here.response), Message("user", here.observation))
        return self.tree.trajectory(here)

    async def _say(self, turns: list[Message], params: SamplingParams, seed: int) -> Completion:
        task = self.tree.task
        messages = fit(self.policy, turns, params, head_turns=len(self.tree.head))
        with boundary(PolicyFailure, f"the policy '{self.policy.model}' failed on task '{task.key}'"):
            request = SampleRequest(tuple(messages), params, seed=seed, session=self.session, task=task)
            answers = await self.policy.sample(request)
        if not answers or answers[0].finish_reason == "error":
            raise PolicyFailure(f"the policy '{self.policy.model}' gave no answer; it must give one for each sample")
        size = answers[0].prompt_tokens + len(answers[0].token_ids)
        self.tokens += size
        if self.admission is not None:
            self.admission.note(self.session, size)
        return answers[0]

    async def _do(self, here: Node, said: Completion) -> Node:
        """Where the turn leads: a node that hangs on ``here``, and ``here`` does not know of it."""
        cut_off = said.finish_reason == "length"
        with boundary(EnvironmentFailure, f"the environment could not parse an answer to '{self.tree.task.key}'"):
            parsed = parse_turn(self.branches.pool.reference.parse, said.text, cut_off=cut_off)
        result = None
        if self.branches.reaches(parsed.action):
            self.steps += 1
            result = (await self.branches.step(here, [parsed.action]))[0].result
            self.shortened += "left_out" in result.info
        step = step_of(said.text, parsed, result, reward=here.reward, score=here.score, cut_off=cut_off)
        return Node(
            next(self._numbers),
            here,
            here.depth + 1,
            response=step.response,
            action=step.action,
            observation=step.observation,
            reward=step.reward,
            score=step.score,
            terminated=step.terminated,
            truncated=step.truncated,
            invalid=step.invalid,
            completion=said,
        )
