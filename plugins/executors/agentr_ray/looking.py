"""What ``agentr doctor`` says of Ray, without importing it: that takes a second, and starts nothing by itself."""

from __future__ import annotations

import os
import socket
import tempfile
from importlib import metadata
from pathlib import Path

from agentr_core import Finding, Machine

#: Seconds within which the head of a cluster must answer.
PATIENCE_SECONDS = 3.0


def cluster(address: str, machine: Machine) -> Finding:
    """Whether Ray is installed, and whether the cluster at ``address`` answers, where one is set."""
    try:
        version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        return Finding("ray", "missing", "a run here would use it (executor = ray)", "pip install 'agentr-core[ray]'")
    if not address:
        return Finding("ray", "ok", f"{version}; with no ray.address it is started here, with {machine.cores} workers")
    where = _head() if address == "auto" else address
    if where is None:
        told = f"{version}; ray.address=auto, but no cluster runs here"
        return Finding("ray", "missing", told, "start one (ray start --head), or leave ray.address out")
    if _answers(where):
        return Finding("ray", "ok", f"{version}; the cluster at {where} answers")
    return Finding("ray", "missing", f"{version}; nobody answers at {where}", "see that it runs, or set ray.address")


def _head() -> str | None:
    """The cluster that ``auto`` means: that of ``RAY_ADDRESS``, else the one that was last started on this machine."""
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    noted = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir()), "ray", "ray_current_cluster")
    return noted.read_text().strip() if noted.is_file() else None


def _answers(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
