"""Demonstrations that others published, as a stored dataset of a run: ``agentr datasets import``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.hashing import content_hash
from agentr_core.process.interrupt import StopSignal
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import RunContext
from agentr_core.runs.iterations import BASELINE
from agentr_core.runs.provenance import check_plugins, provenance
from agentr_core.runs.start_and_resume import only_worker, set_up, stored_config
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import DatasetRow, RunRow, Store, open_store
from agentr_core.train.dataset_recipes import DEMONSTRATIONS
from agentr_core.train.demonstration_tasks import Format
from agentr_core.train.demonstrations import Imported, match_tasks, play_again
from agentr_core.train.stage import IMPORTED


@dataclass(frozen=True, slots=True)
class Import:
    """An imported dataset, the run that it is kept with (``is_new``: made for it), and what was found."""

    dataset: DatasetRow
    run: RunRow
    is_new: bool
    imported: Imported


def import_demonstrations(
    path: str | Path,
    config: RunConfig,
    *,
    db: str | Path = "agentr.db",
    run: str | None = None,
    form: Format = "auto",
    only_exact: bool = False,
    progress: Progress | None = None,
) -> Import:
    """Match the conversations of a file to tasks, play them again, and keep them as a dataset of a run.

    ``run`` is the run that it is kept with: one of this name, or a new one (by default named after the file). A new one
    is one of demonstrations alone, which ``agentr train --run`` trains on. ``only_exact`` leaves out what was not
    played again exactly. Raises :class:`~agentr_core.errors.UsageError` for a file or a run that cannot be used, and
    :class:`~agentr_core.errors.NothingToDo` where nothing is left.
    """
    if len(config.env) != 1:
        raise UsageError(f"--env: a file is imported for one environment (got {', '.join(config.environments)})")
    check_plugins(config, default_registry())
    with open_store(db) as store, of_run(store, run or _stem(path), config, "import") as (row, is_new):
        imported = _played(store, row, config, path, form, progress or Progress(quiet=True))
        if only_exact:
            imported = imported.exact()
        if not imported.found:
            raise NothingToDo(f"nothing of '{path}' is left: {imported.read.describe()}")
        return Import(_save(store, row, config, imported), store.runs.get(row.id), is_new, imported)


@contextmanager
def of_run(store: Store, name: str, config: RunConfig, command: str) -> Iterator[tuple[RunRow, bool]]:
    """The run of this name, which must be about the same environment, or a new one (True), which is one of
    demonstrations alone and forgotten if what is done with it fails; ``command`` says what makes it.

    Raises :class:`~agentr_core.errors.UsageError` for a run of another environment.
    """
    found = [row for row in store.runs.select() if name in (row.name, row.key, row.short)]
    if found:
        if stored_config(found[0])[0].environments != config.environments:
            raise UsageError(f"--run {name}: run {found[0].short} is about another environment; choose another name")
        yield found[0], False
        return
    config = config.model_copy(update={"data": config.data.model_copy(update={"recipe": DEMONSTRATIONS})})
    stored = {**config.model_dump(mode="json"), "stages": [], "out": None}
    row = store.runs.create(command, stored, config_hash=config.hash, name=name, seed=config.seed)
    try:
        with only_worker(store, row):
            store.runs.save_plugins(row.id, provenance(config, default_registry()))
            yield row, True
            store.runs.set_status(row.id, "done")
    except BaseException:
        store.runs.forget(row.id)
        raise


def _played(
    store: Store, row: RunRow, config: RunConfig, path: str | Path, form: Format, progress: Progress
) -> Imported:
    async def work(context: RunContext) -> Imported:
        (world,) = context.worlds.values()
        read, matches = match_tasks(path, world, form)
        with context.progress.stage("import", len(matches), "conversations") as bar:

            def advance() -> None:
                bar.advance()
                context.stop_here()

            return Imported(str(path), read, await play_again(world, matches, advance))

    with StopSignal() as stopped:
        advice = "nothing was stored; the same command begins anew"
        with set_up(store, row, config, progress, default_registry(), stopped, advice) as context:
            return asyncio.run(work(context))


def _save(store: Store, row: RunRow, config: RunConfig, imported: Imported) -> DatasetRow:
    (env,) = config.env
    examples = imported.examples(env.name)
    return store.datasets.save(
        row.id,
        BASELINE,
        _stem(imported.file),
        examples,
        recipe=IMPORTED,
        content_hash=content_hash([example.content() for example in examples]),
        config={"env": env.model_dump(mode="json"), **imported.as_dict()},
    )


def _stem(path: str | Path) -> str:
    """A file's name up to its first dot: ``data.json.gz`` is ``data``."""
    return Path(path).name.partition(".")[0] or "demonstrations"
