"""How full the servers are: vLLM's ``/metrics`` says it, other servers mostly have no such page.

The text format is that of Prometheus ("Exposition formats"); the names are vLLM's ("Production metrics").
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from agentr_core import EngineLoad

#: Seconds between two looks while requests are in flight.
INTERVAL = 1.0
_SAMPLE = re.compile(r"^vllm:(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Reading:
    """One server: tokens that its cache holds, the share in use, requests computed, prompt tokens asked and held."""

    kv_tokens: int
    kv_used: float
    running: float
    asked: float
    held: float


def read_metrics(text: str) -> Reading | None:
    """What the page says; None where it is not vLLM's."""
    values: dict[str, float] = {}
    tokens = 0
    for name, labels, value in _SAMPLE.findall(text):
        if name == "cache_config_info":
            found = dict(_LABEL.findall(labels))
            tokens += _whole(found.get("num_gpu_blocks")) * _whole(found.get("block_size"))
        else:
            values[name] = values.get(name, 0.0) + float(value)
    if "num_requests_running" not in values:
        return None
    return Reading(
        kv_tokens=tokens,
        kv_used=values.get("kv_cache_usage_perc", 0.0),
        running=values["num_requests_running"],
        asked=values.get("prefix_cache_queries_total", 0.0),
        held=values.get("prefix_cache_hits_total", 0.0),
    )


def page(base_url: str) -> str:
    """Where a server has its metrics: beside ``/v1``."""
    return base_url.removesuffix("/v1") + "/metrics"


@dataclass(slots=True)
class Monitor:
    """Looks at the servers now and then while requests are in flight; ``get`` fetches a page's text.

    ``rows``: requests that one server is sent at the most. A server without such a page is not asked again.
    """

    urls: Iterable[str]
    rows: int
    get: Callable[[str], Awaitable[str]]
    _readings: dict[str, Reading] = field(default_factory=dict)
    _without: set[str] = field(default_factory=set)
    _looking: asyncio.Task[None] | None = None
    _in_flight: int = 0

    def __enter__(self) -> None:
        self._in_flight += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def __exit__(self, *_: object) -> None:
        self._in_flight -= 1

    def load(self) -> EngineLoad | None:
        """All servers together, as last seen; None where none has told anything."""
        seen = list(self._readings.values())
        if not seen:
            return None
        tokens, asked = sum(each.kv_tokens for each in seen), sum(each.asked for each in seen)
        used = sum(each.kv_used * (each.kv_tokens if tokens else 1) for each in seen) / (tokens or len(seen))
        return EngineLoad(
            kv_tokens=tokens or None,
            kv_used=min(1.0, used),
            busy=min(1.0, sum(each.running for each in seen) / (len(seen) * self.rows)),
            cached=sum(each.held for each in seen) / asked if asked else None,
        )

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while self._in_flight and (urls := [url for url in self.urls if url not in self._without]):
            for url in urls:
                await self._look_at(url)
            await asyncio.sleep(INTERVAL)

    async def _look_at(self, url: str) -> None:
        try:
            text = await self.get(page(url))
        except Exception:  # this only tells how full a server is; a request to it will say what is wrong
            return
        if reading := read_metrics(text):
            self._readings[url] = reading
        else:
            self._without.add(url)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
