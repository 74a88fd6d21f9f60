"""A program at a terminal of its own: what it prints is waited for, and what a person types is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r")
#: Far beyond what any step takes, also on a machine that is busy.
_PATIENCE = 120.0


class Terminal:
    """Runs ``command`` in ``folder`` with a pseudo terminal of 100 columns and 40 lines as its controlling one."""

    def __init__(self, command: Sequence[str], folder: Path, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x28\x00\x64\x00\x00\x00\x00\x00")

        def control() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background of a shell were told to ignore it
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self.program = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "TERM": "dumb", **variables},
            start_new_session=True,
            preexec_fn=control,
        )
        os.close(theirs)
        self._raw, self._seen = b"", 0

    @property
    def text(self) -> str:
        """All that was printed so far, without colours."""
        return _ESCAPES.sub("", self._raw.decode(errors="replace"))

    def until(self, words: str) -> str:
        """Wait until ``words`` are printed behind what was waited for before; what was printed up to them."""
        deadline = time.monotonic() + _PATIENCE
        while (at := self.text.find(words, self._seen)) < 0:
            assert self._read(deadline), f"never said {words!r}:\n{self.text}"
        said, self._seen = self.text[self._seen : at], at + len(words)
        return said

    def type(self, line: str, then: str) -> str:
        """Type a line, and wait for ``then``; what was printed up to it."""
        os.write(self._ours, line.encode() + b"\n")
        return self.until(then)

    def press(self, key: bytes) -> None:
        """Press one key, as a person would who has seen the prompt: ``b"\\x03"`` is Ctrl-C, ``b"\\x04"`` Ctrl-D.

        Between the prompt and the wait for a key, Python's readline forgets a signal until the next key; nobody is as
        fast as that, except on a machine that is busy, and a test.
        """
        while self._running():
            select.select([], [], [], 0.01)
        os.write(self._ours, key)

    def _running(self) -> bool:
        """Whether the program is at work, and so does not wait for a key; not told on systems without ``/proc``."""
        try:
            return Path(f"/proc/{self.program.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "R"
        except FileNotFoundError:
            return False

    def end(self) -> int:
        """Wait until the program has ended; its exit code."""
        deadline = time.monotonic() + _PATIENCE
        while self._read(deadline):
            pass
        return self.program.wait(timeout=_PATIENCE)

    def close(self) -> None:
        """End the program, if it has not ended."""
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        """Read some more; False where there is no more to come."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        try:
            part = os.read(self._ours, 65536) if ready else b""
        except OSError:  # how Linux says that nobody holds the other end
            part = b""
        self._raw += part
        return bool(part)
