"""The machine that this process runs on: the cores, memory and GPUs that it may use.

In a container the machine's own numbers are of no use, so the limits of Linux's control groups count (versions 2 and
1). ``root`` is where ``proc`` and ``sys`` lie.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by the name that its maker gives it; bytes of memory, and those that are free now."""

    name: str
    memory: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use: cores (of those that are ``there``), bytes of main memory and those that are free
    (None: the system does not tell), and GPUs, as far as torch is installed and finds them.

    ``driver``: the version of NVIDIA's driver, where one is loaded.
    """

    cores: int
    there: int
    memory: int | None = None
    free: int | None = None
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None


def this_machine() -> Machine:
    """What there is. Imports torch where it is installed, which takes a second."""
    there = os.cpu_count() or 1
    return Machine(usable_cores(), there, total_memory(), free_memory(), _gpus(), _driver())


def usable_cores(root: Path = ROOT) -> int:
    """Cores that this process may run on, and that the control groups leave it the time of; at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_core_limits(root)])))


def total_memory(root: Path = ROOT) -> int | None:
    """Bytes of main memory that this process could have at the most; None where the system (no Linux) does not tell."""
    limits = [limit for folder, files in _memory_groups(root) for limit in _numbers(folder / files[0])]
    known = [size for size in (_meminfo(root, "MemTotal"), *limits) if size is not None]
    return min(known) if known else None


def free_memory(root: Path = ROOT) -> int | None:
    """Bytes of main memory that this process can have now; None where the system (no Linux) does not tell.

    What the machine has available, and what each control group of the process leaves; file cache makes way.
    """
    left = [size for folder, files in _memory_groups(root) for size in _left(folder, *files)]
    known = [size for size in (_meminfo(root, "MemAvailable"), *left) if size is not None]
    return max(0, min(known)) if known else None


#: By the controllers of a line of ``/proc/self/cgroup``: the limit, what is in use, and what of that is file cache.
_MEMORY_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _memory_groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    for controllers, folder in _groups(root):
        if controllers in _MEMORY_FILES:
            yield folder, _MEMORY_FILES[controllers]


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """The control groups of the process, and each above them, with the controllers that they are for."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            top = root / "sys/fs/cgroup" / controllers
            group = top / path.lstrip("/")
            for folder in (group, *(above for above in group.parents if above.is_relative_to(top))):
                yield controllers, folder


def _core_limits(root: Path) -> Iterator[float]:
    """How many cores' time each group may take: ``cpu.max`` says ``quota period`` or ``max period``."""
    for controllers, folder in _groups(root):
        with suppress(OSError, ValueError):
            if controllers == "":
                quota, period = (folder / "cpu.max").read_text().split()
                yield int(quota) / int(period)
            elif "cpu" in controllers.split(","):
                taken = int((folder / "cpu.cfs_quota_us").read_text())
                if taken > 0:
                    yield taken / int((folder / "cpu.cfs_period_us").read_text())


def _left(folder: Path, limit: str, used: str, file_cache: str) -> Iterator[int]:
    with suppress(OSError, ValueError):  # no such group in this container, or no limit ("max")
        left = int((folder / limit).read_text()) - int((folder / used).read_text())
        stat = dict(line.split(maxsplit=1) for line in (folder / "memory.stat").read_text().splitlines())
        yield left + int(stat.get(file_cache, 0))


def _numbers(file: Path) -> Iterator[int]:
    with suppress(OSError, ValueError):
        yield int(file.read_text())


def _meminfo(root: Path, name: str) -> int | None:
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None


def _gpus() -> tuple[Gpu, ...]:
    if find_spec("torch") is None:
        return ()
    try:
        from torch import cuda

        return tuple(
            Gpu(cuda.get_device_name(number), cuda.mem_get_info(number)[1], cuda.mem_get_info(number)[0])
            for number in range(cuda.device_count())
        )
    except Exception:  # a broken wheel or driver raises anything; whoever uses torch will say it
        return ()


def _driver(root: Path = ROOT) -> str | None:
    with suppress(OSError):
        found = re.search(r"Kernel Module\D*?([\d.]+)", (root / "proc/driver/nvidia/version").read_text())
        return found[1] if found else None
    return None
