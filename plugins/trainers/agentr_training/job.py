"""One training as files, for processes that have no database: the trainer, and what it is to read, row by row."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from agentr_core import ActionSet, Checkpoint, PreferenceSet, Rows, Trainer, TrainingSet, ValueSet

#: What a process has printed, by its number.
SAID = "process-{}.txt"
_JOB, _ROWS = "job.pickle", "rows.pickle"


@dataclass(frozen=True, slots=True)
class Job:
    """What :meth:`agentr_core.Trainer.train` is called with."""

    trainer: Trainer[Any, Any]
    dataset: TrainingSet | PreferenceSet | ActionSet | ValueSet
    start: Checkpoint
    out: Path
    seed: int


def save_job(job: Job, folder: Path) -> None:
    """Write a job; rows of trees go one by one, as they are made."""
    dataset = job.dataset
    if not isinstance(dataset, TrainingSet):
        with (folder / _ROWS).open("wb") as file:
            count = _save_rows(dataset.rows, file)
        kept: Rows[Any] = Rows(partial(_rows, folder / _ROWS, count), count)
        dataset = replace(cast(Any, dataset), rows=kept)
    with (folder / _JOB).open("wb") as file:
        pickle.dump(replace(job, dataset=dataset), file)


def load_job(folder: Path) -> Job:
    """A job that was written; its rows are read anew each time they are gone through."""
    with (folder / _JOB).open("rb") as file:
        job: Job = pickle.load(file)
    return job


def _save_rows(rows: Iterable[Any], file: Any) -> int:
    count = 0
    for row in rows:
        pickle.dump(row, file)
        count += 1
    return count


def _rows(file: Path, count: int) -> Iterator[Any]:
    with file.open("rb") as opened:
        for _ in range(count):
            yield pickle.load(opened)
