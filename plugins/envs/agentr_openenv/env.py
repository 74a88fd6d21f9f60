"""OpenEnv's servers as one environment: a session for each websocket, actions as its JSON schema has them."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from agentr_core import (
    Environment,
    Observation,
    PluginConfig,
    StepResult,
    Task,
    UsageError,
    content_hash,
    persistently,
)
from agentr_openenv.config import OpenEnvConfig
from agentr_openenv.connection import Failed, Socket
from agentr_openenv.tasks import Catalogue

T = TypeVar("T")

_NOT_STARTED, _ENDED = "there is no episode: call reset first", "the episode has ended: call reset first"
_INSTRUCTIONS = """\
You act in {domain}. {description}You are shown an observation and answer with an action, until the task is done. \
{actions}
Answer each time with your reasoning and then exactly one action, in this form:
Thought: ...
Action: ..."""

_catalogue = lru_cache(maxsize=8)(Catalogue)
#: Servers whose resets have been found to heed what chooses a task.
_PROBED: set[OpenEnvConfig] = set()


class OpenEnv(Environment[OpenEnvConfig]):
    """An episode at a server: a task and the actions that were done in it.

    A connection that breaks off is replaced by another one, brought to the same place by replay; what that shows is
    compared with what was seen (``mismatches``). :class:`~agentr_core.EnvironmentFailure` where no session can be had,
    passing where the server was away.
    """

    config_class: ClassVar[type[PluginConfig]] = OpenEnvConfig
    blocking: ClassVar[bool] = True

    def __init__(self, config: OpenEnvConfig) -> None:
        super().__init__(config)
        self._more = _object(config.reset)
        self._socket = Socket(config.url, config.timeout)
        self._closed = weakref.finalize(self, self._socket.close)
        self.shares_workers = config.many_sessions  # type: ignore[misc]
        self._task: Task | None = None
        self._shown: list[tuple[str, str]] = []
        self._first, self._reward, self._steps, self._ended = "", 0.0, 0, False
        self._last: Mapping[str, Any] = {}

    @property
    def catalogue(self) -> Catalogue:
        """Tasks and actions of the server. It is asked once in a process."""
        return _catalogue(self.config)

    @property
    def version(self) -> str:
        """What the server says of itself, and all settings that an observation or reward depends on."""
        config, told = self.config, self.catalogue
        reset = content_hash(self._more)[:8]
        return f"openenv-1/{told.name}/{told.version}/reset={reset}/full={config.full:g}/max_steps={config.max_steps}"

    def instructions(self, task: Task) -> str:
        """The user's own, or those of an ``agentr serve``, or what the server says of itself and its actions."""
        told = self.catalogue
        if self.config.instructions:
            return _text(self.config.instructions)
        if (given := told.instructions(task)) is not None:
            return given
        description = f"{told.description.rstrip('.')}. " if told.description else ""
        return _INSTRUCTIONS.format(domain=told.domain, description=description, actions=told.actions.explained())

    def domain_of(self, task: Task) -> str:
        """What a critic's prompt calls the world."""
        return self.catalogue.domain_of(task)

    def splits(self) -> Sequence[str]:
        """See :mod:`agentr_openenv.tasks`."""
        return self.catalogue.splits()

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, in the server's order."""
        return self.catalogue.tasks(split)

    def task(self, key: str) -> Task:
        """The task with this key."""
        return self.catalogue.task(key)

    def reset(self, task: Task) -> Observation:
        """Begin ``task``."""
        self._task, self._shown, self._steps, self._ended = None, [], 0, False
        if self.config.probe and not self.catalogue.ours and self.config not in _PROBED:
            self._probe()
            _PROBED.add(self.config)
        self._first = self._persistently(lambda: self._begin(task))
        self._task = task
        return self._first

    def step(self, action: str) -> StepResult:
        """Do one action; one that is not what the schema asks for is answered with what was wrong with it."""
        if self._task is None or self._ended:
            raise RuntimeError(_NOT_STARTED if self._task is None else _ENDED)
        sent = self.catalogue.actions.encode(action.encode("utf-8", "replace").decode("utf-8"))
        if isinstance(sent, str):
            result = StepResult(
                observation=sent, reward=self._reward, score=self._reward * self.config.full, info={"invalid": True}
            )
        else:
            result = self._persistently(lambda: self._act(sent))
            self._shown.append((action, result.observation))
            self._reward = result.reward
        self._steps += 1
        if not result.terminated and self._steps == self.config.max_steps:
            result = result.model_copy(update={"truncated": True})
        self._ended = result.terminated or result.truncated
        return result

    def state_key(self) -> str:
        """What an ``agentr serve`` says; else the task and all actions: nothing else is known of the state."""
        if self._task is None:
            raise RuntimeError(_NOT_STARTED)
        told = self._last.get("state_key") if self.catalogue.ours else None
        return str(told) if told is not None else content_hash([self._task.key, [action for action, _ in self._shown]])

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """That of an ``agentr serve``'s environment; others have none."""
        return self.catalogue.demonstration(task)

    def close(self) -> None:
        """End the session. May be called twice."""
        self._socket.close()
        self._task = None

    def _persistently(self, work: Callable[[], T]) -> T:
        """``work`` in this episode's session; where that fails, in another one that was brought to the same place."""

        def in_its_place() -> T:
            if self._task is not None and not self._socket.held:
                self._catch_up(self._task)
            return work()

        tries = self.config.retries
        return persistently(in_its_place, give_up=self._socket.close, retries=tries, wait=self.config.wait)

    def _catch_up(self, task: Task) -> None:
        """A new session, and the whole episode again in it."""
        self.mismatches += self._begin(task) != self._first
        for action, observation in self._shown:
            sent = self.catalogue.actions.encode(action)
            self.mismatches += isinstance(sent, str) or self._act(sent).observation != observation

    def _begin(self, task: Task) -> str:
        self._reward = 0.0
        said = self._socket.ask("reset", {**self._more, **self.catalogue.address(task)})
        return self._seen(said)

    def _act(self, action: Mapping[str, Any]) -> StepResult:
        said = self._socket.ask("step", action)
        text, told = self._seen(said), self._last if self.catalogue.ours else {}
        raw = float(said.get("reward") or 0.0)
        truncated = bool(told.get("truncated", False))
        return StepResult(
            observation=text,
            reward=min(max(raw / self.config.full, 0.0), 1.0),
            score=float(told.get("score", raw)),
            terminated=bool(said.get("done")) and not truncated,
            truncated=truncated,
            info=told.get("info", {}),
        )

    def _probe(self) -> None:
        """See that a reset heeds what chooses the task: a server drops what its environment does not take, silently.

        Two tasks are begun twice each. A task that looks otherwise the second time cannot be replayed; two tasks that
        look the same are what is seen where the choice was dropped. In the one session that some servers allow.
        """
        url, told = self.config.url, self.catalogue
        tasks = list(told.tasks(told.splits()[0])[:2])
        seen = [[self._persistently(partial(self._begin, task)) for _ in range(2)] for task in tasks]
        advice = "name what it takes with openenv.reset, or set openenv.probe=false to go on all the same"
        for task, (once, again) in zip(tasks, seen, strict=True):
            if once != again:
                raise UsageError(
                    f"{url} begins '{task.key}' otherwise each time, so no episode can be replayed: it drops "
                    f"{dict(told.address(task))} of a reset, or has chance that no seed fixes; {advice}"
                )
        if len(seen) == 2 and seen[0] == seen[1]:
            raise UsageError(
                f"{url} begins '{tasks[0].key}' and '{tasks[1].key}' with the same observation: it drops "
                f"{dict(told.address(tasks[0]))} of a reset, or its tasks do not differ at first sight; {advice}"
            )

    def _seen(self, said: Mapping[str, Any]) -> str:
        """What the agent is shown of an observation: the field that is named, its only text, or all of it as JSON."""
        shown = said.get("observation")
        if not isinstance(shown, dict):
            raise Failed(f"{self.config.url} answered without an observation: {json.dumps(said)[:120]}")
        self._last = shown
        if name := self.config.text or ("text" if self.catalogue.ours else ""):
            if not isinstance(shown.get(name), str):
                raise UsageError(f"openenv.text: observations have no text '{name}'; they have: {', '.join(shown)}")
            return str(shown[name])
        texts = [value for value in shown.values() if isinstance(value, str)]
        others = [value for value in shown.values() if not isinstance(value, str) and value not in (None, [], {})]
        return texts[0] if len(texts) == 1 and not others else json.dumps(shown, sort_keys=True, ensure_ascii=False)


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f'openenv.reset: {text!r} is no JSON object; write {{"difficulty": "hard"}}')
    return found


@lru_cache(maxsize=8)
def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"openenv.instructions: '{file}' cannot be read ({error.strerror})") from None
