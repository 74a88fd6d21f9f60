"""A Java process that runs somebody else's simulator, and the connection to it (py4j). Nothing here knows of tasks.

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

from agentr_core.errors import PluginError

T = TypeVar("T")

#: What a process that was asked to end is given before it is killed, and what a killed one is waited for, in seconds.
GRACE = 10.0

# A lost connection is reported once, by us; py4j would print tracebacks, some of them through the root logger.
logging.getLogger("py4j").setLevel(logging.CRITICAL)
logging.getLogger().addFilter(lambda record: record.module != "java_gateway" or record.levelno >= logging.CRITICAL)


class JavaLost(Exception):
    """The process is dead, does not answer, or is out of memory: another one must take over."""


class JavaRaised(Exception):
    """Java raised an exception, which is the message; the process lives."""


@dataclass(frozen=True, slots=True)
class JavaProgram:
    """What is run, and how: ``title`` from the ``jars`` in ``folder``, which is its working directory too.

    ``plugin`` names the settings that messages tell of (``-o PLUGIN.java=PATH``). ``java``: the program, empty for the
    one that is found; ``memory_mb``: the heap; ``timeout`` (seconds) bounds the start and every answer; ``options`` are
    Java's own.
    """

    title: str
    plugin: str
    folder: Path
    jars: tuple[str, ...]
    java: str = ""
    memory_mb: int = 256
    timeout: float = 120.0
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """The command line. :class:`~agentr_core.PluginError` where there is no Java."""
        classes = os.pathsep.join((find_jar_path(), *(str(self.folder / jar) for jar in self.jars)))
        heap = (f"-Xmx{self.memory_mb}m", "-XX:+UseSerialGC", "-XX:-UsePerfData")
        serve = ("py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0")
        return [find_java(self.java, self.plugin), *heap, *self.options, "-classpath", classes, *serve]


def java_advice(plugin: str) -> str:
    """How to get a Java that the plugin can use."""
    return f"install Java 8 or newer (e.g. apt-get install default-jre-headless), or name it with -o {plugin}.java=PATH"


def find_java(named: str, plugin: str) -> str:
    """The java program: ``named``, else that of ``JAVA_HOME``, else of the ``PATH``; :class:`PluginError` if none."""
    home = os.environ.get("JAVA_HOME")
    wanted = named or (str(Path(home, "bin", "java")) if home else "java")
    found = shutil.which(wanted) or (None if named else shutil.which("java"))
    if found is None:
        where = f"there is no program '{named}'" if named else "there is no java on the PATH"
        raise PluginError(f"{plugin} needs Java, and {where}: {java_advice(plugin)}")
    return found


def package_folder(package: str, distribution: str, extra: str) -> Path:
    """Where a Python package keeps its jar; it is not imported.

    :class:`~agentr_core.PluginError` with the pip line of agentr's ``extra`` where the ``distribution`` is missing.
    """
    spec = importlib.util.find_spec(package)
    places = None if spec is None else spec.submodule_search_locations
    if not places:
        raise PluginError(f"the package '{distribution}' is not installed: pip install 'agentr-core[{extra}]'")
    return Path(places[0])


class JavaProcess:
    """One process and its gateway; :class:`~agentr_core.PluginError` where it does not start, :class:`JavaLost` where
    somebody kills it meanwhile.

    As many threads as you like may :meth:`ask`; what they ask for is then at work at the same time.
    """

    def __init__(self, program: JavaProgram) -> None:
        self.program = program
        self._errors: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(
            program.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=program.folder,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process: the simulator must live while a run drains
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

        :class:`JavaLost` where the process cannot answer in time, and it is then killed; :class:`JavaRaised` where it
        lives, and Java raised something.
        """
        try:
            return question(self._gateway.jvm)
        except (Py4JError, OSError) as error:
            if isinstance(error, Py4JJavaError) and "OutOfMemoryError" not in (said := _said(error)):
                raise JavaRaised(said[:200]) from None
            reason = self._reason(error)
            self.kill()
            raise JavaLost(reason) from None

    def release(self, *objects: Any) -> None:
        """Let Java free what it has given us; a process that is gone has freed it."""
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

    def said_last(self) -> str:
        """The last lines of its standard error."""
        return " ".join(line.strip() for line in self._errors if line.strip())[:500] or "it said nothing"

    def _stream(self, name: str) -> IO[str]:
        stream: IO[str] = getattr(self._process, name)
        return stream

    def _drain(self, name: str, kept: deque[str]) -> threading.Thread:
        """A process whose output nobody reads would block."""

        def read() -> None:
            with contextlib.suppress(ValueError, OSError):  # closed under our hands
                kept.extend(self._stream(name))

        thread = threading.Thread(target=read, name=f"java-{self.pid}-{name}", daemon=True)
        thread.start()
        return thread

    def _connect(self) -> JavaGateway:
        late = threading.Event()

        def expire() -> None:
            late.set()
            self._process.kill()  # whoever reads from a killed process sees the end of its output

        deadline = threading.Timer(self.program.timeout, expire)
        deadline.start()
        try:
            port, secret = (self._stream("stdout").readline().strip() for _ in "ab")
        finally:
            deadline.cancel()
        if not port.isdigit():
            raise self._failed_start(late=late.is_set())
        parameters = GatewayParameters(
            address="127.0.0.1",
            port=int(port),
            auth_token=secret,
            read_timeout=self.program.timeout,
            enable_memory_management=False,  # objects are released by hand: nothing is sent from a finaliser
        )
        return JavaGateway(gateway_parameters=parameters)

    def _failed_start(self, *, late: bool) -> Exception:
        """Why there is no gateway; lost is what somebody else has killed, as a system does that is out of memory."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self._reading.join(GRACE)  # what it said last may not have been read yet
        program, title, said = self.program.command()[0], self.program.title, self.said_last()
        status = self._process.poll()
        if status is not None and status < 0 and not late:
            return JavaLost(f"the Java process was killed (signal {-status}) while it started {title}: {said}")
        if "UnsupportedClassVersionError" in said or "Unrecognized option" in said:
            return PluginError(f"{program} is too old for {title}: {java_advice(self.program.plugin)}")
        when = f"within {self.program.timeout:g} s" if late else f"(exit status {status})"
        return PluginError(f"{program} did not start {title} {when}: {said}")

    def _reason(self, error: Exception) -> str:
        if isinstance(error, Py4JJavaError):
            return f"the Java process has used up its heap of {self.program.memory_mb} MB"
        if isinstance(error.__cause__ or error, TimeoutError) or "timed out" in str(error):
            return f"the Java process did not answer within {self.program.timeout:g} s"
        with contextlib.suppress(subprocess.TimeoutExpired):  # its connection may break a moment before it ends
            return f"the Java process ended (exit status {self._process.wait(2.0)})"
        return f"{type(error).__name__}: {error}"


def _said(error: Py4JJavaError) -> str:
    """What Java raised; py4j asks the process for it, which may no longer answer."""
    try:
        return " ".join(str(error).split("\n: ", 1)[-1].split())
    except Exception:
        return "OutOfMemoryError, or so it seems: it no longer answers"
