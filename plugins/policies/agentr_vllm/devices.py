"""Which GPUs each of several engines has for itself. Light: neither torch nor vllm is imported here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentr_core import Finding, UsageError

#: The GPUs of one engine as the driver names them; None: it is told nothing, and takes what there is.
Devices = tuple[str, ...] | None


def visible(variable: str, count: int) -> tuple[str, ...]:
    """The GPUs that this process may use, of ``count``: what the environment's ``variable`` names, else all."""
    named = os.environ.get(variable, "")
    return tuple(part.strip() for part in named.split(",")) if named else tuple(map(str, range(count)))


def shared_out(gpus: Sequence[str], engines: int | Literal["auto"], group: int) -> list[Devices]:
    """The GPUs of each engine, ``group`` to each; ``auto`` makes as many engines as that gives, and one without GPUs.

    Without GPUs any number of engines share the cores. Raises :class:`~agentr_core.UsageError` where there are too few.
    """
    wanted = max(1, len(gpus) // group) if engines == "auto" else engines
    if wanted == 1 or not gpus:
        return [None] * wanted
    if wanted * group > len(gpus):
        each = f"{group} GPUs each (vllm.tensor_parallel_size)" if group > 1 else "one GPU each"
        raise UsageError(
            f"vllm.engines={wanted} with {each} needs {wanted * group} GPUs, and {len(gpus)} can be used here; "
            "ask for fewer, or for vllm.engines=auto"
        )
    return [tuple(gpus[first : first + group]) for first in range(0, wanted * group, group)]


def told(devices: Sequence[Devices], group: int, *, on_cpu: bool) -> str:
    """How many engines run on what, for the plan of a run: ``2 engines, on the GPUs 0,1 and 2,3``."""
    engines = "1 engine" if len(devices) == 1 else f"{len(devices)} engines"
    named = [",".join(each) for each in devices if each is not None]
    if named:
        return f"{engines}, on the GPUs {', '.join(named[:-1])} and {named[-1]}"
    if on_cpu:
        return f"{engines}, on the CPU"
    return f"{engines}, on " + (f"{group} GPUs" if group > 1 else "a GPU")


def would_start(gpus: int, settings: Mapping[str, Any]) -> Finding:
    """What ``agentr doctor`` says of a policy with these ``settings``, where torch finds so many GPUs."""
    engines, group = settings.get("engines", "auto"), settings.get("tensor_parallel_size", 1)
    try:
        each = shared_out(visible("CUDA_VISIBLE_DEVICES", gpus) if gpus else (), engines, group)
    except UsageError as error:
        return Finding("vllm", "missing", str(error), "nothing else needs them; only a run with the policy vllm does")
    return Finding("vllm", "ok", f"vllm.engines={engines} would start {told(each, group, on_cpu=not gpus)}")
