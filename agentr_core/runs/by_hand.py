"""A person at a world, with or without a policy beside them: ``agentr play``.

Episodes are those of an evaluation, with its limits, parser, seeds and trimmed prompts: one that the policy plays alone
is, letter by letter, the conversation that ``agentr eval`` stores for the task.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from agentr_core.errors import EnvironmentFailure, NothingToDo, PolicyFailure, UsageError, boundary
from agentr_core.evaluate.episodes import draw_of, player_of
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.episode import Player, turn_seed
from agentr_core.play.steered import SteeredEpisode
from agentr_core.play.worlds import World
from agentr_core.process.closing import closing
from agentr_core.records import Completion, Step, Task
from agentr_core.registry.lookup import Registry
from agentr_core.runs.worlds import worlds_of
from agentr_core.seeds import derive_seed
from agentr_core.settings.run_config import RunConfig

#: Who has made a turn that no policy has.
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A turn that the policy might play, and how many ``copies`` of it were drawn."""

    completion: Completion
    copies: int = 1

    @property
    def log_probability(self) -> float | None:
        """Natural log of the turn's probability at temperature 1; None where the policy tells none."""
        logprobs = self.completion.logprobs
        return sum(logprobs) if logprobs else None


class Table:
    """Where episodes are played: the tasks of a world, a policy where one plays along, and the episode at hand.

    Made by :func:`at_table`, which closes what it has opened.
    """

    def __init__(self, config: RunConfig, world: World, policy: AnyPolicy | None, lent: AsyncExitStack) -> None:
        self.config, self.world, self.policy = config, world, policy
        self.player: Player | None = player_of(config, policy, world.name) if policy is not None else None
        self._lent = lent
        self._episode: SteeredEpisode | None = None
        self._proposals: list[Proposal] = []

    @property
    def episode(self) -> SteeredEpisode:
        """The episode at hand; :meth:`begin` comes first."""
        if self._episode is None:
            raise RuntimeError("Table.begin() comes first")
        return self._episode

    def task(self, key: str | None, split: str) -> Task:
        """The task of this key; without one, the first of ``split``.

        Raises :class:`~agentr_core.errors.UsageError` with the nearest key where there is none, and
        :class:`~agentr_core.errors.NothingToDo` where the split is empty.
        """
        if key is not None:
            try:
                with boundary(EnvironmentFailure, f"'{self.world.name}' could not look for the task '{key}'"):
                    found = self.world.environment.task(key)
            except UsageError:
                raise self._no_task(key) from None
            return found.model_copy(update={"env": self.world.name})
        tasks = self.world.tasks(split)
        if not tasks:
            raise NothingToDo(f"the split '{split}' of '{self.world.name}' has no tasks; choose another --split")
        return tasks[0]

    def after(self, task: Task) -> Task:
        """The next task of its split; the first follows the last."""
        tasks = self.world.tasks(task.split)
        keys = [each.key for each in tasks]
        return tasks[(keys.index(task.key) + 1) % len(tasks)] if task.key in keys else tasks[0]

    async def begin(self, task: Task) -> SteeredEpisode:
        """A new episode of ``task`` in the place of the one at hand."""
        await self._lent.aclose()
        self._episode, self._proposals = None, []
        environment = await self._lent.enter_async_context(self.world.episodes.lend())
        self._episode = await SteeredEpisode.begin(environment, task, self.config.revise.revision_action)
        return self._episode

    async def answer(self) -> Completion:
        """The policy's next turn, as an evaluation draws it; it is not played yet.

        Raises :class:`~agentr_core.errors.UsageError` where an evaluation would end here.
        """
        if self._proposals:
            return self._proposals[0].completion
        if self.episode.ended:
            raise UsageError("the episode is over, and the policy has nothing to say")
        player, episode = self._playing(), self.episode
        turn, (seed, session) = len(episode.steps), draw_of(self.config, episode.task)
        if turn >= player.max_turns:
            raise UsageError(
                f"the policy has had the {player.max_turns} turns of an evaluation (-o evaluate.max_turns=N): go on by "
                "hand, or undo some"
            )
        if not player.has_room(episode):
            raise UsageError("the conversation fits the policy's context no more; go on by hand, or take turns back")
        (answer, *_) = await player.ask(episode, seed=turn_seed(seed, turn), session=session)
        self._proposals = [Proposal(answer)]
        return answer

    async def proposals(self, count: int) -> list[Proposal]:
        """What the policy would play, and ``count - 1`` more turns that it might, drawn at temperature 1 where it is
        greedy; equal ones are one, with their copies, and that of an evaluation is the first."""
        answer = await self.answer()
        player, episode = self._playing(), self.episode
        seed, session = draw_of(self.config, episode.task)
        drawn: list[Completion] = []
        if count > 1:
            params = player.params.model_copy(update={"temperature": player.params.temperature or 1.0})
            seed = derive_seed(turn_seed(seed, len(episode.steps)), "proposals")
            drawn = await player.ask(episode, seed=seed, session=session, n=count - 1, params=params)
        copies = Counter(each.text for each in [answer, *drawn])
        first = {each.text: each for each in [*drawn[::-1], answer]}
        found = [Proposal(first[text], count) for text, count in copies.items()]
        self._proposals = [found[0], *sorted(found[1:], key=lambda each: -each.copies)]
        return self._proposals

    def proposed(self, number: int) -> Completion:
        """Number ``number``, counted from 1, of what was proposed last for this state."""
        if not 1 <= number <= len(self._proposals):
            have = f"there are {len(self._proposals)}" if self._proposals else "there are none for this state yet"
            raise UsageError(f"there is no proposal {number}: {have}; :ask shows what the policy would say")
        return self._proposals[number - 1].completion

    async def play(self, turn: Completion | str, by: str) -> Step:
        """Play a turn, which ``by`` has made or chosen; :class:`~agentr_core.errors.UsageError` after the end."""
        if self.episode.ended:
            raise UsageError("the episode is over; :undo takes a turn back, :next begins the next task")
        self._proposals = []
        if isinstance(turn, str):
            return await self.episode.turn(turn, by)
        return await self.episode.turn(turn.text, by, cut_off=turn.finish_reason == "length")

    async def undo(self, count: int) -> int:
        """Take turns back; see :meth:`SteeredEpisode.undo`."""
        if not 1 <= count <= len(self.episode.steps):
            raise UsageError(f"there are {len(self.episode.steps)} turns to take back (got {count})")
        self._proposals = []
        return await self.episode.undo(count)

    def _playing(self) -> Player:
        if self.player is None:
            raise UsageError("nobody plays along: begin with --model PATH_OR_ID or --policy NAME to have one who does")
        return self.player

    def _no_task(self, key: str) -> UsageError:
        with boundary(EnvironmentFailure, f"'{self.world.name}' could not list its tasks"):
            splits = self.world.environment.splits()
        near = difflib.get_close_matches(key, [task.key for split in splits for task in self.world.tasks(split)], n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return UsageError(
            f"'{self.world.name}' has no task '{key}'.{hint} List them with: agentr tasks list --env {self.world.name}"
        )


@asynccontextmanager
async def at_table(config: RunConfig, registry: Registry, *, with_policy: bool) -> AsyncIterator[Table]:
    """A table in the one environment of ``config``, with its policy or without any.

    Raises what making an environment or a policy raises; :class:`~agentr_core.errors.UsageError` for several
    environments.
    """
    if len(config.env) != 1:
        raise UsageError(f"--env: one environment is played at a time (got {', '.join(config.environments)})")
    worlds, policy = worlds_of(config, registry), None
    lent = AsyncExitStack()
    try:
        if with_policy:
            policy = registry.create("policy", config.policy.name, config.policy.options)
            policy.bind(worlds.make)
            with boundary(PolicyFailure, f"the policy '{policy.model}' did not get ready"):
                await policy.ready()
        (world,) = worlds.values()
        yield Table(config, world, policy, lent)
    finally:
        try:
            await lent.aclose()
            if policy is not None:
                with closing(policy):
                    await policy.close()
        finally:
            worlds.close()
