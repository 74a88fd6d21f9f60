"""Training conversations and preference pairs as files that other trainers read.

A conversation is ``{"messages": [...], "kind": ..., "origin": {...}}``. Each message says whether it is trained under
the three names in use: ``train`` (Axolotl, as its ``message_field_training``), ``loss`` (ms-swift) and ``weight``
(OpenAI's fine-tuning), true or false or 1 or 0. TRL reads none of them: for it there is a row for each trained turn,
``{"prompt": [...], "completion": [...]}``, of which it trains the completion. A preference pair is
``{"prompt": [...], "chosen": [...], "rejected": [...], "origin": {...}}``, the form of TRL's preference trainers. An
action of a tree is ``{"prompt": [...], "completion": [...], "advantage": ..., "weight": ...}`` with the token ids and
log-probabilities that were drawn, a value ``{"messages": [...], "value": ..., "visits": ...}``.
Files are written beside their place and then moved there: an interrupted export leaves what was there before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from agentr_core.errors import MissingDependencyError, UsageError
from agentr_core.hashing import canonical_json
from agentr_core.interfaces.training_sets import ActionRow, AnyRow, PreferencePair, ValueRow
from agentr_core.interfaces.tree import shared_start
from agentr_core.turns import Example, Message

Format = Literal["jsonl", "parquet"]


def json_line(value: Mapping[str, Any]) -> str:
    """One line of JSON; text that is not valid Unicode is escaped."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return line


def example_row(example: Example) -> dict[str, Any]:
    """One training conversation with its flags."""
    return {
        "messages": [_turn(message) for message in example.messages],
        "kind": example.kind,
        "origin": dict(example.origin),
    }


def prompt_completion_rows(example: Example) -> Iterator[dict[str, Any]]:
    """A row for each trained turn: what comes before it, and the turn. Together they train what the example does."""
    for index, message in enumerate(example.messages):
        if message.train:
            before = [turn.as_dict() for turn in example.messages[:index]]
            yield {"prompt": before, "completion": [message.as_dict()]}


def preference_row(
    chosen: Sequence[Message], rejected: Sequence[Message], origin: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Two conversations as what they share and how each goes on to its last agent turn; None where one is the other."""
    shared = shared_start(chosen, rejected, lambda left, right: left.as_dict() == right.as_dict())
    better, worse = _to_last_agent_turn(chosen[shared:]), _to_last_agent_turn(rejected[shared:])
    if not better or not worse:
        return None
    return {
        "prompt": [message.as_dict() for message in chosen[:shared]],
        "chosen": [message.as_dict() for message in better],
        "rejected": [message.as_dict() for message in worse],
        "origin": dict(origin or {}),
    }


def tree_row(row: AnyRow, *, flags: bool = True) -> dict[str, Any]:
    """One row of a tree with its origin; with ``flags`` the messages say which turns count, and it has all it knows."""
    turns = _turn if flags else Message.as_dict
    if isinstance(row, PreferencePair):
        parts = {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected}
        known = {"kind": row.kind, "gap": row.gap, "visits": row.visits}
    elif isinstance(row, ActionRow):
        parts = {"prompt": row.prompt, "completion": (Message("assistant", row.drawn.text, train=True),)}
        known = {"advantage": row.advantage(), "weight": row.weight, **_facts(row)}
    else:
        parts, known = {"messages": row.messages}, _facts(row)
    shown = known if flags or not isinstance(row, PreferencePair) else {}
    return {
        **{name: [turns(each) for each in part] for name, part in parts.items()},
        **shown,
        "origin": dict(row.origin),
    }


def _facts(row: ActionRow | ValueRow) -> dict[str, Any]:
    """The numbers of a row, by the names of its fields."""
    if isinstance(row, ValueRow):
        return {name: getattr(row, name) for name in ("value", "visits", "before", "ended")}
    drawn = {"token_ids": list(row.drawn.token_ids), "logprobs": list(row.drawn.logprobs)}
    names = ("q", "baseline", "root", "reach", "share", "visits")
    return {**{name: getattr(row, name) for name in names}, **drawn}


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path, format: Format = "jsonl") -> int:
    """Write rows to ``path`` and return how many there were.

    Parquet holds ``origin`` as a column of JSON text. Raises :class:`~agentr_core.errors.MissingDependencyError` for
    parquet without pyarrow and :class:`~agentr_core.errors.UsageError` for a path that cannot be written.
    """
    write = _write_parquet if format == "parquet" else _write_jsonl
    try:
        with _whole_file(path) as making:
            return write(rows, making)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}") from error


def write_text(parts: Iterable[str], path: Path) -> None:
    """Write text to ``path``; :class:`~agentr_core.errors.UsageError` for a path that cannot be written."""
    try:
        with _whole_file(path) as making, making.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(parts)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror or error}") from error


def _turn(message: Message) -> dict[str, Any]:
    flags = {"train": message.train, "loss": message.train, "weight": int(message.train)}
    return {**message.as_dict(), **flags}


def _to_last_agent_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """Without the observations that no turn follows."""
    last = max((index for index, message in enumerate(messages) if message.role == "assistant"), default=-1)
    return messages[: last + 1]


def _write_jsonl(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json_line(row) + "\n")
            count += 1
    return count


def _write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError("the parquet export", "pyarrow", "pip install 'agentr-core[parquet]'") from None
    table = pyarrow.Table.from_pylist([{**row, "origin": canonical_json(row["origin"])} for row in rows])
    pyarrow.parquet.write_table(table, path)
    return int(table.num_rows)


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, moved there once it is complete and on disk.

    What is there and no file (a pipe, ``/dev/null``) is written to as it is: nothing may take its place.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    making = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield making
        with making.open("rb") as file:
            os.fsync(file.fileno())
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)
