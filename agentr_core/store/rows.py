"""The rows of the store as frozen dataclasses.

Fields carry the names of the columns, without ``_json`` where a column holds JSON (the field is then the parsed value).
Hashes of conversations and texts are ``bytes``; :meth:`Row.as_dict` gives a form that ``--json`` prints.

Importing the store imports no pydantic, which takes longer than most listings: a checked record
(:mod:`agentr_core.records`) is imported where one is made of a row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self

from agentr_core.turns import ExampleKind, Message

if TYPE_CHECKING:
    from agentr_core.interfaces.training_sets import Reads
    from agentr_core.records import Label, Task, Verdict

RunStatus = Literal["running", "done", "failed", "interrupted"]
WorkStatus = Literal["todo", "running", "done", "failed"]
SampleKind = Literal["good", "revision", "direct"]
EvalKind = Literal["plain", "revision_test"]

#: No leaf: ``bad_leaf`` of a good trajectory.
NO_LEAF = -1


class Row:
    """Base of the row types."""

    __slots__ = ()

    @classmethod
    def read(cls, row: sqlite3.Row) -> Self:
        """Make an instance from a row of a query whose columns are named as the fields (others are ignored)."""
        plan = _plan(_any(cls), *row.keys())
        return cls(**{name: convert(row[at]) if convert else row[at] for at, name, convert in plan})

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON values: hashes in hexadecimal, messages as mappings."""
        return {name: _plain(getattr(self, name)) for name in _field_kinds(_any(type(self)))}


def _any(cls: Any) -> Any:
    """The class, which mypy takes for as little hashable as its instances."""
    return cls


@cache
def _field_kinds(cls: Any) -> dict[str, str]:
    return {item.name: str(item.type) for item in fields(cls)}


@cache
def _plan(cls: Any, *columns: str) -> list[tuple[int, str, Callable[[Any], Any] | None]]:
    """Which columns become which fields of a class, and what makes a field's value of the column's."""
    kinds = _field_kinds(cls)
    plan: list[tuple[int, str, Callable[[Any], Any] | None]] = []
    for at, column in enumerate(columns):
        name = column.removesuffix("_json")
        if name in kinds:
            convert = _parsed if name != column else _truth if kinds[name].startswith("bool") else None
            plan.append((at, name, convert))
    return plan


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else {}


def _truth(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Message):
        return {"role": value.role, "content": value.content, "train": value.train}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow(Row):
    """One run. ``key`` is a ULID; ``config`` the resolved configuration."""

    id: int
    key: str
    name: str | None
    command: str
    status: RunStatus
    config: dict[str, Any]
    config_hash: str
    seed: int
    agentr_version: str
    host: str
    pid: int
    created_at: str
    finished_at: str | None
    error: str | None

    @property
    def short(self) -> str:
        """The part of the key that people type: its end, which is chance (two runs may begin in one second)."""
        return self.key[-8:]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow(Row):
    """What code a run used: one plugin, its distribution and its configuration."""

    kind: str
    name: str
    distribution: str
    version: str
    target: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow(Row):
    """One stage of one iteration of a run."""

    run_id: int
    iteration: int
    stage: str
    status: WorkStatus
    metrics: dict[str, Any]
    started_at: str | None
    finished_at: str | None
    result_id: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stage took for so many trees or episodes, in seconds."""

    items: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow(Row):
    """One value of one metric at one step."""

    run_id: int
    iteration: int
    stage: str
    name: str
    step: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow(Row):
    """One task of an environment."""

    id: int
    env: str
    env_version: str
    key: str
    split: str
    instruction: str
    metadata: dict[str, Any]

    def task(self) -> Task:
        """The record that environments take."""
        from agentr_core.records import Task

        return Task(key=self.key, split=self.split, instruction=self.instruction, metadata=self.metadata, env=self.env)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRow(Row):
    """One tree without its nodes. ``task`` is the key of its task, ``env`` whose environment's, ``n_nodes`` how many
    nodes are stored.

    ``attempts``: how often it has failed so far.
    """

    id: int
    run_id: int
    iteration: int
    task_id: int
    env: str
    task: str
    seed: int
    searcher: str
    searcher_hash: str
    model: str
    head: bytes | None
    status: WorkStatus
    simulations: int
    n_nodes: int
    best_reward: float | None
    stats: dict[str, Any]
    error: str | None
    elapsed_seconds: float | None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow(Row):
    """What a critic said of one node of a tree; ``step`` is the node's in the trajectory that was judged."""

    node: int
    step: int
    label: Label
    rationale: str
    value: float | None = None

    def verdict(self) -> Verdict:
        """The record that critics give."""
        from agentr_core.records import Verdict

        return Verdict(step=self.step, label=self.label, rationale=self.rationale, value=self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSetRow(Row):
    """What one critic with one configuration made of the trees of one iteration."""

    id: int
    run_id: int
    iteration: int
    critic: str
    config_hash: str
    config: dict[str, Any]
    model: str
    status: Literal["running", "done", "failed"]
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Row):
    """One candidate training conversation out of a tree.

    ``divergence`` is t, ``cut`` t' (both 1-based steps, 0 for a good trajectory). ``judged``: a verdict set the cut.
    ``verified``: the splice was executed and its reward held (None: not tried). ``reward``: of the conversation's end.
    ``mismatches``: replayed observations that differed from the recorded ones. ``kept``: chosen for datasets.
    Saving takes ``messages``; reading sets ``conversation``, under which the messages are found.
    """

    tree_id: int
    kind: SampleKind
    good_leaf: int
    messages: tuple[Message, ...] = ()
    bad_leaf: int = NO_LEAF
    divergence: int = 0
    cut: int = 0
    judged: bool = True
    verified: bool | None = None
    reward: float = 0.0
    bad_reward: float | None = None
    good_reward: float | None = None
    mismatches: int = 0
    kept: bool = True
    conversation: bytes = b""
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference(Row):
    """Two continuations from the same ``node``: the chosen one ended better than the rejected one.

    Saving takes the messages of both; reading sets the conversations, under which the messages are found.
    """

    tree_id: int
    node: int
    chosen_leaf: int
    rejected_leaf: int
    chosen_reward: float
    rejected_reward: float
    chosen_messages: tuple[Message, ...] = ()
    rejected_messages: tuple[Message, ...] = ()
    chosen: bytes = b""
    rejected: bytes = b""
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow(Row):
    """One dataset without its examples.

    ``reads`` is what trainers read it as. Conversations are stored as items; the rows of any other kind are made of the
    trees that ``config`` names (``origin``), and only their number and hash are stored.
    """

    id: int
    run_id: int
    iteration: int
    name: str
    recipe: str
    set_id: int | None
    config: dict[str, Any]
    content_hash: str
    n_examples: int
    reads: Reads = "conversations"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetItem(Row):
    """One example of a dataset."""

    dataset_id: int
    position: int
    kind: ExampleKind
    conversation: bytes
    origin: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow(Row):
    """One model that a trainer made. ``complete`` is set last, when all of it is on disk."""

    id: int
    run_id: int
    iteration: int
    dataset_id: int
    trainer: str
    base_model: str
    start_model: str
    path: str
    step: int
    complete: bool
    metrics: dict[str, Any]
    created_at: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRow(Row):
    """One evaluation of one model."""

    id: int
    run_id: int
    iteration: int
    kind: EvalKind
    model: str
    split: str
    config_hash: str
    config: dict[str, Any]
    status: Literal["running", "done", "failed"]
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult(Row):
    """How one evaluated task went. ``loops``: the loop statistic of that trajectory. Failed: ``error`` says why.
    ``attempts``: how often it has failed so far; ``cut_off``: turns that ended because they had become too long;
    ``context_full``: the conversation no longer fitted; ``shown_in_part``: observations that were shortened.

    Saving takes ``messages``; reading sets ``conversation``, under which the messages are found, ``task``, the task's
    key, and ``env``, whose environment's it is.
    """

    task_id: int
    repeat: int = 0
    env: str = ""
    task: str = ""
    reward: float = 0.0
    score: float | None = None
    success: bool = False
    steps: int = 0
    invalid: int = 0
    loops: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    elapsed_seconds: float | None = None
    messages: tuple[Message, ...] = ()
    conversation: bytes | None = None
    error: str | None = None
    attempts: int = 0
    cut_off: int = 0
    context_full: bool = False
    shown_in_part: int = 0
