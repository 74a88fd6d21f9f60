"""All engines of one model: each a process with GPUs of its own, and each started when it is first asked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentr_core import EngineLoad, Placement
from agentr_vllm.config import VLLMConfig
from agentr_vllm.devices import Devices
from agentr_vllm.engine import Engine
from agentr_vllm.load import load_of
from agentr_vllm.runtime import LoRARequest, RequestOutput, SamplingParams


class Engines:
    """One engine for each of ``devices``; the rest as :class:`Engine` has it.

    A session stays with one engine, whose prefix cache holds its turns, also while that is started again. Which engine
    answers changes no answer: all draw with the seed of the request.
    """

    def __init__(
        self, source: Path | str, config: VLLMConfig, *, name: str, context: int, devices: Sequence[Devices]
    ) -> None:
        self._all = [
            Engine(source, config, name=name, context=context, place=(number, len(devices)), devices=each)
            for number, each in enumerate(devices, 1)
        ]
        self._placement = Placement[Engine](name=lambda engine: str(engine.number), load=lambda engine: engine.asked)

    async def ask(
        self, session: str, ids: tuple[int, ...], params: SamplingParams, adapter: LoRARequest | None
    ) -> RequestOutput:
        """The finished answer of the session's engine; see :meth:`Engine.ask`."""
        return await self._placement.place(session, self._all).ask(ids, params, adapter)

    def load(self) -> EngineLoad | None:
        """How full they are together; None before the first was started."""
        readings = [reading for engine in self._all if (reading := engine.load()) is not None]
        return load_of(readings, len(self._all)) if readings else None

    def close(self) -> None:
        """End all processes; waits until they are gone. May be called twice."""
        with ThreadPoolExecutor(len(self._all)) as threads:
            list(threads.map(Engine.close, self._all))
