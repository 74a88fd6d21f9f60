"""One vLLM engine in a process of its own, and the thread here that talks to it.

The thread has an event loop of its own, so that reading the engine's answers never holds up the search, and an engine
can outlive the event loop of whoever asked for it.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import itertools
import logging
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from agentr_core import AgentrError, PolicyFailure, UsageError
from agentr_vllm.config import VLLMConfig
from agentr_vllm.devices import Devices
from agentr_vllm.failures import reason
from agentr_vllm.load import LoadMeter, Reading
from agentr_vllm.runtime import (
    ON_CPU,
    AsyncEngineArgs,
    AsyncLLM,
    EngineDeadError,
    LoRARequest,
    RequestOutput,
    SamplingParams,
    starting,
    tokens_input,
)

T = TypeVar("T")
logger = logging.getLogger("agentr.vllm")
_MB = 1 << 20
_CPU_CACHE_MB, _CPU_BLOCK = 2048, 32


class Engine:
    """Serves the model at ``source``; it is started by the first request, and again after its process died.

    ``source``: a folder or hub id; ``name``: what messages call it; ``context``: tokens of prompt and completion.
    ``place``: which of how many engines it is, from 1; ``devices``: the GPUs that it has for itself. ``asked`` counts
    the requests that wait for it or are in flight.
    """

    def __init__(
        self,
        source: Path | str,
        config: VLLMConfig,
        *,
        name: str,
        context: int,
        place: tuple[int, int] = (1, 1),
        devices: Devices = None,
    ) -> None:
        self._source, self._config, self._name, self._context = source, config, name, context
        self.number, self._of = place
        self._devices = devices
        self.asked = 0
        self._folder = Path(tempfile.mkdtemp(prefix="agentr-vllm-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agentr-vllm", daemon=True)
        self._thread.start()
        self._starting = asyncio.Lock()
        self._numbers = itertools.count()
        self._llm: Any = None
        self._meter: LoadMeter | None = None
        self._failure: AgentrError | None = None
        self._in_flight = 0
        self._closed = False
        atexit.register(self.close)

    async def ask(self, ids: tuple[int, ...], params: SamplingParams, adapter: LoRARequest | None) -> RequestOutput:
        """The finished answer to one request; may be awaited in any event loop.

        A request that is lost with its engine is asked again. Raises :class:`~agentr_core.UsageError` where the engine
        cannot be started, :class:`~agentr_core.PolicyFailure` where it refuses the request or keeps dying.
        """
        self.asked += 1
        try:
            return await asyncio.wrap_future(self._submit(self._persist(ids, params, adapter)))
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._closed and not (caller and caller.cancelling()):
                raise self._was_closed() from None
            raise
        finally:
            self.asked -= 1

    def load(self) -> Reading | None:
        """How full it is; None before it was started."""
        return None if self._meter is None else self._meter.now(idle=not self._in_flight)

    def close(self) -> None:
        """End the process and the thread; waits until both are gone. May be called twice."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._submit(self._stop()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        gc.collect()  # what is left of the engine here refers to itself
        shutil.rmtree(self._folder, ignore_errors=True)

    def _submit(self, work: Coroutine[Any, Any, T]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _was_closed(self) -> PolicyFailure:
        return PolicyFailure(f"the policy '{self._name}' was closed before it answered")

    # All below runs in the engine's thread.

    async def _persist(
        self, ids: tuple[int, ...], params: SamplingParams, adapter: LoRARequest | None
    ) -> RequestOutput:
        for _ in range(self._config.restarts + 1):
            llm = await self._started()
            try:
                return await self._generate(llm, ids, params, adapter)
            except EngineDeadError:
                await self._bury(llm)
            except (ValueError, RuntimeError) as error:  # vLLM's own errors derive from these
                raise PolicyFailure(f"vLLM refused a request to '{self._name}': {error}") from error
        raise PolicyFailure(
            f"the engine of '{self._name}' died {self._config.restarts + 1} times under one request "
            "(policy.restarts); AGENTR_DEBUG=1 shows what it says"
        )

    async def _generate(
        self, llm: Any, ids: tuple[int, ...], params: SamplingParams, adapter: LoRARequest | None
    ) -> RequestOutput:
        self._in_flight += 1
        try:
            number = str(next(self._numbers))
            async for output in llm.generate(tokens_input(list(ids)), params, number, lora_request=adapter):
                answer = output
            return answer
        finally:
            self._in_flight -= 1

    async def _started(self) -> Any:
        async with self._starting:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise self._was_closed()
            if self._llm is None:
                self._llm = self._start()
            return self._llm

    async def _bury(self, dead: Any) -> None:
        """Clear away what is left of an engine that died, once for all requests that were lost with it."""
        async with self._starting:
            if self._llm is dead and not self._closed:
                which = f"engine {self.number} of {self._of}" if self._of > 1 else "the engine"
                logger.warning("%s of '%s' died; it is started again", which, self._name)
                self._llm = None
                dead.shutdown()

    async def _stop(self) -> None:
        async with self._starting:
            if self._llm is not None:
                self._llm.shutdown()
                self._llm = None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def _start(self) -> Any:
        log = self._folder / "engine.log"
        log.unlink(missing_ok=True)
        eager = ON_CPU if self._config.enforce_eager is None else self._config.enforce_eager
        try:
            with starting(
                log,
                threads=self._config.threads,
                processes=self._config.tensor_parallel_size,
                engines=self._of,
                eager=eager,
                devices=self._devices,
            ):
                arguments = AsyncEngineArgs(**self._arguments(eager))
                return AsyncLLM.from_engine_args(arguments, stat_loggers=[self._measured])
        except Exception as error:  # vLLM raises whatever its parts raise
            self._failure = UsageError(
                f"vLLM cannot serve '{self._name}': {reason(error, log)} (AGENTR_DEBUG=1 shows all that it says)"
            )
            raise self._failure from error

    def _measured(self, vllm_config: Any, engine_index: int = 0) -> LoadMeter:
        self._meter = LoadMeter(vllm_config, engine_index)
        return self._meter

    def _arguments(self, eager: bool) -> dict[str, Any]:
        config = self._config
        arguments: dict[str, Any] = {
            "model": str(self._source),
            # Many CPUs have no arithmetic in bfloat16, and are five times slower where they must imitate it.
            "dtype": "float32" if ON_CPU and config.dtype == "auto" else config.dtype,
            "max_model_len": self._context,
            "max_num_seqs": config.max_num_seqs,
            "tensor_parallel_size": config.tensor_parallel_size,
            "gpu_memory_utilization": config.gpu_memory_utilization,
            "enforce_eager": eager,
            "trust_remote_code": config.trust_remote_code,
            "enable_prefix_caching": True,
            "logprobs_mode": "raw_logprobs",  # under temperature 1, whatever the sampling temperature is
            "disable_log_stats": True,
        }
        cache_mb = config.kv_cache_mb or (_CPU_CACHE_MB if ON_CPU else None)
        if cache_mb is not None:
            arguments["kv_cache_memory_bytes"] = cache_mb * _MB
        if block := config.block_size or (_CPU_BLOCK if ON_CPU else None):
            arguments["block_size"] = block
        if ON_CPU:
            # A seeded request whose prompt is computed in parts ends the CPU engine (vLLM 0.32): its random generator
            # cannot be put back. So every prompt is computed in one go.
            arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max(self._context, 2048)}
        if config.lora:
            arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": config.lora_rank}
        return arguments | config.engine
