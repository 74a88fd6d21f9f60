"""How much memory keys and values get where the configuration does not say: a share of what is free."""

from __future__ import annotations

from agentr_core import free_memory
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
