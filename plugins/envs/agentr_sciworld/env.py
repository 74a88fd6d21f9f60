"""ScienceWorld as an environment: an episode is a task and the literal list of inputs executed in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import ClassVar, NamedTuple, TypeVar

from agentr_core import Environment, Observation, PluginConfig, StepResult, Task, content_hash
from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.correction import corrected
from agentr_sciworld.fleet import Fleet, fleet
from agentr_sciworld.gold import Demonstrations
from agentr_sciworld.jvm import JvmSettings
from agentr_sciworld.moments import Begin, Moment, Seen
from agentr_sciworld.tasks import SPLITS, TaskTable, task_for
from agentr_sciworld.worker import Worker

T = TypeVar("T")

logger = logging.getLogger("agentr.sciworld")
_NOT_STARTED = "there is no episode: call reset first"
#: How the simulator begins its answer to what it does not understand.
REFUSALS = ("No known action matches that input.", "Unknown action.", "Ambiguous request:")

_INSTRUCTIONS = """\
You are in a building with several rooms, where you do elementary science experiments. You are given a task; do it, \
one action at a time. These are the actions, where OBJ is something that you see or carry:
- look around; look at OBJ; look in OBJ; examine OBJ; read OBJ; inventory; task (what you are to do)
- open OBJ; close OBJ; go to PLACE (through an open door)
- pick up OBJ; put down OBJ; move OBJ to OBJ
- activate OBJ; deactivate OBJ; use OBJ; use OBJ on OBJ; connect OBJ to OBJ; disconnect OBJ
- pour OBJ into OBJ; dunk OBJ into OBJ; mix OBJ; eat OBJ; flush OBJ
- focus on OBJ: show that OBJ is what the task asks for. A wrong focus ends the task at once, without success.
- wait (some time passes); wait1 (a little time passes)
Where a request is ambiguous you are shown numbered choices: answer with a number.
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""


class State(NamedTuple):
    """An episode: the moment it has reached, and what counts at it."""

    moment: Moment
    steps: int = 0
    reward: float = 0.0
    score: float = 0.0
    done: bool = False


class SciWorld(Environment[SciWorldConfig]):
    """ScienceWorld 1.2 over the Java processes of :mod:`agentr_sciworld.fleet`, which all instances share.

    An instance is no more than its :class:`State`: any process can be brought there by replay. So a snapshot is that
    state, good for every instance and after any loss; that a process holds a copy of it only makes the way shorter.
    """

    config_class: ClassVar[type[PluginConfig]] = SciWorldConfig
    supports_snapshot: ClassVar[bool] = True
    blocking: ClassVar[bool] = True
    shares_workers: ClassVar[bool] = True
    domain: ClassVar[str] = "a science laboratory"
    full_stops: ClassVar[bool] = False

    def __init__(self, config: SciWorldConfig) -> None:
        super().__init__(config)
        settings = JvmSettings(config.java, config.memory_mb, config.timeout, config.snapshots)
        self._fleet: Fleet = fleet(settings, config.workers, config.recycle)
        self._fleet.join(self)
        self._table = TaskTable(config.only, config.variations)
        self._state: State | None = None

    @property
    def version(self) -> str:
        """Simulator, settings that an observation depends on, and whether replay is exact on this Java."""
        config = self.config
        easier = ",".join(config.simplifications) or "none"
        exact = "exact" if self._fleet.exact else "inexact"
        return (
            f"sciworld-1/scienceworld={metadata.version('scienceworld')}/simplifications={easier}"
            f"/max_steps={config.max_steps}/move_cap={config.move_cap}/correction={config.action_correction}/{exact}"
        )

    def instructions(self, task: Task) -> str:
        """The actions and the ReAct answer format."""
        return _INSTRUCTIONS

    def splits(self) -> Sequence[str]:
        """See :mod:`agentr_sciworld.tasks`."""
        return SPLITS

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, kind by kind."""
        return self._table.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key: ``sciworld_14``, ``boil/14`` or ``1-1:14``."""
        return self._table.task(key)

    def task_for(self, kind: str, variation: int) -> Task:
        """A variation of a task kind; :class:`~agentr_core.UsageError` where there is none."""
        return task_for(kind, variation)

    def reset(self, task: Task) -> Observation:
        """Begin ``task``: its description, and what the agent sees, as AgentGym shows them."""
        kind, variation = str(task.metadata["task"]), int(task.metadata["variation"])
        task_for(kind, variation)  # the simulator would answer a variation that does not exist with errors for ever
        begin = Begin(kind, variation, ",".join(self.config.simplifications))
        self._state = None
        moment = self._fleet.use(lambda worker: worker.begin(begin), Moment.opening(begin))
        self._state = State(moment)
        description = moment.parent.observation if moment.parent else ""
        return f"{description}\n{moment.observation}"

    def step(self, action: str) -> StepResult:
        """Do one action. The reward is the score, from 0 to 100, by 100; a wrong focus ends the task at 0."""
        if self._state is None or self._state.done:
            raise RuntimeError(_NOT_STARTED if self._state is None else "the episode has ended: call reset first")
        text = self._correct(_one_line(action))
        seen, broken = self._at_state(lambda worker: _step(worker, text))
        return self._result(seen, broken, executed=text, asked=_one_line(action))

    def snapshot(self) -> State:
        """The present state; a process that leaves it keeps a copy, where it can."""
        state = self._now()
        state.moment.wanted = True
        return state

    def restore(self, snapshot: State) -> None:
        """Go back to a state. A process is brought there when it is needed."""
        self._state = snapshot

    def _result(self, seen: Seen, broken: str | None, *, executed: str, asked: str) -> StepResult:
        before = self._now()
        info: dict[str, object] = {}
        reward, score = min(max(seen.score, 0), 100) / 100, float(seen.score)
        if broken is not None:  # the simulator failed, not the agent: what had been reached stands
            info["error"] = broken
            reward, score = before.reward, before.score
        failed = broken is None and seen.score < 0
        terminated = broken is None and (seen.completed or failed)
        steps = before.steps + 1
        truncated = not terminated and (broken is not None or self._capped(steps, seen.moves))
        after = before.moment.after(executed, seen.observation)
        self._state = State(after, steps, reward, score, terminated or truncated)
        if failed:
            info["failed"] = True
        if seen.observation.startswith(REFUSALS):
            info["invalid"] = True
        if executed != asked:
            info["executed"] = executed
        return StepResult(
            observation=seen.observation,
            reward=reward,
            score=score,
            terminated=terminated,
            truncated=truncated,
            info=info,
        )

    def _capped(self, steps: int, moves: int) -> bool:
        config = self.config
        return (0 < config.max_steps <= steps) or (0 < config.move_cap < moves)

    def state_key(self) -> str:
        """The task and all inputs: the simulator may answer differently after any other list."""
        moment = self._now().moment
        return content_hash([moment.begin, moment.inputs()])

    def legal_actions(self) -> Sequence[str]:
        """Every action that the simulator holds to be possible now: hundreds or thousands, computed on demand."""
        if self._now().done:
            return []
        return self._at_state(lambda worker: worker.valid())

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """The simulator's own way to solve ``task``; None where it does not succeed within the caps."""
        return Demonstrations(self._fleet, SciWorld(self.config), self.config.cache).of(task)

    def close(self) -> None:
        """The last instance that is closed ends the Java processes. May be called twice."""
        self._fleet.leave(self)

    def _now(self) -> State:
        if self._state is None:
            raise RuntimeError(_NOT_STARTED)
        return self._state

    def _at_state(self, work: Callable[[Worker], T]) -> T:
        """``work`` with a worker that stands where this episode does."""
        moment = self._now().moment

        def there(worker: Worker) -> T:
            for past, _ in worker.bring(moment):
                self.mismatches += 1
                where = f"{past.begin.kind}/{past.begin.variation}"
                logger.warning("replay of %s showed something else after '%s'", where, past.text)
            return work(worker)

        return self._fleet.use(there, moment)

    def _correct(self, text: str) -> str:
        if self.config.action_correction == "none":
            return text
        valid, around = self._at_state(lambda worker: (worker.valid(), worker.surroundings()))
        return corrected(text, valid, around)


def _step(worker: Worker, text: str) -> tuple[Seen, str | None]:
    """What an input brings; where the score is negative, the simulator's own exception if that is why."""
    seen = worker.step(text)
    return seen, worker.failure() if seen.score < 0 else None


def _one_line(action: str) -> str:
    """The first line, without blanks around it, in characters that can be sent."""
    line = action.strip().split("\n", 1)[0].strip()
    return line.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")
