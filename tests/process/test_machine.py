"""What this process may use, as Linux shows it in files."""

from __future__ import annotations

import os
from pathlib import Path

from agentr_core import free_memory
from agentr_core.process.machine import this_machine, total_memory, usable_cores


def machine(root: Path, *, available_kb: int = 8_000_000, group: str = "0::/", **groups: dict[str, str]) -> Path:
    """A root folder as Linux shows it, with the files of some control groups."""
    (root / "proc/self").mkdir(parents=True)
    meminfo = f"MemTotal: 9000000 kB\nMemFree: 1 kB\nMemAvailable:   {available_kb} kB\n"
    (root / "proc/meminfo").write_text(meminfo)
    (root / "proc/self/cgroup").write_text(f"12:cpuset:/x\n{group}\n")
    for name, files in groups.items():
        folder = root / "sys/fs/cgroup" / name.replace("__", "/").strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)
    return root


def test_free_memory_is_what_the_machine_has_and_the_container_leaves(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None, "no Linux"
    assert free_memory(machine(tmp_path / "plain")) == 8_000_000 * 1024
    tight = {"memory__max": "3000\n", "memory__current": "2000\n", "memory__stat": "anon 1\ninactive_file 500\n"}
    roomy = tight | {"memory__max": "max\n"}
    in_container = machine(tmp_path / "container", __=tight)
    assert free_memory(in_container) == 1500, "file cache makes way"
    assert total_memory(in_container) == 3000
    below = machine(tmp_path / "slice", group="0::/a/b", a=tight, a__b=roomy)
    assert free_memory(below) == 1500 and total_memory(below) == 3000, "the group above it has the limit"
    old = {"memory__limit_in_bytes": "900", "memory__usage_in_bytes": "950", "memory__stat": "total_inactive_file 20"}
    first = machine(tmp_path / "first", group="5:memory:/docker/1", memory=old)
    assert free_memory(first) == 0, "over its limit"
    assert total_memory(first) == 900 and total_memory(tmp_path / "plain") == 9_000_000 * 1024


def test_cores_are_those_whose_time_the_container_may_take(tmp_path: Path) -> None:
    here = usable_cores(tmp_path)
    assert here == (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    half = machine(tmp_path / "half", __={"cpu__max": "50000 100000\n"})
    assert usable_cores(half) == 1, "there is always one"
    assert usable_cores(machine(tmp_path / "free", __={"cpu__max": "max 100000\n"})) == here
    old = {"cpu__cfs_quota_us": "100000\n", "cpu__cfs_period_us": "100000\n"}
    assert usable_cores(machine(tmp_path / "old", group="4:cpu,cpuacct:/docker/1", **{"cpu,cpuacct": old})) == 1
    boundless = old | {"cpu__cfs_quota_us": "-1\n"}
    assert usable_cores(machine(tmp_path / "boundless", group="4:cpu:/", cpu=boundless)) == here


def test_this_machine_is_seen_as_it_is() -> None:
    seen = this_machine()
    assert 1 <= seen.cores <= seen.there
    assert seen.memory is None or seen.free is None or 0 < seen.free <= seen.memory < 1 << 50
    assert all(0 < gpu.free <= gpu.memory for gpu in seen.gpus)
