"""What a run and its workers say to each other: frozen values, pickled between processes of one version of agentr."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentr_core import errors
from agentr_core.errors import AgentrError
from agentr_core.store.events import Event
from agentr_core.store.rows import RunRow
from agentr_core.store.tree_tables import Tables

#: What a worker does with a job: grow a tree, revise one, play an episode of an evaluation.
JobKind = Literal["grow", "revise", "play"]


@dataclass(frozen=True, slots=True)
class PluginFile:
    """A plugin that was named on the command line: where it lies here, and its source, ``None`` for a module's name."""

    name: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Setting:
    """What a worker needs to know before its first job.

    ``model`` is what acts in place of the configured model (None: that one), ``acting`` what the run's store calls it.
    ``in_flight``: jobs at once at the most. ``versions``: what must be the same there as here, by what it is called.
    """

    config: Mapping[str, Any]
    run: RunRow
    model: str | None
    acting: str
    in_flight: int
    plugins: tuple[PluginFile, ...]
    blocked: tuple[str, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. ``item`` is what the stage hands over, ``tables`` what is stored of the tree so far."""

    kind: JobKind
    item: tuple[Any, ...]
    tables: Tables = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """The run is being interrupted: finish the work at hand."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker can begin."""


@dataclass(frozen=True, slots=True)
class Want:
    """A worker has room for one more job."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker has nothing to say."""


@dataclass(frozen=True, slots=True)
class Did:
    """A job has committed something."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a value: the name of its class among agentr's errors, and its words."""

    name: str
    said: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A job is over: with a result, or with what ended it."""

    number: int
    result: Any = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A worker was told to go: it takes no more jobs, and ends once the simulations at hand are committed."""


@dataclass(frozen=True, slots=True)
class Back:
    """A job is handed back by a worker that leaves; what it has committed of it counts."""

    number: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A worker cannot work at all, nor could any other."""

    failure: Failure


Message = Job | Stop | Ready | Want | Alive | Did | Ended | Leaving | Back | Broken


def pack(message: Message | Setting) -> bytes:
    """A message as bytes."""
    return pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(data: bytes) -> Any:
    """The inverse of :func:`pack`."""
    return pickle.loads(data)


def failure_of(error: Exception) -> Failure:
    """What is sent of an error; one that is not agentr's own is told by its words."""
    said = str(error) or type(error).__name__
    if isinstance(error, AgentrError):
        return Failure(type(error).__name__, said, error.passing)
    return Failure(AgentrError.__name__, said)


def error_of(failure: Failure) -> AgentrError:
    """The error again, of the same class: what ends everything here ends everything there."""
    found = getattr(errors, failure.name, AgentrError)
    kind = found if isinstance(found, type) and issubclass(found, AgentrError) else AgentrError
    error = kind.__new__(kind)  # some are made from parts, which their words hold already
    AgentrError.__init__(error, failure.said, passing=failure.passing)
    return error
