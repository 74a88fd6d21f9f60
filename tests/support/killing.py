"""Kills a run after so many seconds of its own work, and looks at the file that it leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

#: A plugin: ``KILL_AFTER`` seconds from ``KILL_FROM``: ``start`` of the program, or of the ``run``.
KILLER = """
import atexit, os, signal
from agentr_core import hookimpl

def arm():
    signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    signal.setitimer(signal.ITIMER_VIRTUAL, float(os.environ["KILL_AFTER"]))
    # Whoever has come to its end lives: Python takes the handler away as it ends, and the signal would kill by itself.
    atexit.register(signal.setitimer, signal.ITIMER_VIRTUAL, 0)

@hookimpl
def agentr_run_started(event):
    if os.environ.get("KILL_FROM") == "run":
        arm()

if os.environ.get("KILL_FROM") == "start":
    arm()
"""


def has_run(db: Path) -> bool:
    if not db.exists():
        return False
    with sqlite3.connect(db) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        return "runs" in tables and connection.execute("SELECT count(*) FROM runs").fetchone()[0] > 0


def sqlite_is_sound(db: Path) -> bool:
    if not db.exists():
        return True
    with sqlite3.connect(db) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
