"""A policy whose workers are told to go in the middle of a tree, as by SLURM or a spot machine.

``GO_FOLDER``: workers that come to the task ``GO_ON`` get SIGTERM, once each and as many as the folder has empty files;
each takes one with it. ``PIDS``: a folder in which each worker that is ready leaves its number.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from agentr_scripted.flawed import FlawedPolicy

from agentr_core import Completion, SampleRequest


class Going(FlawedPolicy):
    """The flawed expert; what it is asked when its process is told to go, it answers."""

    told = False

    async def ready(self) -> None:
        if folder := os.environ.get("PIDS"):
            (Path(folder) / str(os.getpid())).touch()

    async def sample(self, request: SampleRequest) -> list[Completion]:
        folder, key = os.environ.get("GO_FOLDER"), os.environ.get("GO_ON")
        if folder and not self.told and request.task is not None and request.task.key == key:
            self._tell(Path(folder))
        return await super().sample(request)

    def _tell(self, folder: Path) -> None:
        for life in sorted(folder.iterdir()):
            try:
                life.unlink()
            except FileNotFoundError:  # another worker took it
                continue
            self.told = True
            os.kill(os.getpid(), signal.SIGTERM)
            return
