"""Runs a command until it ends or nobody holds this program's input any more, and leaves nothing of it behind.

``python supervise.py SECONDS COMMAND...``, started as the leader of a session of its own. However the program that
started it goes, by SIGKILL too, its end of the pipe closes: the command's whole process group is then asked to end, and
killed after so many seconds. A server that held on to the GPU would be in the way of whatever comes next.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(arguments: list[str]) -> int:
    """The command's exit status, 128 + the signal where one ended it, as shells have it."""
    grace, command = float(arguments[0]), arguments[1:]
    # A handler, unlike SIG_IGN, is not passed on to the command.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(child, grace), daemon=True).start()
    status = child.wait()
    os.killpg(0, signal.SIGTERM)  # what it started may outlive it
    return status if status >= 0 else 128 - status


def _end_with_input(child: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held when this program ends
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
