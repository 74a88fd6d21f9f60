"""Which tasks an iteration searches: ``search.sampler``. Pure functions; what a run has seen is handed in.

A sampler of one's own is a function of a module, ``-o search.sampler=my_module:choose``::

    def choose(tasks: Sequence[Task], request: SamplerRequest) -> Sequence[Task]:
        seldom = sorted(tasks, key=lambda task: len(request.history.get(task.key, ())))
        return seldom[: request.wanted]
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agentr_core.errors import PluginError, UsageError, boundary
from agentr_core.records import Task
from agentr_core.registry.discovery import allow_local_modules
from agentr_core.settings.run_config import SAMPLERS


@dataclass(frozen=True, slots=True)
class PastSearch:
    """What one earlier search of a task came to.

    ``attempts``: how many whole attempts its tree holds, ``solved`` those of reward 1; ``best_reward`` is 0 to 1.
    """

    iteration: int
    best_reward: float
    attempts: int
    solved: int

    @property
    def share(self) -> float:
        """The share of attempts that solved the task; 0 where there was none."""
        return self.solved / self.attempts if self.attempts else 0.0


@dataclass(frozen=True, slots=True)
class SamplerRequest:
    """What a sampler is asked: at most ``wanted`` different tasks for ``iteration`` (1-based) of ``iterations``.

    ``history`` holds, by the key of a task, this run's finished trees of earlier iterations, the earliest first; a task
    that is not in it is new. ``rng`` is seeded by run, environment and iteration. ``rotate`` is ``search.rotate``:
    whether tasks that were not searched yet are preferred.
    """

    iteration: int
    iterations: int
    wanted: int
    rotate: bool
    rng: random.Random
    history: Mapping[str, tuple[PastSearch, ...]]


#: Takes all tasks of the split, in an order drawn once a run, and gives those to search.
Sampler = Callable[[Sequence[Task], SamplerRequest], Sequence[Task]]


def uniform(tasks: Sequence[Task], request: SamplerRequest) -> list[Task]:
    """The next ``wanted`` tasks, and the first again after the last; without ``rotate`` always the first ones."""
    start = (request.iteration - 1) * request.wanted if request.rotate else 0
    return [tasks[(start + offset) % len(tasks)] for offset in range(min(request.wanted, len(tasks)))]


def by_depth(tasks: Sequence[Task], request: SamplerRequest) -> list[Task]:
    """Easy tasks first: a window over the tasks by depth, which moves so that the last iteration has the deepest.

    Depth is the task's ``depth`` or ``difficulty``; tasks that have neither stand last, in their order. (The length of
    a demonstration would tell as well, but some simulators have to play each before they know it.) The window is an
    iteration's part of the split, ``wanted`` tasks at least, and those to search are drawn from it: a run with fewer
    trees than tasks then still goes through all depths. With ``rotate``, tasks of the window that were not searched yet
    come before the others.
    """
    ordered = sorted(tasks, key=depth_of)
    width = min(len(tasks), max(request.wanted, math.ceil(len(tasks) / request.iterations)))
    start = round((len(tasks) - width) * (request.iteration - 1) / max(1, request.iterations - 1))
    window = ordered[start : start + width]
    known = [task for task in window if request.rotate and task.key in request.history]
    new = [task for task in window if not (request.rotate and task.key in request.history)]
    drawn = request.rng.sample(new, min(request.wanted, len(new)))
    return drawn + request.rng.sample(known, min(request.wanted - len(drawn), len(known)))


def depth_of(task: Task) -> float:
    """``depth`` or ``difficulty`` out of a task's metadata; infinite where neither is a number."""
    found = (task.metadata.get(name) for name in ("depth", "difficulty"))
    return next((float(value) for value in found if isinstance(value, int | float)), math.inf)


def failing_first(tasks: Sequence[Task], request: SamplerRequest) -> list[Task]:
    """What the model fails at, then what it solves sometimes, then what is new, then what it always solves.

    What the last tree of a task held decides. No solved attempt: it gave nothing to learn the task from, and a model
    that has learnt from others may give it by now. Some: such trees make the pairs that are revised, and may go on to.
    None searched yet: what it is good for is not known. All solved: nothing is left to repair. Without ``rotate`` new
    tasks come after all others. Among equals, those searched least often come first, so that tasks which nothing solves
    take turns; then the run's order decides.
    """
    urgency = {task.key: _urgency(request.history.get(task.key, ()), rotate=request.rotate) for task in tasks}
    return sorted(tasks, key=lambda task: urgency[task.key])[: request.wanted]


def _urgency(past: Sequence[PastSearch], *, rotate: bool) -> tuple[int, int]:
    if not past:
        return (2 if rotate else 4), 0
    last = past[-1]
    return (0 if not last.solved else 1 if last.solved < last.attempts else 3), len(past)


TASK_SAMPLERS: dict[str, Sampler] = dict(zip(SAMPLERS, (uniform, by_depth, failing_first), strict=True))


def choose(name: str, tasks: Sequence[Task], request: SamplerRequest) -> list[Task]:
    """What the sampler called ``name`` takes of ``tasks``.

    Raises :class:`~agentr_core.errors.UsageError` where ``module:function`` cannot be found, and
    :class:`~agentr_core.errors.PluginError` where it fails, or gives something else than some of the tasks.
    """
    sampler = TASK_SAMPLERS.get(name) or _of_the_user(name)
    with boundary(PluginError, f"search.sampler '{name}'"):
        chosen = list(sampler(tasks, request))
    known = {task.key: task for task in tasks}
    keys = [task.key if isinstance(task, Task) else None for task in chosen]
    if not known.keys() >= set(keys) or len(set(keys)) < len(keys) or not 0 < len(keys) <= request.wanted:
        raise PluginError(
            f"search.sampler '{name}' must give 1 to {request.wanted} of the tasks that it is given, each once "
            f"(it gave {len(chosen)}, {len(known.keys() & set(keys))} different ones of them)"
        )
    return [known[task.key] for task in chosen]


def _of_the_user(name: str) -> Sampler:
    module, _, function = name.partition(":")
    allow_local_modules()
    with boundary(UsageError, f"search.sampler '{name}': importing {module}"):
        found: Sampler | None = getattr(importlib.import_module(module), function, None)
    if not callable(found):
        raise UsageError(f"search.sampler '{name}': there is no function '{function}' in {module}")
    return found
