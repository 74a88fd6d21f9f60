"""How full the engines are: what their schedulers say after each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core import EngineLoad


@dataclass(frozen=True, slots=True)
class Reading:
    """One engine at this moment: tokens that its cache holds (None: not known yet), the share of them in use, the share
    of its sequences that are computed, and the prompt tokens so far that were asked for and that the cache held."""

    kv_tokens: int | None
    kv_used: float
    busy: float
    asked: int
    held: int


def load_of(readings: Sequence[Reading], engines: int) -> EngineLoad:
    """The load of ``engines`` together; those that have not been started yet are empty, and as large as the others."""
    sizes = [each.kv_tokens for each in readings if each.kv_tokens is not None]
    asked = sum(each.asked for each in readings)
    return EngineLoad(
        kv_tokens=sum(sizes) * engines // len(sizes) if sizes else None,
        kv_used=sum(each.kv_used for each in readings) / engines,
        busy=sum(each.busy for each in readings) / engines,
        cached=sum(each.held for each in readings) / asked if asked else None,
    )


class LoadMeter:
    """What vLLM calls a stat logger: hears from the scheduler after each step, and keeps the newest and the sums."""

    def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
        self._rows: int = vllm_config.scheduler_config.max_num_seqs
        self._cache = vllm_config.cache_config
        self._running, self._used = 0, 0.0
        self._asked = self._held = 0

    def record(self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any) -> None:
        """Take in one step. The engine's loop calls it; it must not fail, whatever the version of vLLM leaves out."""
        if scheduler_stats is None:
            return
        self._running = scheduler_stats.num_running_reqs
        self._used = scheduler_stats.kv_cache_usage
        self._asked += scheduler_stats.prefix_cache_stats.queries
        self._held += scheduler_stats.prefix_cache_stats.hits

    def now(self, *, idle: bool) -> Reading:
        """The load as far as is known; ``idle``: nothing is in flight, which the last step did not know yet."""
        blocks = self._cache.num_gpu_blocks
        return Reading(
            kv_tokens=blocks * self._cache.block_size if blocks else None,
            kv_used=0.0 if idle else min(1.0, self._used),
            busy=0.0 if idle else min(1.0, self._running / self._rows),
            asked=self._asked,
            held=self._held,
        )

    def log_engine_initialized(self) -> None:
        """Nothing to say."""

    def log(self) -> None:
        """Nothing to say."""

    def record_sleep_state(self, *_: Any, **__: Any) -> None:
        """Engines of this policy do not sleep."""
