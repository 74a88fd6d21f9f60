"""Engines as policies hold them: their own, or with ``lora`` the same for all adapters of one base model.

A trainer of low-rank adapters leaves the whole model in ``model/`` and the adapter in ``adapter/`` beside it. With
``lora`` the adapter is served over the base model that it names, by engines that run on between two policies: the next
iteration needs no new start. They end when another base model or other settings are asked for, and with the program.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentr_core import UsageError, base_of, canonical_json, is_adapter
from agentr_vllm.config import VLLMConfig
from agentr_vllm.devices import Devices
from agentr_vllm.engines import Engines
from agentr_vllm.runtime import LoRARequest


@dataclass(slots=True)
class Lease:
    """Engines on loan, and the adapter to be asked for with each request; ``end`` gives them back."""

    engines: Engines
    adapter: LoRARequest | None
    end: Callable[[], None]


@dataclass(slots=True)
class _Kept:
    key: str
    engines: Engines
    users: int = 0


@dataclass(slots=True)
class _Shelf:
    """The engines that are kept, if any."""

    kept: _Kept | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lend(self, key: str, make: Callable[[], Engines]) -> _Kept:
        """The engines of ``key``; others are closed, unless someone still uses them: then they close after them."""
        with self.lock:
            if self.kept is None or self.kept.key != key:
                self._drop()
                self.kept = _Kept(key, make())
            self.kept.users += 1
            return self.kept

    def back(self, kept: _Kept) -> None:
        """One user less; only the newest engines are kept without any."""
        with self.lock:
            kept.users -= 1
            if not kept.users and kept is not self.kept:
                kept.engines.close()

    def clear(self) -> None:
        """Close what is kept."""
        with self.lock:
            self._drop()

    def _drop(self) -> None:
        kept, self.kept = self.kept, None
        if kept is not None and not kept.users:
            kept.engines.close()


_shelf = _Shelf()


def lend(source: Path | str, config: VLLMConfig, context: int, devices: Sequence[Devices]) -> Lease:
    """Engines for the model at ``source``; raises :class:`~agentr_core.UsageError` for an adapter they cannot take."""
    if not config.lora:
        if is_adapter(source):
            raise UsageError(f"'{config.model}' is an adapter without its model: set vllm.lora=true, which serves both")
        engines = Engines(source, config, name=config.model, context=context, devices=devices)
        return Lease(engines, None, engines.close)
    base, adapter = _split(source, config)
    key = canonical_json([str(base), context, devices, config.model_dump(mode="json", exclude={"model"})])
    kept = _shelf.lend(key, lambda: Engines(base, config, name=str(base), context=context, devices=devices))
    return Lease(kept.engines, adapter, lambda: _shelf.back(kept))


def close_kept() -> None:
    """Close the engines that ``lora`` keeps, if nobody uses them."""
    _shelf.clear()


def _split(source: Path | str, config: VLLMConfig) -> tuple[Path | str, LoRARequest | None]:
    """Base model and adapter of a trainer's folder, or of an adapter's own; anything else is its own base."""
    folder = Path(source) if is_adapter(source) else Path(source).parent / "adapter"
    settings = folder / "adapter_config.json"
    if not isinstance(source, Path) or not settings.is_file():
        return source, None
    found = json.loads(settings.read_text(encoding="utf-8"))
    if found["r"] > config.lora_rank:
        raise UsageError(
            f"the adapter in '{folder}' has rank {found['r']}, more than vllm.lora_rank={config.lora_rank}: raise that"
        )
    # vLLM tells adapters apart by number.
    number = zlib.crc32(str(folder).encode()) % (1 << 30) + 1
    return base_of(folder), LoRARequest(str(folder), number, str(folder))
