"""``agentr db merge``: several databases as one, and searches that were shared out as the runs that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentr_core.errors import StoreError, UsageError
from agentr_core.search.stage import search_result
from agentr_core.store import RunRow, RunStatus, Store, open_store
from agentr_core.store.connection import schema_of
from agentr_core.store.merging import Merge, Merged
from agentr_core.store.schema import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class MergedFile:
    """A file that was merged, and what it brought."""

    path: Path
    merged: Merged


def merge_databases(sources: Sequence[Path], into: Path) -> tuple[list[MergedFile], list[tuple[RunRow, int]]]:
    """Put all that ``sources`` hold into one database, which is made where it is missing.

    What each file brought, and the runs that any had a part of and of which trees are still missing, with how many.
    Raises :class:`~agentr_core.errors.UsageError` for a source that is the target, and
    :class:`~agentr_core.errors.StoreError` for a file of another schema; then nothing of any file is merged.
    """
    for source in sources:
        if source.resolve() == into.resolve():
            raise UsageError(f"{source} is merged into itself; name another file with --into")
        _check_schema(source)
    if into.exists():
        _check_schema(into)
    with open_store(into) as target:
        files = [_merge(target, source) for source in sources]
        shared = sorted({run_id for file in files for run_id in file.merged.shared})
        left = [(target.runs.get(run_id), _close(target, run_id)) for run_id in shared]
        return files, [(run, count) for run, count in left if count]


def _check_schema(path: Path) -> None:
    version = schema_of(path)
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer agentr (schema {version}, this one knows {SCHEMA_VERSION}); upgrade with: "
            "pip install -U agentr-core"
        )
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by an older agentr (schema {version}, this one merges {SCHEMA_VERSION}); bring it up "
            f"to date with: agentr db status --db {path}"
        )


def _merge(target: Store, source: Path) -> MergedFile:
    with open_store(source, read_only=True) as opened:
        return MergedFile(source, Merge(target, opened).merge())


def _close(store: Store, run_id: int) -> int:
    """Close the searches of a run whose trees are all there; how many trees are missing."""
    missing = 0
    for iteration in sorted({row.iteration for row in store.trees.select(run_id)}):
        rows = store.trees.select(run_id, iteration=iteration)
        left = sum(row.status not in ("done", "failed") for row in rows)
        missing += left
        stage = store.runs.stage(run_id, iteration, "search")
        if left:
            store.runs.reopen_stage(run_id, iteration, "search")
            continue
        result = search_result(store, run_id, iteration, rows)
        if stage is None or stage.status != "done" or stage.metrics != dict(result.metrics):
            store.runs.save_account(run_id, iteration, "search", result.account)
            store.runs.finish_stage(run_id, iteration, "search", result.metrics)
    status: RunStatus = "interrupted" if missing else "done"
    if store.runs.get(run_id).status != status:
        store.runs.set_status(run_id, status)
    return missing
