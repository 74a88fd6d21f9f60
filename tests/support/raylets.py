"""Real raylets of one machine: a head without room for workers, and others that have some."""

from __future__ import annotations

import os
from typing import Any

os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
#: Seconds that Ray waits for what it starts: on a busy machine its own are too few.
os.environ |= {"RAY_gcs_server_port_wait_time_s": "600", "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "600"}

#: A small object store: only messages pass through it.
ROOM = {"object_store_memory": 100_000_000}


def started(*nodes: dict[str, Any], tries: int = 4) -> Any:
    """A cluster of a head and ``nodes``; Ray gives each half a minute to start, which a busy machine may not have."""
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        made.add_node(num_cpus=0, include_dashboard=False)
        for node in nodes:
            made.add_node(**ROOM, **node)
    except Exception:  # Ray raises no class of its own here
        made.shutdown()
        if tries == 1:
            raise
        return started(*nodes, tries=tries - 1)
    return made


def one_more(cluster: Any, tries: int = 4, **node: Any) -> Any:
    """Another raylet of a cluster that is there."""
    try:
        return cluster.add_node(**ROOM, **node)
    except Exception:
        if tries == 1:
            raise
        return one_more(cluster, tries - 1, **node)
