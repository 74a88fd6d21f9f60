"""ScienceWorld as an environment: an episode is a task and the literal list of inputs executed in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import ClassVar, TypeVar

from agentr_core import Environment, Observation, PluginConfig, StepResult, Task, content_hash
from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.correction import corrected
from agentr_sciworld.fleet import Fleet, Seat, fleet
from agentr_sciworld.gold import Demonstrations
from agentr_sciworld.jvm import JvmSettings
from agentr_sciworld.tasks import SPLITS, TaskTable, task_for
from agentr_sciworld.worker import FIRST_INPUT, Begin, Seen, Worker

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


class SciWorld(Environment[SciWorldConfig]):
    """ScienceWorld 1.2 over the Java processes of :mod:`agentr_sciworld.fleet`, which all instances share."""

    config_class: ClassVar[type[PluginConfig]] = SciWorldConfig
    blocking: ClassVar[bool] = True
    domain: ClassVar[str] = "a science laboratory"

    def __init__(self, config: SciWorldConfig) -> None:
        super().__init__(config)
        settings = JvmSettings(config.java, config.memory_mb, config.timeout)
        self._fleet: Fleet = fleet(settings, config.workers, config.recycle)
        self._seat: Seat = self._fleet.join()
        self._table = TaskTable(config.only, config.variations)
        self._begin: Begin | None = None
        self._inputs: list[str] = []
        self._seen: list[str] = []
        self._steps, self._reward, self._score, self._done = 0, 0.0, 0.0, False

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

    def instructions(self) -> str:
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
        self._begin = Begin(kind, variation, ",".join(self.config.simplifications))
        self._inputs, self._seen = [], []
        self._steps, self._reward, self._score, self._done = 0, 0.0, 0.0, False

        def begin(worker: Worker) -> str:
            description = worker.load(self._started())
            return f"{description}\n{worker.step(FIRST_INPUT).observation}"

        observation = self._fleet.use(self._seat, begin)
        self._remember(FIRST_INPUT, observation.partition("\n")[2])
        return observation

    def step(self, action: str) -> StepResult:
        """Do one action. The reward is the score, from 0 to 100, by 100; a wrong focus ends the task at 0."""
        if self._begin is None or self._done:
            raise RuntimeError("the episode has ended: call reset first" if self._done else _NOT_STARTED)
        text = self._correct(_one_line(action))
        seen, broken = self._at_state(lambda worker: _step(worker, text))
        self._remember(text, seen.observation)
        self._steps += 1
        return self._result(seen, broken, executed=text, asked=_one_line(action))

    def _result(self, seen: Seen, broken: str | None, *, executed: str, asked: str) -> StepResult:
        info: dict[str, object] = {}
        if broken is None:
            self._reward, self._score = min(max(seen.score, 0), 100) / 100, float(seen.score)
        else:
            info["error"] = broken  # the simulator failed, not the agent: what had been reached stands
        failed = broken is None and seen.score < 0
        terminated = broken is None and (seen.completed or failed)
        truncated = not terminated and (broken is not None or self._capped(seen.moves))
        self._done = terminated or truncated
        if failed:
            info["failed"] = True
        if seen.observation.startswith(REFUSALS):
            info["invalid"] = True
        if executed != asked:
            info["executed"] = executed
        return StepResult(
            observation=seen.observation,
            reward=self._reward,
            score=self._score,
            terminated=terminated,
            truncated=truncated,
            info=info,
        )

    def _capped(self, moves: int) -> bool:
        config = self.config
        return (0 < config.max_steps <= self._steps) or (0 < config.move_cap < moves)

    def state_key(self) -> str:
        """The task and all inputs: the simulator may answer differently after any other list."""
        return content_hash([self._started(), self._inputs])

    def legal_actions(self) -> Sequence[str]:
        """Every action that the simulator holds to be possible now: hundreds or thousands, computed on demand."""
        if self._done:
            return []
        return self._at_state(lambda worker: worker.valid())

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """The simulator's own way to solve ``task``; None where it does not succeed within the caps."""
        return Demonstrations(self._fleet, SciWorld(self.config), self.config.cache).of(task)

    def close(self) -> None:
        """Give the worker back; the last instance that is closed ends the Java processes. May be called twice."""
        self._fleet.leave(self._seat)

    def _started(self) -> Begin:
        if self._begin is None:
            raise RuntimeError(_NOT_STARTED)
        return self._begin

    def _remember(self, text: str, observation: str) -> None:
        self._inputs.append(text)
        self._seen.append(observation)

    def _at_state(self, work: Callable[[Worker], T]) -> T:
        """``work`` with a worker that stands where this episode does."""

        def there(worker: Worker) -> T:
            self._catch_up(worker)
            return work(worker)

        return self._fleet.use(self._seat, there)

    def _catch_up(self, worker: Worker) -> None:
        """Bring a worker to this episode's state: step what it lacks, from the start where it is elsewhere."""
        begin, stand = self._started(), worker.stand
        done = 0 if stand is None else len(stand.inputs)
        if stand is None or stand.begin != begin or stand.inputs != self._inputs[:done]:
            worker.load(begin)
            done = 0
        for text, recorded in zip(self._inputs[done:], self._seen[done:], strict=True):
            if worker.step(text).observation != recorded:
                self._fleet.divergences += 1
                logger.warning("replay of %s showed something else after '%s'", "/".join(map(str, begin[:2])), text)

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
