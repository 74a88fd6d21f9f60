"""The public files of WebShop: what they are, where they lie, and whether they came whole.

Their sizes are known for three of them; hashes are published for none. So a file is checked for its size where that is
known, for being whole JSON, and against the sha256 that the first complete download left in ``manifest.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core import AgentrError, UsageError, cache_folder, locked
from agentr_webshop.reading import broken, read_json
from agentr_webshop.remote import Report, fetch

MIRROR = "https://huggingface.co/datasets/YWZBrandon/webshop-data/resolve/main"
DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
MANIFEST = "manifest.json"
#: Up to this size a file is parsed as a whole; of a larger one both ends are looked at.
_PARSED = 1 << 26


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the original's; ``size``: bytes, where known, ``drive``: Google Drive id, where the mirror lacks it."""

    name: str
    size: int | None = None
    drive: str | None = None

    def url(self, base: str | None) -> str:
        """Where it is fetched from; ``base`` is a server that has all files under their names."""
        if base is None and self.drive is not None:
            return DRIVE + self.drive
        return f"{(base or MIRROR).rstrip('/')}/{self.name}"


_HUMAN = RemoteFile("items_human_ins.json", 5_137_548)
SETS: Mapping[str, tuple[RemoteFile, ...]] = {
    "small": (RemoteFile("items_ins_v2_1000.json", 147_099), RemoteFile("items_shuffle_1000.json", 4_467_013), _HUMAN),
    "full": (
        RemoteFile("items_ins_v2.json", drive="1s2j6NgHljiZzQNL3veZaAiyW_qDEgBNi"),
        _HUMAN,
        RemoteFile("items_shuffle.json", drive="1A2whVgOO0euk5O13n2iYDM0bQRkkRduB"),
    ),
}

#: Opens a file's progress: called with its name and expected size, gives the function that is told of each step.
Show = Callable[[str, int | None], AbstractContextManager[Report]]


def default_folder(size: str) -> Path:
    """Where a set is kept unless the user says otherwise."""
    return cache_folder() / "webshop" / size


def fetch_set(size: str, folder: Path, show: Show, base: str | None = None) -> list[str]:
    """Bring ``folder`` to hold the ``small`` or ``full`` set, and return the names of the files that were fetched.

    A file that is there as the manifest has it is left alone. Raises :class:`~agentr_core.AgentrError` for what
    :func:`~agentr_webshop.remote.fetch` raises it for and for a file that came damaged, and UsageError for a folder
    that cannot be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            return [file.name for file in SETS[size] if _bring(file, folder, show, base)]
    except OSError as error:
        raise UsageError(f"'{folder}' cannot be used: {error.strerror or error}; choose a folder with --to") from None


def _bring(file: RemoteFile, folder: Path, show: Show, base: str | None) -> bool:
    """Fetch one file unless it is there; True where it was fetched."""
    target, recorded = folder / file.name, _manifest(folder).get(file.name)
    if target.is_file() and recorded == _fingerprint(target):
        return False
    part = folder / f"{file.name}.part"
    url = file.url(base)
    with show(file.name, file.size) as report:
        fetch(url, part, file.size, report)
    found = _checked(part, file, url)
    if recorded is not None and found != recorded:
        part.unlink()
        raise AgentrError(
            f"'{file.name}' is not what it was when it was first fetched (its sha256 differs); to take the new one, "
            f"remove '{folder / MANIFEST}' and run the command again"
        )
    part.replace(target)
    _record(folder, file.name, found)
    return True


def _checked(part: Path, file: RemoteFile, url: str) -> dict[str, Any]:
    """The fingerprint of a fetched file; one that is damaged is thrown away, since going on from it cannot mend it."""
    try:
        if file.size is not None and part.stat().st_size != file.size:
            raise UsageError(f"it has {part.stat().st_size:,} bytes, expected {file.size:,}")
        _check_json(part)
        return _fingerprint(part)
    except UsageError as error:
        part.unlink()
        raise AgentrError(f"'{file.name}' came damaged from {url}: {error}") from None


def _check_json(path: Path) -> None:
    if path.stat().st_size <= _PARSED:
        read_json(path)
        return
    with path.open("rb") as file:
        first = file.read(64).lstrip()[:1]
        file.seek(-64, 2)
        last = file.read().rstrip()[-1:]
    if (first, last) not in ((b"[", b"]"), (b"{", b"}")):
        raise broken(path, "its ends do not match")


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    value = read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise UsageError(f"'{path}' is no manifest of agentr; remove it")
    return value


def _record(folder: Path, name: str, fingerprint: dict[str, Any]) -> None:
    scratch = folder / f"{MANIFEST}.part"
    scratch.write_text(json.dumps({**_manifest(folder), name: fingerprint}, indent=2) + "\n", encoding="utf-8")
    scratch.replace(folder / MANIFEST)
