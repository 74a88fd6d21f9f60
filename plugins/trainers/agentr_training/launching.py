"""A training on several processes: accelerate's launcher starts them, and what they tell arrives as from one.

The launcher (``python -m agentr_training.launcher``) and its processes (``python -m agentr_training.rank``) write lines
of JSON to one pipe. They end with this process: the pipe that is their standard input closes with it.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentr_core import AgentrError, ModelNotHere, NothingToDo, Report, ResumeError, UsageError, usable_cores
from agentr_training.job import SAID, Job, save_job
from agentr_training.spreading import Spread, gpu_count

#: Seconds that the launcher has to end once its processes have.
GRACE_SECONDS = 10.0
#: Lines of a process that died without a word of its own.
LAST_LINES = 5
#: Errors that stay what they are on the way from a process.
_KINDS: Mapping[str, type[AgentrError]] = {
    kind.__name__: kind for kind in (UsageError, ResumeError, NothingToDo, ModelNotHere)
}


def train_spread(job: Job, spread: Spread, report: Report | None) -> None:
    """Do ``job`` on the processes of ``spread``; what ``report`` raises ends them.

    Raises what the first of them raised, and :class:`~agentr_core.AgentrError` with its last lines for one that died.
    """
    _give_back_memory()
    with _folder(job.out / "processes") as folder:
        save_job(job, folder)
        with _started(folder, spread) as launcher:
            failed = _listen(launcher, report)
            code = launcher.wait()
        if failed is not None or code != 0:
            raise _error(failed or {}, folder, code)


@contextmanager
def _folder(place: Path) -> Iterator[Path]:
    """An empty folder for as long as the processes work; what a run that was killed has left there goes first."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _listen(launcher: subprocess.Popen[bytes], report: Report | None) -> Mapping[str, Any] | None:
    """Pass on what the first process reports, until all have ended; what the first to fail has said, if one has.

    That a process was ended from outside explains all errors of the others, which miss it.
    """
    failed: Mapping[str, Any] | None = None
    assert launcher.stdout is not None
    for line in launcher.stdout:
        said = _read(line)
        if "metrics" in said and report is not None:
            report(said["step"], said["metrics"])
        elif "error" in said:
            failed = failed or said
        elif "died" in said:
            from_outside = said["died"] < 0 and said["died"] != -signal.SIGTERM
            failed = said if from_outside else failed or said
    return failed


def _read(line: bytes) -> dict[str, Any]:
    """A line of ours; nothing of what a library has printed before it could be kept from doing so."""
    with suppress(ValueError):
        said = json.loads(line)
        return said if isinstance(said, dict) else {}
    return {}


def _error(said: Mapping[str, Any], folder: Path, code: int) -> AgentrError:
    if "error" in said:
        return _KINDS.get(said["kind"], AgentrError)(said["error"])
    if "died" not in said:
        return AgentrError(f"the training could not be started (exit code {code}): {_end_of(folder / 'launcher.txt')}")
    told = _end_of(folder / SAID.format(said["process"]))
    return AgentrError(f"process {said['process']} of the training {_how(said['died'])}: {told}")


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (", as one is that takes too much memory" if name == "SIGKILL" else "")


def _end_of(file: Path) -> str:
    """The last lines of what was printed, as one."""
    with suppress(OSError):
        lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
        return " / ".join([line for line in lines if line][-LAST_LINES:]) or "it said nothing"
    return "it said nothing"


@contextmanager
def _started(folder: Path, spread: Spread) -> Iterator[subprocess.Popen[bytes]]:
    """The launcher at work, out of reach of the terminal's Ctrl-C; it and its processes are gone at the end."""
    command = [sys.executable, "-m", "agentr_training.launcher", str(folder), *_words(folder, spread)]
    pipe = subprocess.PIPE
    with (folder / "launcher.txt").open("wb") as told:
        launcher = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=told, start_new_session=True, env=_environment(spread)
        )
    try:
        yield launcher
    finally:
        assert launcher.stdin is not None and launcher.stdout is not None
        launcher.stdin.close()  # at which the processes end
        with launcher.stdout as rest:
            while rest.read(1 << 16):  # all of them have it open
                pass
        with suppress(subprocess.TimeoutExpired):
            launcher.wait(GRACE_SECONDS)
        launcher.kill()
        launcher.wait()


def _words(folder: Path, spread: Spread) -> list[str]:
    """What accelerate's launcher is told."""
    file = spread.file or folder / "accelerate.yaml"
    if spread.file is None:
        file.write_text(json.dumps(accelerate_config(spread)), encoding="utf-8")  # which is YAML too
    return [f"--config_file={file}", f"--num_processes={spread.processes}", "--main_process_port=0"]


def accelerate_config(spread: Spread) -> dict[str, Any]:
    """What ``accelerate config`` would write for these processes on this machine.

    Precision is the trainer's own. Each process reads the whole model, on which metrics of the start are taken.
    """
    common = {
        "compute_environment": "LOCAL_MACHINE",
        "num_machines": 1,
        "machine_rank": 0,
        "num_processes": spread.processes,
        "mixed_precision": "no",
        "rdzv_backend": "static",
        "use_cpu": False,  # what is not on a GPU is said by ACCELERATE_USE_CPU: accelerate would want MPI for it
    }
    fsdp = {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_reshard_after_forward": True,
        "fsdp_state_dict_type": "FULL_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": False,
        "fsdp_offload_params": False,
        "fsdp_activation_checkpointing": False,
    }
    zero = {"zero_stage": 3, "zero3_init_flag": False, "zero3_save_16bit_model": True}
    return {
        "ddp": {**common, "distributed_type": "MULTI_GPU"},
        "fsdp2": {**common, "distributed_type": "FSDP", "fsdp_config": fsdp},
        "zero3": {**common, "distributed_type": "DEEPSPEED", "deepspeed_config": zero},
    }[spread.sharding]


def _environment(spread: Spread) -> dict[str, str]:
    """This process's, with all that it can import, and a process's share of the cores."""
    threads = str(max(1, usable_cores() // spread.processes))
    given = {"OMP_NUM_THREADS": threads, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return given if gpu_count() else {**given, "ACCELERATE_USE_CPU": "true"}


def _give_back_memory() -> None:
    """What this process has kept of a GPU's memory for itself."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # does nothing where no GPU was used
