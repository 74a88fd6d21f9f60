"""How much memory keys and values get where the configuration does not say: a share of what is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentr_transformers.runtime import torch

MB = 1 << 20
#: Of main memory, where nobody knows how much is free.
_UNKNOWN_MB = 512
#: And never more: blocks of a small model would be so many that looking after them takes memory of its own.
_MOST_MB = 32 * 1024


def prefix_cache_bytes(wanted_mb: int | None, device: torch.device) -> int:
    """Room for the prefixes of earlier prompts: as configured, else a quarter of the main memory that is free, or an
    eighth of a GPU's. (Main memory is only taken as the cache fills.)"""
    if wanted_mb is not None:
        return wanted_mb * MB
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] / 8)
    free = free_memory()
    return _UNKNOWN_MB * MB if free is None else min(free // 4, _MOST_MB * MB)


def batch_bytes(wanted_mb: int | None, device: torch.device) -> int:
    """Room for the keys and values of one batch: as configured, else 2 GB, or half of what is free of a GPU."""
    if wanted_mb is not None:
        return wanted_mb * MB
    return int(torch.cuda.mem_get_info(device)[0] / 2) if device.type == "cuda" else 2048 * MB


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes of main memory that this process can have now; None where the system (no Linux) does not tell.

    What the machine has available, and what the control groups of the process leave: in a container the machine's own
    number is of no use. ``root`` is where ``proc`` and ``sys`` lie.
    """
    known = [size for size in (_available(root), *_left_in_groups(root)) if size is not None]
    return max(0, min(known)) if known else None


def _available(root: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _left_in_groups(root: Path) -> Iterator[int]:
    """What each control group of the process, and each above it, leaves of its limit (versions 2 and 1)."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                top = root / "sys/fs/cgroup" / controllers
                group = top / path.lstrip("/")
                for folder in (group, *(above for above in group.parents if above.is_relative_to(top))):
                    yield from _left(folder, *(_FILES[controllers]))


#: By the controllers of a line of ``/proc/self/cgroup``: the limit, what is in use, and what of that is file cache.
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _left(folder: Path, limit: str, used: str, file_cache: str) -> Iterator[int]:
    with suppress(OSError, ValueError):  # no such group in this container, or no limit ("max")
        left = int((folder / limit).read_text()) - int((folder / used).read_text())
        stat = dict(line.split(maxsplit=1) for line in (folder / "memory.stat").read_text().splitlines())
        yield left + int(stat.get(file_cache, 0))
