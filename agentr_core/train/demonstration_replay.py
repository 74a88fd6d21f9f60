"""A published conversation played again in the environment: does it show what the conversation says it showed?"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agentr_core.errors import EnvironmentFailure
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.turn_parsing import REVISION_ACTION
from agentr_core.play.episode import Episode
from agentr_core.records import Step, Task
from agentr_core.turns import Message

#: ``exact``: all is as in the file; ``other``: played to its end, and something else was shown or brought; ``broken``:
#: it cannot be played to its end here.
Outcome = Literal["exact", "other", "broken"]
#: What may differ. An opening differs where its writers left out what is in sight, which changes nothing of the rest.
OPENING, OBSERVATION, REWARD = "another opening", "another observation", "another reward"
OPENING_ALONE = f"{OPENING}, all else alike"
ENDED, RAISED = "the episode ends before the conversation", "the environment fails"

#: How an agent takes note of its instructions (AgentGym: "OK. I'll follow ...", ETO: "OK"); no action.
_NOTED = re.compile(r"ok\b(?!.*\baction\b)", re.IGNORECASE | re.DOTALL)
#: ETO's environments write it before what the world says.
_LABEL = re.compile(r"\A\s*Observation:[ \t]*\n?")
#: Rewards are compared to so much, since files round them.
_NEAR = 1e-4


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that differs: ``turn`` of the agent (1-based; 0 is the first observation), what the file says and
    what came here."""

    what: str
    turn: int
    file: str
    here: str


@dataclass(frozen=True, slots=True)
class Replay:
    """How playing a conversation again went.

    ``messages`` are what to train on: where all is as in the file, the conversation as this environment tells it (its
    own instructions, then the turns with their flags), else that of the file. ``reward`` is the last one here.
    ``difference`` is the first one of ``differing``. ``stopped`` says why it could not be played to its end; empty
    where it was.
    """

    messages: tuple[Message, ...]
    reward: float
    difference: Difference | None = None
    differing: int = 0
    stopped: str = ""

    @property
    def outcome(self) -> Outcome:
        """What comes of it, in a word."""
        if self.difference is None:
            return "exact"
        return "broken" if self.stopped else "other"

    @property
    def why(self) -> str:
        """What keeps it from being exact, in a few words; empty where nothing does."""
        if self.stopped or self.difference is None:
            return self.stopped
        return OPENING_ALONE if self.difference.what == OPENING and self.differing == 1 else self.difference.what


def opening_of(messages: Sequence[Message]) -> int:
    """How many turns come before the first action: instructions, the agent's "OK", the first observation."""
    agent = [at for at, message in enumerate(messages) if message.role == "assistant"]
    noted = len(agent) > 1 and _NOTED.match(messages[agent[0]].content.strip())
    return agent[1] if noted else agent[0]


def without_note(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation with its opening untrained: the agent's "OK" is no action of any task."""
    start = opening_of(messages)
    return (*(replace(message, train=False) for message in messages[:start]), *messages[start:])


async def replay(
    environment: AnyEnvironment,
    task: Task,
    messages: Sequence[Message],
    reward: float | None = None,
    *,
    revision_action: str = REVISION_ACTION,
    cut_off: Container[int] = (),
) -> Replay:
    """Play the agent's turns of a conversation in ``task`` and compare what is shown, and the ``reward`` where known.

    Observations are equal where their texts are, but for blanks around them and ETO's label; the first one may stand
    behind instructions in its turn. ``cut_off`` are the places of turns that ended because they had become too long.
    Raises :class:`~agentr_core.errors.EnvironmentFailure` where the environment fails.
    """
    start = opening_of(messages)
    episode = await Episode.begin(environment, task, revision_action)
    found = _compared(
        OPENING, 0, _opening(messages[start - 1].content, episode.head[-1].content), episode.head[-1].content
    )
    for at in range(start, len(messages), 2):
        if episode.ended:
            found.append(Difference(ENDED, len(episode.steps) + 1, messages[at].content, "(the end)"))
            return Replay(tuple(messages), episode.trajectory().reward, found[0], len(found), ENDED)
        step = await episode.play(messages[at].content, cut_off=at in cut_off)
        if at + 1 < len(messages):
            found += _compared(OBSERVATION, len(episode.steps), _plain(messages[at + 1].content), step.observation)
    last = episode.steps[-1]
    if reward is not None and not _near(reward, last):
        found.append(Difference(REWARD, len(episode.steps), f"{reward:g}", f"{last.reward:g}"))
    if found:
        return Replay(tuple(messages), last.reward, found[0], len(found))
    return Replay(_as_told_here(episode, messages), last.reward)


def failed(messages: Sequence[Message], failure: EnvironmentFailure) -> Replay:
    """The outcome of a conversation in whose replay the environment failed."""
    return Replay(tuple(messages), 0.0, Difference(RAISED, 0, "", str(failure)), 1, RAISED)


def _near(reward: float, last: Step) -> bool:
    """Files have the reward of a world in [0, 1], or on its own scale."""
    return min(abs(reward - last.reward), abs(reward - last.score)) <= _NEAR


def _as_told_here(episode: Episode, messages: Sequence[Message]) -> tuple[Message, ...]:
    turns = list(episode.head)
    for at, step in zip(range(opening_of(messages), len(messages), 2), episode.steps, strict=True):
        turns += (messages[at], Message("user", step.observation))
    return tuple(turns)


def _compared(what: str, turn: int, said: str, shown: str) -> list[Difference]:
    return [] if said == shown.strip() else [Difference(what, turn, said, shown)]


def _opening(said: str, shown: str) -> str:
    """The first observation of a file, without what stands before it in its turn."""
    return shown.strip() if _plain(said).endswith(shown.strip()) else _plain(said)


def _plain(said: str) -> str:
    return _LABEL.sub("", said).strip()
