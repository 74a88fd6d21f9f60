"""vllm, imported and started as a search wants it: quiet, and fair to other processes on the same cores.

Every other module of this package takes what it needs of ``vllm`` from here. Nothing is left behind in the environment
of this process: vLLM reads its settings from there, and puts libraries to preload there, which no other program should
get.
"""

from __future__ import annotations

import logging
import multiprocessing.spawn
import os
import shlex
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agentr_core import usable_cores, without_collections
from agentr_vllm.devices import Devices, visible

#: AGENTR_DEBUG shows all that vLLM says, on stderr; stdout is for data.
DEBUG = os.environ.get("AGENTR_DEBUG", "") not in ("", "0")
_ALWAYS = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    # Without a logging of its own vLLM says nothing here, and in the engine's process what Python does by itself:
    # warnings and errors on stderr.
    "VLLM_CONFIGURE_LOGGING": "1" if DEBUG else "0",
    # A fork of a process in which OpenMP has run (a trainer's) never computes anything.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
_ON_CPU = {
    # The engine's own process computes: one process and one copy of every message less.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # The system places threads: bound ones stand still beside an environment's process.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # Idle OpenMP threads otherwise spin; beside a busy process two of them run two to ten times slower.
    "GOMP_SPINCOUNT": "0",
}
#: Stands in for the interpreter while an engine is started. Linux ends the process with the thread that started it
#: (prctl 1 is PR_SET_PDEATHSIG): a run that is killed would otherwise leave its engine behind. Python's collector runs
#: less often there: an engine imports for ten seconds, and by default two of them go into looking through what stays.
_LAUNCHER = """\
import ctypes, os, sys
if {log!r}:
    file = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
arguments = sys.argv[1:]
if "--multiprocessing-fork" in arguments:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9)
    open({begun!r}, "w").close()
    code = arguments.index("-c") + 1
    arguments[code] = "import gc; gc.set_threshold(50_000, 20, 20); " + arguments[code]
os.execv({python!r}, [{python!r}, *arguments])
"""


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while, those that are set already excepted; all are as before afterwards."""
    before = dict(os.environ)
    try:
        os.environ.update({name: value for name, value in values.items() if name not in before})
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


if not DEBUG:
    logging.getLogger("vllm").addHandler(logging.NullHandler())
    logging.getLogger("vllm").propagate = False
with variables(_ALWAYS), warnings.catch_warnings(), without_collections():
    warnings.simplefilter("default" if DEBUG else "ignore")
    from vllm import SamplingParams as SamplingParams
    from vllm.engine.arg_utils import AsyncEngineArgs as AsyncEngineArgs
    from vllm.inputs import tokens_input as tokens_input
    from vllm.lora.request import LoRARequest as LoRARequest
    from vllm.outputs import RequestOutput as RequestOutput
    from vllm.platforms import current_platform
    from vllm.sampling_params import RequestOutputKind as RequestOutputKind
    from vllm.v1.engine.async_llm import AsyncLLM as AsyncLLM
    from vllm.v1.engine.exceptions import EngineDeadError as EngineDeadError

ON_CPU: bool = current_platform.is_cpu()
#: Environment, main module and interpreter of this process are as one engine's process needs them while that begins.
_turn = threading.Lock()
_LOOK_SECONDS = 0.02


def gpus() -> tuple[str, ...]:
    """The GPUs that engines of this process may use; none on a CPU."""
    return () if ON_CPU else visible(current_platform.device_control_env_var, current_platform.device_count())


@contextmanager
def starting(
    log: Path, *, threads: int | None, processes: int, engines: int, eager: bool, devices: Devices
) -> Iterator[None]:
    """While an engine is started: its process gets the right environment, and what it says goes to ``log``.

    Engines begin one after the other, each once the process of the one before is there; what takes long, the loading
    of the model, they do at the same time. ``processes`` of an engine, and ``engines`` beside each other, share the
    cores; it sees no GPUs but ``devices``.
    """
    values = _values(processes, engines, eager)
    own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    if devices is not None:
        own[current_platform.device_control_env_var] = ",".join(devices)
    begun = log.with_name("begun")
    begun.unlink(missing_ok=True)
    with ExitStack() as entering:
        entering.enter_context(_turn)
        entering.enter_context(variables(values))
        entering.enter_context(_without_main())
        entering.enter_context(_launched(log, begun))
        os.environ.update(own)
        turn = entering.pop_all()
    with _ended_at(begun, turn):
        yield


@contextmanager
def _ended_at(begun: Path, turn: ExitStack) -> Iterator[None]:
    """Close ``turn`` as soon as the file ``begun`` is there, or the block is over."""
    over = threading.Event()

    def watch() -> None:
        while not begun.exists() and not over.wait(_LOOK_SECONDS):
            pass
        turn.close()

    watching = threading.Thread(target=watch, name="agentr-vllm-turn", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _values(processes: int, engines: int, eager: bool) -> dict[str, str]:
    """The environment variables of an engine that shares the cores with others."""
    values = {**_ALWAYS}
    if ON_CPU:
        values |= {**_ON_CPU, "OMP_NUM_THREADS": str(max(1, usable_cores() // (processes * engines)))}
        if processes > 1:
            del values["VLLM_ENABLE_V1_MULTIPROCESSING"]
        if eager:
            # Two small functions of the sampler would be compiled all the same, which takes longer than it brings.
            values["TORCHDYNAMO_DISABLE"] = "1"
    return values


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep the new process from running this program's main module again: the engine needs nothing of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _launched(log: Path, begun: Path) -> Iterator[None]:
    """Processes that are started write to ``log`` instead of the terminal, and end with this one, however it ends.

    Each that is there makes the file ``begun``.
    """
    python = multiprocessing.spawn.get_executable()
    code = _LAUNCHER.format(python=os.fsdecode(python), log=None if DEBUG else str(log), begun=str(begun))
    launcher = log.with_name("python")
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(os.fsdecode(python))} -c {shlex.quote(code)} "$@"\n')
    launcher.chmod(0o700)
    multiprocessing.spawn.set_executable(str(launcher))
    try:
        yield
    finally:
        multiprocessing.spawn.set_executable(python)
