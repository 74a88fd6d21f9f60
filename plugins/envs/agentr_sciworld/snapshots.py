"""Snapshots of a simulator, which live in its Java process: a copy is taken, and put back, in about 2 ms.

The simulator can neither save nor copy its state. The small Java classes in ``java/`` do it from outside; they are
compiled once, where a Java compiler is found, and kept in the user's cache folder. Nothing needs them: without them a
state is reached again by replay, with the same result.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import Any

from agentr_core import PluginError, cache_folder, content_hash, find_java, locked
from agentr_sciworld.jvm import JvmSettings, simulator_folder
from agentr_sciworld.moments import Moment

logger = logging.getLogger("agentr.sciworld")

SOURCES = Path(__file__).parent / "java" / "agentr"
GET_JDK = "install a JDK, 8 or newer (e.g. apt-get install default-jdk-headless), or use -o sciworld.snapshots=auto"
#: About what a snapshot takes in the heap, and the part of the heap that all of them may take.
SNAPSHOT_MB = 0.35
HEAP_SHARE = 0.25


def snapshot_classes(settings: JvmSettings) -> Path | None:
    """The folder of the compiled classes, None where there can be none; :class:`PluginError` where they must be."""
    if settings.snapshots == "off":
        return None
    try:
        return _compiled(settings.java)
    except (OSError, NotCompiled) as error:
        if settings.snapshots == "on":
            raise PluginError(f"sciworld cannot take snapshots, because {error}: {GET_JDK}") from None
        logger.info("no snapshots: %s", error)
        return None


class NotCompiled(Exception):
    """Why there are no classes."""


def _compiled(java: str) -> Path:
    """The classes, compiled now where nobody has done it before. They are made for Java 8, so any Java reads them."""
    sources = sorted(SOURCES.glob("*.java"))
    texts = [source.read_text(encoding="utf-8") for source in sources]
    home = cache_folder() / "sciworld" / "classes"
    folder = home / content_hash([metadata.version("scienceworld"), texts])[:16]
    if not folder.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / "lock"):
            if not folder.is_dir():
                _compile(sources, folder, find_compiler(java))
    return folder


def _compile(sources: list[Path], folder: Path, compiler: str) -> None:
    """Compile into a folder of another name first, so that one with this name is complete."""
    jar = simulator_folder() / "scienceworld.jar"
    command = [compiler, "-nowarn", "-source", "8", "-target", "8", "-encoding", "UTF-8", "-cp", str(jar)]
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        new = Path(made, "classes")
        new.mkdir()
        done = subprocess.run(
            [*command, "-d", str(new), *map(str, sources)], capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            raise NotCompiled(f"{compiler} failed ({' '.join(done.stderr.split())[:300]})")
        new.rename(folder)


def find_compiler(java: str = "") -> str:
    """``javac`` beside the java program, in ``JAVA_HOME`` or on the ``PATH``; :class:`NotCompiled` if none."""
    beside = Path(find_java(java, "sciworld")).resolve().parent
    home = Path(os.environ.get("JAVA_HOME") or beside.parent) / "bin"
    for folder in (str(beside), str(home), None):
        if found := shutil.which("javac", path=folder):
            return found
    raise NotCompiled("there is no Java compiler (javac)")


class Snapshots:
    """The snapshots in one Java process: at most :attr:`most`, of which the one used longest ago goes first.

    Methods talk to the process (through ``jvm.ask``, by the worker), except :meth:`held`.
    """

    def __init__(self, java: Any, memory_mb: int) -> None:
        self._java = java
        self.most = max(int(memory_mb * HEAP_SHARE / SNAPSHOT_MB), 1)
        self._held: OrderedDict[bytes, tuple[int, Moment]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def held(self, moment: Moment) -> Moment | None:
        """The moment that is kept under this one's key, with what was seen; None where there is none."""
        found = self._held.get(moment.key)
        return found[1] if found else None

    def keep(self, moment: Moment) -> None:
        """Take a snapshot of the present state, which is that of ``moment``, where there is none yet."""
        if moment.key in self._held:
            self._held.move_to_end(moment.key)
            return
        number = self._java.take()
        if number < 0:  # an object that cannot be copied: the state is reached by replay, as without snapshots
            logger.info("no snapshot: %s", self._java.problem())
            return
        self._held[moment.key] = number, moment
        if len(self._held) > self.most:
            _, (oldest, _) = self._held.popitem(last=False)
            self._java.drop(oldest)

    def restore(self, moment: Moment) -> bool:
        """Put the snapshot of ``moment`` back; False where that failed, and the state is then none at all."""
        self._held.move_to_end(moment.key)
        return bool(self._java.restore(self._held[moment.key][0]))
