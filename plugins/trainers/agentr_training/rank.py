"""``python -m agentr_training.rank FOLDER``: one of the processes of a training, as accelerate's launcher starts it."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from agentr_core import AgentrError, boundary
from agentr_training.job import SAID, load_job

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main(folder: Path) -> None:
    """Take part in the training; the first process reports, and whoever fails says why, at once."""
    line = _line(folder / SAID.format(os.environ["RANK"]))
    threading.Thread(target=_end_with_the_run, daemon=True).start()

    def report(step: int, metrics: Mapping[str, float]) -> None:
        _say(line, {"step": step, "metrics": dict(metrics)})

    try:
        with boundary(AgentrError, "a process of the training could not read what it is to do"):
            job = load_job(folder)
        job.trainer.train(job.dataset, job.start, job.out, resume=True, seed=job.seed, report=report)
    except AgentrError as error:
        _say(line, {"error": str(error), "kind": type(error).__name__})
        os._exit(1)  # the others wait for this one; it waits for nobody
    _leave()


def _line(said: Path) -> BinaryIO:
    """The way to the run; what is printed from now on is kept in a file instead."""
    line = os.fdopen(os.dup(_STDOUT), "wb", buffering=0)
    with said.open("wb") as file:
        os.dup2(file.fileno(), _STDOUT)
        os.dup2(file.fileno(), _STDERR)
    return line


def _say(line: BinaryIO, what: Mapping[str, Any]) -> None:
    """One write, so that lines of several processes do not mix."""
    line.write(json.dumps(what).encode() + b"\n")


def _end_with_the_run() -> None:
    """The run closes the other end when it stops the training, and the system does where the run is killed."""
    os.read(_STDIN, 1)  # nothing is ever sent; not through sys.stdin, whose lock would be held at the end
    os._exit(1)


def _leave() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
