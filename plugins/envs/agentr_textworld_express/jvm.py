"""A Java process that runs the games, and the connection to it (py4j). Nothing here knows of games.

The process listens on a port of its own choice on the loopback interface and asks for a secret that it has just made.
It ends when its standard input closes, so it cannot outlive this process, however that one ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from py4j.java_gateway import GatewayParameters, JavaGateway, find_jar_path
from py4j.protocol import Py4JError, Py4JJavaError

from agentr_core import EnvironmentFailure, PluginError

T = TypeVar("T")

GET_JAVA = (
    "install Java 8 or newer (e.g. apt-get install default-jre-headless), "
    "or name it with -o textworld_express.java=PATH"
)
#: What a process that was asked to end is given before it is killed, and what a killed one is waited for, in seconds.
GRACE = 10.0

# A lost connection is reported once, by us; py4j would print tracebacks, some of them through the root logger.
logging.getLogger("py4j").setLevel(logging.CRITICAL)
logging.getLogger().addFilter(lambda record: record.module != "java_gateway" or record.levelno >= logging.CRITICAL)


class JvmLost(Exception):
    """The process is dead, does not answer, or is out of memory: another one must take over."""


@dataclass(frozen=True, slots=True)
class JvmSettings:
    """How a process is started; ``timeout`` (seconds) bounds the start and every answer."""

    java: str = ""
    memory_mb: int = 512
    timeout: float = 120.0

    def command(self) -> list[str]:
        """The command line."""
        classes = os.pathsep.join((find_jar_path(), str(games_folder() / "textworld-express.jar")))
        heap = (f"-Xmx{self.memory_mb}m", "-XX:+UseSerialGC", "-XX:-UsePerfData")
        serve = ("py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0")
        return [find_java(self.java), *heap, "-classpath", classes, *serve]


def games_folder() -> Path:
    """Where the ``textworld-express`` distribution keeps its jar; it is not imported."""
    spec = importlib.util.find_spec("textworld_express")
    places = None if spec is None else spec.submodule_search_locations
    if not places:
        raise PluginError(
            "the package 'textworld-express' is not installed: pip install 'agentr-core[textworld-express]'"
        )
    return Path(places[0])


def find_java(named: str = "") -> str:
    """The java program: ``named``, else that of ``JAVA_HOME``, else of the ``PATH``; :class:`PluginError` if none."""
    home = os.environ.get("JAVA_HOME")
    wanted = named or (str(Path(home, "bin", "java")) if home else "java")
    found = shutil.which(wanted) or (None if named else shutil.which("java"))
    if found is None:
        where = f"there is no program '{named}'" if named else "there is no java on the PATH"
        raise PluginError(f"textworld_express needs Java, and {where}: {GET_JAVA}")
    return found


class Jvm:
    """One process and its gateway. :class:`PluginError` where it does not start. Safe to use from many threads."""

    def __init__(self, settings: JvmSettings) -> None:
        self.settings = settings
        #: Who has begun the game of a name and seed last, where that matters.
        self.holders: dict[tuple[str, int], object] = {}
        self._errors: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(
            settings.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=games_folder(),  # the games read their data from there
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process: the games must live while a run drains
        )
        self._reading = self._drain("stderr", self._errors)
        try:
            self._gateway = self._connect()
        except BaseException:
            self.kill()
            raise
        self._drain("stdout", deque(maxlen=1))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs (it may be frozen)."""
        return self._process.poll() is None

    def ask(self, question: Callable[[Any], T]) -> T:
        """``question(jvm)``, where ``jvm`` is py4j's view of Java's packages.

        :class:`JvmLost` where the process cannot answer in time (it is then killed);
        :class:`~agentr_core.EnvironmentFailure` where it lives, and Java raised something.
        """
        try:
            return question(self._gateway.jvm)
        except (Py4JError, OSError) as error:
            if isinstance(error, Py4JJavaError) and "OutOfMemoryError" not in (said := _said(error)):
                raise EnvironmentFailure(f"TextWorldExpress raised {said[:200]}") from None
            reason = self._reason(error)
            self.kill()
            raise JvmLost(reason) from None

    def release(self, *objects: Any) -> None:
        """Let Java free what it has given us."""
        if self.alive:
            with contextlib.suppress(Py4JError, OSError):
                for each in objects:
                    self._gateway.detach(each)

    def close(self) -> None:
        """End the process, and wait until it has ended. May be called twice."""
        with contextlib.suppress(OSError):
            self._stream("stdin").close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self.kill()

    def kill(self) -> None:
        """End the process at once, frozen or not."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        if gateway := getattr(self, "_gateway", None):
            gateway.close()
        for name in ("stdin", "stdout"):
            with contextlib.suppress(OSError):
                self._stream(name).close()

    def _stream(self, name: str) -> IO[str]:
        stream: IO[str] = getattr(self._process, name)
        return stream

    def _drain(self, name: str, kept: deque[str]) -> threading.Thread:
        """A process whose output nobody reads would block."""

        def read() -> None:
            with contextlib.suppress(ValueError, OSError):  # closed under our hands
                kept.extend(self._stream(name))

        thread = threading.Thread(target=read, name=f"jvm-{self.pid}-{name}", daemon=True)
        thread.start()
        return thread

    def _connect(self) -> JavaGateway:
        deadline = threading.Timer(self.settings.timeout, self._process.kill)
        deadline.start()  # whoever reads from a killed process sees the end of its output
        try:
            port, secret = (self._stream("stdout").readline().strip() for _ in "ab")
        finally:
            deadline.cancel()
        if not port.isdigit():
            raise PluginError(self._failed_start())
        parameters = GatewayParameters(
            address="127.0.0.1",
            port=int(port),
            auth_token=secret,
            read_timeout=self.settings.timeout,
            enable_memory_management=False,  # objects are released by hand: nothing is sent from a finaliser
        )
        return JavaGateway(gateway_parameters=parameters)

    def _failed_start(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self._reading.join(GRACE)  # what it said last may not have been read yet
        program = self.settings.command()[0]
        said = " ".join(line.strip() for line in self._errors if line.strip())[:500] or "it said nothing"
        if "UnsupportedClassVersionError" in said or "Unrecognized option" in said:
            return f"{program} is too old for TextWorldExpress: {GET_JAVA}"
        return f"{program} did not start TextWorldExpress within {self.settings.timeout:g} s: {said}"

    def _reason(self, error: Exception) -> str:
        if isinstance(error, Py4JJavaError):
            return f"the Java process has used up its heap of {self.settings.memory_mb} MB"
        if isinstance(error.__cause__ or error, TimeoutError) or "timed out" in str(error):
            return f"the Java process did not answer within {self.settings.timeout:g} s"
        with contextlib.suppress(subprocess.TimeoutExpired):  # its connection may break a moment before it ends
            return f"the Java process ended (exit status {self._process.wait(2.0)})"
        return f"{type(error).__name__}: {error}"


def _said(error: Py4JJavaError) -> str:
    """What Java raised; py4j asks the process for it, which may no longer answer."""
    try:
        return " ".join(str(error).split("\n: ", 1)[-1].split())
    except Exception:
        return "OutOfMemoryError, or so it seems: it no longer answers"
