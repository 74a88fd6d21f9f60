"""Training conversations and preference pairs in forms that other trainers read: JSON lines and parquet.

Each message carries its flag under three names: ``train`` (axolotl's ``message_field_training: train``), ``weight`` 0
or 1 (OpenAI, Fireworks, Together) and ``loss`` (ms-swift). Preference pairs have TRL's columns ``prompt``, ``chosen``
and ``rejected``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentr_core.errors import MissingDependencyError, UsageError
from agentr_core.records import Example, Message


def json_line(value: Mapping[str, Any]) -> str:
    """One line of JSON; text that is not valid Unicode is escaped."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return line


def example_row(example: Example) -> dict[str, Any]:
    """A training conversation with a flag on each message."""
    messages = [
        {**message.as_dict(), "train": message.train, "weight": int(message.train), "loss": message.train}
        for message in example.messages
    ]
    return {"messages": messages, "kind": example.kind, "origin": dict(example.origin)}


def preference_row(chosen: Sequence[Message], rejected: Sequence[Message], **values: Any) -> dict[str, Any]:
    """A preference pair: the turns that both share are the prompt, up to the first agent turn in which they part."""
    shared = 0
    for left, right in zip(chosen, rejected, strict=False):
        if left != right:
            break
        shared += 1
    parts = {"prompt": chosen[:shared], "chosen": chosen[shared:], "rejected": rejected[shared:]}
    return {**{name: [turn.as_dict() for turn in turns] for name, turns in parts.items()}, **values}


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write rows as a parquet file, ``origin`` as JSON text; returns how many."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingDependencyError("writing parquet", "pyarrow", "pip install 'agentr-core[parquet]'") from None

    plain = [{**row, "origin": json_line(row["origin"])} if "origin" in row else dict(row) for row in rows]
    try:
        pq.write_table(pa.Table.from_pylist(plain), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from None
    return len(plain)
