"""TextWorldExpress as an environment: an episode is a task and the list of inputs executed in it."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

from agentr_core import (
    Environment,
    EnvironmentFailure,
    JavaLost,
    Observation,
    PluginConfig,
    StepResult,
    Task,
    cache_folder,
    content_hash,
    find_java,
)
from agentr_textworld_express.config import TextWorldExpressConfig
from agentr_textworld_express.games import ABOUT, FOLDS, TaskTable, fold_of
from agentr_textworld_express.gold import Kept
from agentr_textworld_express.jvm import JvmSettings
from agentr_textworld_express.machine import Begin, Machine, Seat, Seen, machine
from agentr_textworld_express.remaining import remaining

T = TypeVar("T")

#: As many processes may be lost at one and the same piece of work before it is given up.
ATTEMPTS = 3
#: Plans to try for a demonstration: the one for ``coin`` walks about by chance, and may be too long for the cap.
PLANS = 3
#: How a game begins its answer to what it does not understand.
REFUSAL = "Unknown action:"
_NOT_STARTED, _ENDED = "there is no episode: call reset first", "the episode has ended: call reset first"
logger = logging.getLogger("agentr.textworld_express")

_INSTRUCTIONS = """\
You are playing a text game. {about} Do one action at a time. Depending on the game these are the actions, where \
OBJ is something that you see or carry:
- look around; inventory; move north, south, east or west; open door to north (south, east, west)
- open OBJ; close OBJ; take OBJ; put OBJ in OBJ; read OBJ; examine OBJ
- slice, chop or dice OBJ; cook OBJ in OBJ; eat OBJ; prepare meal; task (what you are to do)
- whatever else you are told, such as: smell OBJ
Some games end at once after a wrong action.
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""


class Now(NamedTuple):
    """An episode: where it began, what was done and shown since, what counts."""

    begin: Begin
    inputs: tuple[str, ...]
    shown: tuple[str, ...]
    seen: Seen
    done: bool = False

    @property
    def reward(self) -> float:
        """1 where the task is done, else the score as far as it goes."""
        return 1.0 if self.seen.success else min(max(self.seen.score, 0.0), 1.0)


class TextWorldExpress(Environment[TextWorldExpressConfig]):
    """A game of TextWorldExpress 1.1 in the Java process that all instances share.

    States are come back to by replay, which is exact and takes milliseconds: the core does it, and an instance itself
    where the process was lost.
    """

    config_class: ClassVar[type[PluginConfig]] = TextWorldExpressConfig
    blocking: ClassVar[bool] = True
    shares_workers: ClassVar[bool] = True
    domain: ClassVar[str] = "a text game in a house"

    def __init__(self, config: TextWorldExpressConfig) -> None:
        super().__init__(config)
        self._machine: Machine = machine(JvmSettings(config.java, config.memory_mb, config.timeout))
        self._machine.join(self)
        self._table = TaskTable(config.game)
        self._seat: Seat | None = None
        self._now: Now | None = None

    @property
    def version(self) -> str:
        """The games' release and all settings that an observation depends on.

        A run asks for it first, and ends there where there is no Java: :class:`~agentr_core.PluginError`.
        """
        config = self.config
        find_java(config.java, "textworld_express")
        params = ",".join(f"{name}={value}" for name, value in sorted(config.params.items())) or "default"
        return (
            f"textworld_express-1/textworld-express={metadata.version('textworld-express')}/params={params}"
            f"/max_steps={config.max_steps}/show_actions={config.show_actions}"
        )

    def instructions(self, task: Task) -> str:
        """What the game is about, the actions, and the ReAct answer format."""
        return _INSTRUCTIONS.format(about=ABOUT[str(task.metadata["game"])])

    def splits(self) -> Sequence[str]:
        """The folds of the games, see :mod:`agentr_textworld_express.games`."""
        return tuple(FOLDS)

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, seed by seed."""
        return self._table.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key, ``coin_17``."""
        return self._table.task(key)

    def reset(self, task: Task) -> Observation:
        """Begin ``task``: its description, and what is seen first."""
        begin = self._begin(task)
        self._now = None
        description, seen = self._playing(begin, lambda seat: seat.begin(begin))
        self._now = Now(begin, (), (seen.observation,), seen)
        return f"{description}\n{self._shown(seen)}"

    def step(self, action: str) -> StepResult:
        """Do one action. The reward is the game's own score; a failed game ends with what it says, at least 0."""
        now = self._started()
        if now.done:
            raise RuntimeError(_ENDED)
        text = " ".join(action.split())
        seen = self._at_state(lambda seat: seat.step(text))
        inputs = (*now.inputs, text)
        terminated = seen.success or seen.failure
        truncated = not terminated and 0 < self.config.max_steps <= len(inputs)
        self._now = Now(now.begin, inputs, (*now.shown, seen.observation), seen, terminated or truncated)
        refused = {"invalid": True} if seen.observation.startswith(REFUSAL) else {}
        return StepResult(
            observation=self._shown(seen),
            reward=self._now.reward,
            score=seen.score,
            terminated=terminated,
            truncated=truncated,
            info=refused | ({"failed": True} if seen.failure else {}),
        )

    def state_key(self) -> str:
        """The task and all inputs that the game understood or not: nothing is assumed about what they changed."""
        now = self._started()
        return content_hash([now.begin, now.inputs])

    def legal_actions(self) -> Sequence[str]:
        """The valid actions, sorted; none after the end."""
        now = self._started()
        return [] if now.done else list(now.seen.actions)

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """The game's own solution, played; None where it does not succeed within ``max_steps``."""
        if (kept := self._kept.read(task.key)) is not None:
            return kept
        begin = self._begin(task)
        for _ in range(PLANS):
            if found := self._playing(begin, lambda seat: self._solution(seat, begin), apart=True):
                return self._kept.keep(task.key, found)
        return None

    def distance(self) -> float | None:
        """How many actions the rest of the demonstration takes from here: 0 after success, infinite after failure.

        The actions of the demonstration that were done already are left out; where the rest, played from here, does not
        succeed, an earlier part of it or one valid action before it is tried. None where nothing of that succeeds.
        """
        now = self._started()
        if now.seen.success or now.seen.failure:
            return 0.0 if now.seen.success else math.inf
        gold = self.demonstrate(self.task(f"{now.begin.game}_{now.begin.seed}"))
        if gold is None:
            return None

        def look(seat: Seat) -> float | None:
            return remaining(seat, now.begin, now.inputs, gold, now.seen.actions)

        return self._playing(now.begin, look, apart=True)

    def close(self) -> None:
        """The last instance that is closed ends the Java process. May be called twice."""
        if self._seat is not None:
            self._seat.leave()
            self._seat = None
        self._machine.leave(self)

    @cached_property
    def _kept(self) -> Kept:
        folder = Path(self.config.cache or cache_folder() / "textworld_express")
        return Kept(folder / content_hash(self.version)[:16])

    def _begin(self, task: Task) -> Begin:
        game, seed = str(task.metadata["game"]), int(task.metadata["seed"])
        return Begin(game, self.config.params_of(game), fold_of(seed) or "train", seed)

    def _started(self) -> Now:
        if self._now is None:
            raise RuntimeError(_NOT_STARTED)
        return self._now

    def _shown(self, seen: Seen) -> str:
        if not self.config.show_actions or seen.success or seen.failure:
            return seen.observation
        return f"{seen.observation}\nValid actions: {', '.join(seen.actions)}"

    def _solution(self, seat: Seat, begin: Begin) -> list[str]:
        """A plan as far as it is needed; empty where it does not succeed within the cap."""
        seat.begin(begin, gold=True)
        planned = seat.gold()
        seat.begin(begin)
        for count, action in enumerate(planned[: self.config.max_steps or None], 1):
            seen = seat.step(action)
            if seen.success or seen.failure:
                return planned[:count] if seen.success else []
        return []

    def _at_state(self, work: Callable[[Seat], T]) -> T:
        """``work`` with a seat where this episode stands."""

        def there(seat: Seat) -> T:
            if not seat.stands:
                self._replay(seat)
            return work(seat)

        return self._playing(self._started().begin, there)

    def _own_seat(self) -> Seat:
        """This instance's seat in the process that runs now; a new one where that is another process."""
        jvm = self._machine.jvm
        if self._seat is None or self._seat.jvm is not jvm:
            self._seat = Seat(jvm)
        return self._seat

    def _replay(self, seat: Seat) -> None:
        """Play the episode again, in a new process or after another game; what it shows must be what it showed."""
        now = self._started()
        shown = [seat.begin(now.begin)[1].observation, *(seat.step(text).observation for text in now.inputs)]
        if tuple(shown) != now.shown:
            self.mismatches += 1
            logger.warning("replay of %s, seed %d, showed something else", now.begin.game, now.begin.seed)

    def _playing(self, begin: Begin, work: Callable[[Seat], T], *, apart: bool = False) -> T:
        """``work`` on a game of ``begin`` with this instance's seat, or with a new one (``apart``).

        Again where a process is lost; :class:`~agentr_core.EnvironmentFailure`, which may pass, where as many as
        :data:`ATTEMPTS` are lost one after another.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                seat = Seat(self._machine.jvm) if apart else self._own_seat()
                with self._machine.turn(begin), contextlib.ExitStack() as stack:
                    if apart:
                        stack.callback(seat.leave)
                    return work(seat)
            except JavaLost as lost:
                if attempt == ATTEMPTS:
                    raise EnvironmentFailure(
                        f"TextWorldExpress lost {ATTEMPTS} Java processes one after another ({lost}); give them more "
                        "memory (-o textworld_express.memory_mb=1024) or time (-o textworld_express.timeout=600)",
                        passing=True,
                    ) from None
        raise AssertionError("unreachable")
