"""AgentGym's HTTP servers as one environment: what differs is a row of :mod:`agentr_agentgym.servers`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from agentr_agentgym.config import AgentGymConfig
from agentr_agentgym.connection import unexpected
from agentr_agentgym.dialects import PARSERS
from agentr_agentgym.lease import Lease
from agentr_agentgym.servers import SERVERS
from agentr_agentgym.tasks import Numbered, Offered, catalogue
from agentr_core import (
    Environment,
    Observation,
    ParsedAction,
    PluginConfig,
    StepResult,
    Task,
    UsageError,
    content_hash,
    persistently,
)

T = TypeVar("T")

_NOT_STARTED, _ENDED = "there is no episode: call reset first", "the episode has ended: call reset first"

_catalogue = lru_cache(maxsize=8)(catalogue)


class AgentGym(Environment[AgentGymConfig]):
    """An episode at a server: a task and the actions that were done in it.

    Whatever goes wrong with a session (the server died, was started again, forgot it), another one is brought to where
    the episode stands by replay; what that shows is compared with what was seen (``mismatches``). Where no session can
    be had, :class:`~agentr_core.EnvironmentFailure`, passing where the server was away: a run stops then and can be
    resumed.
    """

    config_class: ClassVar[type[PluginConfig]] = AgentGymConfig
    blocking: ClassVar[bool] = True

    def __init__(self, config: AgentGymConfig) -> None:
        super().__init__(config)
        self._server = SERVERS[config.server]
        self._lease = Lease(config.url, self._server, config.timeout)
        # Also when this object is forgotten, and when the interpreter ends.
        self._closed = weakref.finalize(self, self._lease.close)
        self.shares_workers = config.many_sessions  # type: ignore[misc]
        self._task: Task | None = None
        self._shown: list[tuple[str, str]] = []
        self._first = ""
        self._last: Mapping[str, Any] = {}
        self._ended = False

    @property
    def catalogue(self) -> Numbered | Offered:
        """The tasks of the server. It is asked once in a process."""
        return _catalogue(self.config)

    @property
    def version(self) -> str:
        """The kind of server, what an ``agentr serve`` says of its environment, and the cap on steps."""
        return f"agentgym-1/{self.config.server}/{self.catalogue.version}/max_steps={self.config.max_steps}"

    def instructions(self, task: Task) -> str:
        """The user's own, or those of an ``agentr serve``, or the table's."""
        if self.config.instructions:
            return _text(self.config.instructions)
        offered = self.catalogue
        return offered.instructions(task) if isinstance(offered, Offered) else self._server.rules

    def domain_of(self, task: Task) -> str:
        """What a critic's prompt calls the world."""
        offered = self.catalogue
        return offered.domain(task) if isinstance(offered, Offered) else self._server.domain

    def splits(self) -> Sequence[str]:
        """See :mod:`agentr_agentgym.tasks`."""
        return self.catalogue.splits()

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, in the order of their list."""
        return self.catalogue.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key, ``alfworld_17``."""
        return self.catalogue.task(key)

    def reset(self, task: Task) -> Observation:
        """Begin ``task``, in the session that this environment has or in a new one."""
        self._task, self._shown, self._last, self._ended = None, [], {}, False

        def begin() -> str:
            if not self._lease.held:
                self._lease.open()
            return self._begin(task)

        self._first = self._persistently(begin)
        self._task = task
        return self._first

    def step(self, action: str) -> StepResult:
        """Do one action. The reward is the total so far, brought to [0, 1]; ``score`` is as the server counts."""
        if self._task is None or self._ended:
            raise RuntimeError(_NOT_STARTED if self._task is None else _ENDED)
        action = action.encode("utf-8", "replace").decode("utf-8")
        said = self._persistently(lambda: self._act(action))
        result = self._result(said)
        self._shown.append((action, result.observation))
        if not result.terminated and len(self._shown) == self.config.max_steps:
            result = result.model_copy(update={"truncated": True})
        self._ended = result.terminated or result.truncated
        return result

    def state_key(self) -> str:
        """What an ``agentr serve`` says; else the task and all actions: nothing else is known of the state."""
        if self._task is None:
            raise RuntimeError(_NOT_STARTED)
        told = _more(self._last).get("state_key")
        return str(told) if told is not None else content_hash([self._task.key, [action for action, _ in self._shown]])

    def legal_actions(self) -> Sequence[str] | None:
        """What the server lists, or an ``agentr serve``'s environment; None where it lists nothing that can be done."""
        if self._task is None:
            raise RuntimeError(_NOT_STARTED)
        if isinstance(self.catalogue, Offered):
            told = self._persistently(lambda: self._lease.get("agentr/legal_actions"))
            return None if told is None else [str(action) for action in told]
        if self._ended or not self._server.hints:
            return [] if self._ended else None
        told = self._persistently(lambda: self._lease.get(self._server.hints))
        if isinstance(told, dict):  # WebShop: a search is any words, which no list can name
            told = [] if told.get("has_search_bar") else told.get(self._server.hinted, [])
        return [self._server.hint.format(action) for action in told] or None

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """That of an ``agentr serve``'s environment; AgentGym's servers have none."""
        offered = self.catalogue
        return offered.demonstration(task) if isinstance(offered, Offered) else None

    def distance(self) -> float | None:
        """That of an ``agentr serve``'s environment; AgentGym's servers know none."""
        if self._task is None or not isinstance(self.catalogue, Offered):
            return None
        told = self._persistently(lambda: self._lease.get("agentr/distance"))
        return None if told is None else float(told)

    def parse_as_agentgym(self, response: str) -> ParsedAction:
        """By the dialect that the table names for this kind of server, whatever AgentGym's clients do today."""
        return PARSERS[self._server.dialect](response)

    def close(self) -> None:
        """Give the session back. May be called twice."""
        self._lease.close()
        self._task = None

    def _persistently(self, work: Callable[[], T]) -> T:
        """``work`` in this episode's session; where that fails, in another one that was brought to the same place."""

        def in_its_place() -> T:
            if self._task is not None and not self._lease.held:
                self._catch_up(self._task)
            return work()

        tries = self.config.retries
        return persistently(in_its_place, give_up=self._lease.drop, retries=tries, wait=self.config.wait)

    def _catch_up(self, task: Task) -> None:
        """A new session, and the whole episode again in it."""
        self._lease.open()
        self.mismatches += self._begin(task) != self._first
        for action, observation in self._shown:
            said = self._act(action)
            self.mismatches += self._result(said).observation != observation

    def _begin(self, task: Task) -> str:
        self._last = {}
        said = self._lease.post("reset", {**self.catalogue.address(task), **self._server.reset_also})
        parts = [_part(said, name) for name in self._server.begins] if self._server.begins else [said]
        if not all(isinstance(part, str) for part in parts):
            raise unexpected(self.config.url, "reset", said)
        if self._server.lists and isinstance(said, dict):
            parts.append(self._server.lists + ",".join(map(str, said.get(self._server.hints, []))))
        self._last = said if isinstance(said, dict) else {"agentr": _part(said, "2")}
        return "\n".join(parts)

    def _act(self, action: str) -> Mapping[str, Any]:
        said = self._lease.post("step", {"action": action})
        wanted = (self._server.shown, self._server.earned, self._server.ended)
        if not isinstance(said, dict) or not said.keys() >= set(wanted) or not isinstance(said[wanted[0]], str):
            raise unexpected(self.config.url, "step", said)
        self._last = said
        return said

    def _result(self, said: Mapping[str, Any]) -> StepResult:
        server, more = self._server, _more(said)
        raw = float(said[server.earned] or 0.0)
        reward = min(max((raw - server.none) / (server.full - server.none), 0.0), 1.0)
        truncated = bool(more.get("truncated", said.get("truncated", False)))
        return StepResult(
            observation=said[server.shown],
            reward=reward,
            score=raw,
            terminated=bool(said[server.ended]) and not truncated,
            truncated=truncated,
            info=more.get("info", {}),
        )


def _part(said: Any, name: str) -> Any:
    """A field of an object, or an item of a list."""
    if isinstance(said, list):
        return said[int(name)] if name.isdigit() and int(name) < len(said) else None
    return said.get(name) if isinstance(said, dict) else None


def _more(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an ``agentr serve`` says beside what the protocol has."""
    more = said.get("agentr")
    return more if isinstance(more, Mapping) else {}


@lru_cache(maxsize=8)
def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"agentgym.instructions: '{file}' cannot be read ({error.strerror})") from None
