"""A server that a command of the user's starts, and that ends with the policy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from agentr_core import UsageError
from agentr_openai import supervise

#: Seconds between being asked to end and being killed.
GRACE = 15.0
#: Seconds that a process may take to be gone after it has stopped to answer.
ENDING = 5.0
#: Of what the command wrote, as much is shown as says what was wrong.
SHOWN_LINES = 5


class ServeCommand:
    """One start of a command, in which ``{model}`` and ``{port}`` are filled in. Its output goes to the file ``log``.

    Raises :class:`~agentr_core.UsageError` where there is no such program.
    """

    def __init__(self, template: str, model: str, port: int) -> None:
        self.words = [word.replace("{model}", model).replace("{port}", str(port)) for word in shlex.split(template)]
        if shutil.which(self.words[0]) is None:
            raise UsageError(
                f"openai.serve: there is no program '{self.words[0]}'; install it, or write its whole path"
            )
        handle, name = tempfile.mkstemp(prefix="agentr-serve-", suffix=".log")
        self.log = Path(name)
        with open(handle, "wb") as out:  # noqa: PTH123 - it is open already
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervise.__file__, str(GRACE), *self.words],
                stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    @property
    def ended(self) -> int | None:
        """The command's exit status; None while it runs."""
        return self._process.poll()

    async def ends_soon(self) -> bool:
        """Whether it has ended, or does so within a moment: where it answers no more, it is about to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, ENDING)
        return self.ended is not None

    def story(self) -> str:
        """Where its output is, and the last lines of it."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-SHOWN_LINES:]
        said = "".join(f"\n  {line[:200]}" for line in lines)
        return f"its output is in {self.log}{', which ends with:' + said if said else ''}"

    async def stop(self, *, keep_log: bool = False) -> None:
        """End it and all that it started; its output is kept where it had ended by itself, and where asked for."""
        keep_log = keep_log or self.ended is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, GRACE + 5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if not keep_log:
            self.log.unlink(missing_ok=True)
