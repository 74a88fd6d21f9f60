"""What a server says it serves (``GET /v1/models``), and where that is likely to be found."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Entry:
    """One model: ``id`` is what requests call it, ``root`` what vLLM loaded for it (a path or hub id), if it says."""

    id: str
    root: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All models that a server says it serves."""

    entries: tuple[Entry, ...]

    def name_of(self, model: str) -> str | None:
        """What the server calls ``model``; None where it does not list it.

        A name may lack what servers add: Ollama's ``:latest``, Gemini's ``models/``, a router's ``:free`` or a whole
        provider as ``openai/*``. A folder is known by its path alone, as the name or as what was loaded for one.
        """
        for entry in self.entries:
            if entry.id == model or (is_folder(model) and _same(model, (entry.id, entry.root))):
                return entry.id
        if is_folder(model):
            return None
        for entry in self.entries:
            if entry.root == model:
                return entry.id
            if entry.id in (f"{model}:latest", f"models/{model}", model.rpartition(":")[0]):
                return model
            if "*" in entry.id and fnmatch.fnmatchcase(model, entry.id):
                return model
        return None

    def has_loaded(self, model: str) -> bool:
        """Whether ``model`` is what one of the entries is made of."""
        return any(model in (entry.id, entry.root) or _same(model, (entry.id, entry.root)) for entry in self.entries)

    def __str__(self) -> str:
        names = [entry.id for entry in self.entries]
        return f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}" if names else "nothing"


def is_folder(model: str) -> bool:
    """Whether a model's name is the path of a folder here: a checkpoint, or weights that somebody put there."""
    return os.sep in model and Path(model).is_dir()


def read_listing(content: bytes) -> Listing | None:
    """The body of such an answer; None where it is something else, such as a page of HTML."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    rows = body.get("data") if isinstance(body, Mapping) else body
    if not isinstance(rows, list):
        return None
    return Listing(tuple(_entry(row) for row in rows if isinstance(row, Mapping) and row.get("id")))


def right_urls(url: str) -> Iterable[str]:
    """Where the interface may be that is not at ``url``: below /v1 there, or at the server's root."""
    parts = urlsplit(url)
    paths = dict.fromkeys((f"{parts.path.rstrip('/')}/v1", "/v1", "/api/v1", "/openai/v1"))
    return [urlunsplit(parts._replace(path=path)) for path in paths if path != parts.path]


def _entry(row: Mapping[str, Any]) -> Entry:
    root = row.get("root")
    return Entry(str(row["id"]), root if isinstance(root, str) else None)


def _same(folder: str, others: Iterable[str | None]) -> bool:
    """Whether one of ``others`` is the path of ``folder``, over whatever links."""
    place = os.path.realpath(folder)
    return any(other is not None and os.sep in other and os.path.realpath(other) == place for other in others)
